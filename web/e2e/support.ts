// What the tests share. A complaint of the browser, or an answer that openapi/rest.json does not describe, fails a test;
// names of things are asked for, not assumed; what a test needs and the server lacks, the test makes.

import { spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test as base, expect, type APIRequestContext, type APIResponse, type Locator, type Page, type Response } from "@playwright/test";
import { faultsOf } from "../dev/shapes.mjs";

export const real = process.env.MAINSPRING_URL !== undefined;

/** The small model on a busy machine says a word a second. */
export const ANSWER_MS = real ? 240_000 : 15_000;
/** For a test that waits for `n` answers. */
export const waitsForAnswers = (n: number): void => test.setTimeout(30_000 + n * ANSWER_MS);

async function misshapen(response: Response): Promise<string[]> {
  const request = response.request();
  const { pathname } = new URL(response.url());
  if (!pathname.startsWith("/api/") || response.headers()["content-type"]?.startsWith("text/event-stream")) return [];
  // The browser forgets the bodies of a page that was left.
  const body: unknown = await response.json().catch(() => undefined);
  if (body === undefined) return [];
  return faultsOf(request.method(), pathname, response.status(), body).map((fault) => `${request.method()} ${pathname}: ${fault}`);
}

export const test = base.extend<{ complaints: string[] }>({
  complaints: [
    async ({ page }, use) => {
      const complaints: string[] = [];
      const read: Promise<string[]>[] = [];
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("console", (message) => {
        // A refused request is the page's to show, and the test's to look for.
        if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) complaints.push(message.text());
      });
      page.on("requestfinished", (request) => {
        const shape = async () => {
          const response = await request.response();
          return response ? misshapen(response) : [];
        };
        read.push(shape().catch(() => []));
      });
      // What the page itself gave up has ERR_ABORTED; an answer that the browser cannot decode is the server's fault.
      page.on("requestfailed", (request) => {
        const why = request.failure()?.errorText ?? "";
        if (/DECODING|EMPTY_RESPONSE|INCOMPLETE|CONTENT_LENGTH/.test(why))
          complaints.push(`${request.method()} ${new URL(request.url()).pathname}: ${why}`);
      });
      await use(complaints);
      const shapes = (await Promise.all(read)).flat();
      expect([...complaints, ...new Set(shapes)], "the browser complained").toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Until nothing is on its way any more; a room that follows what happens never comes to rest. */
export const settled = (page: Page) => page.waitForLoadState("networkidle", { timeout: 4_000 }).catch(() => undefined);

/** Whether the whole of a row can be seen in what scrolls it, below the head that stays there. */
export async function inSight(scroller: Locator, row: Locator, head: string): Promise<boolean> {
  const edges = (element: Element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return { top, bottom };
  };
  const [frame, above, at] = await Promise.all([scroller, scroller.locator(head), row].map((one) => one.evaluate(edges)));
  return at!.top >= above!.bottom - 1 && at!.bottom <= frame!.bottom + 1;
}

async function ok<T>(asked: Promise<APIResponse>): Promise<T> {
  const response = await asked;
  expect(response.ok(), `${response.url()} answered ${response.status()}: ${response.ok() ? "" : await response.text()}`).toBe(true);
  return (await response.json()) as T;
}

const items = async <T>(request: APIRequestContext, path: string): Promise<T[]> => (await ok<{ items: T[] }>(request.get(path))).items;

export const apps = (request: APIRequestContext) =>
  items<{ name: string; examples: string[]; knowledge: string[]; model?: string }>(request, "/api/v1/apps");
export const knowledge = (request: APIRequestContext) => items<{ name: string; documents: number }>(request, "/api/v1/knowledge");
/** Where the documents of a knowledge come from, and how they are cut. */
export const detail = (request: APIRequestContext, name: string) =>
  ok<{ sources: { location: string; documents: number }[]; chunking: { max_tokens: number } }>(request.get(`/api/v1/knowledge/${name}`));
export const documents = (request: APIRequestContext, name: string) =>
  items<{ id: string; title: string; status: string; uri: string; chunks: number }>(request, `/api/v1/knowledge/${name}/documents?limit=200`);
export const traces = (request: APIRequestContext, query = "limit=50") =>
  items<{ trace_id: string; status: string; preview?: string; app?: string }>(request, `/api/v1/traces?${query}`);

export const search = (request: APIRequestContext, name: string, data: object) =>
  ok<{ passages: unknown[]; left_out: unknown[] }>(request.post(`/api/v1/knowledge/${name}/search`, { data }));

/** A knowledge of its own over these files, not ingested yet. */
export async function fresh(request: APIRequestContext, prefix: string, files: Record<string, string>, more: object = {}): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), `${prefix}-`));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const name = `${prefix}-${hex(6)}`;
  const spec = { sources: [{ type: "folder", path: folder }], ...more };
  await ok(request.post("/api/v1/apply", { data: { manifests: [{ apiVersion: "mainspring/v1", kind: "knowledge", name, spec }] } }));
  return name;
}

