// A stand-in server for working on the page without the binary: real shapes, made-up data, honest errors.
// An answer whose shape is not the one in ../openapi/rest.json is answered with 500 instead.
// `npm run fixtures` serves the API and, when built, `dist/` on 127.0.0.1:7400 with the policy the binary sends.

import { createHash } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { dashboardRoutes } from "./dashboards.mjs";
import { driftRoutes } from "./drift.mjs";
import { gatewayRoutes } from "./gateway.mjs";
import { incidentRoutes } from "./incidents.mjs";
import { logRoutes } from "./logs.mjs";
import { metricRoutes } from "./metrics.mjs";
import { faultsOf } from "./shapes.mjs";
import { documents as texts } from "./texts.mjs";
import { traceRoutes } from "./traces.mjs";

const PORT = Number(process.env.PORT ?? 7400);
const DIST = fileURLToPath(new URL("../dist", import.meta.url));
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

// ── Small tools ─────────────────────────────────────────────────────────────

let seed = 42;
const rnd = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
const pick = (list) => list[Math.floor(rnd() * list.length)];
const hex = (n) => Array.from({ length: n }, () => "0123456789abcdef"[Math.floor(rnd() * 16)]).join("");
const sha = (text) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const NOW = Date.now();
const ago = (seconds) => new Date(NOW - seconds * 1000).toISOString();
const micros = (ms) => new Date(ms).toISOString().replace(/(\.\d{3})Z$/, `$1${String(Math.floor(rnd() * 1000)).padStart(3, "0")}Z`);
const encoder = new TextEncoder();
const byteLength = (text) => encoder.encode(text).length;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// ── Documents: blocks, chunks ───────────────────────────────────────────────

