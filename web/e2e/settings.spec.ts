import { expect, test } from "./support";

test("a key is made, shown once, and revoked", async ({ page }) => {
  const name = `e2e-${Date.now().toString(36)}`;
  await page.goto("/settings");
  await page.getByRole("button", { name: "New key" }).press("Enter");
  await expect(page.getByLabel("Name")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "New key" })).toBeFocused();

  await page.getByRole("button", { name: "New key" }).click();
  await page.getByLabel("Name").fill("Two Words");
  await expect(page.getByText("lower-case letters")).toBeVisible();
  await expect(page.getByRole("button", { name: "Create key" })).toBeDisabled();
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Role").selectOption("reader");
  await page.getByLabel("Access labels").fill("hr, finance");
  await page.getByRole("button", { name: "Create key" }).click();
  const secret = await page.locator("[data-secret]").innerText();
  expect(secret).toMatch(/^msk_/);
  await page.getByRole("button", { name: "I have stored it" }).click();

  const row = page.getByRole("row", { name: new RegExp(name) });
  await expect(row).toContainText("hr");
  await expect(page.getByText(secret)).toHaveCount(0);
  await page.reload();
  await expect(row).toBeVisible();
  expect(await page.content()).not.toContain(secret);

  await row.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("button", { name: "Revoke key" }).click();
  await expect(page.getByText(`Revoked ${name}`)).toBeVisible();
  await expect(row.getByRole("button", { name: "Revoke" })).toHaveCount(0);
});

test("models say what they are and where they stand", async ({ page }) => {
  await page.goto("/settings/models");
  await expect(page.getByRole("row").nth(1)).toContainText(/chat|embed|rerank/);
});
