// Pictures of every room, light and dark, wide and narrow, for looking at: `npm run shots [name…]` with `npm run fixtures` running.

import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "@playwright/test";

const BASE = process.env.BASE ?? "http://127.0.0.1:7400";
const OUT = process.env.OUT ?? "shots";
const only = process.argv.slice(2);

const get = async (path) => ({ items: [], ...(await (await fetch(BASE + path)).json()) });
const docs = await get("/api/v1/knowledge/manual/documents").catch(() => ({ items: [] }));
const traces = await get("/api/v1/traces?limit=60").catch(() => ({ items: [] }));
const trace = traces.items.find((t) => t.status === "ok" && t.app === "manual")?.trace_id;
const failed = traces.items.find((t) => t.status === "error")?.trace_id;
const ingest = traces.items.find((t) => t.name.startsWith("ingest"))?.trace_id;
const runs = await get("/api/v1/knowledge/manual/runs").catch(() => ({ items: [] }));

const ask = async (page, text) => {
  await page.getByLabel("Your question").fill(text);
  await page.keyboard.press("Enter");
  await page.getByText("Trace", { exact: true }).waitFor({ timeout: 20_000 });
  await page.waitForTimeout(250);
};

const SHOTS = {
  home: "/",
  "playground-start": "/playground/manual",
  playground: ["/playground/manual", (p) => ask(p, "How is the lake durable against power loss?")],
  "playground-source": [
    "/playground/manual",
    async (p) => {
      await ask(p, "How is the lake durable against power loss?");
      await p.locator(".answer button.cite").first().click();
      await p.waitForTimeout(600);
    },
  ],
  "playground-error": [
    "/playground/manual",
    async (p) => {
      await p.getByLabel("Your question").fill("please fail");
      await p.keyboard.press("Enter");
      await p.getByRole("alert").waitFor();
    },
  ],
  knowledge: "/knowledge",
  "knowledge-overview": "/knowledge/manual",
  documents: "/knowledge/python-docs/documents",
  "documents-failed": "/knowledge/manual/documents?status=failed",
  document: [
    `/knowledge/manual/documents/${docs.items[0]?.id}`,
    async (p) => {
      await p.keyboard.press("j");
      await p.keyboard.press("j");
      await p.waitForTimeout(300);
    },
  ],
  "document-pdf": `/knowledge/manual/documents/${docs.items[8]?.id}?start=300&end=420`,
  "document-ja": `/knowledge/manual/documents/${docs.items[4]?.id}?start=45&end=150`,
  search: ["/knowledge/manual/search?q=how%20does%20the%20lake%20survive%20a%20power%20cut&rerank=1", (p) => p.locator(".hit").first().waitFor()],
  "search-empty": "/knowledge/manual/search",
  runs: "/knowledge/manual/runs",
  run: `/knowledge/manual/runs/${runs.items[0]?.id}`,
  "run-live": [
    "/knowledge/handbook",
    async (p) => {
      await p
        .getByRole("button", { name: "Ingest" })
        .click()
        .catch(() => p.getByText("Watch run").click());
      await p.waitForTimeout(6000);
    },
  ],
  traces: "/traces?in=7d",
  trace: `/traces/${trace}`,
  "trace-error": `/traces/${failed}`,
  "trace-big": `/traces/${ingest}`,
  replay: [
    `/traces/${trace}`,
    async (p) => {
      await p.getByRole("button", { name: "Replay" }).click();
      await p.getByText("Swap a version").click();
      await p.getByLabel("Version to use instead").fill("grounded-answer@candidate");
      await p.locator("dialog").getByRole("button", { name: "Replay" }).click();
      await p.locator(".word-diff").waitFor();
    },
  ],
  assets: "/assets",
  asset: "/assets/prompt/grounded-answer",
  "asset-diff": "/assets/prompt/grounded-answer/diff",
  "asset-refs": "/assets/chain/answer-from-docs/references",
  "alias-move": [
    "/assets/prompt/grounded-answer",
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
  models: "/settings/models",
  about: "/settings/about",
  palette: [
    "/traces",
    async (p) => {
      await p.keyboard.press("Control+k");
      await p.waitForTimeout(300);
    },
  ],
  help: [
    "/knowledge/manual/documents",
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
      await page.waitForLoadState("networkidle").catch(() => undefined);
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
