// Metrics that really came, over OTLP: a counter of two regions, as totals since a program began.

import { expect, test } from "../support";

const MINUTE_MS = 60_000;
const hex = (digits: number) => Array.from({ length: digits }, () => "0123456789abcdef"[Math.floor(Math.random() * 16)]).join("");
const text = (key: string, value: string) => ({ key, value: { stringValue: value } });

test("a counter that a program sends is listed, and told over time by region", async ({ page, request }) => {
  const [name, service] = [`e2e.orders.${hex(6)}`, `e2e-shop-${hex(6)}`];
  const now = Date.now();
  for (const [minutes, eu, us] of [
    [40, 3, 1],
    [20, 8, 1],
  ] as const) {
    const point = (region: string, count: number) => ({
      startTimeUnixNano: `${now - 50 * MINUTE_MS}000000`,
      timeUnixNano: `${now - minutes * MINUTE_MS}000000`,
      asInt: String(count),
      attributes: [text("region", region)],
    });
    const sum = { aggregationTemporality: 2, isMonotonic: true, dataPoints: [point("eu", eu), point("us", us)] };
    const resource = { attributes: [text("service.name", service)] };
    const data = { resourceMetrics: [{ resource, scopeMetrics: [{ metrics: [{ name, unit: "{order}", sum }] }] }] };
    const sent = await request.post("/v1/metrics", { data });
    expect(sent.ok(), await sent.text()).toBe(true);
  }

  await page.goto(`/observe/metrics?q=${name}`);
  const row = page.getByRole("row", { name: new RegExp(name.replaceAll(".", "\\.")) });
  await expect(row).toContainText("counter");
  await expect(row).toContainText(service);
  await expect(row).toContainText("9 order");
  await row.click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  await page.getByRole("group", { name: "Measure" }).getByText("increase").click();
  await page.getByLabel("Split by").selectOption("region");
  const numbers = page.getByRole("region", { name: "Numbers" });
  await expect(numbers.getByRole("columnheader")).toHaveText(["From", "eu", "us"]);
  // The later points, and before them what was counted since the program began.
  await expect(numbers.getByRole("row").nth(1)).toContainText(/5 order.*0 order/);
  await expect(numbers.getByRole("row").nth(2)).toContainText(/3 order.*1 order/);
});
