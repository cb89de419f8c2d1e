// The model gateway of the stand-in server: routes with one of everything that can happen to a target, months of calls, limits.

import { faultsOf } from "./shapes.mjs";

const DAY = 86_400_000;
const TARGETS = [
  {
    route: "assistant",
    provider: "openai",
    model: "gpt-4o-mini",
    breaker: "closed",
    in_flight: 3,
    recent: 200,
    failed: { rate_limited: 4 },
    begin_p50_ms: 312,
    begin_p95_ms: 1180,
    begin_p99_ms: 2410,
    whole_p50_ms: 2_180,
    whole_p95_ms: 6_900,
    tokens_per_second: 84.2,
    attempts: 18_422,
    input_tokens: 21_400_112,
    output_tokens: 4_120_882,
    spend: "5.682546",
    priced: true,
  },
  {
    route: "assistant",
    provider: "anthropic",
    model: "claude-sonnet-4-5",
    breaker: "open",
    wait_ms: 47_000,
    in_flight: 0,
    recent: 40,
    failed: { overloaded: 21, timeout: 6 },
    begin_p50_ms: 890,
    begin_p95_ms: 9_400,
    begin_p99_ms: 14_100,
    whole_p50_ms: 5_320,
    whole_p95_ms: 21_400,
    tokens_per_second: 51.7,
    attempts: 611,
    input_tokens: 902_113,
    output_tokens: 188_204,
    spend: "5.529399",
    priced: true,
  },
  {
    route: "drafts",
    provider: "house",
    model: "house-model-v2",
    breaker: "half_open",
    in_flight: 1,
    recent: 12,
    failed: { connect: 9 },
    begin_p50_ms: 45,
    begin_p95_ms: 77,
    begin_p99_ms: 80,
    whole_p50_ms: 3_910,
    whole_p95_ms: 5_240,
    tokens_per_second: 23.4,
    attempts: 96,
    input_tokens: 80_021,
    output_tokens: 44_110,
    spend: "0.00",
    priced: false,
  },
  {
    provider: "openai",
    model: "gpt-4o",
    breaker: "closed",
    in_flight: 0,
    recent: 0,
    failed: {},
    attempts: 0,
    input_tokens: 0,
    output_tokens: 0,
    spend: "0.00",
    priced: true,
  },
];

const KINDS = ["project", "key", "principal", "user", "model"];
const dollars = (n) => {
  const text = n.toFixed(9).replace(/0+$/, "");
  const [whole, part] = text.split(".");
  return `${whole}.${part.padEnd(2, "0")}`;
};

/** The last hour of each target: one is busy, one fails from a while ago on, one is hardly asked. */
function madeHistory(now) {
  const last = Math.floor(now / 60_000);
  const minute = (i, attempts, failed) => ({ at: new Date((last - i) * 60_000).toISOString(), attempts, failed });
  const wave = (i) => 8 + Math.round(5 * Math.sin(i / 5)) + ((i * 7) % 4);
  const failing = (i) => (i > 26 ? {} : i > 12 ? { timeout: 1 + (i % 3) } : { overloaded: 2 + (i % 4), ...(i % 4 === 0 ? { timeout: 1 } : {}) });
  const minutes = [
    (i) => minute(i, wave(i), i % 17 === 3 ? { rate_limited: 2 } : {}),
    (i) => minute(i, i > 26 ? 4 : 3 + (i % 3), failing(i)),
    (i) => (i % 9 === 4 ? minute(i, 1, i < 30 ? { connect: 1 } : {}) : null),
    () => null,
  ];
  return TARGETS.map(({ route, provider, model }, at) => ({
    ...(route ? { route } : {}),
    provider,
    model,
    minutes: Array.from({ length: 60 }, (_, i) => minutes[at](59 - i)).filter(Boolean),
  }));
}