/** A model server that answers as it is told, as `http://127.0.0.1:…`; gone with the tests. */
let upstream: Promise<string> | undefined;
function scripted(): Promise<string> {
  upstream ??= new Promise((found, failed) => {
    const program = process.env.MAINSPRING_UPSTREAM;
    if (!program) return failed(new Error("MAINSPRING_UPSTREAM names no program: `cargo build -p mainspring-testservers --example upstream`"));
    const server = spawn(program, [], { stdio: ["ignore", "pipe", "inherit"] });
    process.once("exit", () => server.kill());
    server.once("error", failed);
    server.stdout.on("data", (text: Buffer) => {
      const [, url] = /listening on (\S+)/.exec(text.toString()) ?? [];
      if (url) found(url);
    });
  });
  return upstream;
}

/** Providers of the scripted model server that do as they are told, and what that server was asked. */
export async function providersThat(request: APIRequestContext, behaviours: readonly string[]): Promise<string[]> {
  const base = await scripted();
  const names = behaviours.map(() => `e2e-told-${hex(6)}`);
  const manifests = behaviours.map((behaviour, at) => ({
    apiVersion: "mainspring/v1",
    kind: "provider",
    name: names[at],
    spec: { type: "openai", base_url: `${base}${behaviour ? `/do/${behaviour}` : ""}/v1` },
  }));
  await ok(request.post("/api/v1/apply", { data: { manifests } }));
  return names;
}

export async function askedUpstream(request: APIRequestContext): Promise<{ body: string; path: string; ended: string }[]> {
  return ok(request.get(`${await scripted()}/_requests`));
}

/** A route to a model without a price, with calls behind it, the last of which failed. The stand-in has one of its own. */
export async function routed(request: APIRequestContext): Promise<{ route: string; provider: string }> {
  if (!real) {
    const [target] = await items<{ route: string; provider: string }>(request, "/api/v1/routes");
    return target!;
  }
  const base = await scripted();
  const [route, provider, broken] = [`e2e-route-${hex(6)}`, `e2e-well-${hex(6)}`, `e2e-broken-${hex(6)}`];
  const provides = (name: string, path: string) => ({
    apiVersion: "mainspring/v1",
    kind: "provider",
    name,
    spec: { type: "openai", base_url: base + path },
  });
  const manifests = [
    provides(provider, "/v1"),
    provides(broken, "/do/status=401/v1"),
    { apiVersion: "mainspring/v1", kind: "route", name: route, spec: { targets: [{ provider, model: "scripted" }] } },
  ];
  await ok(request.post("/api/v1/apply", { data: { manifests } }));
  const call = (model: string) =>
    request.post("/v1/chat/completions", { data: { model, user: "e2e", messages: [{ role: "user", content: "Hello." }] } });
  for (let i = 0; i < 6; i++) await ok(call(route));
  expect((await call(`${broken}/scripted`)).ok()).toBe(false);
  await expect.poll(async () => (await items(request, `/api/v1/calls?provider=${broken}`)).length).toBe(1);
  return { route, provider };
}

/** A second project, made where there is none. */
export async function project(request: APIRequestContext): Promise<string> {
  const find = async () => (await items<{ name: string }>(request, "/api/v1/projects")).find((one) => one.name !== "default")?.name;
  if (!(await find())) await ok(request.post("/api/v1/projects", { data: { name: "e2e" } }));
  return (await find())!;
}

