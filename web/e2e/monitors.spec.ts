import type { Page } from "@playwright/test";
import { expect, real, test } from "./support";

// A real server needs traffic for this; what follows is about the page.
test.skip(real, "what monitors found is made up here");

const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 8, minute)).toISOString();
const incident = "inc_0193b3a0c1d27e6fa0b1c2d3e4f50617";
const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const fingerprint = "monitor/desk-errors/big";

const big = {
  slice: "big",
  state: "firing",
  was: "ok",
  since: at(30),
  says: "model big: the share with error is 33.3 % (300 measured), not to be above 10 %",
  count: 300,
  value: 0.333,
  low: 0.25,
  high: 0.42,
  limit: 0.1,
};
const small = { slice: "small", state: "warming", since: at(15), says: "model small: 4 so far, of 30 that it takes to say anything", count: 4 };

const monitor = {
  name: "desk-errors",
  version: 2,
  description: "Answers of the desk that fail",
  enabled: true,
  state: "firing",
  says: big.says,
  severity: "critical",
  slices: { ok: 0, warming: 1, missing: 0, firing: 1 },
  looked_at: at(45),
  looked_version: 2,
  next_look_at: at(60),
  incidents: [incident],
};
const quiet = {
  name: "quiet",
  version: 1,
  enabled: true,
  state: "missing",
  says: "there is nothing to measure in 15m",
  severity: "warning",
  slices: { ok: 0, warming: 0, missing: 1, firing: 0 },
  looked_at: at(45),
  looked_version: 1,
  incidents: [],
};

async function monitors(page: Page) {
  await page.route(/\/api\/v1\/monitors(\?|$)/, (route) => route.fulfill({ json: { items: [monitor, quiet] } }));
  await page.route(/\/api\/v1\/monitors\/desk-errors(\?|$)/, (route) =>
    route.fulfill({
      json: { monitor, spec: { slices: "model" }, slices: [big, small], alerts: [{ fingerprint, slice: "big", missing: false, incident }] },
    }),
  );
  await page.route(/\/api\/v1\/monitors\/desk-errors\/evaluations/, (route) =>
    route.fulfill({
      json: {
        items: [
          { at: at(45), version: 2, state: "firing", slices: [big, small] },
          { at: at(30), version: 2, state: "firing", slices: [{ ...big, value: 0.2 }] },
          { at: at(15), version: 2, state: "ok", slices: [{ ...big, state: "ok", value: 0.05 }] },
        ],
      },
    }),
  );
  await page.route(new RegExp(`/api/v1/incidents/${incident}`), (route) =>
    route.fulfill({
      json: {
        incident: {
          id: incident,
          state: "open",
          severity: "critical",
          title: big.says,
          labels: {},
          group: "name=desk-errors",
          opened_at: at(30),
          updated_at: at(45),
        },
        alerts: [
          {
            fingerprint,
            name: "desk-errors",
            severity: "critical",
            summary: big.says,
            labels: { model: "big" },
            facts: {},
            measured: [],
            traces: [trace],
            versions: [],
            firing: true,
            began_at: at(30),
            seen_at: at(45),
          },
        ],
        changes: [],
        changes_left_out: 0,
        events: [],
        deliveries: [],
      },
    }),
  );
}

test("monitors are listed with their states, and one is opened by keyboard", async ({ page }) => {
  await monitors(page);
  await page.goto("/");
  await page
    .getByRole("navigation", { name: "Rooms" })
    .getByRole("link", { name: /Monitors/ })
    .click();
  const grid = page.getByRole("grid", { name: "Monitors" });
  await expect(grid.getByText("Firing", { exact: true })).toBeVisible();
  await expect(grid.getByText("1 firing, 1 warming")).toBeVisible();
  await expect(grid.getByText("Missing", { exact: true })).toBeVisible();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/monitors\/(desk-errors|quiet)$/);
});

test("a monitor says why it fires, over time and by slice, and leads to its incident and traces", async ({ page }) => {
  await monitors(page);
  await page.goto("/monitors/desk-errors");
  const stands = page.getByRole("region", { name: "Where it stands" });
  await expect(stands).toContainText("It has been wrong for long enough");
  await expect(stands).toContainText("33.3 %");
  const slices = page.getByRole("region", { name: "Slices" });
  await expect(slices.getByRole("row", { name: /big/ })).toContainText("0.25 to 0.42");
  await expect(slices.getByRole("row", { name: /small/ })).toContainText("Warming");
  await expect(page.getByRole("region", { name: "Over time" })).toContainText("big");
  const alerts = page.getByRole("region", { name: "Alerts that go on" });
  await expect(alerts.getByRole("link", { name: "Incident" })).toHaveAttribute("href", `/incidents/${incident}`);
  await expect(alerts.getByRole("link", { name: trace.slice(0, 8) })).toHaveAttribute("href", `/traces/${trace}`);
});

test("a look that is asked for says what it finds and tells nobody", async ({ page }) => {
  await monitors(page);
  const asked: unknown[] = [];
  await page.route(/\/api\/v1\/monitors\/desk-errors\/evaluate/, (route) => {
    asked.push(route.request().postDataJSON());
    return route.fulfill({
      json: {
        name: "desk-errors",
        raised: false,
        alerts: [],
        evaluation: { at: at(50), version: 2, state: "ok", slices: [{ ...big, state: "ok" }] },
      },
    });
  });
  await page.goto("/monitors/desk-errors");
  await page.getByRole("button", { name: "Look now" }).click();
  await expect(page.getByRole("region", { name: "What a look finds now" })).toContainText("nobody is told");
  expect(asked).toEqual([{ raise: false }]);
});

test("without a monitor the page shows how one is made", async ({ page }) => {
  await page.route(/\/api\/v1\/monitors(\?|$)/, (route) => route.fulfill({ json: { items: [] } }));
  await page.goto("/monitors");
  await expect(page.getByText("No monitors yet")).toBeVisible();
});