/** Calls that start, stream and end, as long as somebody looks. */
async function live(response, calls, { hex, follow, traceIds, keys }) {
  let at = 0;
  const send = (event) => {
    const faults = faultsOf("GET", "/api/v1/calls/live", 200, event);
    if (faults.length > 0) throw new Error(`live: ${faults.join("; ")}`);
    response.write(`event: ${event.event}\ndata: ${JSON.stringify(event)}\n\n`);
  };
  const pick = (list) => list[at % list.length];
  const begin = (target, ms = 0) => {
    at++;
    return {
      id: `call_${hex(32)}`,
      started_at: new Date(Date.now() - ms).toISOString(),
      key: pick([null, keys[0]?.id, keys[1]?.id, keys[0]?.id]),
      principal: "local",
      user: pick(["ada", null, "customer-17", "grace", null]),
      app: pick([null, null, "manual"]),
      model: target.route ?? `${target.provider}/${target.model}`,
      route: target.route ?? null,
      operation: "chat",
      stream: true,
      batch: false,
      trace_id: pick(traceIds),
    };
  };
  const open = [begin(TARGETS[0], 3_400), begin(TARGETS[2], 900)];
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
  send({ event: "open", calls: open.map(({ stream: _, ...call }) => call), more: false });
  if (!follow) return response.end();
  const run = async (call, target) => {
    const [first, tokens] = [160 + (at % 7) * 70, 40 + ((at * 37) % 400)];
    await sleep(first);
    for (let told = 0; told < tokens; told += 30) {
      if (response.destroyed) return;
      send({ event: "answering", id: call.id, provider: target.provider, target: target.model, attempts: 1, first_ms: first, output_tokens: told });
      await sleep(140);
    }
    const of = calls.filter((c) => c.provider === target.provider);
    const like = of.find((c) => c.status === (at % 11 === 0 ? "failed" : "ok")) ?? of[0];
    const took = Date.now() - Date.parse(call.started_at);
    const { stream: _, ...begun } = call;
    const settled = { ...like, ...begun, ended_at: new Date().toISOString(), took_ms: took, first_ms: like.status === "failed" ? null : first };
    if (response.destroyed) return;
    calls.unshift(settled);
    send({ event: "settled", ...settled });
  };
  void run(open[0], TARGETS[0]);
  void run(open[1], TARGETS[2]);
  while (!response.destroyed) {
    const target = TARGETS[at % 5 === 0 ? 2 : at % 3 === 0 ? 1 : 0];
    const call = begin(target);
    send({ event: "started", ...call });
    void run(call, target);
    await sleep(500 + ((at * 131) % 900));
  }
}

const ANSWERS = {
  "gpt-4o-mini":
    "A **circuit breaker** stops asking a target that keeps failing.\n\n1. It counts failures over a short window.\n2. When there are too many it *opens*: the target is left alone.\n3. After a while one call is let through. If that goes well, it closes again.\n\nSo callers fail fast, and the target gets room to recover.",
  "claude-sonnet-4-5":
    "Think of the breaker in a house: when a line is overloaded it trips, and everything else stays lit.\n\nA circuit breaker in software does the same for calls. While it is **closed**, calls pass. Too many failures **open** it, and calls are refused at once instead of waiting for a timeout. Later it is **half open**: a single probe decides whether it closes or opens again, usually for longer each time.",
  "house-model-v2": "It stops calls to a broken service until the service works again.",
};