function parse(text) {
  const blocks = [];
  let at = 0;
  let page = 1;
  for (const part of text.split(/(?<=\n\n)/)) {
    const length = byteLength(part);
    const heading = /^(#{1,6}) /.exec(part);
    const kind = heading
      ? "heading"
      : part.startsWith("```")
        ? "code"
        : part.startsWith("|")
          ? "table"
          : part.startsWith("> ")
            ? "quote"
            : /^[-*\d]/.test(part)
              ? "list"
              : "paragraph";
    if (part.startsWith("\f")) page++;
    blocks.push({
      kind,
      start: at,
      end: at + length,
      level: heading ? heading[1].length : null,
      page: text.includes("\f") ? page : null,
      language: null,
    });
    at += length;
  }
  return blocks;
}

/** What a chunk says; on the wire that is asked of its document. */
const bodies = new Map();

function chunk(document, text, blocks) {
  const chunks = [];
  const bytes = encoder.encode(text);
  const decode = (a, b) => new TextDecoder().decode(bytes.slice(a, b));
  let path = [];
  let open = null;
  const close = () => {
    if (!open) return;
    const body = decode(open.start, open.end);
    chunks.push({
      id: `chk_${sha(document + open.start).slice(7, 39)}`,
      ordinal: chunks.length,
      ...open,
      tokens: Math.ceil(body.length / 4.2),
      header: [document, ...open.heading_path].join(" > "),
    });
    bodies.set(chunks.at(-1), body);
    open = null;
  };
  for (const block of blocks) {
    if (block.kind === "heading") {
      close();
      path = [...path.slice(0, block.level - 1), decode(block.start, block.end).replace(/^#+ /, "").trim()];
    }
    if (open && block.end - open.start > 900) {
      const overlap = Math.max(open.start, block.start - 60);
      close();
      open = { start: overlap, end: block.end, heading_path: path.slice(), page: block.page };
      while (open.start < block.start && (bytes[open.start] & 0xc0) === 0x80) open.start++;
    }
    open ??= { start: block.start, end: block.end, heading_path: path.slice(), page: block.page };
    open.end = block.end;
  }
  close();
  return chunks;
}

const MEDIA = {
  md: "text/markdown",
  html: "text/html",
  pdf: "application/pdf",
  txt: "text/plain",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  csv: "text/csv",
  eml: "message/rfc822",
};
const FAILURES = [
  ["parser-expansion", "expands to 4.2 GB, the limit is 200 MB"],
  ["parser-timeout", "the parser did not finish within 20 s"],
  ["parser-no-text", "no page has a text layer; it is probably scanned"],
  ["parser-malformed", "the file ends in the middle of its central directory"],
  ["parser-encoding", "invalid UTF-8 at byte 18,204"],
];

function makeDocument(knowledge, uri, title, text, labels, age) {
  const id = `doc_${sha(knowledge + uri).slice(7, 39)}`;
  const blocks = parse(text);
  const chunks = chunk(title, text, blocks);
  return {
    text,
    blocks,
    chunkList: chunks,
    summary: {
      id,
      title,
      uri,
      source: "docs",
      media_type: MEDIA[uri.split(".").pop()] ?? "text/plain",
      status: "ready",
      reason: null,
      reason_code: null,
      bytes: byteLength(text),
      pages: text.includes("\f") ? text.split("\f").length : null,
      chunks: chunks.length,
      tokens: chunks.reduce((n, c) => n + c.tokens, 0),
      labels,
      metadata: { language: /[぀-ヿ]/.test(text) ? "ja" : "en", team: pick(["platform", "docs", "security"]) },
      digest: sha(text),
      ingested_at: ago(age),
    },
  };
}

const knowledgeDocs = { manual: [], "python-docs": [], handbook: [] };
for (const { uri, title, text, labels } of texts)
  knowledgeDocs.manual.push(makeDocument("manual", uri, title, text, labels ?? [], 3600 * 3 + rnd() * 4000));
for (const [uri, i] of [
  ["legacy/архив-2019.zip.docx", 0],
  ["scans/заявление.pdf", 2],
  ["imports/broken-export.csv", 4],
]) {
  knowledgeDocs.manual.push({
    text: "",
    blocks: [],
    chunkList: [],
    summary: {
      id: `doc_${sha(uri).slice(7, 39)}`,
      title: uri.split("/").pop(),
      uri: `docs/${uri}`,
      source: "docs",
      media_type: MEDIA[uri.split(".").pop()] ?? "text/plain",
      status: "failed",
      reason: FAILURES[i][1],
      reason_code: FAILURES[i][0],
      bytes: Math.floor(rnd() * 9e6),
      pages: null,
      chunks: 0,
      tokens: 0,
      labels: [],
      metadata: {},
      digest: null,
      ingested_at: ago(11_000),
    },
  });
}
const MODULES =
  "asyncio collections concurrent.futures contextlib dataclasses datetime decimal difflib email enum functools heapq hashlib http.client importlib inspect io ipaddress itertools json logging math mmap multiprocessing operator pathlib pickle queue random re sched secrets select selectors shelve shutil signal socket sqlite3 ssl statistics string struct subprocess tarfile tempfile textwrap threading time tokenize traceback types typing unicodedata unittest urllib.request uuid venv warnings weakref xml.etree zipfile zlib".split(
    " ",
  );
for (let i = 0; i < 1380; i++) {
  const module = MODULES[i % MODULES.length];
  const part = i < MODULES.length ? "" : ` – part ${Math.floor(i / MODULES.length) + 1}`;
  const failed = i % 97 === 13;
  const uri = `https://docs.python.org/3.11/library/${module}${part ? `-${Math.floor(i / MODULES.length) + 1}` : ""}.html`;
  const text = failed
    ? ""
    : `# ${module}${part}\n\nThe \`${module}\` module. This page describes what the ${module} module offers, with examples.\n\n## Overview\n\n${"Functions here raise TypeError when their arguments have the wrong type, and ValueError when the value is out of range. ".repeat(3 + (i % 5))}\n\n## Examples\n\n\`\`\`\nimport ${module}\nprint(${module})\n\`\`\`\n\n## See also\n\nThe glossary, and the tutorial’s chapter on modules.\n`;
  const made = makeDocument("python-docs", uri, `${module}${part} — Python 3.11 documentation`, text, [], 86_400 * 2 + i);
  const [code, detail] = FAILURES[i % FAILURES.length];
  if (failed) Object.assign(made.summary, { status: "failed", reason: detail, reason_code: code, chunks: 0 });
  knowledgeDocs["python-docs"].push(made);
}
for (let i = 0; i < 46; i++) {
  const labels = i % 4 === 0 ? ["hr"] : i % 7 === 0 ? ["finance", "board"] : [];
  knowledgeDocs.handbook.push(
    makeDocument(
      "handbook",
      `s3://acme-handbook/policies/${i}-policy.docx`,
      ["Leave", "Travel", "Security", "Expenses", "Onboarding", "Équipement", "勤務規則"][i % 7] + ` policy ${i + 1}`,
      `# Policy ${i + 1}\n\nEverybody may take 30 days of leave a year.\n\n## Details\n\nAsk your lead at least two weeks before.\n`,
      labels,
      86_400 * 19,
    ),
  );
}

const CHAPTER = (i) =>
  `## Chapter ${i}\n\n${"Long documents are read as easily as short ones, because only what is in sight is laid out. ".repeat(6)}\n\n${"文書とその断片。".repeat(20)}\n\n`;
knowledgeDocs.handbook.push(
  makeDocument(
    "handbook",
    "s3://acme-handbook/policies/everything.md",
    "Everything, in one file",
    `# Everything\n\n${Array.from({ length: 1500 }, (_, i) => CHAPTER(i + 1)).join("")}`,
    [],
    86_400 * 19,
  ),
);

// ── Runs ────────────────────────────────────────────────────────────────────

const runs = [];
function run(knowledge, age, seconds, report, status = "succeeded", error = null) {
  runs.push({
    id: `run_${hex(32)}`,
    kind: "ingestion",
    knowledge,
    status,
    created_at: ago(age + 1),
    started_at: ago(age),
    finished_at: ago(age - seconds),
    progress: null,
    report,
    error,
    trace_id: hex(32),
  });
}
const report = (added, changed, unchanged, deleted, failed, tokens, seconds, failures = []) => ({
  added,
  changed,
  unchanged,
  moved: 1,
  deleted,
  failed,
  chunks: Math.ceil(tokens / 190),
  tokens,
  embedded: Math.ceil(tokens / 195),
  seconds,
  failures: failures.map((failure) => ({ source: "docs", ...failure })),
  warnings: [],
  warnings_left_out: 0,
});
run(
  "manual",
  11_000,
  3.4,
  report(
    2,
    1,
    8,
    0,
    3,
    5_400,
    3.4,
    FAILURES.slice(0, 1)
      .map(([code, detail]) => ({ uri: "docs/legacy/архив-2019.zip.docx", code, detail }))
      .concat([
        { uri: "docs/scans/заявление.pdf", code: "parser-no-text", detail: FAILURES[2][1] },
        { uri: "docs/imports/broken-export.csv", code: "parser-encoding", detail: FAILURES[4][1] },
      ]),
  ),
);
for (let i = 1; i < 40; i++)
  run(
    "manual",
    11_000 + i * 21_600,
    0.4 + rnd() * 2,
    report(i % 5 === 0 ? 1 : 0, i % 3, 9, i % 11 === 0 ? 1 : 0, 3, i % 3 === 0 ? 1800 : 0, 0.4 + rnd() * 2),
  );
run("handbook", 86_400 * 19, 14, null, "failed", {
  code: "source-unavailable",
  detail: "the bucket `acme-handbook` did not answer: connection refused",
});
run("python-docs", 86_400 * 2, 612, report(1366, 0, 0, 0, 14, 4_812_300, 612));

function startRun(knowledge) {
  const total = 3_400;
  const made = {
    id: `run_${hex(32)}`,
    kind: "ingestion",
    knowledge,
    status: "running",
    created_at: new Date().toISOString(),
    started_at: new Date().toISOString(),
    finished_at: null,
    progress: {
      stage: "listing",
      documents_total: null,
      documents_done: 0,
      documents_unchanged: 0,
      documents_failed: 0,
      chunks: 0,
      tokens: 0,
      tokens_per_second: null,
      eta_seconds: null,
      current: null,
    },
    report: null,
    error: null,
    trace_id: hex(32),
  };
  runs.unshift(made);
  const begun = Date.now();
  const timer = setInterval(() => {
    const seconds = (Date.now() - begun) / 1000;
    const done = Math.min(total, Math.floor(Math.max(0, seconds - 1) * 85));
    const speed = 8400 + Math.sin(seconds / 2) * 900 + rnd() * 500;
    made.progress = {
      stage: done === 0 ? "listing" : "working",
      documents_total: seconds < 1 ? null : total,
      documents_done: done,
      documents_unchanged: Math.floor(done * 0.3),
      documents_failed: Math.floor(done / 400),
      chunks: done * 6,
      tokens: Math.floor(done * 1180),
      tokens_per_second: done ? speed : null,
      eta_seconds: done ? (total - done) / 85 : null,
      current: done ? `docs/guides/chapter-${done}.md` : null,
    };
    if (done >= total) {
      clearInterval(timer);
      Object.assign(made, { status: "succeeded", finished_at: new Date().toISOString(), report: report(2380, 12, 1000, 4, 8, 4_000_000, seconds) });
    }
  }, 200);
  return made;
}

// ── Traces ──────────────────────────────────────────────────────────────────

const QUESTIONS = [
  "How does Mainspring keep the lake durable against power loss?",
  "What is an alias and how do I move one?",
  "Which ports does the server listen on?",
  "埋め込みモデルを変更するとどうなりますか？",
  "Can I replay an answer from last week?",
  "How are access labels enforced? 🔐",
  "What happens when a parser hangs on a PDF?",
  "Wie richte ich PostgreSQL als Katalog ein?",
  "How do I create an API key for a read-only client?",
  "What does `mainspring doctor` check?",
];
const VERSIONS = [
  "app/manual@v3#" + sha("a"),
  "chain/answer-from-docs@v5#" + sha("c"),
  "prompt/grounded-answer@v4#" + sha("p"),
  "knowledge/manual@v2#" + sha("k"),
  "model/smollm2-135m-instruct#sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
  "model/all-minilm-l6-v2#sha256:8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
];

const message = (role, content) => ({ role, parts: [{ type: "text", content }] });
const traces = new Map();
function span(trace, parent, name, start, end, attributes = {}, extra = {}) {
  const made = {
    trace,
    span: hex(16),
    parent,
    name,
    kind: parent ? "internal" : "server",
    start: micros(start),
    end: micros(end),
    status: { code: "ok" },
    attributes,
    events: [],
    ...extra,
  };
  return made;
}
function makeTrace(
  start,
  question,
  { fail = null, answer = "", app = "manual", hits = [], id = hex(32), slow = 1, session = `conv_${hex(8)}` } = {},
) {
  const embed = 4 + rnd() * 6;
  const find = 6 + rnd() * 8;
  const rerank = 18 + rnd() * 20;
  const prefill = (350 + rnd() * 900) * slow;
  const decode = (600 + rnd() * 2500) * slow;
  const r0 = start + 1.2;
  const total = fail === "retrieve" ? 31 : embed + find + rerank + prefill + decode + 9;
  const input = 900 + Math.floor(rnd() * 700);
  const output = 40 + Math.floor(rnd() * 160);
  const root = span(id, null, `invoke_agent ${app}`, start, start + total, {
    "gen_ai.operation.name": "invoke_agent",
    "mainspring.app": app,
    "mainspring.request": `req_${hex(12)}`,
    "mainspring.versions": VERSIONS,
    "mainspring.replay": { target: app, messages: [{ role: "user", content: question }], overrides: { settings: {} }, parameters: {} },
    "http.request.method": "POST",
    "http.response.status_code": fail ? 503 : 200,
    "user.id": pick(["ines@acme.example", "tomáš", "ci-bot"]),
    "gen_ai.conversation.id": session,
  });
  const chain = span(id, root.span, "chain answer-from-docs", start + 0.8, start + total - 0.6, { "mainspring.run": `run_${hex(32)}` });
  const retrieve = span(id, chain.span, "retrieve", r0, r0 + embed + find + rerank + 2, {
    "gen_ai.data_source.id": "manual",
    "mainspring.retrieval.query": question,
    "mainspring.lake.table": "chunks_manual",
    "mainspring.lake.version": 118,
    "mainspring.lake.transaction": "2f3c9a",
    "mainspring.retrieval.hits": hits,
  });
  const list = [
    root,
    chain,
    retrieve,
    span(id, retrieve.span, "embeddings all-minilm-l6-v2", r0 + 0.3, r0 + embed, {
      "gen_ai.operation.name": "embeddings",
      "gen_ai.request.model": "all-minilm-l6-v2",
      "gen_ai.embeddings.dimension.count": 384,
      "gen_ai.usage.input_tokens": 14,
    }),
    span(id, retrieve.span, "lake vector search", r0 + embed, r0 + embed + find * 0.8, { "db.system.name": "lance", nprobes: 20, refine: 3 }),
    span(id, retrieve.span, "lake bm25 search", r0 + embed + 0.2, r0 + embed + find, { "db.system.name": "lance" }),
  ];
  if (fail === "retrieve") {
    for (const s of [root, chain, retrieve])
      s.status = { code: "error", message: "the lake table `chunks_manual` could not be read: version 118 is gone" };
    root.attributes["error.type"] = "lake-version-gone";
    list[5].status = { code: "error", message: "version 118 is gone" };
    list[5].events.push({
      name: "exception",
      at: micros(r0 + embed + find),
      attributes: {
        "exception.type": "lake-version-gone",
        "exception.message": "version 118 is gone",
        "exception.stacktrace": "lake_lance::table::open\nlake_lance::search::text\nknowledge::retrieve::both_legs",
      },
    });
  } else {
    list.push(
      span(id, retrieve.span, "rerank late-interaction", r0 + embed + find + 0.4, r0 + embed + find + rerank, {
        "gen_ai.request.model": "all-minilm-l6-v2",
        passages: 24,
      }),
    );
    const p0 = r0 + embed + find + rerank + 2.5;
    list.push(span(id, chain.span, "render prompt grounded-answer", p0, p0 + 0.4, { "mainspring.prompt": "grounded-answer@v4" }));
    const model = span(
      id,
      chain.span,
      "chat smollm2-135m-instruct",
      p0 + 0.8,
      p0 + 0.8 + prefill + decode,
      {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "mainspring",
        "gen_ai.request.model": "smollm2-135m-instruct",
        "gen_ai.response.model": "smollm2-135m-instruct",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 512,
        "gen_ai.request.seed": 7,
        "gen_ai.usage.input_tokens": input,
        "gen_ai.usage.cache_read.input_tokens": 412,
        "gen_ai.usage.output_tokens": output,
        "gen_ai.response.finish_reasons": ["stop"],
        "mainspring.first_token_ms": prefill,
        "gen_ai.input.messages": [
          message(
            "system",
            "You answer from the numbered sources only. Cite them as [1]. If they do not hold the answer, say so.\n\nSources:\n" +
              hits.map((h, i) => `[${i + 1}] ${h.title}\n${h.text}`).join("\n"),
          ),
          message("user", question),
        ],
        "gen_ai.output.messages": [message("assistant", answer || "The lake fsyncs every commit [1].")],
      },
      { kind: "client" },
    );
    model.events.push({ name: "gen_ai.first_token", at: micros(p0 + 0.8 + prefill), attributes: {} });
    if (fail === "model") {
      model.status = { code: "error", message: "the queue of `smollm2-135m-instruct` is full" };
      model.attributes["error.type"] = "model-saturated";
      for (const s of [root, chain]) s.status = { code: "error", message: "the queue of `smollm2-135m-instruct` is full" };
    }
    list.push(model, span(id, chain.span, "check citations", p0 + 1 + prefill + decode, p0 + 1.6 + prefill + decode, { cited: 2, unsupported: 0 }));
  }
  traces.set(id, {
    summary: {
      trace_id: id,
      name: root.name,
      app,
      model: "smollm2-135m-instruct",
      status: fail ? "error" : "ok",
      error: fail ? root.status.message : null,
      start: root.start,
      duration_ms: total,
      input_tokens: fail === "retrieve" ? null : input,
      output_tokens: fail ? null : output,
      preview: question,
    },
    spans: list,
  });
  return id;
}
for (let i = 0; i < 460; i++)
  makeTrace(NOW - i * i * 1900 - i * 41_000 - 20_000, QUESTIONS[i % QUESTIONS.length], {
    fail: i % 23 === 4 ? "retrieve" : i % 31 === 9 ? "model" : null,
    slow: i % 17 === 3 ? 4 : 1,
    app: i % 6 === 5 ? "python-help" : "manual",
    // Four in a row are one conversation.
    session: `conv_${String(Math.floor(i / 4)).padStart(8, "0")}`,
  });
const ingestTrace = (() => {
  const id = hex(32);
  const start = NOW - 3_600_000;
  const root = span(
    id,
    null,
    "ingest manual",
    start,
    start + 3400,
    { "mainspring.run": runs[0].id, "mainspring.versions": VERSIONS.slice(3, 4) },
    { kind: "internal" },
  );
  const list = [root];
  for (let i = 0; i < 220; i++) {
    const at = start + 60 + i * 14;
    const doc = span(id, root.span, `document docs/guides/chapter-${i}.md`, at, at + 30 + rnd() * 60);
    list.push(
      doc,
      span(id, doc.span, "parse text/markdown", at + 0.2, at + 4),
      span(id, doc.span, "chunk", at + 4, at + 6),
      span(id, doc.span, "embed passages", at + 6, at + 28, { "gen_ai.operation.name": "embeddings" }),
    );
  }
  traces.set(id, {
    summary: {
      trace_id: id,
      name: root.name,
      app: null,
      model: "all-minilm-l6-v2",
      status: "ok",
      error: null,
      start: root.start,
      duration_ms: 3400,
      input_tokens: 182_000,
      output_tokens: null,
      preview: null,
    },
    spans: list,
  });
  runs[0].trace_id = id;
  return id;
})();
void ingestTrace;

// ── Search and answers ──────────────────────────────────────────────────────

const wordsOf = (text) => (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).filter((w) => w.length > 2 || /[^\x00-\x7f]/.test(w));

function search(name, { query, mode = "hybrid", limit = 8, rerank = false, metadata = {} }) {
  const words = wordsOf(query);
  const all = knowledgeDocs[name]
    .filter((d) => Object.entries(metadata).every(([k, v]) => v.includes(d.summary.metadata[k])))
    .flatMap((d) => d.chunkList.map((c) => ({ d, c })));
  const scored = all.map(({ d, c }) => {
    const own = wordsOf(`${d.summary.title} ${bodies.get(c)}`);
    const counts = words.map((w) => own.filter((o) => o === w).length);
    const text = counts.reduce((n, k) => n + (k > 0 ? (2.1 * (k * 2.2)) / (k + 1.2) : 0), 0);
    const near = words.filter((w) => own.some((o) => o.startsWith(w.slice(0, 5)))).length / Math.max(1, words.length);
    return { d, c, text, vector: 0.18 + 0.55 * near + (parseInt(c.id.slice(4, 8), 16) / 65536) * 0.12 };
  });
  const vectorOrder = [...scored].sort((a, b) => b.vector - a.vector).slice(0, 50);
  const textOrder = scored
    .filter((s) => s.text > 0)
    .sort((a, b) => b.text - a.text)
    .slice(0, 50);
  const rank = (list, s) => (list.indexOf(s) < 0 ? null : list.indexOf(s) + 1);
  let found = scored
    .map((s) => {
      const vr = mode === "text" ? null : rank(vectorOrder, s);
      const tr = mode === "vector" ? null : rank(textOrder, s);
      const fused = mode === "hybrid" ? (vr ? 1 / (60 + vr) : 0) + (tr ? 1 / (60 + tr) : 0) : null;
      return { ...s, vr, tr, fused, score: fused ?? (mode === "vector" ? s.vector : s.text) };
    })
    .filter((s) => s.vr || s.tr)
    .sort((a, b) => b.score - a.score)
    .slice(0, limit);
  if (rerank) found = found.map((s) => ({ ...s, re: 0.4 + s.vector * 0.5 })).sort((a, b) => b.re - a.re);
  return {
    passages: found.map(({ d, c, vr, tr, vector, text, fused, score, re }) => ({
      chunk: c.id,
      document: d.summary.id,
      title: d.summary.title,
      uri: d.summary.uri,
      media_type: d.summary.media_type,
      heading_path: c.heading_path,
      page: c.page ?? null,
      start: c.start,
      end: c.end,
      text: bodies.get(c).trim(),
      tokens: c.tokens,
      labels: d.summary.labels,
      metadata: d.summary.metadata,
      scores: {
        score: re ?? score,
        vector_rank: vr,
        vector_score: vr ? vector : null,
        text_rank: tr,
        text_score: tr ? text : null,
        fused_score: fused,
        rerank_score: re ?? null,
      },
      document_digest: d.summary.digest,
    })),
    mode,
    reranked: rerank,
    pin: { table: `chunks_${name}`, version: 118, transaction: "2f3c9a" },
    knowledge: `${name}@v2`,
    knowledge_digest: sha(name),
    embedder: "all-minilm-l6-v2",
    timings: [...(mode === "text" ? [] : [["embed", 4.1]]), ["legs", 7.8], ["take", 1.4], ...(rerank ? [["rerank", 31.7]] : []), ["pack", 0.08]],
    best_similarity: mode === "text" ? null : (vectorOrder[0]?.vector ?? null),
  };
}

const source = ({ document, document_digest, chunk, title, uri, heading_path, page, start, end, text, scores }, number) => ({
  number,
  knowledge: "manual@v2",
  document,
  document_digest,
  chunk,
  title,
  uri,
  heading_path,
  page,
  start,
  end,
  text,
  scores,
  cited: false,
});

async function chat(body, response) {
  const question = body.messages.at(-1).content;
  const send = (value) => response.write(`data: ${JSON.stringify(value)}\n\n`);
  const base = { id: `chatcmpl-${hex(20)}`, object: "chat.completion.chunk", created: Math.floor(Date.now() / 1000), model: body.model };
  const delta = (content, more = {}) => send({ ...base, choices: [{ index: 0, delta: { content, ...more }, finish_reason: null }] });
  if (/fail|error/i.test(question))
    return problem(response, 429, "model-saturated", "the queue of `smollm2-135m-instruct` is full", "try again in a second");
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
  const hits = search("manual", { query: question, limit: 6 }).passages.filter((p) => (p.scores.text_rank ?? 99) < 30);
  await sleep(420);
  const abstained = hits.length === 0 || /weather|football/i.test(question);
  const sentence = (p) =>
    p.text
      .split("\n")
      .filter((l) => l && !/^[#|`>-]/.test(l))
      .join(" ")
      .split(/(?<=[.。!?])\s*/)[0];
  const first = hits[0] && sentence(hits[0]);
  const second = hits[1] && sentence(hits[1]);
  const guess = "Most teams also schedule a full backup every night.";
  const answer = abstained
    ? "This is not in the documents."
    : `${first} [1]\n\n${second ? `${second}\n\n` : ""}In short:\n\n- **Commits** are grouped and synced [1, 3]\n- Old versions stay readable while a trace or release names them [2]\n\n${guess}`;
  const sources = abstained ? [] : hits.map((p, i) => source(p, i + 1));
  // The sources come before the first token; which of them are cited is known at the end.
  if (!abstained) send({ ...base, choices: [{ index: 0, delta: {}, finish_reason: null }], mainspring: { sources } });
  for (const token of answer.match(/\s*\S+/g)) {
    if (response.destroyed) return;
    delta(token);
    await sleep(18 + Math.random() * 40);
  }
  const chars = [...answer];
  const place = (text) => {
    const at = answer.indexOf(text);
    const start = [...answer.slice(0, at)].length;
    return { start, end: start + [...text].length };
  };
  const trace_id = makeTrace(Date.now() - 2400, question, { answer, hits });
  const outcome = {
    trace_id,
    target: body.model,
    versions: VERSIONS,
    tables: [{ table: "chunks_manual", version: 118, transaction: "2f3c9a" }],
    abstained,
    sources: sources.map((s) => ({ ...s, cited: s.number <= 3 })),
    citations: abstained
      ? []
      : [
          { source: 1, ...place("[1]"), origin: "cited", support: 0.93 },
          ...(second ? [{ source: 2, ...place(second), origin: "attributed", support: 0.81 }] : []),
        ],
    unsupported: abstained ? [] : [{ ...place(guess), text: guess }],
    invented_citations: [],
    dropped_sources: 0,
    timings: [
      ["retrieve", 14.2],
      ["prompt", 0.4],
      ["first token", 388],
      ["model", 1650],
    ],
  };
  send({ ...base, choices: [{ index: 0, delta: {}, finish_reason: "stop" }], mainspring: outcome });
  send({ ...base, choices: [], usage: { prompt_tokens: 1184, completion_tokens: chars.length >> 2, total_tokens: 1184 + (chars.length >> 2) } });
  response.end("data: [DONE]\n\n");
}

// ── Assets, keys, models ────────────────────────────────────────────────────

const promptSpec = (n) => ({
  description: "Answers from numbered sources, or says that it cannot.",
  parameters: { question: { type: "string" }, sources: { type: "array" }, tone: { type: "string", default: n > 2 ? "plain" : "friendly" } },
  messages: [
    {
      role: "system",
      content: `You answer questions from the numbered sources below and from nothing else.\nCite each statement as [1].\n${n > 1 ? "If the sources do not hold the answer, say so in one sentence.\n" : ""}${n > 3 ? "Never repeat the question.\n" : ""}\n{% for source in sources %}\n[{{ loop.index }}] {{ source.title }}\n{{ source.text }}\n{% endfor %}\n`,
    },
    { role: "user", content: "{{ question }}" },
  ],
  settings: { temperature: n > 2 ? 0.2 : 0.7, max_tokens: 512, seed: 7 },
});
const assetSpecs = {
  "prompt/grounded-answer": {
    versions: [1, 2, 3, 4].map(promptSpec),
    aliases: { production: 3, candidate: 4, "canary-eu": 2 },
    description: "Answers from numbered sources, or says that it cannot.",
  },
  "chain/answer-from-docs": {
    versions: [4, 5].map((limit) => ({
      steps: [
        { retrieve: { knowledge: "manual", limit, rerank: true, token_budget: 1500 } },
        { prompt: { use: "grounded-answer@production" } },
        { model: { name: "smollm2-135m-instruct" } },
      ],
    })),
    aliases: { production: 2 },
    description: "retrieve → prompt → model",
  },
  "app/manual": {
    versions: [1, 2, 3].map((n) => ({
      chain: "answer-from-docs@production",
      title: "The manual",
      examples: QUESTIONS.slice(0, n + 1),
      abstain: "This is not in the documents.",
    })),
    aliases: { production: 3 },
    description: "Answers questions about Mainspring itself",
  },
  "app/python-help": {
    versions: [{ chain: "answer-from-docs@production", title: "Python help" }],
    aliases: {},
    description: "The Python 3.11 manual",
  },
  "knowledge/manual": {
    versions: [200, 240].map((max_tokens) => ({
      sources: [{ type: "folder", path: "docs", include: ["**/*.md", "**/*.pdf"] }],
      chunking: { strategy: "structure", max_tokens, overlap: 24 },
      embedder: "all-minilm-l6-v2",
      retrieval: { mode: "hybrid", limit: 8, rerank: true },
    })),
    aliases: { production: 2 },
    description: "Mainspring’s own documentation",
  },
  "knowledge/python-docs": { versions: [{ sources: [{ type: "site", url: "https://docs.python.org/3.11/" }] }], aliases: {}, description: null },
  "knowledge/handbook": {
    versions: [{ sources: [{ type: "s3", bucket: "acme-handbook", prefix: "policies/" }] }],
    aliases: {},
    description: "What we promise each other",
  },
};
for (let i = 0; i < 140; i++)
  assetSpecs[`prompt/experiment-${String(i).padStart(3, "0")}`] = {
    versions: [promptSpec(1 + (i % 4))],
    aliases: i % 9 === 0 ? { candidate: 1 } : {},
    description: i % 3 ? null : "Generated by a sweep",
  };

const AUTHORS = ["ines", "tomáš", "lead", "ci"];
const MESSAGES = ["Ask for citations", "Say when it is not there", "Cooler sampling", "Do not repeat the question", null];
const split = (key) => ({ kind: key.split("/")[0], name: key.split("/")[1] });
const aliasList = (key) =>
  Object.entries(assetSpecs[key].aliases).map(([alias, version]) => ({
    alias,
    version,
    digest: sha(JSON.stringify(assetSpecs[key].versions[version - 1])),
    moved_at: ago(90_000),
    moved_by: "ines",
  }));
const assetSummary = (key) => ({
  ...split(key),
  description: assetSpecs[key].description,
  version: assetSpecs[key].versions.length,
  digest: sha(JSON.stringify(assetSpecs[key].versions.at(-1))),
  aliases: aliasList(key),
  updated_at: ago(40_000 + key.length * 9000),
});
const versionInfo = (key, n) => ({
  version: n,
  digest: sha(JSON.stringify(assetSpecs[key].versions[n - 1])),
  author: AUTHORS[n % 4],
  message: MESSAGES[(n - 1) % 5],
  created_at: ago(40_000 + (assetSpecs[key].versions.length - n) * 190_000),
});
const REFERENCES = {
  chain: [
    { kind: "knowledge", name: "manual", version: 2, digest: sha("k"), path: "steps[0].retrieve.knowledge", given: "manual" },
    { kind: "prompt", name: "grounded-answer", version: 3, digest: sha("p"), path: "steps[1].prompt.use", given: "grounded-answer@production" },
  ],
  app: [{ kind: "chain", name: "answer-from-docs", version: 2, digest: sha("c"), path: "chain", given: "answer-from-docs@production" }],
};
const USED_BY = {
  prompt: [{ kind: "chain", name: "answer-from-docs", version: 2, digest: sha("c"), path: "steps[1].prompt.use" }],
  chain: [{ kind: "app", name: "manual", version: 3, digest: sha("a"), path: "chain" }],
  knowledge: [{ kind: "chain", name: "answer-from-docs", version: 2, digest: sha("c"), path: "steps[0].retrieve.knowledge" }],
};

function changes(before, after, path = "") {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  const isMap = (v) => typeof v === "object" && v !== null;
  if (!isMap(before) || !isMap(after)) return [{ path, op: "changed", before, after }];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((k) => {
    const at = Array.isArray(after) ? `${path}[${k}]` : path ? `${path}.${k}` : k;
    if (!(k in before)) return [{ path: at, op: "added", after: after[k] }];
    if (!(k in after)) return [{ path: at, op: "removed", before: before[k] }];
    return changes(before[k], after[k], at);
  });
}

const keys = [
  {
    id: `key_${hex(32)}`,
    name: "support-bot",
    role: "reader",
    labels: [],
    hint: "msk_4f2a…",
    created_at: ago(86_400 * 30),
    expires_at: ago(-86_400 * 60),
    last_used_at: ago(42),
    revoked_at: null,
  },
  {
    id: `key_${hex(32)}`,
    name: "hr-assistant",
    role: "reader",
    labels: ["hr", "finance"],
    hint: "msk_91c0…",
    created_at: ago(86_400 * 12),
    expires_at: ago(-86_400 * 78),
    last_used_at: ago(7300),
    revoked_at: null,
  },
  {
    id: `key_${hex(32)}`,
    name: "ci",
    role: "editor",
    labels: "all",
    hint: "msk_a7d3…",
    created_at: ago(86_400 * 200),
    expires_at: null,
    last_used_at: ago(86_400 * 2),
    revoked_at: null,
  },
  {
    id: `key_${hex(32)}`,
    name: "old-laptop",
    role: "admin",
    labels: "all",
    hint: "msk_0b11…",
    created_at: ago(86_400 * 400),
    expires_at: ago(86_400 * 35),
    last_used_at: ago(86_400 * 41),
    revoked_at: ago(86_400 * 40),
  },
];
const models = [
  {
    name: "smollm2-135m-instruct",
    role: "chat",
    state: "loaded",
    digest: "sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    bytes: 98_304_000,
    dimensions: null,
    context_window: 8192,
    licence: "Apache-2.0",
  },
  {
    name: "all-minilm-l6-v2",
    role: "embed",
    state: "loaded",
    digest: "sha256:8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    bytes: 23_026_053,
    dimensions: 384,
    context_window: 256,
    licence: "Apache-2.0",
  },
  {
    name: "late-interaction",
    role: "rerank",
    state: "installed",
    digest: null,
    bytes: null,
    dimensions: null,
    context_window: 256,
    licence: null,
    detail: "the token vectors of all-minilm-l6-v2",
  },
  {
    name: "bge-reranker-base",
    role: "rerank",
    state: "missing",
    digest: "sha256:77aa11c0b5b1a8d7",
    bytes: 278_000_000,
    dimensions: null,
    context_window: 512,
    licence: "MIT",
  },
];

const apps = [
  {
    name: "manual",
    title: "The Mainspring manual",
    description: "Answers questions about Mainspring itself",
    version: 3,
    digest: sha("a"),
    chain: "answer-from-docs@v2",
    model: "smollm2-135m-instruct",
    prompt: "grounded-answer@v3",
    knowledge: ["manual"],
    examples: QUESTIONS.slice(0, 5),
    requests_24h: 412,
    errors_24h: 9,
    p50_ms: 1840,
    p95_ms: 5210,
    last_request_at: ago(22),
  },
  {
    name: "python-help",
    title: "Python help",
    description: "The Python 3.11 manual",
    version: 1,
    digest: sha("b"),
    chain: "answer-from-docs@v2",
    model: "smollm2-135m-instruct",
    prompt: "grounded-answer@v3",
    knowledge: ["python-docs"],
    examples: [],
    requests_24h: 61,
    errors_24h: 0,
    p50_ms: 2100,
    p95_ms: 6050,
    last_request_at: ago(900),
  },
];

function knowledgeSummary(name) {
  const docs = knowledgeDocs[name].map((d) => d.summary);
  const ready = docs.filter((d) => d.status === "ready");
  const last = runs.find((r) => r.knowledge === name) ?? null;
  const done = runs.find((r) => r.knowledge === name && r.status === "succeeded");
  return {
    name,
    description: assetSpecs[`knowledge/${name}`].description,
    version: assetSpecs[`knowledge/${name}`].versions.length,
    digest: sha(name),
    embedder: "all-minilm-l6-v2",
    documents: docs.length,
    failed: docs.length - ready.length,
    chunks: ready.reduce((n, d) => n + d.chunks, 0),
    tokens: ready.reduce((n, d) => n + d.tokens, 0),
    fresh_at: done?.finished_at ?? ago(86_400 * 23),
    last_run: last,
  };
}
const everything = { include: [], exclude: [], labels: [] };
/** What was forgotten, and is kept out. */
const tombstones = {
  manual: [
    { document: `doc_${"5f1c09ab".repeat(4)}`, source: "/srv/mainspring/docs", labels: [], forgotten_at: ago(90_000) },
    { document: `doc_${"e07d42b6".repeat(4)}`, source: "/srv/mainspring/docs", labels: [], forgotten_at: ago(8_640_000) },
  ],
};

const SOURCES = {
  manual: [
    {
      kind: "folder",
      location: "/srv/mainspring/docs",
      include: ["**/*.md", "**/*.pdf"],
      exclude: ["drafts/**"],
      labels: [],
      documents: 9,
      failed: 3,
      synced_at: ago(11_000),
    },
    {
      kind: "git",
      location: "https://git.example/acme/runbooks.git",
      include: ["*.md"],
      exclude: [],
      labels: ["ops"],
      documents: 3,
      failed: 0,
      synced_at: ago(11_000),
    },
  ],
  "python-docs": [
    { kind: "site", location: "https://docs.python.org/3.11/sitemap.xml", ...everything, documents: 1366, failed: 14, synced_at: ago(86_400 * 2) },
  ],
  handbook: [{ kind: "s3", location: "s3://acme-handbook/policies/", ...everything, documents: 46, failed: 0, synced_at: ago(86_400 * 23) }],
};

function activity() {
  const hour = 3_600_000;
  const start = Math.floor(NOW / hour) * hour - 23 * hour;
  let s = 9;
  const r = () => (s = (s * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
  return Array.from({ length: 24 }, (_, i) => {
    const busy = Math.max(0, Math.sin(((i - 4) / 24) * Math.PI * 2)) * 34 + r() * 12;
    const requests = i === 3 ? 0 : Math.round(busy);
    return {
      start: new Date(start + i * hour).toISOString(),
      requests,
      errors: i === 15 ? 7 : r() < 0.15 ? 1 : 0,
      p50_ms: requests ? 1500 + r() * 700 : null,
      p95_ms: requests ? 3900 + r() * 1900 + (i === 15 ? 5200 : 0) : null,
    };
  });
}

// ── HTTP ────────────────────────────────────────────────────────────────────

const served = (id, kind) => ({ id, object: "model", created: 0, owned_by: "mainspring", mainspring: { kind } });

const TITLES = {
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  409: "Conflict",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};
function problem(response, status, code, detail, hint) {
  response.writeHead(status, { "content-type": "application/problem+json" });
  response.end(
    JSON.stringify({
      type: `https://mainspring.dev/errors/${code}`,
      title: TITLES[status],
      status,
      code,
      detail,
      hint,
      request_id: `req_${hex(12)}`,
    }),
  );
}
const json = (response, value, status = 200) => {
  const { method, url } = response.req;
  const faults = faultsOf(method, url.split("?")[0], status, JSON.parse(JSON.stringify(value)));
  if (faults.length > 0) {
    console.error(`${method} ${url}: ${faults.join("; ")}`);
    return problem(response, 500, "stand-in-wrong", `not what the server answers: ${faults[0]}`);
  }
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
};
function page(response, items, query, fallback = 50) {
  const limit = Number(query.get("limit") ?? fallback);
  const from = Number(query.get("cursor") ?? 0);
  json(response, { items: items.slice(from, from + limit), next: from + limit < items.length ? String(from + limit) : null });
}
const missing = (response, what) => problem(response, 404, `${what}-not-found`, `no such ${what}`, `\`GET /api/v1/${what}\` lists what there is`);

const routes = [
  [
    "GET",
    /^\/api\/v1\/overview$/,
    (q, s) => {
      json(s, {
        version: "0.1.0-dev",
        project: "default",
        projects: [{ id: "prj_1", name: "default", role: "admin" }],
        apps,
        knowledge: Object.keys(knowledgeDocs).map(knowledgeSummary),
        activity: activity(),
        health: [
          { component: "catalog", state: "ok", facts: {} },
          { component: "lake", state: "ok", facts: {} },
          { component: "blobs", state: "ok", facts: {} },
          { component: "models", state: "degraded", detail: "not here: bge-reranker-base; `mainspring models pull`", facts: { loaded: 2 } },
          { component: "traces", state: "ok", facts: { dropped: 0, spill_bytes: 3_100_000, waiting: 1820 } },
          { component: "process", state: "ok", facts: { resident_bytes: 987_119_616, threads: 22 } },
        ],
      });
    },
  ],
  ["GET", /^\/api\/v1\/apps$/, (q, s, u) => page(s, apps, u)],
  ["GET", /^\/api\/v1\/models$/, (q, s, u) => page(s, models, u)],
  [
    "GET",
    /^\/v1\/models$/,
    (q, s) =>
      json(s, {
        object: "list",
        data: [
          ...apps.map((a) => served(a.name, "app")),
          served("grounded-answer", "prompt"),
          served("assistant", "route"),
          served("drafts", "route"),
          served("anthropic/claude-sonnet-4-5", "provider-model"),
          served("openai/gpt-4o", "provider-model"),
          served("smollm2-135m-instruct", "model"),
          served("all-minilm-l6-v2", "embedder"),
        ],
      }),
  ],
  ["GET", /^\/api\/v1\/knowledge$/, (q, s, u) => page(s, Object.keys(knowledgeDocs).map(knowledgeSummary), u)],
  [
    "GET",
    /^\/api\/v1\/knowledge\/([^/]+)$/,
    (q, s, u, [name]) =>
      knowledgeDocs[name]
        ? json(s, {
            ...knowledgeSummary(name),
            sources: SOURCES[name],
            chunking: { strategy: "structure", max_tokens: 240, overlap_tokens: 32, parent_tokens: 720, header: true },
            retrieval: { mode: "hybrid", limit: 8, candidates: 64, vector_weight: 1, text_weight: 1, rrf_k: 60, rerank: true, rerank_candidates: 24 },
            table: { table: `chunks_${name}`, version: 118, transaction: "2f3c9a" },
          })
        : missing(s, "knowledge"),
  ],
  [
    "GET",
    /^\/api\/v1\/knowledge\/([^/]+)\/documents$/,
    (q, s, u, [name]) => {
      const text = (u.get("q") ?? "").toLowerCase();
      page(
        s,
        knowledgeDocs[name]
          .map((d) => d.summary)
          .filter((d) => (!u.get("status") || d.status === u.get("status")) && `${d.title} ${d.uri}`.toLowerCase().includes(text)),
        u,
      );
    },
  ],
  [
    "GET",
    /^\/api\/v1\/knowledge\/([^/]+)\/documents\/([^/]+)(?:\/(text|chunks))?$/,
    (q, s, u, [name, id, part]) => {
      const found = knowledgeDocs[name]?.find((d) => d.summary.id === id);
      if (!found) return missing(s, "document");
      if (part === "text" && found.summary.status === "failed")
        return problem(s, 404, "knowledge-text-gone", `the text of document \`${id}\` is not kept any more`);
      if (part === "text") return json(s, { text: found.text, digest: found.summary.digest, current: true, blocks: found.blocks });
      if (part === "chunks") return page(s, found.chunkList, u);
      json(s, found.summary);
    },
  ],
  ["GET", /^\/api\/v1\/knowledge\/([^/]+)\/tombstones$/, (q, s, u, [name]) => page(s, tombstones[name] ?? [], u)],
  [
    "DELETE",
    /^\/api\/v1\/knowledge\/([^/]+)\/tombstones\/([^/]+)$/,
    (q, s, u, [name, id]) => {
      const at = tombstones[name]?.findIndex((stone) => stone.document === id) ?? -1;
      if (at < 0)
        return problem(s, 404, "knowledge-tombstone-not-found", `\`${id}\` is not kept out: it was not forgotten, or may come back already`);
      json(s, tombstones[name].splice(at, 1)[0]);
    },
  ],
  ["POST", /^\/api\/v1\/knowledge\/([^/]+)\/ingest$/, (q, s, u, [name]) => json(s, { run: startRun(name) })],
  [
    "GET",
    /^\/api\/v1\/knowledge\/([^/]+)\/runs$/,
    (q, s, u, [name]) =>
      page(
        s,
        runs.filter((r) => r.knowledge === name),
        u,
      ),
  ],
  [
    "POST",
    /^\/api\/v1\/knowledge\/([^/]+)\/search$/,
    async (q, s, u, [name], body) => {
      await sleep(120);
      if (/boom/.test(body.query))
        return problem(
          s,
          503,
          "lake-unavailable",
          "the object store did not answer within 10 s",
          "it is tried again by itself; the search can be repeated",
        );
      json(s, search(name, body));
    },
  ],
  [
    "GET",
    /^\/api\/v1\/runs\/([^/]+)$/,
    (q, s, u, [id]) => {
      const found = runs.find((r) => r.id === id);
      found ? json(s, found) : missing(s, "run");
    },
  ],
  [
    "GET",
    /^\/api\/v1\/runs\/([^/]+)\/events$/,
    async (q, s, u, [id]) => {
      const found = runs.find((r) => r.id === id);
      if (!found) return missing(s, "run");
      s.writeHead(200, { "content-type": "text/event-stream" });
      while (found.status === "running" && !s.destroyed) {
        s.write(`event: run\ndata: ${JSON.stringify(found)}\n\n`);
        await sleep(300);
      }
      s.end(`event: run\ndata: ${JSON.stringify(found)}\n\n`);
    },
  ],
  ...logRoutes({ json, page, traces, now: NOW }),
  ...traceRoutes({ json, page, problem, missing, traces, now: NOW, makeTrace, hex }),
  [
    "GET",
    /^\/api\/v1\/traces\/([0-9a-f]+)$/,
    (q, s, u, [id]) => (traces.has(id) ? json(s, { trace_id: id, spans: traces.get(id).spans }) : missing(s, "trace")),
  ],
  [
    "POST",
    /^\/api\/v1\/traces\/([0-9a-f]+)\/replay$/,
    async (q, s, u, [id], body) => {
      await sleep(700);
      const swap = Object.keys(body.with ?? {}).length > 0;
      const original = "The lake fsyncs every commit [1]. A torn newest version is moved aside at start, and the last good one is opened [2].";
      json(s, {
        trace_id: id,
        replay_trace_id: hex(32),
        same: !swap,
        original,
        replayed: swap
          ? "Every commit of the lake is fsynced to disk [1]. At start, a torn newest version is moved aside and the last good one is opened [2]."
          : original,
        versions: [
          { what: "prompt", original: VERSIONS[2], replayed: swap ? `prompt/grounded-answer@v5#${sha("p5")}` : VERSIONS[2] },
          { what: "knowledge", original: VERSIONS[3], replayed: VERSIONS[3] },
        ],
        sources: { original: ["chk_1"], replayed: ["chk_1"] },
        tables: [{ table: "chunks_manual", version: 118, transaction: "2f3c9a" }],
        notes: swap ? ["the question set no seed; unless the prompt sets temperature 0, answers differ by chance"] : [],
      });
    },
  ],
  [
    "GET",
    /^\/api\/v1\/assets$/,
    (q, s, u) =>
      page(
        s,
        Object.keys(assetSpecs)
          .filter((k) => !u.get("kind") || k.startsWith(`${u.get("kind")}/`))
          .map(assetSummary),
        u,
      ),
  ],
  [
    "GET",
    /^\/api\/v1\/assets\/([^/]+)\/([^/]+)$/,
    (q, s, u, [kind, name]) => {
      const key = `${kind}/${name}`;
      if (!assetSpecs[key]) return missing(s, "asset");
      const n = u.get("version") ? Number(u.get("version").replace("v", "")) : assetSpecs[key].versions.length;
      if (!assetSpecs[key].versions[n - 1])
        return problem(s, 404, "version-not-found", `\`${name}\` has no version ${n}`, `the newest is v${assetSpecs[key].versions.length}`);
      json(s, {
        ...assetSummary(key),
        ...versionInfo(key, n),
        spec: assetSpecs[key].versions[n - 1],
        references: REFERENCES[kind] ?? [],
        referenced_by: USED_BY[kind] ?? [],
      });
    },
  ],
  [
    "GET",
    /^\/api\/v1\/assets\/([^/]+)\/([^/]+)\/versions$/,
    (q, s, u, [kind, name]) => page(s, assetSpecs[`${kind}/${name}`].versions.map((_, i) => versionInfo(`${kind}/${name}`, i + 1)).reverse(), u),
  ],
  [
    "GET",
    /^\/api\/v1\/assets\/([^/]+)\/([^/]+)\/diff$/,
    (q, s, u, [kind, name]) => {
      const [from, to] = [u.get("from"), u.get("to")].map(Number);
      const { versions } = assetSpecs[`${kind}/${name}`];
      json(s, { from, to, changes: changes(versions[from - 1], versions[to - 1]), text: "" });
    },
  ],
  [
    "PUT",
    /^\/api\/v1\/assets\/([^/]+)\/([^/]+)\/aliases\/([^/]+)$/,
    (q, s, u, [kind, name, alias], body) => {
      const { aliases } = assetSpecs[`${kind}/${name}`];
      const now = aliases[alias] ?? 0;
      if ((body.expected !== undefined && now !== body.expected) || alias === "canary-eu")
        return problem(
          s,
          409,
          "alias-moved",
          `\`${alias}\` points to ${now ? `v${now}` : "nothing"}, not to ${body.expected ? `v${body.expected}` : "nothing"}`,
          "look at where it is now, then move it again",
        );
      aliases[alias] = Number(body.to.replace("v", ""));
      json(
        s,
        aliasList(`${kind}/${name}`).find((a) => a.alias === alias),
      );
    },
  ],
  [
    "DELETE",
    /^\/api\/v1\/assets\/([^/]+)\/([^/]+)\/aliases\/([^/]+)$/,
    (q, s, u, [kind, name, alias]) => {
      delete assetSpecs[`${kind}/${name}`].aliases[alias];
      json(s, {});
    },
  ],
  ["GET", /^\/api\/v1\/keys$/, (q, s, u) => page(s, keys, u)],
  [
    "POST",
    /^\/api\/v1\/keys$/,
    (q, s, u, m, body) => {
      if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(body.name))
        return problem(
          s,
          400,
          "path-invalid",
          `\`${body.name}\` is not a name: use 1 to 63 lower-case letters, digits, \`-\`, \`_\` or \`.\`, starting with a letter or digit`,
        );
      const secret = `msk_${hex(40)}`;
      const key = {
        id: `key_${hex(32)}`,
        name: body.name,
        role: body.role,
        labels: body.labels ?? "all",
        models: body.models ?? null,
        hint: `${secret.slice(0, 8)}…`,
        created_at: new Date().toISOString(),
        expires_at: body.expires_at ?? null,
        last_used_at: null,
        revoked_at: null,
      };
      keys.unshift(key);
      json(s, { key, secret });
    },
  ],
  [
    "POST",
    /^\/api\/v1\/keys\/([^/]+)\/rotate$/,
    (q, s, u, [id], body) => {
      const key = keys.find((k) => k.id === id);
      if (!key) return missing(s, "key");
      const secret = `msk_${hex(40)}`;
      key.hint = `${secret.slice(0, 8)}…`;
      key.old_secret_until = body?.overlap_seconds ? new Date(Date.now() + body.overlap_seconds * 1000).toISOString() : null;
      json(s, { key, secret });
    },
  ],
  [
    "DELETE",
    /^\/api\/v1\/keys\/([^/]+)$/,
    (q, s, u, [id]) => {
      const key = keys.find((k) => k.id === id);
      if (!key) return missing(s, "key");
      key.revoked_at = new Date().toISOString();
      json(s, key);
    },
  ],
  ...gatewayRoutes({
    json,
    page,
    problem,
    hex,
    keys,
    chat,
    trace: (question) => makeTrace(Date.now() - 900, question, { answer: question, hits: [] }),
    traceIds: [...traces.keys()],
  }),
  ...incidentRoutes({ json, page, problem, hex, ago, traceIds: [...traces.keys()] }),
  ...driftRoutes({ json, problem, traceIds: [...traces.keys()] }),
  ...metricRoutes({ json, page }),
  ...dashboardRoutes({ json, page, problem, hex, traceIds: [...traces.keys()] }),
  ["GET", /^\/healthz$/, (q, s) => json(s, { status: "ok" })],
];

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2" };
function serveFile(request, response, path) {
  const file = normalize(join(DIST, path));
  const found = file.startsWith(DIST) && existsSync(file) && statSync(file).isFile() ? file : join(DIST, "index.html");
  if (!existsSync(found)) return problem(response, 404, "not-built", "`npm run build` first");
  response.writeHead(200, {
    "content-type": TYPES[extname(found)] ?? "application/octet-stream",
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
  });
  createReadStream(found).pipe(response);
}

createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  if (process.env.FIXTURE_DOWN && url.pathname.startsWith("/api"))
    return problem(response, 503, "catalog-unavailable", "the catalog did not answer", "PostgreSQL is away; the server keeps trying");
  if (process.env.FIXTURE_EMPTY && request.method === "GET" && url.pathname.startsWith("/api")) {
    if (url.pathname.endsWith("/overview"))
      return json(response, {
        version: "0.1.0-dev",
        projects: [{ id: "p", name: "default", role: "admin" }],
        apps: [],
        knowledge: [],
        activity: [],
        health: [],
      });
    return json(response, { items: [], next: null });
  }
  if (process.env.FIXTURE_KEY && url.pathname.startsWith("/api") && request.headers.authorization !== `Bearer ${process.env.FIXTURE_KEY}`)
    return problem(response, 401, "key-required", "this needs an API key", "send `Authorization: Bearer <key>`");
  for (const [method, pattern, handle] of routes) {
    const match = method === request.method && pattern.exec(url.pathname);
    if (!match) continue;
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", async () => {
      try {
        const body = parts.length ? JSON.parse(Buffer.concat(parts).toString()) : null;
        await handle(
          request,
          response,
          url.searchParams,
          match.slice(1).map((p) => p && decodeURIComponent(p)),
          body,
        );
      } catch (error) {
        console.error(error);
        if (!response.headersSent) problem(response, 500, "internal", "internal error; the log has the details under this request id");
      }
    });
    return;
  }
  if (/^\/(api|v1)\//.test(url.pathname)) return missing(response, "route");
  serveFile(request, response, decodeURIComponent(url.pathname));
}).listen(PORT, "127.0.0.1", function () {
  console.log(`fixtures on http://127.0.0.1:${this.address().port}`);
});
