// Dashboards of the stand-in server, and SQL: waves that can be looked at closer, a panel without data, one that failed.

import { releases } from "./incidents.mjs";

const MODELS = ["gpt-5-mini", "smollm2-135m", null];
const TABLES = [
  {
    name: "spans",
    description: "every span",
    columns: [
      { name: "trace", type: "TEXT" },
      { name: "start", type: "BIGINT" },
      { name: "model", type: "TEXT" },
      { name: "cost", type: "BIGINT" },
      { name: "tags", type: "TEXT[]" },
    ],
  },
  {
    name: "points",
    description: "points of metrics",
    columns: [
      { name: "name", type: "TEXT" },
      { name: "value", type: "DOUBLE" },
    ],
  },
];

export function dashboardRoutes({ json, page, problem, hex, traceIds }) {
  const summaries = [
    { name: "overview", description: "Traffic, latency, errors, tokens, spend and quality", built_in: true },
    { name: "desk", built_in: false, version: 2 },
  ];
  /** Of a metric: in steps of two minutes at least, by regions, whatever the page tells apart. */
  function orders(from, to, bucket) {
    const width = Math.max(bucket, 120_000);
    const starts = Array.from({ length: Math.ceil((to - from) / width) }, (_, i) => from + i * width);
    return {
      title: "Orders",
      chart: "line",
      unit: "count",
      state: "data",
      measures: ["rate"],
      by: "region",
      filter: "",
      metric: { name: "shop.orders", form: { kind: "sum", unit: "{order}", temporality: "cumulative", monotonic: true } },
      bucket_ms: width,
      rows: ["eu", "us"].flatMap((region, at) =>
        starts.map((ms) => ({ start: new Date(ms).toISOString(), keys: { region }, values: { rate: wave(ms, at) / 40 } })),
      ),
      more: false,
    };
  }

  /** Of SQL: a text tells lines apart. */
  function scores(from, to, width) {
    const starts = Array.from({ length: Math.ceil((to - from) / width) }, (_, i) => from + i * width);
    const means = { relevance: 0.6, grounded: 0.8, "feedback, by people": 0.7 };
    return {
      columns: [
        { name: "start", type: "BIGINT" },
        { name: "score", type: "TEXT" },
        { name: "mean", type: "DOUBLE" },
      ],
      rows: Object.entries(means).flatMap(([name, mean], at) => starts.map((ms) => [ms * 1_000, name, mean + wave(ms, at) / 400])),
      more: false,
    };
  }

  const wave = (ms, by) => Math.max(0, Math.round(30 + 20 * Math.sin(ms / 1.3e7) + by * 9));

  function data(name, query) {
    const to = Date.parse(query.get("to") ?? "") || Date.now();
    const asked = Date.parse(query.get("from") ?? "") || to - 86_400_000;
    const width = [10, 60, 300, 900, 1_800, 3_600, 14_400, 86_400].map((s) => s * 1000).find((ms) => (to - asked) / ms <= 60) ?? 604_800_000;
    const from = asked - (asked % width);
    const by = query.get("by") || null;
    const keys = by ? MODELS : [undefined];
    const rows = (measures, of) =>
      Array.from({ length: Math.ceil((to - from) / width) }, (_, i) => from + i * width).flatMap((ms) =>
        keys.map((key, at) => ({
          start: new Date(ms).toISOString(),
          keys: by ? { [by]: key } : {},
          values: Object.fromEntries(measures.map((measure, n) => [measure, of(ms, at) * (n + 1)])),
        })),
      );
    const panel = (title, chart, unit, measures, filter, of) => ({
      title,
      chart,
      unit,
      state: of ? "data" : "nothing",
      measures,
      filter,
      rows: of ? rows(measures, of) : [],
      more: false,
      ...(by ? { by } : {}),
    });
    const panels = [
      { ...panel("Requests", "bar", "count", ["count"], "entry", wave), description: "Traces by when they began" },
      panel("Errors", "bar", "count", ["errors"], "entry", (ms, at) => Math.round(wave(ms, at) / 20)),
      panel("Latency", "line", "milliseconds", ["duration_p50", "duration_p95", "duration_p99"], "entry", (ms, at) => 400 + wave(ms, at) * 11),
      panel("Spend", "bar", "dollars", ["cost"], "", (ms, at) => wave(ms, at) / 9_000),
      panel("Guardrails", "bar", "count", ["count", "errors"], "type = guardrail", null),
    ];
    if (name === "overview")
      panels.push({ ...panel("Feedback and scores", "line", "count", [], "", null), state: "data", table: scores(from, to, width) });
    if (name === "desk") panels.push(orders(from, to, width));
    if (name === "desk")
      panels.push({
        ...panel("Broken", "table", "count", [], "", null),
        state: "failed",
        problem: { code: "lake-bad-sql", detail: "No field named nothing_like_it.", hint: "the tables are: spans, logs, points" },
      });
    return {
      name,
      title: name === "desk" ? "Help desk" : "Overview",
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      bucket_ms: width,
      panels,
    };
  }

  const span = (i, ms) => ({
    trace_id: traceIds[i % traceIds.length],
    span: hex(16),
    name: "chat gpt-5-mini",
    entry: true,
    status: i === 0 ? "error" : "ok",
    error_type: i === 0 ? "timeout" : undefined,
    start: new Date(ms).toISOString(),
    duration_ms: 420 + i,
    tags: [],
    model: "gpt-5-mini",
    cost: "0.0021",
  });

  return [
    ["GET", /^\/api\/v1\/dashboards$/, (q, s, u) => page(s, summaries, u)],
    [
      "GET",
      /^\/api\/v1\/dashboards\/([^/]+)\/data$/,
      (q, s, u, [name]) =>
        summaries.some((one) => one.name === name)
          ? json(s, data(name, u))
          : problem(s, 404, "registry-not-found", `dashboard \`${name}\` does not exist`),
    ],
    [
      "GET",
      /^\/api\/v1\/spans$/,
      (q, s, u) =>
        json(s, { items: releases(u.get("filter")) ?? [0, 1, 2].map((i) => span(i, Date.parse(u.get("from") ?? "") || Date.now())), next: null }),
    ],
    ["GET", /^\/api\/v1\/sql\/schema$/, (q, s) => json(s, { tables: TABLES })],
    [
      "POST",
      /^\/api\/v1\/sql$/,
      (q, s, u, _, body) => {
        if (!/^\s*(select|with)\b/i.test(body.query ?? ""))
          return problem(s, 400, "lake-bad-sql", "Expected: an SQL statement, found: SELEC at Line: 1, Column: 1", "ask one SELECT statement");
        return json(s, {
          columns: [
            { name: "model", type: "TEXT" },
            { name: "calls", type: "BIGINT" },
          ],
          rows: [
            ["gpt-5-mini", 412],
            [null, 7],
          ],
          more: false,
        });
      },
    ],
  ];
}
