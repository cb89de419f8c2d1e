// What programs send: who speaks which convention, and which names nobody understands.

import type { APIRequestContext } from "@playwright/test";
import { expect, real, test } from "./support";

interface Report {
  services: { service: string; spans: number; versions: string[]; instrumentations: string[] }[];
  unknown: { name: string; like?: string }[];
  attributes: string[];
  spans: number;
}

const hex = (length: number): string => Array.from({ length }, () => Math.floor(Math.random() * 16).toString(16)).join("");
const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });

/** What the server tells, with a service of its own that says its version and a name that is nearly right. The stand-in has such. */
async function report(request: APIRequestContext): Promise<Report> {
  if (real) {
    const start = Date.now();
    const span = {
      traceId: hex(32),
      spanId: hex(16),
      name: "chat scripted",
      kind: 2,
      startTimeUnixNano: `${start}000000`,
      endTimeUnixNano: `${start + 40}000000`,
      attributes: [text("gen_ai.operation.name", "chat"), text("gen_ai.request.modell", "scripted")],
    };
    const scopeSpans = [{ scope: { name: "e2e", version: "1.0" }, schemaUrl: "https://opentelemetry.io/schemas/1.37.0", spans: [span] }];
    const resource = { attributes: [text("service.name", "e2e-conventions")] };
    expect((await request.post("/v1/traces", { data: { resourceSpans: [{ resource, scopeSpans }] } })).ok()).toBe(true);
  }
  const response = await request.get("/api/v1/traces/conventions");
  expect(response.ok()).toBe(true);
  return (await response.json()) as Report;
}

test("services are listed with what they speak, and names that are not understood with what was perhaps meant", async ({ page, request }) => {
  const told = await report(request);
  const one = told.services.find((s) => s.versions.length > 0 && s.instrumentations.length > 0);
  const wrong = told.unknown.find((u) => u.like);
  expect(one, "a service says its version").toBeDefined();
  expect(wrong, "a name is nearly right").toBeDefined();

  await page.goto("/traces");
  await page.getByRole("link", { name: "What programs send" }).press("Enter");
  await expect(page).toHaveURL((url) => url.pathname === "/traces/conventions");
  await expect(page.getByRole("heading", { level: 1, name: "What programs send" })).toBeVisible();

  const services = page.getByRole("region", { name: "Services" });
  const link = page.getByRole("link", { name: one!.service, exact: true });
  const row = services.getByRole("row").filter({ has: link });
  await expect(row).toContainText(one!.versions[0]!);
  await expect(row).toContainText(one!.instrumentations[0]!);
  await expect(row).toContainText("OpenTelemetry");
  const name = page.getByRole("region", { name: "Names that are not understood" }).getByRole("row").filter({ hasText: wrong!.name });
  await expect(name.filter({ hasText: wrong!.like! }).first()).toBeVisible();

  await link.press("Enter");
  await expect(page).toHaveURL((url) => url.pathname === "/traces" && (url.searchParams.get("filter") ?? "").startsWith("service = "));
  await expect(page.locator(".filter-fault")).toHaveCount(0);
  await page.goBack();
  await page.getByRole("navigation", { name: "Breadcrumb" }).getByRole("link", { name: "Traces" }).press("Enter");
  await expect(page).toHaveURL((url) => url.pathname === "/traces");
});

test("where no service has sent anything the page says how to send", async ({ page }) => {
  await page.route("**/api/v1/traces/conventions", (route) => route.fulfill({ json: { services: [], unknown: [], attributes: [], spans: 0 } }));
  await page.goto("/traces/conventions");
  await expect(page.getByText("No service has sent spans yet")).toBeVisible();
  await expect(page.getByText("docs/guides/traces-in.md")).toBeVisible();
  await expect(page.locator("pre")).toContainText(`OTEL_EXPORTER_OTLP_ENDPOINT=${new URL(page.url()).origin}`);
  await expect(page.getByRole("button", { name: "Copy settings" })).toBeVisible();
});

test("where everything is understood the page says so", async ({ page, request }) => {
  const told = await report(request);
  await page.route("**/api/v1/traces/conventions", (route) => route.fulfill({ json: { ...told, unknown: [] } }));
  await page.goto("/traces/conventions");
  await expect(page.getByRole("region", { name: "Names that are not understood" })).toContainText("Every name under gen_ai. is understood.");
});

test("a report that fails says why and is asked for again", async ({ page, request }) => {
  const told = await report(request);
  let broken = true;
  const problem = { type: "x", title: "Bad Request", status: 400, code: "e2e-broken", detail: "the report did not come" };
  await page.route("**/api/v1/traces/conventions", (route) =>
    broken ? route.fulfill({ status: 400, contentType: "application/problem+json", body: JSON.stringify(problem) }) : route.continue(),
  );
  await page.goto("/traces/conventions");
  const alert = page.getByRole("alert");
  await expect(alert).toContainText("The report did not come");
  await expect(alert).toContainText("e2e-broken");
  broken = false;
  await alert.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("link", { name: told.services[0]!.service, exact: true })).toBeVisible();
});
