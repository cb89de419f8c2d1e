// Members, projects and jobs: what only a server with a catalog can show.

import { expect, fresh, test } from "../support";

test("a member is added, changed and removed, by keyboard and mouse", async ({ page }) => {
  const name = `e2e-${Date.now().toString(36)}@example.org`;
  await page.goto("/settings/members");
  const row = page.getByRole("row", { name: new RegExp(name) });
  await page.getByRole("button", { name: "Add member" }).press("Enter");
  await expect(page.getByLabel("Name")).toBeFocused();
  await page.keyboard.type(name);
  await page.getByLabel("Role").selectOption("editor");
  await page.getByText("By label", { exact: true }).click();
  await page.getByLabel("Access labels").fill("hr, finance");
  await page.keyboard.press("Enter");
  await expect(page.getByText(`Added ${name}`)).toBeVisible();
  await expect(row).toContainText("editor");
  await expect(row).toContainText("finance");

  await row.getByRole("button", { name: "Change" }).click();
  await page.getByLabel("Role").selectOption("reader");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(row).toContainText("reader");

  await row.getByRole("button", { name: "Change" }).click();
  await page.getByRole("button", { name: "Remove from project" }).click();
  await expect(row).toHaveCount(0);
});

test("the last admin cannot be removed, and the page says why", async ({ page }) => {
  await page.goto("/settings/members");
  await page.getByRole("row", { name: /local/ }).getByRole("button", { name: "Change" }).click();
  await page.getByRole("button", { name: "Remove from project" }).click();
  await expect(page.getByRole("dialog")).toContainText("identity-last-admin");
});

test("a project is made and can be chosen", async ({ page }) => {
  const name = `e2e-${Date.now().toString(36)}`;
  await page.goto("/settings/projects");
  await page.getByRole("button", { name: "New project" }).click();
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Create project" }).click();
  await expect(page.getByRole("row", { name: new RegExp(name) })).toContainText("admin");
  await page.locator(".sidebar").getByRole("combobox", { name: "Project" }).selectOption(name);
  await expect(page.getByText("Nothing here yet", { exact: false })).toBeVisible();
});

test("what the server does by itself is listed", async ({ page, request }) => {
  test.slow();
  const knowledge = await fresh(request, "e2e-watched", { "a.md": "# A\n\nA page that is watched." }, { watch: true });
  await page.goto("/settings/jobs");
  const row = page.getByRole("row", { name: new RegExp(knowledge) });
  await expect(row).toContainText("done", { timeout: 90_000 });
  await row.getByRole("link", { name: knowledge }).click();
  await expect(page.getByText("Succeeded").first()).toBeVisible();
});
