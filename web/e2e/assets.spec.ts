import { assets, expect, revised, test } from "./support";

test("assets are listed by kind and filtered by name", async ({ page, request }) => {
  const [one] = await assets(request);
  await page.goto("/assets");
  const grid = page.getByRole("grid", { name: "Assets" });
  await expect(grid.getByRole("row").nth(1)).toBeVisible();
  await page.getByRole("navigation", { name: "Kinds" }).getByRole("link", { name: one!.kind }).click();
  await expect(page).toHaveURL(new RegExp(`/assets/${one!.kind}$`));
  await page.keyboard.press("/");
  await page.keyboard.type(one!.name);
  await grid.getByText(one!.name).first().click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText(one!.name);
  await expect(page.locator(".yaml")).toContainText(":");
});

test("every version is listed, and shows the spec it had", async ({ page, request }) => {
  const one = await revised(request);
  await page.goto(`/assets/${one.kind}/${one.name}`);
  const versions = page.getByRole("complementary", { name: "Versions and aliases" }).getByRole("listitem");
  const of = (version: number) => versions.getByRole("button", { name: new RegExp(`^v${version}(?!\\d)`) });
  await expect(of(one.version)).toHaveAttribute("aria-current", "true");
  const newest = await page.locator(".yaml").innerText();
  await of(1).click();
  await expect(page).toHaveURL(/[?&]version=1$/);
  await expect(of(1)).toHaveAttribute("aria-current", "true");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("v1");
  await expect.poll(() => page.locator(".yaml").innerText()).not.toBe(newest);
});

test("two versions are compared line by line", async ({ page, request }) => {
  const one = await revised(request);
  await page.goto(`/assets/${one.kind}/${one.name}/diff`);
  await expect(page.locator(".diff-add, .diff-del").first()).toBeVisible();
  await expect(page.getByRole("combobox", { name: "From" })).toHaveValue(String(one.version - 1));
  await page.getByRole("combobox", { name: "From" }).selectOption(String(one.version));
  await expect(page.getByText("No difference")).toBeVisible();
});

test("an alias is made and moved, and a move that somebody else was faster with is refused", async ({ page, request }) => {
  const one = await revised(request);
  const alias = `e2e-${Date.now().toString(36)}`;
  await page.goto(`/assets/${one.kind}/${one.name}`);
  await page.getByRole("button", { name: "New", exact: true }).click();
  await page.getByLabel("Name").fill(alias);
  await page.getByRole("combobox", { name: "Version" }).selectOption(String(one.version));
  await page.getByRole("button", { name: /Point to/ }).click();
  const row = page.locator(".alias-list li", { hasText: alias });
  await expect(row).toContainText(`v${one.version}`);

  await row.getByRole("button", { name: "Move" }).click();
  await page.getByRole("combobox", { name: "Version" }).selectOption("1");
  await page.getByRole("button", { name: `Move from v${one.version} to v1` }).click();
  await expect(row).toContainText("v1");

  await row.getByRole("button", { name: "Move" }).click();
  const moved = await request.put(`/api/v1/assets/${one.kind}/${one.name}/aliases/${alias}`, { data: { to: `v${one.version}` } });
  expect(moved.ok()).toBe(true);
  await page.getByRole("combobox", { name: "Version" }).selectOption(String(one.version));
  await page.getByRole("button", { name: /Move from/ }).click();
  await expect(page.getByRole("dialog").getByRole("alert")).toBeVisible();
  await page.getByRole("button", { name: "See where it is now" }).click();
  await expect(row).toContainText(`v${one.version}`);
  await request.delete(`/api/v1/assets/${one.kind}/${one.name}/aliases/${alias}`);
});

test("references lead to what they name", async ({ page, request }) => {
  const app = (await assets(request)).find((a) => a.kind === "app")!;
  await page.goto(`/assets/app/${app.name}/references`);
  await page.getByRole("region", { name: "Uses" }).getByRole("link").first().click();
  await expect(page).toHaveURL(/\/assets\/chain\//);
  await expect(page.locator(".yaml")).toBeVisible();
});
