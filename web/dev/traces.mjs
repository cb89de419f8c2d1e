// Traces of the stand-in server: trees in pages, sessions, measures and a live tail, over the traces that `fixtures.mjs` made up.

import { faultsOf } from "./shapes.mjs";

/** One too large to be shown at once: `mainspring` has seen traces like it. */
export const GIANT = "9".repeat(31) + "a";
export const GIANT_SPANS = 33_000;
const PAGE_MAX = 4_000;

const CHAT = /^chat/;
const kindOf = (span) => {
  const operation = String(span.attributes["gen_ai.operation.name"] ?? "");
  if (operation === "chat") return "chat";
  if (operation === "invoke_agent") return "agent";
  if (operation === "embeddings") return "embedding";
  if (operation === "execute_tool") return "tool";
  if (/^retrieve/.test(span.name)) return "retriever";
  if (/^rerank/.test(span.name)) return "rerank";
  return "span";
};
function grouped(list, keyOf) {
  const groups = new Map();
  for (const item of list) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
const lengthOf = (span) => Date.parse(span.end) - Date.parse(span.start);
const sum = (spans, key) => {
  const values = spans.map((s) => s.attributes[key]).filter((n) => typeof n === "number");
  return values.length > 0 ? values.reduce((a, b) => a + b, 0) : null;
};
const costOf = (spans) => ((sum(spans, "gen_ai.usage.output_tokens") ?? 0) * 0.0000006).toFixed(7);

function slim(span, summary) {
  return {
    span: span.span,
    parent: span.parent,
    name: span.name,
    kind: kindOf(span),
    app: span.attributes["mainspring.app"] ?? null,
    model: span.attributes["gen_ai.request.model"] ?? null,
    session: span.attributes["gen_ai.conversation.id"] ?? null,
    status: span.status.code,
    error: span.status.message ?? null,
    start: span.start,
    duration_ms: lengthOf(span),
    first_token_ms: span.attributes["mainspring.first_token_ms"] ?? null,
    input_tokens: span.attributes["gen_ai.usage.input_tokens"] ?? null,
    output_tokens: span.attributes["gen_ai.usage.output_tokens"] ?? null,
    cost: CHAT.test(span.name) ? costOf([span]) : null,
    preview: CHAT.test(span.name) || !span.parent ? (summary.preview ?? null) : null,
  };
}

const giantId = (n) => (n + 1).toString(16).padStart(16, "0");
let giant;
/** Eight below each; every thousandth failed, and the last few thousand called a model or a tool. */
function giantTrace(now) {
  if (giant) return giant;
  const begun = now - 3_600_000;
  const spans = Array.from({ length: GIANT_SPANS }, (_, n) => {
    const start = begun + n;
    const chat = n > 4_125 && n % 50 === 25;
    const parent = n === 0 ? null : giantId(Math.floor((n - 1) / 8));
    const failed = n % 1_000 === 500;
    return {
      trace: GIANT,
      span: giantId(n),
      parent,
      name: chat ? "chat small" : n === 0 ? "walk the archive" : `step ${n}`,
      kind: "internal",
      start: new Date(start).toISOString(),
      end: new Date(n === 0 ? begun + GIANT_SPANS + 50 : start + 40).toISOString(),
      status: failed ? { code: "error", message: `step ${n} broke` } : { code: "ok" },
      attributes: chat ? { "gen_ai.operation.name": "chat", "gen_ai.request.model": "small", "gen_ai.usage.output_tokens": 3 } : {},
      events: [],
    };
  });
  const summary = { trace_id: GIANT, name: "walk the archive", status: "ok", start: spans[0].start, duration_ms: GIANT_SPANS + 50, preview: null };
  return (giant = { spans, summary });
}

function totals(spans) {
  const start = spans.reduce((a, s) => (s.start < a ? s.start : a), spans[0].start);
  const end = spans.reduce((a, s) => Math.max(a, Date.parse(s.end)), 0);
  const root = spans.find((s) => !s.parent) ?? spans[0];
  return {
    spans: spans.length,
    errors: spans.filter((s) => s.status.code === "error").length,
    input_tokens: sum(
      spans.filter((s) => CHAT.test(s.name)),
      "gen_ai.usage.input_tokens",
    ),
    output_tokens: sum(
      spans.filter((s) => CHAT.test(s.name)),
      "gen_ai.usage.output_tokens",
    ),
    cost: costOf(spans),
    start,
    duration_ms: end - Date.parse(start),
    versions: root.attributes["mainspring.versions"] ?? [],
    replayable: root.attributes["mainspring.replay"] !== undefined,
  };
}

function reading(trace, span) {
  const { attributes } = span;
  const hits = attributes["mainspring.retrieval.hits"] ?? [];
  const asked = attributes["mainspring.replay"]?.messages;
  const words = (messages) => (messages ?? []).map(({ role, content, parts }) => ({ role, parts: parts ?? [{ type: "text", content }] }));
  const output = words(attributes["gen_ai.output.messages"]);
  return {
    trace_id: trace,
    span: span.span,
    type: kindOf(span),
    model: attributes["gen_ai.request.model"] ?? null,
    user: attributes["user.id"] ?? null,
    session: attributes["gen_ai.conversation.id"] ?? null,
    tags: [],
    marks: [],
    input: asked ? words(asked) : words(attributes["gen_ai.input.messages"]),
    output,
    query: attributes["mainspring.retrieval.query"] ?? null,
    documents: hits.map((hit) => ({ id: hit.chunk ?? null, score: hit.scores?.score ?? null, content: hit.text ?? null })),
  };
}

const FIELDS = [
  { name: "name", kind: "text", says: "what the span is called" },
  { name: "type", kind: "text", says: "`chat`, `tool`, `retriever`, …" },
  { name: "app", kind: "text", says: "the app that was asked" },
  { name: "service", kind: "text", says: "`service.name` of the program that sent it" },
  { name: "model", kind: "text", says: "the model that was asked" },
  { name: "user", kind: "text", says: "the end user" },
  { name: "session", kind: "text", says: "the session or conversation" },
  { name: "status", kind: "text", says: "`ok`, `error` or `unset`" },
  { name: "error", kind: "flag", says: "it failed; stands alone" },
  { name: "entry", kind: "flag", says: "a trace is entered by it; stands alone" },
  { name: "duration", kind: "duration", says: "how long it took" },
  { name: "cost", kind: "money", says: "what it cost, in dollars" },
  { name: "start", kind: "time", says: "when it began" },
];

const words = (service, seconds, conventions, versions, instrumentations) => ({
  service,
  spans: Math.max(...Object.values(conventions)),
  last: new Date(Date.now() - seconds * 1_000).toISOString(),
  conventions,
  versions,
  instrumentations,
});
/** Programs of several ages; two of them write names that nobody knows. */
const conventions = () => ({
  services: [
    words("shop-assistant", 12, { "gen-ai": 1_870, "open-telemetry": 2_204 }, ["1.37.0"], ["opentelemetry.instrumentation.openai_v2 2.1b0"]),
    words(
      "support-desk",
      95,
      { "gen-ai-earlier": 940, "open-llmetry": 911, "open-telemetry": 1_312 },
      [],
      ["opentelemetry.instrumentation.openai 0.40.2"],
    ),
    words("research-agent", 3_400, { "open-inference": 806, "open-telemetry": 851 }, [], ["openinference.instrumentation.langchain 0.1.50"]),
    words(
      "newsletter",
      86_000,
      { "open-telemetry": 214, "vercel-ai": 120 },
      ["1.26.0", "1.30.0"],
      ["ai", "@opentelemetry/instrumentation-http 0.57.1"],
    ),
  ],
  unknown: [
    { name: "gen_ai.request.modell", spans: 311, services: ["support-desk"], like: "gen_ai.request.model" },
    { name: "gen_ai.shop.basket", spans: 64, services: ["shop-assistant", "support-desk"] },
  ],
  attributes: ["shop.region", "tenant.tier", "http.route"],
  spans: 4_581,
});

/** Enough of the language for the page's tests: `error`, what is there, and texts that are equal. Null where it cannot be read. */
export function reads(filter) {
  const tests = filter
    .replace(/[()]/g, " ")
    .split(/\band\b/)
    .map((part) => part.trim())
    .filter((part) => part !== "" && part !== "entry");
  return tests.map((test) => {
    if (test === "error") return (t) => t.status === "error";
    if (test === "release exists" || test === "service exists") return () => true;
    const [, not, there] = /^(not )?(\w+) exists$/.exec(test) ?? [];
    if (there && FIELDS.some((field) => field.name === there)) return (t) => (t[there] == null) === Boolean(not);
    const [, name, value] = /^(\w+) = "?([^"]*)"?$/.exec(test) ?? [];
    if (name && FIELDS.some((field) => field.name === name)) return (t) => String(t[name] ?? "") === value;
    return { at: filter.indexOf(test) + 1, word: test.split(/\s/)[0] };
  });
}

