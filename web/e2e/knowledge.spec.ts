import { detail, documents, expect, subject, test } from "./support";

test("a knowledge shows its sources with what each gave, and how documents are cut and found", async ({ page, request }) => {
  const { knowledge } = await subject(request);
  const { sources, chunking } = await detail(request, knowledge);
  expect(sources.length).toBeGreaterThan(0);
  await page.goto(`/knowledge/${knowledge}`);
  const list = page.getByRole("region", { name: "Sources", exact: true });
  for (const source of sources) {
    const row = list.getByRole("row").filter({ hasText: source.location });
    await expect(row).toContainText(source.documents.toLocaleString("en-US"));
  }
  await expect(page.getByRole("region", { name: "Chunking", exact: true })).toContainText(`max_tokens: ${chunking.max_tokens}`);
  await expect(page.getByRole("region", { name: "Retrieval", exact: true })).toContainText("mode:");
});

test("an ingestion starts from the page, shows its progress and ends with a report", async ({ page, request }) => {
  test.slow();
  const { knowledge } = await subject(request);
  await page.goto(`/knowledge/${knowledge}`);
  await page.getByRole("button", { name: "Ingest" }).click();
  await expect(page).toHaveURL(/\/runs\/run_/);
  await expect(page.getByText(/Running|Queued|Succeeded/).first()).toBeVisible();
  await expect(page.getByRole("heading", { name: "Report" })).toBeVisible({ timeout: 120_000 });
  await expect(page.getByText("Succeeded").first()).toBeVisible();
  await page.getByRole("navigation", { name: "Breadcrumb" }).getByRole("link", { name: "Runs" }).click();
  await expect(page.getByRole("row").nth(1)).toContainText("Succeeded");
});

test("documents are listed, filtered by text and status, and opened by keyboard", async ({ page, request }) => {
  const { knowledge } = await subject(request);
  const all = await documents(request, knowledge);
  const one = all.find((d) => d.status === "ready")!;
  await page.goto(`/knowledge/${knowledge}/documents`);
  const grid = page.getByRole("grid", { name: "Documents" });
  await expect(grid.getByRole("row").nth(1)).toBeVisible();
  await page.keyboard.press("/");
  await page.keyboard.type(one.title.slice(0, 12));
  await expect(grid.getByText(one.title).first()).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("searchbox")).toHaveValue("");
  await page.getByText("Failed", { exact: false }).and(page.locator("label")).click();
  await expect(page).toHaveURL(/status=failed/);
  const failed = all.filter((d) => d.status === "failed");
  if (failed.length === 0) await expect(page.getByText("No document matches")).toBeVisible();
  else await expect(grid.getByText(failed[0]!.title).first()).toBeVisible();

  await page.goto(`/knowledge/${knowledge}/documents`);
  await expect(grid.getByRole("row").nth(1)).toBeVisible();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/documents\/[^/]+$/);
});

test("a document shows its text with chunks outlined, and j walks through them", async ({ page, request }) => {
  const { knowledge } = await subject(request);
  const one = (await documents(request, knowledge)).find((d) => d.status === "ready")!;
  await page.goto(`/knowledge/${knowledge}/documents/${one.id}`);
  await expect(page.locator(".doc .in-chunk").first()).toBeVisible();
  await expect(page.locator(".doc .chosen")).toHaveCount(0);
  await page.keyboard.press("j");
  await expect(page.getByRole("button", { pressed: true })).toContainText("1");
  await expect(page.locator(".doc .chosen").first()).toBeInViewport();
  await page.keyboard.press("c");
  await expect(page.locator(".doc .in-chunk")).toHaveCount(0);
});

test("search explains each hit and opens it at its place", async ({ page, request }) => {
  const { knowledge } = await subject(request);
  const one = (await documents(request, knowledge)).find((d) => d.status === "ready")!;
  await page.goto(`/knowledge/${knowledge}/search`);
  await expect(page.getByRole("searchbox")).toBeVisible();
  await page.keyboard.press("/");
  await page.keyboard.type(one.title);
  await page.keyboard.press("Enter");
  const hit = page.locator(".hit").first();
  await expect(hit.locator(".leg", { hasText: "Vector" })).toBeVisible();
  await expect(hit.locator(".leg", { hasText: "BM25" })).toBeVisible();
  await expect(hit.locator(".leg", { hasText: "Fused" })).toBeVisible();
  await expect(page.getByRole("status").filter({ hasText: /hits? in/ })).toBeVisible();

  await page.getByText("BM25", { exact: true }).and(page.locator("label")).click();
  await expect(page).toHaveURL(/mode=text/);
  await expect(hit.locator(".leg", { hasText: "Vector" })).toHaveCount(0);

  await page.locator(".hit-title a").first().click();
  await expect(page).toHaveURL(/start=\d+&end=\d+/);
  await expect(page.locator(".doc mark").first()).toBeInViewport();
});

test("a passage of a document that changed is shown in the text of then, or told to be gone", async ({ page, request }) => {
  const { knowledge } = await subject(request);
  const one = (await documents(request, knowledge)).find((d) => d.status === "ready")!;
  const there = `/knowledge/${knowledge}/documents/${encodeURIComponent(one.id)}`;
  const digest = `sha256:${"0".repeat(64)}`;
  const text = "What it said before. It says something else by now.";
  await page.route("**/text?digest=*", (route) => route.fulfill({ json: { text, digest, current: false, blocks: [] } }));
  await page.goto(`${there}?start=0&end=20&digest=${digest}`);
  await expect(page.locator(".doc mark").first()).toHaveText("What it said before.");
  await expect(page.getByRole("note")).toContainText("The document has changed since");
  await page.unroute("**/text?digest=*");
  const problem = { title: "not found", status: 404, code: "knowledge-text-gone", detail: "it is gone", type: "about:blank" };
  await page.route("**/text?digest=*", (route) => route.fulfill({ status: 404, json: problem }));
  await page.reload();
  await expect(page.getByRole("note")).toContainText("no longer kept");
  await page.getByRole("link", { name: "Show it as it is now" }).click();
  await expect(page).toHaveURL(there);
  await expect(page.getByRole("note")).toHaveCount(0);
  await expect(page.locator(".doc")).toBeVisible();
});

test("a search without hits says so", async ({ page, request }) => {
  const { knowledge } = await subject(request);
  await page.goto(`/knowledge/${knowledge}/search?mode=text&q=zzqxjkvw`);
  await expect(page.getByText("Nothing found")).toBeVisible();
});

test("a search says that the documents were not all read, and not that they say nothing", async ({ page, request }) => {
  const { knowledge } = await subject(request);
  const there = `/knowledge/${knowledge}/search?mode=text&q=zzqxjkvw`;
  const unread = { knowledge, state: "under_way", documents: { read: 3, found: 40 } };
  await page.route("**/api/v1/knowledge/*/search", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...((await response.json()) as object), unread } });
  });
  await page.goto(there);
  await expect(page.locator(".unread-note")).toHaveText(`The documents of ${knowledge} are still being read, 3 of 40 so far.`);
  await expect(page.getByText("Nothing that was read so far")).toBeVisible();
  await page.unroute("**/api/v1/knowledge/*/search");
  await page.reload();
  await expect(page.getByText("Nothing in this knowledge")).toBeVisible();
  await expect(page.locator(".unread-note")).toHaveCount(0);
});
