// The model gateway of the stand-in server: routes with one of everything that can happen to a target, months of calls, limits.

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
    tokens_per_second: 84.2,
    attempts: 18_422,
    input_tokens: 21_400_112,
    output_tokens: 4_120_882,
    spend: "5.682546",
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
    tokens_per_second: 51.7,
    attempts: 611,
    input_tokens: 902_113,
    output_tokens: 188_204,
    spend: "5.529399",
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
    tokens_per_second: 23.4,
    attempts: 96,
    input_tokens: 80_021,
    output_tokens: 44_110,
    spend: "0.00",
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
  },
];

const KINDS = ["project", "key", "principal", "user", "model"];
const dollars = (n) => {
  const text = n.toFixed(9).replace(/0+$/, "");
  const [whole, part] = text.split(".");
  return `${whole}.${part.padEnd(2, "0")}`;
};

function madeCalls(now, traceIds) {
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
      key: null,
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
  const [, n, unit] = /^(\d+)([dh])$/.exec(query.get("since") ?? "30d") ?? [null, 30, "d"];
  const size = unit === "d" ? DAY : DAY / 24;
  return Math.floor((now - n * size) / (DAY / 24)) * (DAY / 24);
};

export function gatewayRoutes({ json, page, problem, traceIds, hex }) {
  const now = Date.now();
  const calls = madeCalls(now, traceIds);
  const limits = [
    ["project", "*", "usd_per_month", "50.00", "41.20"],
    ["user", "customer-17", "usd_per_day", "0.50", "0.52"],
    ["key", "*", "requests_per_minute", "60", null],
  ].map(([kind, subject, metric, amount, spent], i) => limitOf({ kind, subject, metric, amount }, spent, `lim_${i}`, now));
  const keep = (query) => (call) =>
    Date.parse(call.ended_at) >= sinceOf(query, now) &&
    ["model", "provider", "user", "app", "status"].every((field) => !query.get(field) || call[field] === query.get(field));
  return [
    ["GET", /^\/api\/v1\/routes$/, (q, s) => json(s, TARGETS)],
    ["POST", /^\/api\/v1\/routes\/explain$/, (q, s, u, m, body) => explain(s, body.model, json, problem)],
    ["GET", /^\/api\/v1\/calls$/, (q, s, u) => page(s, calls.filter(keep(u)), u)],
    ["GET", /^\/api\/v1\/usage$/, (q, s, u) => json(s, usageOf(calls.filter(keep(u)), u.get("by") ?? "model", sinceOf(u, now), now))],
    ["GET", /^\/api\/v1\/limits$/, (q, s, u) => page(s, limits, u)],
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
