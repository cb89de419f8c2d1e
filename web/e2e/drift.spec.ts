// What moved, where the stand-in server says what did; e2e/real/drift.spec.ts sends spans that drift.

import type { Page } from "@playwright/test";
import { expect, real, test } from "./support";

test.skip(real, "what moved is made up here");

const service = (page: Page) => page.getByRole("combobox", { name: "Service" });
const field = (page: Page, name: string) => page.getByRole("region", { name: "Fields" }).getByRole("row", { name: new RegExp(`^${name}\\b`) });

test("numbers that moved are marked, with both distributions and the figures behind it", async ({ page }) => {
  await page.goto("/drift");
  const duration = field(page, "duration");
  await expect(duration.getByText("drifted")).toBeVisible();
  await expect(duration).toContainText("0.352");
  await expect(duration).toContainText(/moved \d+ ms on average/);
  await duration.getByRole("button", { name: "duration" }).click();
  await expect(page).toHaveURL(/field=duration/);
  const shown = page.getByRole("region", { name: "duration", exact: true });
  await expect(shown).toContainText("9,102 before, 8,995 after");
  const slow = shown.getByRole("row", { name: /1\.00 s to 2\.00 s/ });
  await expect(slow).toContainText("13%");
  await expect(slow).toContainText("30%");
  await expect(shown).toContainText("PSI 0.352 (chance alone: 0.004)");
  await expect(shown).toContainText("Kolmogorov–Smirnov 0.210");
  await expect(shown).toContainText("p < 0.001");
  await page.reload();
  await expect(page.getByRole("button", { name: "duration" })).toHaveAttribute("aria-pressed", "true");
});

test("categories that moved are named, and what did not move or was never sent is told apart", async ({ page }) => {
  await page.goto("/drift");
  const model = field(page, "model");
  await expect(model.getByText("drifted")).toBeVisible();
  await expect(model).toContainText("gpt-4o-mini: 98% → 49%");
  // What moved most is open, without anybody choosing it.
  const shown = page.getByRole("region", { name: "model", exact: true });
  const came = shown.getByRole("row", { name: /claude-haiku-4-5/ });
  await expect(came).toContainText("0%");
  await expect(came).toContainText("12%");
  await expect(shown).toContainText("12% in values nobody had seen before");
  await expect(field(page, "status")).toContainText("0.001");
  await expect(field(page, "status").getByText("drifted")).toHaveCount(0);
  await field(page, "first_token").getByRole("button").press("Enter");
  await expect(page.getByRole("region", { name: "first_token", exact: true })).toContainText("Nobody sent a value of this field");
});

test("topics that grew are named and lead to examples, and where there are none it is said why", async ({ page }) => {
  await page.goto("/drift");
  const asked = page.getByRole("region", { name: "Asked about" });
  const grew = asked.getByRole("row", { name: /refund, invoice, charged/ });
  await expect(grew.getByText("grew")).toBeVisible();
  await expect(grew).toContainText("6%");
  await expect(grew).toContainText("19%");
  await expect(asked.getByRole("row", { name: /password, login/ }).getByText("grew")).toHaveCount(0);
  // Which topics these are, and that others are about to take their place.
  await expect(asked).toContainText(/Topics 3 8f0c2a51, learnt .*: a new release came\. Others are being made: too much was unlike/);
  await expect(page.getByRole("region", { name: "Answered about" })).toContainText("no topics were made yet");
  await grew.getByRole("link").first().click();
  await expect(page).toHaveURL(/\/traces\/[0-9a-f]{32}/);
});

test("a service is chosen and kept in the address, and its releases are compared by name", async ({ page }) => {
  await page.goto("/drift");
  await expect(service(page)).toHaveValue("");
  await service(page).selectOption("shop-assistant");
  await expect(page).toHaveURL(/service=shop-assistant/);
  await expect(page.getByRole("region", { name: "Asked about" })).toContainText("topics are kept of all services together");
  await page.reload();
  await expect(service(page)).toHaveValue("shop-assistant");
  await page.getByText("Another release", { exact: true }).click();
  await expect(page).toHaveURL(/service=shop-assistant.*against=release|against=release.*service=shop-assistant/);
  await expect(page.getByText("Release 2.1 beside 2.0 of shop-assistant")).toBeVisible();
  const beside = page.getByRole("textbox", { name: "Beside", exact: true });
  await beside.fill("1.9");
  await beside.press("Enter");
  await expect(page).toHaveURL(/reference_release=1\.9/);
  await expect(page.getByText("Release 2.1 beside 1.9 of shop-assistant")).toBeVisible();
  // A release of one service is none of another's.
  await service(page).selectOption("support-desk");
  await expect(page.getByText("Release 8 beside 7 of support-desk")).toBeVisible();
  await expect(page).not.toHaveURL(/reference_release/);
  await expect(page.getByRole("textbox", { name: "Beside", exact: true })).toHaveValue("");
});

