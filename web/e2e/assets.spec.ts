import { expect, test } from "./support";

interface Asset {
  kind: string;
  name: string;
  version: number;
  aliases: { alias: string; version: number }[];
}

const list = async (request: import("@playwright/test").APIRequestContext): Promise<Asset[]> =>
  ((await (await request.get("/api/v1/assets?limit=200")).json()) as { items: Asset[] }).items;

test("assets are listed by kind and filtered by name", async ({ page, request }) => {
  const [one] = await list(request);
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

test("two versions are compared line by line", async ({ page, request }) => {
  const one = (await list(request)).find((a) => a.version > 1);
  test.skip(!one, "no asset has two versions");
  await page.goto(`/assets/${one!.kind}/${one!.name}/diff`);
  await expect(page.locator(".diff-add, .diff-del").first()).toBeVisible();
  await expect(page.getByRole("combobox", { name: "From" })).toHaveValue(String(one!.version - 1));
});

test("an alias is made and moved, and a move that somebody else was faster with is refused", async ({ page, request }) => {
  const one = (await list(request)).find((a) => a.version > 1) ?? (await list(request))[0]!;
  const alias = `e2e-${Date.now().toString(36)}`;
  await page.goto(`/assets/${one.kind}/${one.name}`);
  await page.getByRole("button", { name: "New", exact: true }).click();
  await page.getByLabel("Name").fill(alias);
  await page.getByRole("combobox", { name: "Version" }).selectOption(String(one.version));
  await page.getByRole("button", { name: /Point to/ }).click();
  const row = page.locator(".alias-list li", { hasText: alias });
  await expect(row).toContainText(`v${one.version}`);
  if (one.version < 2) return;

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
});

test("references lead to what they name", async ({ page, request }) => {
  const app = (await list(request)).find((a) => a.kind === "app")!;
  await page.goto(`/assets/app/${app.name}/references`);
  await page.getByRole("region", { name: "Uses" }).getByRole("link").first().click();
  await expect(page).toHaveURL(/\/assets\/chain\//);
  await expect(page.locator(".yaml")).toBeVisible();
});
