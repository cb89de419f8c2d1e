// What is only seen where spans really come: a monitor that fires on them, its incident, and fields that moved.

import type { APIRequestContext } from "@playwright/test";
import { expect, test } from "../support";

const HOUR_MS = 3_600_000;
const hex = (digits: number) => Array.from({ length: digits }, () => "0123456789abcdef"[Math.floor(Math.random() * 16)]).join("");
const text = (key: string, value: string) => ({ key, value: { stringValue: value } });

interface Calls {
  service: string;
  count: number;
  /** When they began, in milliseconds since 1970. */
  at: number;
  models?: string[];
  failed?: boolean;
}

/** Sends calls of models as another program's exporter would, each the root of its trace. */
async function send(request: APIRequestContext, { service, count, at, models = ["e2e-model"], failed = false }: Calls): Promise<string[]> {
  const spans = Array.from({ length: count }, (_, n) => ({
    traceId: hex(32),
    spanId: hex(16),
    name: "chat",
    kind: 3,
    startTimeUnixNano: `${at + n}000000`,
    endTimeUnixNano: `${at + n + 20}000000`,
    attributes: [text("gen_ai.operation.name", "chat"), text("gen_ai.request.model", models[n % models.length]!)],
    status: failed ? { code: 2, message: "the e2e upstream is broken" } : { code: 1 },
  }));
  const resource = { attributes: [text("service.name", service)] };
  const sent = await request.post("/v1/traces", { data: { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] } });
  expect(sent.ok(), await sent.text()).toBe(true);
  return spans.map((span) => span.traceId);
}

async function apply(request: APIRequestContext, kind: string, name: string, spec: object): Promise<void> {
  const manifests = [{ apiVersion: "mainspring/v1", kind, name, spec }];
  const applied = await request.post("/api/v1/apply", { data: { manifests } });
  expect(applied.ok(), await applied.text()).toBe(true);
}

test("a monitor fires on spans that came, and leads over its incident to a trace that failed", async ({ page, request }) => {
  const name = `e2e-errors-${hex(6)}`;
  const spec = {
    filter: `service = ${name}`,
    measure: { rate: { hits: "error" } },
    compare: { threshold: { above: 0.1 } },
    window: "5s",
    every: "1s",
    delay: "1s",
    recover: "0s",
    minimum: 10,
    notify_missing: false,
    severity: "critical",
  };
  await apply(request, "monitor", name, spec);
  const failed: string[] = [];
  const state = async () => {
    failed.push(...(await send(request, { service: name, count: 12, at: Date.now() - 500, failed: true })));
    return ((await (await request.get(`/api/v1/monitors/${name}`)).json()) as { monitor: { state?: string } }).monitor.state;
  };
  await expect.poll(state, { intervals: [700], timeout: 60_000 }).toBe("firing");

  await page.goto("/monitors");
  const row = page.getByRole("grid", { name: "Monitors" }).getByRole("row", { name: new RegExp(name) });
  await expect(row.getByText("Firing", { exact: true })).toBeVisible();
  await row.click();
  await expect(page.getByRole("region", { name: "Where it stands" })).toContainText("100 %");
  await page.getByRole("region", { name: "Alerts that go on" }).getByRole("link", { name: "Incident" }).click();
  await expect(page).toHaveURL(/\/incidents\/inc_/);
  await expect(page.getByRole("region", { name: "What fired, and why" })).toContainText(name);
  await page.getByRole("region", { name: "Example traces" }).getByRole("link").first().click();
  await expect(page).toHaveURL(/\/traces\/[0-9a-f]{32}/);
  expect(failed, "the example is one that this test sent").toContain(/traces\/([0-9a-f]{32})/.exec(page.url())![1]);
  await expect(page.getByRole("treeitem").first()).toBeVisible();
  await page.goBack();
  await page.getByRole("button", { name: "Resolve" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Resolve" }).click();
  await expect(page.locator(".incident-facts")).toContainText("Resolved");
  await apply(request, "monitor", name, { ...spec, enabled: false });
});

test("a field that moved since yesterday is marked, and both distributions are shown", async ({ page, request }) => {
  const [kept, came] = [`e2e-kept-${hex(4)}`, `e2e-came-${hex(4)}`];
  const service = `e2e-drift-${hex(4)}`;
  await send(request, { service, count: 80, at: Date.now() - 30 * HOUR_MS, models: [kept] });
  await send(request, { service, count: 80, at: Date.now() - 3 * HOUR_MS, models: [kept, came] });
  await page.goto("/drift");
  const row = page.getByRole("row", { name: /^model\b/ });
  await expect(row.getByText("drifted")).toBeVisible();
  await row.getByRole("button", { name: "model" }).click();
  await expect(page).toHaveURL(/field=model/);
  const shares = page.getByRole("row", { name: new RegExp(came) });
  await expect(shares).toContainText("0%");
  await expect(page.getByRole("row", { name: new RegExp(kept) })).toBeVisible();
  await expect(page.getByText(/PSI \d\.\d{3}/)).toBeVisible();
  await page.getByText("Another release", { exact: true }).click();
  await expect(page).toHaveURL(/against=release/);
  await page.reload();
  await expect(page.getByRole("radio", { name: "Another release" })).toBeChecked();
});