test("where several services have releases the page asks whose are meant, also without a mouse", async ({ page }) => {
  await page.goto("/drift");
  await page.getByText("Another release", { exact: true }).click();
  await expect(page.getByText("Whose releases?")).toBeVisible();
  await expect(page.getByRole("region", { name: "Fields" })).toHaveCount(0);
  const theirs = page.getByRole("group", { name: "Services that have releases" }).getByRole("button");
  await expect(theirs).toHaveText(["shop-assistant", "support-desk"]);
  await theirs.nth(1).press("Enter");
  await expect(page.getByText("Release 8 beside 7 of support-desk")).toBeVisible();
  await expect(service(page)).toHaveValue("support-desk");
  await expect(service(page)).toBeFocused();
  // A release that only one of them has says it as well.
  await page.goto("/drift?against=release&release=2.1");
  await expect(page.getByText("Release 2.1 beside 2.0 of shop-assistant")).toBeVisible();
});

test("stretches of one's own, and an attribute, are asked of the server and stay in the address", async ({ page }) => {
  const asked: URLSearchParams[] = [];
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.pathname === "/api/v1/drift") asked.push(url.searchParams);
  });
  const last = (key: string) => asked.at(-1)?.get(key);
  await page.goto("/drift");
  await page.getByRole("combobox", { name: "Time" }).selectOption("own");
  const from = page.getByLabel("From", { exact: true });
  await from.fill("2026-11-10T05:00");
  await from.press("Enter");
  const begin = await page.evaluate(() => new Date("2026-11-10T05:00").toISOString());
  await expect.poll(() => last("from")).toBe(begin);
  const to = page.getByLabel("To", { exact: true });
  await to.fill("2026-11-10T09:00");
  await to.press("Enter");
  await expect.poll(() => last("to")).toBe(new Date(Date.parse(begin) + 4 * 3_600_000).toISOString());
  // Another time is the week before, until somebody says.
  await page.getByText("Another time", { exact: true }).click();
  await expect.poll(() => last("against")).toBe("range");
  expect(last("reference_from")).toBe(new Date(Date.parse(begin) - 168 * 3_600_000).toISOString());
  const beside = page.getByLabel("Beside, from", { exact: true });
  await beside.fill("2026-11-01T05:00");
  await beside.press("Enter");
  await expect.poll(() => last("reference_from")).toBe(await page.evaluate(() => new Date("2026-11-01T05:00").toISOString()));
  const fields = page.getByRole("textbox", { name: "Fields", exact: true });
  await fields.fill('model,attributes["tier"]');
  await fields.press("Enter");
  await expect.poll(() => last("field")).toBe('model,attributes["tier"]');
  const before = asked.length;
  await page.reload();
  await expect(fields).toHaveValue('model,attributes["tier"]');
  await expect(from).toHaveValue("2026-11-10T05:00");
  await expect(beside).toHaveValue("2026-11-01T05:00");
  await expect.poll(() => asked.length).toBeGreaterThan(before);
  expect([last("against"), last("from")]).toEqual(["range", begin]);
});

test("a field says all of what it takes while nothing is written in it", async ({ page }) => {
  await page.goto("/drift?against=release");
  for (const name of ["Release", "Beside", "Fields"]) {
    const [said, room] = await page.getByRole("textbox", { name, exact: true }).evaluate((field: HTMLInputElement) => {
      const style = getComputedStyle(field);
      const canvas = document.createElement("canvas").getContext("2d");
      if (!canvas) throw new Error("nothing measures text here");
      canvas.font = style.font;
      const padding = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
      return [canvas.measureText(field.placeholder).width, field.clientWidth - padding] as const;
    });
    expect(said, name).toBeLessThanOrEqual(room);
  }
});
