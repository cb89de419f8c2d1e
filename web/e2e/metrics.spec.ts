// Metrics, where the stand-in server makes them up; e2e/real/metrics.spec.ts sends some.

import { expect, real, test } from "./support";

test.skip(real, "which metrics there are is made up here");

const SERIES = /\/api\/v1\/metrics\/[^/]+\/series/;

test("metrics are listed with what they are and who sends them, found by name and opened by keyboard", async ({ page }) => {
  await page.goto("/observe/metrics");
  await expect(page.getByRole("heading", { level: 1, name: "Metrics" })).toBeVisible();
  const orders = page.getByRole("row", { name: /shop\.orders/ });
  await expect(orders).toContainText("counter +2");
  await expect(orders).toContainText("shop-assistant");
  await expect(orders).toContainText("30 order");
  await page.keyboard.press("/");
  await page.keyboard.type("token");
  await expect(orders).toHaveCount(0);
  await expect(page).toHaveURL(/q=token/);
  await page.keyboard.press("Escape");
  await page.getByLabel("Find a metric").fill("token");
  await page.getByLabel("Find a metric").blur();
  await expect(orders).toHaveCount(0);
  await expect(page.getByRole("row", { name: /token\.usage/ })).toBeVisible();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/observe\/metrics\/gen_ai\.client\.token\.usage/);
  await expect(page.getByRole("heading", { level: 1, name: "gen_ai.client.token.usage" })).toBeVisible();
  await expect(page.getByText("percentiles are estimated from buckets")).toBeVisible();
});

test("the way there is in the sidebar, and has a key", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("navigation", { name: "Rooms" }).getByRole("link", { name: "Metrics" }).click();
  await expect(page).toHaveURL(/\/observe\/metrics$/);
  await page.goto("/drift");
  // Keys are heard once the page is there.
  await expect(page.getByRole("heading", { level: 1, name: "Drift" })).toBeVisible();
  await page.keyboard.press("g");
  await page.keyboard.press("e");
  await expect(page).toHaveURL(/\/observe\/metrics$/);
});

test("what is told apart, the time and the measure are asked of the server and stay in the address", async ({ page }) => {
  const asked: URL[] = [];
  page.on("request", (request) => SERIES.test(request.url()) && asked.push(new URL(request.url())));
  await page.goto("/observe/metrics/shop.orders");
  const numbers = page.getByRole("region", { name: "Numbers" });
  await expect(numbers.getByRole("columnheader")).toHaveText(["From", "rate"]);
  await page.getByLabel("Split by").selectOption("region");
  await expect.poll(() => asked.at(-1)?.searchParams.get("by")).toBe("region");
  await expect(numbers.getByRole("columnheader")).toHaveCount(12);
  await expect(page.getByText("The 8 largest groups are drawn, and all are in the table.")).toBeVisible();
  await page.getByRole("combobox", { name: "Time", exact: true }).selectOption("1h");
  await expect
    .poll(() => {
      const { searchParams } = asked.at(-1)!;
      return Date.parse(searchParams.get("to")!) - Date.parse(searchParams.get("from")!);
    })
    .toBe(3_600_000);
  await page.getByRole("group", { name: "Measure" }).getByText("increase").click();
  await page.reload();
  await expect(page.getByLabel("Split by")).toHaveValue("region");
  await expect(page.getByRole("radio", { name: "increase" })).toBeChecked();
  await page.getByLabel("Sent as").selectOption({ label: "gauge, no unit" });
  await expect.poll(() => asked.at(-1)?.searchParams.get("kind")).toBe("gauge");
  // That there is none is asked about, beside the same in `1`.
  expect(asked.at(-1)?.searchParams.get("unit")).toBe("");
  await expect(page.getByRole("radio", { name: "mean" })).toBeChecked();
});

test("a chart is read and looked at closer from the keyboard", async ({ page }) => {
  await page.goto("/observe/metrics/process.memory.usage?from=2026-01-01T00:00:00.000Z&to=2026-01-01T02:00:00.000Z");
  const chart = page.getByRole("slider", { name: /^process\.memory\.usage, mean/ });
  await chart.focus();
  await chart.press("Home");
  await expect(chart).toHaveAttribute("aria-valuetext", /mean \d+(\.\d)? MB/);
  await chart.press("+");
  await expect(page).not.toHaveURL(/to=2026-01-01T02/);
});

test("where nothing came it is said how to send some", async ({ page }) => {
  await page.route(/\/api\/v1\/metrics\?/, (route) => route.fulfill({ json: { items: [], next: null } }));
  await page.goto("/observe/metrics");
  await expect(page.getByText("No metrics in this time")).toBeVisible();
  await expect(page.getByText("OTEL_EXPORTER_OTLP_ENDPOINT")).toBeVisible();
  await expect(page.getByText("docs/guides/metrics.md")).toBeVisible();
  await page.goto("/observe/metrics/nothing.like.it");
  await expect(page.getByText("No points in this time")).toBeVisible();
});

test("what the server refuses is told with what to do", async ({ page }) => {
  await page.route(SERIES, (route) =>
    route.fulfill({
      status: 413,
      contentType: "application/problem+json",
      json: {
        type: "x",
        title: "Payload Too Large",
        status: 413,
        code: "metric-too-many-points",
        detail: "that is about more than 200000 points of the metric",
        hint: "ask about less time, or name a service or a model",
      },
    }),
  );
  await page.goto("/observe/metrics/shop.orders");
  await expect(page.getByRole("alert")).toContainText("name a service or a model");
});
