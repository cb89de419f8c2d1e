// What only a server that reads files, measures nearness and keeps projects can show.

import { documents, expect, fresh, project, search, subject, test } from "../support";

test("the numbers of a run go up while it goes", async ({ page, request }) => {
  // A development build without the processor's bf16 units embeds some 1,500 tokens a second, beside a browser.
  test.setTimeout(300_000);
  const words = "the pump of the mill is cleaned every spring by the miller and his daughter before the river rises".split(" ");
  const files = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, i) => {
      const text = Array.from({ length: 90 }, (_, j) => words[(i * 7 + j * j) % words.length]).join(" ");
      return [`${i}.md`, `# Page ${i}\n\nOn page ${i}: ${text}.\n`];
    }),
  );
  const knowledge = await fresh(request, "e2e-many", files);
  await page.goto(`/knowledge/${knowledge}`);
  await page.getByRole("button", { name: "Ingest" }).click();
  const meter = page.getByRole("progressbar", { name: "Documents done" });
  await expect
    .poll(async () => {
      const now = Number((await meter.getAttribute("aria-valuenow", { timeout: 1_000 }).catch(() => null)) ?? 0);
      return now > 0 && now < 100;
    })
    .toBe(true);
  await expect(page.getByText(/\d+ of 1,?000 documents/)).toBeVisible();
  await expect(page.locator(".live-current")).toContainText(".md");
  await expect(page.getByRole("heading", { name: "Report" })).toBeVisible({ timeout: 240_000 });
  await expect(page.locator(".live-facts").filter({ hasText: "Added" })).toContainText(/1,?000/);
});

test("what a run could not read is told with its reason, and tried again on demand", async ({ page, request }) => {
  test.slow();
  const blank =
    "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
    "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n";
  const knowledge = await fresh(request, "e2e-troubled", {
    "scan.pdf": blank,
    "empty.md": "",
    "broken.pdf": "%PDF-1.7 nothing",
    "good.md": "# Good\n\nA good page.",
  });
  await page.goto(`/knowledge/${knowledge}`);
  await page.getByRole("button", { name: "Ingest" }).click();
  await expect(page.getByRole("heading", { name: /1 document could not be read/ })).toBeVisible({ timeout: 240_000 });
  await expect(page.getByRole("row", { name: /broken\.pdf/ })).toContainText("parse-malformed");
  await expect(page.getByRole("heading", { name: /warning/ })).toBeVisible();
  await page
    .getByRole("row", { name: /scan\.pdf/ })
    .getByRole("link")
    .first()
    .click();
  await expect(page.getByRole("list", { name: "Warnings" })).toContainText(/text/);
  await page.goBack();
  await expect(page.getByRole("button", { name: "Retry failed" })).toBeVisible();
  const run = page.url();
  // What holds no text is read, and not out of date.
  await page.goto(`/knowledge/${knowledge}/documents`);
  for (const [name, state] of [
    ["scan", "No text"],
    ["empty", "No text"],
    ["Good", "Ready"],
    ["broken", "Failed"],
  ] as const) {
    await expect(page.getByRole("row", { name: new RegExp(name) })).toContainText(state);
  }
  await page.goto(run);
  const before = page.url();
  await page.getByRole("button", { name: "Retry failed" }).click();
  await expect(page).not.toHaveURL(before);
  await expect(page.getByRole("heading", { name: /1 document could not be read/ })).toBeVisible({ timeout: 240_000 });
});

test("a search tells what it left out, and why", async ({ page, request }) => {
  const { knowledge } = await subject(request);
  const one = (await documents(request, knowledge)).find((d) => d.status === "ready")!;
  const found = await search(request, knowledge, { query: one.title, limit: 5 });
  expect(found.left_out.length).toBeGreaterThan(0);
  await page.goto(`/knowledge/${knowledge}/search?limit=5&q=${encodeURIComponent(one.title)}`);
  await page.getByText(/more chunks? (was|were) found and not given/).click();
  const row = page.locator(".left-out tbody tr").first();
  await expect(row).toContainText(/no room within the limit|a better hit says the same/);
  await row.getByRole("link").click();
  await expect(page).toHaveURL(/\/documents\/.*chunk=/);
});

test("a question that nothing here is near to is told by how far", async ({ page, request }) => {
  const { knowledge } = await subject(request);
  await page.goto(`/knowledge/${knowledge}/search?q=${encodeURIComponent("medieval recipes for pickled herring with juniper")}`);
  await expect(page.getByText("Nothing near enough")).toBeVisible();
  await expect(page.getByText(/the threshold is/)).toBeVisible();
});

test("all pages follow the project that is chosen", async ({ page, request }) => {
  const name = await project(request);
  const { knowledge } = await subject(request);
  await page.goto("/knowledge");
  await expect(page.getByRole("gridcell", { name: knowledge }).first()).toBeVisible();
  await page.locator(".sidebar").getByRole("combobox", { name: "Project" }).selectOption(name);
  await expect(page).toHaveURL((url) => url.pathname === "/");
  await expect(page.getByText("Nothing here yet", { exact: false })).toBeVisible();
  await page.getByRole("link", { name: "Knowledge", exact: false }).first().click();
  await expect(page.getByText("No knowledge yet", { exact: false }).first()).toBeVisible();
  await page.locator(".sidebar").getByRole("combobox", { name: "Project" }).selectOption("default");
  await expect(page.getByRole("link", { name: knowledge }).first()).toBeVisible();
});
