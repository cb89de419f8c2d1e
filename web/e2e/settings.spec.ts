import type { Page } from "@playwright/test";
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

/** Makes a key and answers its secret. */
async function made(page: Page, name: string): Promise<string> {
  await page.goto("/settings");
  await page.getByRole("button", { name: "New key" }).click();
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Create key" }).click();
  const secret = await page.locator("[data-secret]").innerText();
  await page.getByRole("button", { name: "I have stored it" }).click();
  return secret;
}

test("a key is rotated: the new secret is shown once, and the old one goes on as long as was asked", async ({ page }) => {
  const name = `e2e-${Date.now().toString(36)}`;
  const before = await made(page, name);
  const row = page.getByRole("row", { name: new RegExp(name) });
  await row.getByRole("button", { name: "Rotate" }).click();
  const dialog = page.getByRole("dialog", { name: `Rotate ${name}?` });
  await dialog.getByLabel("The old secret stops").selectOption("86400");
  await expect(dialog).toContainText("Until then both work.");
  await dialog.getByRole("button", { name: "Rotate key" }).click();
  const after = await page.locator("[data-secret]").innerText();
  expect(after).toMatch(/^msk_/);
  expect(after).not.toBe(before);
  await page.getByRole("button", { name: "I have stored it" }).click();
  await expect(row).toContainText(/old secret stops in (23h|1d)/);
  await expect(page.getByText(after)).toHaveCount(0);
});

test("a key shows what it may spend and has spent; its limits are set and removed there", async ({ page }) => {
  const name = `e2e-${Date.now().toString(36)}`;
  await made(page, name);
  const row = page.getByRole("row", { name: new RegExp(name) });
  await expect(row).toContainText("$0");
  await row.getByRole("button", { name, exact: true }).click();
  const more = page.locator(".key-more");
  await expect(more).toContainText("Belongs to");
  await more.getByRole("button", { name: "Set limit" }).click();
  const dialog = page.getByRole("dialog", { name: `Set a limit for ${name}` });
  await dialog.getByLabel("What").selectOption("usd_per_month");
  await dialog.getByLabel("Amount").fill("7.50");
  await page.keyboard.press("Enter");
  await expect(dialog).toBeHidden();
  await expect(more).toContainText("$7.50 per month");
  await expect(more.getByRole("progressbar", { name: "Spent of $7.50" })).toHaveAttribute("aria-valuenow", "0");
  await more.getByRole("button", { name: "Remove the limit of $7.50" }).click();
  await page.getByRole("button", { name: "Remove limit" }).click();
  await expect(more).not.toContainText("$7.50 per month");
});

test("models say what they are and where they stand", async ({ page }) => {
  await page.goto("/settings/models");
  await expect(page.getByRole("row").nth(1)).toContainText(/chat|embed|rerank/);
});

test("an erasure says what it is at and how far, and when it is done what went", async ({ page }) => {
  const erasure = { kind: "document", fingerprint: "ab".repeat(32), asked_by: "prn_1", asked_at: new Date().toISOString(), points: 0 };
  const running = {
    ...erasure,
    id: "ers_2",
    subject: "handbook/doc_1",
    state: "running",
    spans: 0,
    bytes: 0,
    values: 0,
    step: "looking",
    looked: 0.42,
  };
  const done = { ...erasure, id: "ers_1", state: "done", ended_at: new Date().toISOString(), spans: 12, bytes: 4_000_000, values: 3 };
  await page.route("**/api/v1/retention", (route) => route.fulfill({ json: { items: [] } }));
  await page.route(/\/api\/v1\/erasures/, (route) => route.fulfill({ json: { items: [running, done], next: null } }));
  await page.goto("/settings/keeping");
  const first = page.getByRole("row", { name: /handbook\/doc_1/ });
  await expect(first).toContainText("Looks for whose rows are: 42% of the time");
  const second = page.getByRole("row", { name: /ers_1/ });
  await expect(second).toContainText("done");
  await expect(second).toContainText("3 large values");
  await expect(second).not.toContainText("of the time");
});
