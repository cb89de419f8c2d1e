// Pictures of every room, light and dark, wide and narrow, for looking at: `npm run shots [name…]`, of the server that BASE names.

import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "@playwright/test";

const BASE = process.env.BASE ?? "http://127.0.0.1:7400";
const OUT = process.env.OUT ?? "shots";
const QUESTION = process.env.QUESTION ?? "What is an alias?";
const only = process.argv.slice(2);

// What there is differs from server to server, so it is asked for.
const items = async (path) => (await (await fetch(BASE + path)).json()).items ?? [];
const [app] = await items("/api/v1/apps");
const bases = await items("/api/v1/knowledge");
const base = bases.find((k) => k.failed > 0)?.name ?? bases[0]?.name;
const used = app?.knowledge[0]?.split("@")[0] ?? base;
const docs = await items(`/api/v1/knowledge/${base}/documents?limit=200`);
const usedDocs = await items(`/api/v1/knowledge/${used}/documents?limit=200`);
const traces = await items("/api/v1/traces?limit=200");
const trace = traces.find((t) => t.status === "ok" && t.app)?.trace_id;
const failed = traces.find((t) => t.status === "error")?.trace_id;
const [run] = (await items(`/api/v1/knowledge/${base}/runs`)).filter((r) => r.report?.failures.length);
const ingest = run?.trace_id;
const assets = await items("/api/v1/assets?limit=200");
const asset = assets.find((a) => a.version > 1) ?? assets[0];
const versioned = `/assets/${asset.kind}/${asset.name}`;
const chain = assets.find((a) => a.kind === "chain");
const [metric] = await items("/api/v1/metrics");
const foreign = docs.find((d) => /[^\x00-\u024f]/.test(d.title));

let conversation = null;
/** The answer is waited for once; the other pictures show the same conversation. */
const ask = async (page) => {
  if (conversation === null) {
    await page.getByLabel("Your question").fill(QUESTION);
    await page.keyboard.press("Enter");
    await page.locator(".answer-foot").waitFor({ timeout: 300_000 });
    conversation = await page.evaluate(() => sessionStorage.getItem("mainspring.conversations"));
  } else {
    await page.evaluate((text) => sessionStorage.setItem("mainspring.conversations", text), conversation);
    await page.reload();
    await page.locator(".answer-foot").waitFor();
  }
  await page.waitForTimeout(250);
};