export function traceRoutes({ json, page, problem, missing, traces, now, makeTrace, hex }) {
  const entries = () => [...traces.values()].map(whole).sort((a, b) => (a.start < b.start ? 1 : -1));
  const whole = ({ summary, spans }) => {
    const root = spans[0];
    return {
      ...summary,
      user: root.attributes["user.id"] ?? null,
      session: root.attributes["gen_ai.conversation.id"] ?? null,
      cost: costOf(spans),
      spans: spans.length,
      errors: spans.filter((s) => s.status.code === "error").length,
    };
  };
  /** Those that pass; undefined where it was answered already. */
  const passing = (s, u) => {
    const tests = reads(u.get("filter") ?? "");
    const wrong = tests.find((test) => typeof test !== "function");
    if (wrong) {
      const what = `there is no field \`${wrong.word}\``;
      problem(
        s,
        400,
        "trace-filter-invalid",
        `the filter cannot be read at character ${wrong.at}: ${what}`,
        "fields are `app`, `model`, `status`, …",
      );
      return undefined;
    }
    const [text, min] = [(u.get("q") ?? "").toLowerCase(), Number(u.get("min_ms") ?? 0)];
    return entries().filter(
      (t) =>
        (!u.get("from") || t.start >= u.get("from")) &&
        (!u.get("to") || t.start < u.get("to")) &&
        ["status", "app", "model", "session", "user"].every((key) => !u.get(key) || t[key] === u.get(key)) &&
        tests.every((test) => test(t)) &&
        t.duration_ms >= min &&
        (!text || `${t.preview} ${t.error} ${t.name} ${t.trace_id}`.toLowerCase().includes(text)),
    );
  };
  const found = (id) => (id === GIANT ? giantTrace(now) : traces.get(id));
  const gathered = (list) => ({
    first: list.at(-1).start,
    last: list[0].start,
    traces: list.length,
    spans: list.reduce((n, t) => n + t.spans, 0),
    errors: list.reduce((n, t) => n + t.errors, 0),
    duration_ms: list.reduce((n, t) => n + t.duration_ms, 0),
    input_tokens: list.reduce((n, t) => n + (t.input_tokens ?? 0), 0),
    output_tokens: list.reduce((n, t) => n + (t.output_tokens ?? 0), 0),
    cost: list.reduce((n, t) => n + Number(t.cost), 0).toFixed(7),
    whole: true,
  });
  const groups = (list, key) => [
    ...grouped(
      list.filter((t) => t[key]),
      (t) => t[key],
    ).values(),
  ];

  return [
    [
      "GET",
      /^\/api\/v1\/traces$/,
      (q, s, u) => {
        const list = passing(s, u);
        if (list) page(s, list, u);
      },
    ],
    [
      "GET",
      /^\/api\/v1\/traces\/count$/,
      (q, s, u) => {
        const list = passing(s, u);
        if (list) json(s, { count: list.length, exact: true });
      },
    ],
    ["GET", /^\/api\/v1\/traces\/fields$/, (q, s) => json(s, { fields: FIELDS })],
    ["GET", /^\/api\/v1\/traces\/conventions$/, (q, s) => json(s, conventions())],
    [
      "GET",
      /^\/api\/v1\/traces\/metrics$/,
      (q, s, u) => {
        const list = passing(s, u);
        if (!list) return;
        const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
        const [, n, unit] = /^(\d+)([smhd])$/.exec(u.get("bucket") ?? "") ?? [];
        const by = u.get("by") ? u.get("by").split(",") : [];
        // The two send by turns.
        const valueOf = (t, k) => (k === "service" ? ["shop-assistant", "support-desk"][list.indexOf(t) % 2] : (t[k] ?? null));
        const keyOf = (t) =>
          JSON.stringify([n ? Math.floor(Date.parse(t.start) / (n * units[unit])) * (n * units[unit]) : null, ...by.map((k) => valueOf(t, k))]);
        const rows = [...grouped(list, keyOf)].map(([key, some]) => {
          const [start, ...keys] = JSON.parse(key);
          return {
            start: start === null ? null : new Date(start).toISOString(),
            keys: Object.fromEntries(by.map((name, i) => [name, keys[i]])),
            values: { count: some.length, traces: some.length, errors: some.filter((t) => t.status === "error").length },
          };
        });
        const at = (name, usual) => u.get(name) ?? new Date(usual).toISOString();
        json(s, { from: at("from", now - 86_400_000), to: at("to", now), by, measures: ["count", "errors"], rows, more: false });
      },
    ],
    [
      "GET",
      /^\/api\/v1\/traces\/tail$/,
      (q, s, u) => {
        const filter = u.get("filter") ?? "";
        const tests = reads(filter);
        if (!passing(s, u)) return;
        s.writeHead(200, { "content-type": "text/event-stream" });
        const tell = (event) => {
          const faults = faultsOf("GET", "/api/v1/traces/tail", 200, event);
          if (faults.length > 0) throw new Error(`tail: ${faults.join("; ")}`);
          s.write(`event: ${event.event}\ndata: ${JSON.stringify(event)}\n\n`);
        };
        tell({ event: "open", at: new Date().toISOString(), filter });
        if (u.get("follow") === "false") return s.end();
        const timer = setInterval(() => {
          const id = makeTrace(Date.now() - 900, "What did the tail see?", { answer: "This.", hits: [], id: hex(32) });
          const trace = whole(traces.get(id));
          if (!tests.every((test) => test(trace))) return;
          const { trace_id, name, app, model, status, start, duration_ms, preview, user, session } = trace;
          tell({
            event: "span",
            trace_id,
            span: traces.get(id).spans[0].span,
            name,
            kind: "agent",
            entry: true,
            app,
            model,
            status,
            start,
            duration_ms,
            preview,
            user,
            session,
          });
        }, 400);
        s.on("close", () => clearInterval(timer));
      },
    ],
    [
      "GET",
      /^\/api\/v1\/traces\/([0-9a-f]+)\/tree$/,
      (q, s, u, [id]) => {
        const trace = found(id);
        if (!trace) return missing(s, "trace");
        const limit = Number(u.get("limit") ?? 1_000);
        if (!(limit >= 1 && limit <= PAGE_MAX)) return problem(s, 400, "paging-invalid", `\`limit\` must be 1 to ${PAGE_MAX}, not ${limit}`);
        const from = Number(u.get("cursor") ?? 0);
        const spans = [...trace.spans].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : a.span < b.span ? -1 : 1));
        const part = spans.slice(from, from + limit).map((span) => slim(span, trace.summary));
        const next = from + limit < spans.length ? String(from + limit) : null;
        json(s, { trace_id: id, ...(from === 0 ? { totals: totals(spans) } : {}), spans: part, next });
      },
    ],
    [
      "GET",
      /^\/api\/v1\/traces\/([0-9a-f]+)\/spans\/([0-9a-f]+)$/,
      (q, s, u, [id, wanted]) => {
        const span = found(id)?.spans.find((one) => one.span === wanted);
        return span ? json(s, span) : missing(s, "trace");
      },
    ],
    [
      "GET",
      /^\/api\/v1\/traces\/([0-9a-f]+)\/reading$/,
      (q, s, u, [id]) => {
        const spans = found(id)?.spans ?? [];
        const span = u.get("span") ? spans.find((one) => one.span === u.get("span")) : spans[0];
        return span ? json(s, reading(id, span)) : missing(s, "trace");
      },
    ],
    [
      "GET",
      /^\/api\/v1\/sessions$/,
      (q, s, u) => {
        const list = passing(s, u);
        if (!list) return;
        const items = groups(list, "session").map((some) => ({ session: some[0].session, user: some[0].user, ...gathered(some) }));
        page(s, items, u);
      },
    ],
    [
      "GET",
      /^\/api\/v1\/sessions\/(.+)$/,
      (q, s, u, [id]) => {
        const list = entries().filter((t) => t.session === id);
        if (list.length === 0) return missing(s, "session");
        json(s, { session: { session: id, user: list[0].user, ...gathered(list) }, items: list.toReversed(), next: null });
      },
    ],
    [
      "GET",
      /^\/api\/v1\/users$/,
      (q, s, u) => {
        const list = passing(s, u);
        if (!list) return;
        page(
          s,
          groups(list, "user").map((some) => ({ user: some[0].user, ...gathered(some) })),
          u,
        );
      },
    ],
  ];
}