export interface Asset {
  kind: string;
  name: string;
  version: number;
  aliases: { alias: string; version: number }[];
}
export const assets = (request: APIRequestContext) => items<Asset>(request, "/api/v1/assets?limit=200");

/** The first knowledge that holds documents; with an app over it where there is one. */
export async function subject(request: APIRequestContext): Promise<{ app: string; knowledge: string }> {
  const [app] = await apps(request);
  const names = (await knowledge(request)).filter((k) => k.documents > 0).map((k) => k.name);
  const used = app?.knowledge.map((k) => k.split("@")[0]!).find((k) => names.includes(k)) ?? names[0];
  expect(app, "there is an app").toBeDefined();
  expect(used, "there is knowledge with documents").toBeDefined();
  return { app: app!.name, knowledge: used! };
}

/** An app over knowledge that writes its answers with a model: quotes are there before anybody could stop them. */
export async function writer(request: APIRequestContext): Promise<string> {
  const found = (await apps(request)).find((app) => app.model && app.knowledge.length > 0);
  expect(found, "there is an app that asks a model").toBeDefined();
  return found!.name;
}

/** An asset with two versions, made where there is none. */
export async function revised(request: APIRequestContext): Promise<Asset> {
  const find = async () => (await assets(request)).find((a) => a.version > 1);
  const found = await find();
  if (found) return found;
  for (const content of ["Say hello.", "Say hello, briefly."]) {
    const manifest = { apiVersion: "mainspring/v1", kind: "prompt", name: "e2e-greeting", spec: { messages: [{ role: "user", content }] } };
    await ok(request.post("/api/v1/apply", { data: { manifests: [manifest] } }));
  }
  return (await find())!;
}

const hex = (length: number): string => Array.from({ length }, () => Math.floor(Math.random() * 16).toString(16)).join("");

/** More traces than a page of the list holds, sent as OpenTelemetry spans where there are fewer. */
export async function manyTraces(request: APIRequestContext): Promise<void> {
  const wanted = 60;
  const missing = wanted - (await traces(request, `limit=${wanted}`)).length;
  if (missing <= 0) return;
  const spans = Array.from({ length: missing }, (_, i) => {
    const start = Date.now() - i * 60_000;
    const times = { startTimeUnixNano: `${start}000000`, endTimeUnixNano: `${start + 40 + i}000000` };
    return { traceId: hex(32), spanId: hex(16), name: `checkout ${i}`, kind: 2, status: { code: 1 }, attributes: [], ...times };
  });
  await ok(
    request.post("/v1/traces", { data: { resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ scope: { name: "e2e" }, spans }] }] } }),
  );
  await expect.poll(async () => (await traces(request, `limit=${wanted}`)).length).toBe(wanted);
}

/** A trace of an answer that can be replayed; asked for where there is none. */
export async function answered(request: APIRequestContext, app: string): Promise<string> {
  const find = async () => (await traces(request, `status=ok&app=${app}&limit=20`))[0]?.trace_id;
  const found = await find();
  if (found) return found;
  const data = { model: app, messages: [{ role: "user", content: "What is an alias?" }] };
  await ok(request.post("/v1/chat/completions", { data, timeout: ANSWER_MS }));
  await expect.poll(find).toBeDefined();
  return (await find())!;
}

/** Asks in the playground and waits for the whole answer. */
export async function ask(page: Page, app: string, question: string): Promise<void> {
  await page.goto(`/playground/${app}`);
  await page.getByLabel("Your question").fill(question);
  await page.keyboard.press("Enter");
  await expect(page.locator(".answer-foot")).toBeVisible({ timeout: ANSWER_MS });
}

/** Answers the playground's next questions with these words, at once. */
export async function answerWith(page: Page, chunks: object[], whole = true): Promise<void> {
  await page.route("**/v1/chat/completions", (route) =>
    route.fulfill({
      contentType: "text/event-stream",
      body: chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("") + (whole ? "data: [DONE]\n\n" : ""),
    }),
  );
}