/** Streams an answer of a route or of `provider/model`; answers whether it knows the name. */
async function routedChat(body, response, { problem, hex, trace, calls }) {
  const target =
    TARGETS.find((t) => body.model === (t.route ?? `${t.provider}/${t.model}`)) ?? TARGETS.find((t) => body.model === `${t.provider}/${t.model}`);
  if (!target) return false;
  const question = body.messages.at(-1).content;
  if (/overload/i.test(question) && target.provider === "house") {
    problem(
      response,
      503,
      "gateway-no-target",
      "no target of `drafts` can be asked now: house/house-model-v2: its breaker is open",
      "try again in 30 s",
    );
    return true;
  }
  const trace_id = trace(question);
  response.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "x-mainspring-trace-id": trace_id,
    "x-mainspring-provider": target.provider,
    "x-mainspring-model": target.model,
    "x-mainspring-attempts": "1",
  });
  const began = Date.now();
  const send = (value) => response.write(`data: ${JSON.stringify({ object: "chat.completion.chunk", model: target.model, ...value })}\n\n`);
  const words = (ANSWERS[target.model] ?? ANSWERS["house-model-v2"]).match(/\s*\S+/g).slice(0, body.max_tokens ?? 400);
  const pace = { openai: 16, anthropic: 26, house: 55 }[target.provider];
  await sleep({ openai: 240, anthropic: 620, house: 60 }[target.provider]);
  for (const content of words) {
    if (response.destroyed) return true;
    send({ choices: [{ index: 0, delta: { content }, finish_reason: null }] });
    await sleep(pace);
  }
  const [input, output] = [24 + question.length, Math.round(words.length * 1.3)];
  const rate = { "gpt-4o-mini": [0.15, 0.6], "claude-sonnet-4-5": [3, 15] }[target.model];
  const cost = rate ? dollars((input * rate[0] + output * rate[1]) / 1e6) : "0.00";
  calls.unshift({
    ...madeCalls(Date.now(), [trace_id])[0],
    id: `call_${hex(32)}`,
    started_at: new Date(began).toISOString(),
    ended_at: new Date().toISOString(),
    model: body.model,
    route: target.route ?? null,
    provider: target.provider,
    target: target.model,
    status: "ok",
    class: null,
    usage: { ...madeCalls(0, [""])[0].usage, input_tokens: input, output_tokens: output, cache_read_tokens: 0, cache_read_from: undefined },
    cost,
    price: rate ? { table: `sha256:${"9f1b".repeat(16)}`, entry: target.model } : null,
  });
  send({ choices: [{ index: 0, delta: {}, finish_reason: words.length === body.max_tokens ? "length" : "stop" }] });
  send({ choices: [], usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output } });
  response.end("data: [DONE]\n\n");
  return true;
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function madeCalls(now, traceIds, keys = []) {
  let seed = 7;
  const rnd = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
  const pick = (list) => list[Math.floor(rnd() * list.length)];
  return Array.from({ length: 640 }, (_, i) => {
    const ended = now - Math.floor(i * i * 1.1 * 17_000) - i * 1_000;
    const target = rnd() < 0.1 ? TARGETS[2] : rnd() < 0.2 ? TARGETS[1] : TARGETS[0];
    const failed = rnd() < 0.04;
    const [input, output] = failed ? [0, 0] : [Math.floor(300 + rnd() * 4_000), Math.floor(20 + rnd() * 700)];
    const rate = { "gpt-4o-mini": [0.15, 0.6], "claude-sonnet-4-5": [3, 15] }[target.model];
    const took = Math.floor(300 + rnd() * 6_000);
    return {
      id: `call_${String(640 - i).padStart(32, "0")}`,
      started_at: new Date(ended - took).toISOString(),
      ended_at: new Date(ended).toISOString(),
      took_ms: took,
      first_ms: failed ? null : Math.floor(took * 0.3),
      key: keys.length > 0 ? pick([keys[0].id, keys[0].id, keys[1]?.id ?? null, null]) : null,
      principal: "local",
      user: pick(["ada", "grace", "customer-17", null]),
      app: pick(["manual", null, null]),
      model: target.route,
      route: target.route,
      provider: target.provider,
      target: target.model,
      operation: "chat",
      status: failed ? "failed" : "ok",
      class: failed ? pick(["overloaded", "timeout"]) : null,
      attempts: failed ? 2 : 1,
      usage: {
        input_tokens: input,
        output_tokens: output,
        cache_read_tokens: Math.floor(input * 0.3),
        cache_write_tokens: 0,
        input_audio_tokens: 0,
        input_image_tokens: 0,
        reasoning_tokens: 0,
        output_audio_tokens: 0,
        output_image_tokens: 0,
        input_from: "reported",
        output_from: "reported",
        // Of nothing there is nobody who told it.
        cache_read_from: failed ? undefined : "reported",
      },
      cost: rate ? dollars((input * rate[0] + output * rate[1]) / 1e6) : "0.00",
      price: rate && !failed ? { table: `sha256:${"9f1b".repeat(16)}`, entry: target.model } : null,
      cached: false,
      batch: false,
      trace_id: traceIds[i % traceIds.length],
    };
  });
}

function sum(name, calls) {
  const over = (field) => calls.reduce((n, c) => n + c.usage[field], 0);
  const used = Object.keys(calls[0]?.usage ?? {}).filter((field) => field.endsWith("_tokens"));
  const none = madeCalls(0, [""])[0].usage;
  return {
    name,
    calls: calls.length,
    failed: calls.filter((c) => c.status === "failed").length,
    unpriced: calls.filter((c) => c.price === null && c.usage.input_tokens > 0).length,
    ...Object.fromEntries(Object.keys(none).flatMap((field) => (field.endsWith("_tokens") ? [[field, used.length > 0 ? over(field) : 0]] : []))),
    cost: dollars(calls.reduce((n, c) => n + Number(c.cost), 0)),
  };
}

