import { ANSWER_MS, answered, ask, expect, manyTraces, settled, subject, test, waitsForAnswers, writer } from "./support";

test("the list is filtered by status, app and text, and the address keeps the filter", async ({ page, request }) => {
  waitsForAnswers(1);
  const { app } = await subject(request);
  await answered(request, app);
  await page.goto("/traces?in=all");
  const grid = page.getByRole("grid", { name: "Traces" });
  await expect(grid.getByRole("row").nth(1)).toBeVisible();
  await page.getByText("Errors", { exact: true }).and(page.locator("label")).click();
  await expect(page).toHaveURL(/status=error/);
  await page.reload();
  await expect(page.getByRole("radio", { name: "Errors" })).toBeChecked();
  await page.goto("/traces?in=all");
  await page.getByRole("combobox", { name: "App" }).selectOption(app);
  await expect(grid.getByRole("row").nth(1)).toContainText(app);
  await page.keyboard.press("/");
  await page.keyboard.type(`nothing says ${Date.now()}`);
  await expect(page.getByText("No trace matches")).toBeVisible();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(grid.getByRole("row").nth(1)).toBeVisible();
});

test("traces whose beginning is not here are asked for with a switch, and the address keeps it", async ({ page, request }) => {
  await manyTraces(request);
  const asksAny = (url: string) => new URL(url).pathname === "/api/v1/traces" && new URL(url).searchParams.get("any") === "true";
  await page.goto("/traces?in=all");
  const grid = page.getByRole("grid", { name: "Traces" });
  await expect(grid.getByRole("row").nth(1)).toBeVisible();
  const asked = page.waitForRequest((one) => asksAny(one.url()));
  await page.getByText("Ask every span").click();
  await asked;
  await expect(page).toHaveURL(/any=true/);
  await page.reload();
  await expect(page.getByRole("switch", { name: "Ask every span" })).toBeChecked();
  await expect(grid.getByRole("row").nth(1)).toBeVisible();
  await page.getByText("Ask every span").click();
  await expect(page).not.toHaveURL(/any=/);
});

test("more traces are loaded by cursor without repeating any", async ({ page, request }) => {
  await manyTraces(request);
  const pages: string[][] = [];
  page.on("response", async (response) => {
    if (new URL(response.url()).pathname !== "/api/v1/traces") return;
    const { items } = (await response.json()) as { items: { trace_id: string }[] };
    pages.push(items.map((t) => t.trace_id));
  });
  await page.goto("/traces?in=all");
  const grid = page.getByRole("grid", { name: "Traces" });
  const shown = async () => Number(await grid.getAttribute("aria-rowcount")) - 1;
  await expect.poll(shown).toBeGreaterThanOrEqual(50);
  await grid.focus();
  await expect
    .poll(async () => {
      await page.keyboard.press("End");
      return shown();
    })
    .toBeGreaterThan(50);
  await expect.poll(async () => pages.flat().length >= (await shown())).toBe(true);
  const ids = pages.flat();
  expect(new Set(ids).size).toBe(ids.length);
});

test("the waterfall is walked by keyboard and shows what a span knew", async ({ page, request }) => {
  waitsForAnswers(1);
  const app = await writer(request);
  await ask(page, app, process.env.E2E_QUESTION ?? "What is an alias?");
  await page.locator(".answer-foot").getByRole("link", { name: "Trace" }).click();
  const tree = page.getByRole("tree", { name: "Spans" });
  await expect(tree.getByRole("treeitem").nth(3)).toBeVisible();
  const all = await tree.getByRole("treeitem").count();

  await tree.focus();
  await page.keyboard.press("Home");
  await expect(tree.getByRole("treeitem").first()).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("ArrowLeft");
  await expect(tree.getByRole("treeitem")).toHaveCount(1);
  await page.keyboard.press("ArrowRight");
  await expect(tree.getByRole("treeitem")).toHaveCount(all);
  await page.keyboard.press("j");
  await expect(tree.getByRole("treeitem").nth(1)).toHaveAttribute("aria-selected", "true");

  await tree.getByRole("treeitem", { name: /chat/ }).first().click();
  await page.getByRole("tab", { name: /Messages/ }).click();
  await expect(page.locator(".message.from-assistant")).toBeVisible();
  await expect(page.locator(".message.from-user").last()).toBeVisible();
  await page.getByRole("tab", { name: /Attributes/ }).click();
  await expect(page.getByText("gen_ai.request.model").first()).toBeVisible();
  await tree.getByRole("treeitem").first().click();
  await page.getByRole("tab", { name: /Versions/ }).click();
  await expect(page.locator(".span-versions li").first()).toBeVisible();

  await tree
    .getByRole("treeitem", { name: /retriev/ })
    .first()
    .click();
  await page.locator(".span-hits a").first().click();
  await expect(page.locator(".doc mark").first()).toBeInViewport();
});

test("a replay answers again and shows the difference", async ({ page, request }) => {
  waitsForAnswers(2);
  const { app } = await subject(request);
  await page.goto(`/traces/${await answered(request, app)}`);
  await expect(page.getByRole("treeitem").first()).toBeVisible();
  await page.keyboard.press("p");
  const dialog = page.getByRole("dialog", { name: "Replay" });
  await dialog.getByRole("button", { name: "Replay", exact: true }).click();
  await expect(dialog.locator(".word-diff")).toBeVisible({ timeout: ANSWER_MS });
  await expect(dialog.getByText("Same answer")).toBeVisible();
  await dialog.getByRole("link", { name: "Trace of the replay" }).click();
  await expect(page).toHaveURL(/\/traces\/[0-9a-f]{32}$/);
});

test("a trace that is not there says so", async ({ page }) => {
  await page.goto("/traces/00000000000000000000000000000abc");
  await expect(page.getByRole("alert")).toContainText("trace-not-found", { timeout: 20_000 });
});

test("every column of the lists is in sight on a small laptop", async ({ page, request }) => {
  await manyTraces(request);
  await page.setViewportSize({ width: 1280, height: 800 });
  for (const [path, name] of [
    ["/traces?in=all", "Traces"],
    ["/models/calls", "Calls"],
  ]) {
    await page.goto(path!);
    const grid = page.getByRole("grid", { name: name!, exact: true });
    const cells = grid.locator("[role=columnheader], [role=gridcell]").filter({ visible: true });
    // A server that was asked nothing has no calls.
    if (name === "Calls" && (await settled(page), await grid.count()) === 0) continue;
    await expect(grid.getByRole("row").nth(1)).toBeVisible();
    const ends = await cells.evaluateAll((all) => all.map((cell) => cell.getBoundingClientRect().right));
    expect(ends.length).toBeGreaterThan(10);
    expect(Math.max(...ends), name).toBeLessThanOrEqual(1280);
  }
});
