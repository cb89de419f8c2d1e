// Log records, where the stand-in server makes them up.

import { expect, real, test } from "./support";

test.skip(real, "which log records there are is made up here");

test("log records are found by what they say and how severe they are, and lead to where they were written", async ({ page }) => {
  await page.goto("/traces");
  await page.getByRole("link", { name: "Logs", exact: true }).click();
  await expect(page).toHaveURL(/\/traces\/logs$/);
  const grid = page.getByRole("grid", { name: "Log records" });
  const rows = grid.getByRole("row");
  await expect(page.getByText("60 log records")).toBeVisible();
  await expect(rows.filter({ hasText: "the card was refused: no funds" }).first()).toContainText("error");
  await expect(rows.filter({ hasText: '{"order":"o-7","lines":3}' }).first()).toContainText("debug");

  await page.getByLabel("Severity").selectOption("warn");
  await expect(page).toHaveURL(/severity=warn/);
  await expect(page.getByText("30 log records")).toBeVisible();
  await expect(rows.filter({ hasText: "asked the warehouse" })).toHaveCount(0);

  await page.getByRole("searchbox", { name: "Search in what was logged" }).fill("refused");
  await expect(page.getByText("15 log records")).toBeVisible();

  const asked = page.waitForRequest((request) => new URL(request.url()).pathname === "/api/v1/logs");
  await page.getByRole("combobox", { name: "Filter" }).fill("service exists");
  await page.keyboard.press("Enter");
  expect(new URL((await asked).url()).searchParams.get("filter")).toBe("(service exists) and (severity >= warn)");

  await rows.nth(1).click();
  await expect(page).toHaveURL(/\/traces\/[0-9a-f]{32}\?span=[0-9a-f]{16}$/);
});

test("a list without log records says how to send some", async ({ page }) => {
  await page.route(/\/api\/v1\/logs\?/, (route) => route.fulfill({ json: { items: [] } }));
  await page.goto("/traces/logs?in=15m");
  await expect(page.getByText("No log records in this time")).toBeVisible();
  await expect(page.getByText("/v1/logs")).toBeVisible();
});