const SHOTS = {
  home: "/",
  "playground-start": `/playground/${app?.name}`,
  playground: [`/playground/${app?.name}`, ask],
  "playground-source": [
    `/playground/${app?.name}`,
    async (p) => {
      await ask(p);
      const cite = p.locator(".answer button.cite").first();
      if ((await cite.count()) > 0) await cite.click();
      else await p.locator(".source").first().click();
      await p.waitForTimeout(600);
    },
  ],
  "playground-live": [
    `/playground/${app?.name}`,
    async (p) => {
      await p.getByLabel("Your question").fill(QUESTION);
      await p.keyboard.press("Enter");
      await p.locator(".source").first().waitFor({ timeout: 60_000, state: "attached" });
    },
  ],
  "playground-stopped": [
    `/playground/${app?.name}`,
    async (p) => {
      await p.getByLabel("Your question").fill(QUESTION);
      await p.keyboard.press("Enter");
      await p.locator(".source").first().waitFor({ timeout: 60_000, state: "attached" });
      await p.keyboard.press("Escape");
      await p.getByText("Stopped.").waitFor();
    },
  ],
  "sign-in": [
    "/",
    async (p) => {
      await p.route("**/api/v1/**", (route) => route.fulfill({ status: 401, json: { title: "Unauthorized", status: 401, code: "key-required" } }));
      await p.reload();
      await p.getByLabel("API key").waitFor();
    },
  ],
  "server-away": [
    "/knowledge",
    async (p) => {
      await p.route("**/api/v1/**", (route) => route.abort());
      await p.reload();
      await p.getByRole("alert").waitFor({ timeout: 30_000 });
    },
  ],
  knowledge: "/knowledge",
  "knowledge-overview": `/knowledge/${base}`,
  documents: `/knowledge/${used}/documents`,
  "documents-failed": `/knowledge/${base}/documents?status=failed`,
  "document-failed": `/knowledge/${base}/documents/${docs.find((d) => d.status === "failed")?.id}`,
  document: [
    `/knowledge/${used}/documents/${usedDocs.toSorted((a, b) => b.chunks - a.chunks)[0]?.id}`,
    async (p) => {
      await p.keyboard.press("j");
      await p.keyboard.press("j");
      await p.waitForTimeout(300);
    },
  ],
  ...(foreign ? { "document-foreign": `/knowledge/${base}/documents/${foreign.id}?start=10&end=90` } : {}),
  search: [`/knowledge/${used}/search?q=${encodeURIComponent(QUESTION)}&rerank=1`, (p) => p.locator(".hit").first().waitFor({ timeout: 60_000 })],
  "search-empty": `/knowledge/${used}/search`,
  "search-none": [`/knowledge/${used}/search?q=zzqxjkvw&mode=text`, (p) => p.getByText("Nothing found").waitFor()],
  runs: `/knowledge/${base}/runs`,
  run: `/knowledge/${base}/runs/${run?.id}`,
  "run-live": [
    `/knowledge/${base}`,
    async (p) => {
      await p
        .getByRole("button", { name: "Ingest" })
        .click()
        .catch(() => p.getByText("Watch run").click());
      await p.waitForTimeout(Number(process.env.LIVE_MS ?? 300));
    },
  ],
  traces: "/traces?in=7d",
  "traces-none": [`/traces?q=nothing-says-${Date.now()}`, (p) => p.getByText("No trace matches").waitFor()],
  conventions: "/traces/conventions",
  metrics: "/observe/metrics",
  ...(metric ? { metric: `/observe/metrics/${encodeURIComponent(metric.name)}` } : {}),
  trace: `/traces/${trace}`,
  "trace-span": [
    `/traces/${trace}`,
    async (p) => {
      await p
        .getByRole("treeitem", { name: /retriev/ })
        .first()
        .click();
      await p.waitForTimeout(200);
    },
  ],
  "trace-error": `/traces/${failed}`,
  "trace-ingest": `/traces/${ingest}`,
  "trace-lost": ["/traces/00000000000000000000000000000abc", (p) => p.getByRole("alert").waitFor({ timeout: 20_000 })],
  replay: [
    `/traces/${trace}`,
    async (p) => {
      await p.getByRole("button", { name: "Replay" }).click();
      await p.getByText("Swap a version").click();
      await p.getByLabel("Version to use instead").fill(process.env.SWAP ?? `${asset.name}@v1`);
      await p.locator("dialog").getByRole("button", { name: "Replay" }).click();
      await p.locator(".word-diff, dialog [role=alert]").first().waitFor({ timeout: 300_000 });
    },
  ],
  models: [
    "/models",
    async (p) => {
      await p.getByRole("button", { name: "Explain" }).click();
      await p.locator(".explain-targets").waitFor();
    },
  ],
  "models-live": ["/models/live", (p) => p.waitForTimeout(4_000)],
  "models-compare": "/models/compare",
  "models-compare-answers": [
    "/models/compare#m=assistant&m=anthropic%2Fclaude-sonnet-4-5&m=drafts&p=What+is+a+circuit+breaker%3F&t=0.2",
    async (p) => {
      await p.getByRole("button", { name: /Ask all/ }).click();
      await p.waitForTimeout(Number(process.env.LIVE_MS ?? 6_000));
    },
  ],
  "models-batches": "/models/batches",
  "models-usage": "/models/usage?in=30d",
  "models-calls": "/models/calls",
  "models-limits": "/models/limits",
  assets: "/assets",
  "assets-none": "/assets/suite",
  asset: versioned,
  "asset-diff": [`${versioned}/diff`, (p) => p.locator(".diff").waitFor()],
  "asset-refs": `/assets/chain/${chain?.name}/references`,
  "alias-move": [
    versioned,
    async (p) => {
      await p.getByRole("button", { name: "Move" }).first().click();
    },
  ],
  keys: "/settings",
  "key-new": [
    "/settings",
    async (p) => {
      await p.getByRole("button", { name: "New key" }).click();
    },
  ],
  "key-limits": [
    "/settings",
    async (p) => {
      await p.locator(".key-name").first().click();
      await p.waitForTimeout(200);
    },
  ],
  "key-rotate": [
    "/settings",
    async (p) => {
      await p.getByRole("button", { name: "Rotate" }).first().click();
      await p.waitForTimeout(200);
    },
  ],
  "local-models": "/settings/models",
  about: "/settings/about",
  palette: [
    "/traces",
    async (p) => {
      await p.keyboard.press("Control+k");
      await p.waitForTimeout(300);
    },
  ],
  help: [
    `/knowledge/${used}/documents`,
    async (p) => {
      await p.keyboard.press("?");
      await p.waitForTimeout(300);
    },
  ],
  lost: "/nowhere",
};

mkdirSync(OUT, { recursive: true });
const browser = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), "shots-")), {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
const themes = (process.env.THEMES ?? "light,dark").split(",");
const sizes = (process.env.SIZES ?? "1440,420").split(",").map(Number);
for (const [name, shot] of Object.entries(SHOTS)) {
  if (only.length && !only.includes(name)) continue;
  const [path, act] = Array.isArray(shot) ? shot : [shot];
  for (const theme of themes) {
    for (const width of sizes) {
      const page = await browser.newPage();
      page.on("console", (m) => ["error", "warning"].includes(m.type()) && console.log(`${name}: ${m.text()}`));
      page.on("pageerror", (e) => console.log(`${name}: ${e}`));
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme: theme });
      await page.goto(BASE + path);
      await page.waitForLoadState("networkidle", { timeout: 5_000 }).catch(() => undefined);
      try {
        await act?.(page);
      } catch (error) {
        console.log(`${name} ${theme} ${width}: ${error.message.split("\n")[0]}`);
      }
      await page.waitForTimeout(350);
      await page.screenshot({ path: `${OUT}/${name}-${theme}-${width}.png` });
      const wide = await page.evaluate(
        () =>
          document.documentElement.scrollWidth > innerWidth ||
          document.querySelector("main").scrollWidth > document.querySelector("main").clientWidth + 1,
      );
      if (wide) console.log(`${name} ${theme} ${width}: scrolls sideways`);
      await page.close();
    }
  }
}
await browser.close();
