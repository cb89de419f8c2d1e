import { ask, expect, real, subject, test, traces } from "./support";

test("the list is filtered by status, app and text, and the address keeps the filter", async ({ page, request }) => {
  const { app } = await subject(request);
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
  await page.keyboard.type("zzqxjkvw no such words");
  await expect(page.getByText("No trace matches")).toBeVisible();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(grid.getByRole("row").nth(1)).toBeVisible();
});

test("more traces are loaded by cursor without repeating any", async ({ page, request }) => {
  test.skip((await traces(request)).length < 50, "fewer traces than a page");
  await page.goto("/traces?in=all");
  await page.getByRole("grid", { name: "Traces" }).focus();
  await page.keyboard.press("End");
  await page.getByRole("button", { name: "Load more" }).click();
  await expect(page.getByRole("grid", { name: "Traces" })).toHaveAttribute("aria-rowcount", /^1\d\d$/);
});

test("the waterfall is walked by keyboard and shows what a span knew", async ({ page, request }) => {
  const { app } = await subject(request);
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

  await tree.getByRole("treeitem", { name: /chat/ }).last().click();
  await page.getByRole("tab", { name: /Messages/ }).click();
  await expect(page.locator(".message.from-assistant")).toBeVisible();
  await expect(page.locator(".message.from-user").last()).toBeVisible();
  await page.getByRole("tab", { name: /Attributes/ }).click();
  await expect(page.getByText("gen_ai.request.model").first()).toBeVisible();
  await page.getByRole("tab", { name: /Versions/ }).click();
  await expect(page.locator(".span-versions li").first()).toBeVisible();
});

test("a replay answers again and shows the difference", async ({ page, request }) => {
  test.slow();
  const one = (await traces(request)).find((t) => t.status === "ok" && t.app);
  test.skip(!one, "nothing to replay");
  await page.goto(`/traces/${one!.trace_id}`);
  await expect(page.getByRole("treeitem").first()).toBeVisible();
  await page.keyboard.press("p");
  const dialog = page.getByRole("dialog", { name: "Replay" });
  await dialog.getByRole("button", { name: "Replay", exact: true }).click();
  await expect(dialog.locator(".word-diff")).toBeVisible({ timeout: 90_000 });
  await expect(dialog.getByText(real ? /Same answer|difference/ : "Same answer")).toBeVisible();
});

test("a trace that is not there says so", async ({ page }) => {
  await page.goto("/traces/00000000000000000000000000000abc");
  await expect(page.getByRole("alert")).toBeVisible({ timeout: 20_000 });
});
