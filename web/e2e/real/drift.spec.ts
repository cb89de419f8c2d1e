// Drift of spans that really came, over OTLP: of releases that differ, and of one service among others.

import type { APIRequestContext, Page } from "@playwright/test";
import { expect, test } from "../support";

const HOUR_MS = 3_600_000;
const hex = (digits: number) => Array.from({ length: digits }, () => "0123456789abcdef"[Math.floor(Math.random() * 16)]).join("");
const text = (key: string, value: string) => ({ key, value: { stringValue: value } });

interface Sent {
  service: string;
  release?: string;
  /** When they began, in milliseconds since 1970. */
  at: number;
  /** How long each took, about. */
  lasts: number;
  models?: string[];
}

const COUNT = 60;

/** Sends calls of models as another program's exporter would, each the root of its trace. */
async function send(request: APIRequestContext, { service, release, at, lasts, models = ["e2e-steady"] }: Sent): Promise<void> {
  const spans = Array.from({ length: COUNT }, (_, n) => ({
    traceId: hex(32),
    spanId: hex(16),
    name: "chat",
    kind: 3,
    startTimeUnixNano: `${at + n}000000`,
    endTimeUnixNano: `${at + n + lasts + (n % 10)}000000`,
    attributes: [text("gen_ai.operation.name", "chat"), text("gen_ai.request.model", models[n % models.length]!)],
    status: { code: 1 },
  }));
  const attributes = [text("service.name", service), ...(release ? [text("service.version", release)] : [])];
  const sent = await request.post("/v1/traces", { data: { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }] }] } });
  expect(sent.ok(), await sent.text()).toBe(true);
}

const field = (page: Page, name: string) => page.getByRole("region", { name: "Fields" }).getByRole("row", { name: new RegExp(`^${name}\\b`) });

test("a release that is slower than the one before is told apart from releases of another service", async ({ page, request }) => {
  const [shop, desk] = [`e2e-shop-${hex(6)}`, `e2e-desk-${hex(6)}`];
  const now = Date.now();
  await send(request, { service: shop, release: "1.0", at: now - 4 * HOUR_MS, lasts: 40 });
  await send(request, { service: shop, release: "1.1", at: now - 3 * HOUR_MS, lasts: 2_000 });
  // The newest of all, of somebody else.
  await send(request, { service: desk, release: "9.0", at: now - 2 * HOUR_MS, lasts: 2_000 });

  await page.goto("/drift?against=release");
  await expect(page.getByText("Whose releases?")).toBeVisible();
  const theirs = page.getByRole("group", { name: "Services that have releases" });
  await expect(theirs.getByRole("button", { name: desk, exact: true })).toBeVisible();
  await theirs.getByRole("button", { name: shop, exact: true }).click();
  await expect(page).toHaveURL(new RegExp(`service=${shop}`));
  await expect(page.getByRole("combobox", { name: "Service" })).toHaveValue(shop);
  await expect(page.getByText(`Release 1.1 beside 1.0 of ${shop}`)).toBeVisible();

  await expect(field(page, "duration").getByText("drifted")).toBeVisible();
  await expect(field(page, "model").getByText("drifted")).toHaveCount(0);
  await field(page, "duration").getByRole("button", { name: "duration" }).click();
  const shown = page.getByRole("region", { name: "duration", exact: true });
  await expect(shown).toContainText(`${COUNT} before, ${COUNT} after`);
  await expect(shown).toContainText(/Kolmogorov–Smirnov 1\.000/);
  await expect(page.getByRole("region", { name: "Asked about" })).toContainText("topics are kept of all services together");

  // The other way round, by name.
  for (const [label, release] of [
    ["Release", "1.0"],
    ["Beside", "1.1"],
  ] as const) {
    const box = page.getByRole("textbox", { name: label, exact: true });
    await box.fill(release);
    await box.press("Enter");
    await expect(box).toHaveValue(release);
  }
  await expect(page.getByText(`Release 1.0 beside 1.1 of ${shop}`)).toBeVisible();
  await page.reload();
  await expect(page.getByText(`Release 1.0 beside 1.1 of ${shop}`)).toBeVisible();
});

test("a release that only one service has says which is meant", async ({ page, request }) => {
  const [shop, desk, only] = [`e2e-shop-${hex(6)}`, `e2e-desk-${hex(6)}`, `3.${hex(6)}`];
  const now = Date.now();
  await send(request, { service: shop, release: "2.9", at: now - 4 * HOUR_MS, lasts: 40 });
  await send(request, { service: shop, release: only, at: now - 3 * HOUR_MS, lasts: 40 });
  await send(request, { service: desk, release: "9.0", at: now - 2 * HOUR_MS, lasts: 2_000 });
  await page.goto(`/drift?against=release&release=${only}`);
  await expect(page.getByText(`Release ${only} beside 2.9 of ${shop}`)).toBeVisible();
  await expect(field(page, "duration")).toBeVisible();
  await expect(field(page, "duration").getByText("drifted")).toHaveCount(0);
});

test("numbers and categories of one service moved since yesterday, whatever others sent", async ({ page, request }) => {
  const service = `e2e-moved-${hex(6)}`;
  const [kept, came] = [`e2e-kept-${hex(4)}`, `e2e-came-${hex(4)}`];
  const now = Date.now();
  await send(request, { service, at: now - 30 * HOUR_MS, lasts: 40, models: [kept] });
  await send(request, { service, at: now - 3 * HOUR_MS, lasts: 1_000, models: [kept, came] });
  // Somebody else does as before.
  const steady = `e2e-steady-${hex(6)}`;
  for (const hours of [30, 3]) await send(request, { service: steady, at: now - hours * HOUR_MS, lasts: 40 });

  await page.goto("/drift");
  await page.getByRole("combobox", { name: "Service" }).selectOption(service);
  for (const name of ["model", "duration"]) await expect(field(page, name).getByText("drifted")).toBeVisible();
  await field(page, "model").getByRole("button", { name: "model" }).click();
  const shown = page.getByRole("region", { name: "model", exact: true });
  await expect(shown).toContainText(`${COUNT} before, ${COUNT} after`);
  await expect(shown.getByRole("row", { name: new RegExp(came) })).toContainText("50%");
  await expect(shown).toContainText("50% in values nobody had seen before");

  await page.getByRole("combobox", { name: "Service" }).selectOption(steady);
  await expect(page).toHaveURL(new RegExp(`service=${steady}`));
  await expect(page.getByRole("region", { name: "Fields" }).getByText("drifted")).toHaveCount(0);
});