const sinceOf = (query, now) => {
  if (/^\d{4}-\d\d-\d\d/.test(query.get("since") ?? "")) return Date.parse(query.get("since"));
  const [, n, unit] = /^(\d+)([dh])$/.exec(query.get("since") ?? "30d") ?? [null, 30, "d"];
  const size = unit === "d" ? DAY : DAY / 24;
  return Math.floor((now - n * size) / (DAY / 24)) * (DAY / 24);
};

export function gatewayRoutes({ json, page, problem, traceIds, hex, keys, chat, trace }) {
  const now = Date.now();
  const calls = madeCalls(now, traceIds, keys);
  const limits = [
    ["project", "*", "usd_per_month", "50.00", "41.20"],
    ["user", "customer-17", "usd_per_day", "0.50", "0.52"],
    ["key", "*", "requests_per_minute", "60", null],
    ["key", "*", "usd_per_day", "1.00", null],
    ["key", keys[0].id, "usd_per_month", "0.55", null],
  ].map(([kind, subject, metric, amount, spent], i) => limitOf({ kind, subject, metric, amount }, spent, `lim_${i}`, now));
  const batches = madeBatches(now, hex);
  const keep = (query) => (call) =>
    Date.parse(call.ended_at) >= sinceOf(query, now) &&
    (!query.get("trace") || call.trace_id === query.get("trace")) &&
    ["model", "provider", "user", "app", "key", "status"].every((field) => !query.get(field) || call[field] === query.get(field));
  return [
    ["POST", /^\/v1\/chat\/completions$/, async (q, s, u, m, body) => (await routedChat(body, s, { problem, hex, trace, calls })) || chat(body, s)],
    ["GET", /^\/api\/v1\/batches$/, (q, s, u) => page(s, batches, u)],
    [
      "POST",
      /^\/api\/v1\/batches\/([^/]+)\/cancel$/,
      (q, s, u, [id]) => {
        const batch = batches.find((b) => b.id === id);
        if (!batch) return problem(s, 404, "batch-not-found", `there is no batch \`${id}\``);
        json(s, Object.assign(batch, { status: "cancelled", ended_at: new Date().toISOString() }));
      },
    ],
    ["GET", /^\/api\/v1\/routes$/, (q, s, u) => page(s, TARGETS, u)],
    ["POST", /^\/api\/v1\/routes\/explain$/, (q, s, u, m, body) => explain(s, body.model, json, problem)],
    ["GET", /^\/api\/v1\/routes\/history$/, (q, s, u) => page(s, madeHistory(Date.now()), u)],
    ["GET", /^\/api\/v1\/calls\/live$/, (q, s, u) => live(s, calls, { hex, traceIds, keys, follow: u.get("follow") !== "false" })],
    ["GET", /^\/api\/v1\/calls$/, (q, s, u) => page(s, calls.filter(keep(u)), u)],
    ["GET", /^\/api\/v1\/usage$/, (q, s, u) => json(s, usageOf(calls.filter(keep(u)), u.get("by") ?? "model", sinceOf(u, now), now))],
    [
      "GET",
      /^\/api\/v1\/limits$/,
      (q, s, u) =>
        page(
          s,
          limits.map((limit) => spentOf(limit, calls)),
          u,
        ),
    ],
    [
      "POST",
      /^\/api\/v1\/limits$/,
      (q, s, u, m, body) => {
        if (!KINDS.includes(body.kind)) return problem(s, 400, "body-invalid", `unknown kind of subject \`${body.kind}\`: use ${KINDS.join(", ")}`);
        const made = limitOf({ ...body, subject: body.subject ?? "*" }, null, `lim_${hex(32)}`, Date.now());
        const at = limits.findIndex((l) => l.kind === made.kind && l.subject === made.subject && l.metric === made.metric);
        if (at >= 0) limits.splice(at, 1);
        limits.unshift(made);
        json(s, made);
      },
    ],
    [
      "DELETE",
      /^\/api\/v1\/limits\/([^/]+)$/,
      (q, s, u, [id]) => {
        const at = limits.findIndex((l) => l.id === id);
        if (at < 0) return problem(s, 404, "limit-not-found", `there is no limit \`${id}\``);
        json(s, limits.splice(at, 1)[0]);
      },
    ],
  ];
}

function madeBatches(now, hex) {
  const at = (minutes) => new Date(now - minutes * 60_000).toISOString();
  const made = (status, minutes, [total, completed, failed], more = {}) => ({
    id: `batch_${hex(32)}`,
    endpoint: "/v1/chat/completions",
    status,
    input_file: `file-${hex(32)}`,
    total,
    completed,
    failed,
    created_by: "local",
    created_at: at(minutes),
    in_progress_at: at(minutes - 1),
    expires_at: at(minutes - 1440),
    ...more,
  });
  return [
    made("in_progress", 12, [4_000, 1_311, 4], { metadata: { name: "tickets-november" } }),
    made("validating", 0, [0, 0, 0], { in_progress_at: null }),
    made("completed", 260, [1_200, 1_187, 13], { ended_at: at(211), output_file: `file-${hex(32)}`, error_file: `file-${hex(32)}` }),
    made("failed", 1_500, [0, 0, 0], {
      ended_at: at(1_499),
      errors: [{ code: "invalid_json_line", message: "it is no JSON object", line: 17 }],
    }),
  ];
}

/** What a key's calls cost since its budget began anew. */
function spentOf(limit, calls) {
  if (limit.kind !== "key" || limit.subject === "*" || !limit.resets_at) return limit;
  const day = new Date();
  const since = Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), limit.metric === "usd_per_day" ? day.getUTCDate() : 1);
  const of = calls.filter((call) => call.key === limit.subject && Date.parse(call.started_at) >= since);
  return { ...limit, spent: dollars(of.reduce((n, call) => n + Number(call.cost), 0)) };
}

function limitOf({ kind, subject, metric, amount }, spent, id, now) {
  const day = new Date(now);
  const [y, m, d] = [day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate()];
  const resets = { usd_per_day: Date.UTC(y, m, d + 1), usd_per_month: Date.UTC(y, m + 1, 1) }[metric];
  const one = subject !== "*" || kind === "project";
  return {
    id,
    kind,
    subject,
    metric,
    amount,
    spent: resets && one ? (spent ?? "0.00") : null,
    resets_at: resets ? new Date(resets).toISOString() : null,
    created_at: new Date(now).toISOString(),
    created_by: "local",
  };
}

function usageOf(calls, by, since, now) {
  const field = { provider: "provider", key: "key", user: "user", app: "app", model: "model" }[by];
  const nameOf = (call) =>
    by === "day" ? call.ended_at.slice(0, 10) : by === "hour" ? `${call.ended_at.slice(0, 13)}:00:00.000000Z` : (call[field] ?? "");
  const groups = new Map();
  for (const call of calls) groups.set(nameOf(call), [...(groups.get(nameOf(call)) ?? []), call]);
  const rows = [...groups].map(([name, of]) => sum(name, of));
  rows.sort(by === "day" || by === "hour" ? (a, b) => a.name.localeCompare(b.name) : (a, b) => b.cost - a.cost);
  return { by, since: new Date(since).toISOString(), until: new Date(now).toISOString(), total: sum("", calls), rows, cut: false };
}

function explain(response, model, json, problem) {
  const targets = TARGETS.filter((t) => (t.route ?? `${t.provider}/${t.model}`) === model);
  if (targets.length === 0)
    return problem(
      response,
      404,
      "gateway-unknown-model",
      `there is no model, route or provider called \`${model}\``,
      "`GET /v1/models` lists what can be called",
    );
  const shown = targets.map((t, i) => ({
    provider: t.provider,
    model: t.model,
    place: t.breaker === "open" ? null : i + 1,
    why: t.breaker === "open" ? `its breaker is open for another ${t.wait_ms} ms` : "drawn by weight 80 of 100",
    tier: 0,
    weight: i === 0 ? 80 : 20,
    breaker: t.breaker,
    in_flight: t.in_flight,
    begin_ms: t.begin_p50_ms ?? null,
    cost: t.model.startsWith("house") ? null : "0.0024",
  }));
  json(response, {
    model,
    route: targets[0].route ? `${model}@v3` : model,
    choose: "weight",
    targets: shown,
    cached: false,
    retries: 1,
    hedged: true,
  });
}
