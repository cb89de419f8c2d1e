// Metrics of the stand-in server, made up: counters that come in waves, distributions, a gauge, and a name that is sent in several ways.

const counter = (unit) => ({ kind: "sum", unit, temporality: "cumulative", monotonic: true });
const histogram = (unit) => ({ kind: "histogram", unit, temporality: "cumulative" });
const gauge = (unit) => ({ kind: "gauge", unit });

const TYPES = { "gen_ai.token.type": ["input", "output"], "resource.service.name": ["shop-assistant", "support-desk"] };
const METRICS = [
  { name: "gen_ai.client.operation.duration", form: histogram("s"), services: ["shop-assistant", "support-desk"], size: 1.4, attributes: TYPES },
  { name: "gen_ai.client.token.usage", form: histogram("{token}"), services: ["shop-assistant", "support-desk"], size: 420, attributes: TYPES },
  { name: "process.memory.usage", form: gauge("By"), services: ["shop-assistant"], size: 3.1e8, attributes: { "process.pid": ["17", "18"] } },
  {
    name: "shop.orders",
    form: counter("{order}"),
    others: [gauge("1"), gauge("")],
    services: ["shop-assistant"],
    size: 30,
    attributes: { region: Array.from({ length: 11 }, (_, i) => `region-${i + 1}`) },
  },
];

const MEASURES = {
  gauge: ["mean", "min", "max", "last"],
  sum: ["increase", "rate"],
  histogram: ["count", "mean", "p50", "p95", "p99"],
};
const WIDTHS = [120, 300, 600, 900, 1_800, 3_600, 14_400, 43_200, 86_400, 604_800].map((s) => s * 1000);

export function metricRoutes({ json, page }) {
  const wave = (ms, by) => Math.max(0, 1 + 0.6 * Math.sin(ms / 1.3e7 + by)) / (by + 1);
  const valuesOf = {
    gauge: (now, size) => [now, now * 0.9, now * 1.2, now * 1.05].map((n) => Math.round(n * size)),
    sum: (now, size, seconds) => [Math.round(now * size), Math.round(now * size) / seconds],
    histogram: (now, size) => [Math.round(now * 40), size * now, size * now * 0.8, size * now * 2.5, size * now * 4],
  };

  function series(metric, u) {
    const { name, others = [], size, attributes } = metric;
    const asked = (one, key) => u.get(key) === null || String(one[key] ?? "") === u.get(key);
    const form = [metric.form, ...others].find((one) => ["kind", "unit", "monotonic", "temporality"].every((key) => asked(one, key)));
    if (!form) return nothing(name, u);
    const to = Date.parse(u.get("to") ?? "") || Date.now();
    const from = Date.parse(u.get("from") ?? "") || to - 86_400_000;
    const width = WIDTHS.find((ms) => (to - from) / ms <= 60) ?? WIDTHS.at(-1);
    const by = u.get("by") || undefined;
    const values = by ? (attributes[by] ?? [undefined]) : [undefined];
    const starts = Array.from({ length: Math.ceil((to - from) / width) }, (_, i) => from + i * width);
    const step = (ms, at) => ({ start: new Date(ms).toISOString(), values: valuesOf[form.kind](wave(ms, at), size, width / 1000) });
    return {
      name,
      form,
      others: [metric.form, ...others].filter((one) => one !== form),
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      more_forms: 0,
      step_ms: width,
      ...(by ? { by } : {}),
      measures: MEASURES[form.kind],
      ...(form.kind === "histogram" ? { note: "percentiles are estimated from buckets, as if the numbers of each were spread over it evenly" } : {}),
      groups: values.map((value, at) => ({ ...(value === undefined ? {} : { value }), steps: starts.map((ms) => step(ms, at)) })),
      more: false,
      attributes: Object.keys(attributes),
      points: starts.length * values.length,
    };
  }

  const summary = ({ name, form, others, services, size, attributes }) => ({
    name,
    form,
    ...(others ? { others } : {}),
    more_forms: 0,
    services,
    more_services: false,
    series: Object.values(attributes).reduce((all, values) => all * values.length, 1),
    last_seen: new Date(Date.now() - 30_000).toISOString(),
    last_value: size,
  });
  const nothing = (name, u) => {
    const to = u.get("to") || new Date().toISOString();
    return { name, from: u.get("from") || to, to, step_ms: 120_000, measures: [], groups: [], more: false, attributes: [], points: 0 };
  };

  return [
    [
      "GET",
      /^\/api\/v1\/metrics$/,
      (q, s, u) => {
        const found = METRICS.filter(({ name }) => name.includes((u.get("q") ?? "").toLowerCase()));
        page(s, found.map(summary), u);
      },
    ],
    [
      "GET",
      /^\/api\/v1\/metrics\/([^/]+)\/series$/,
      (q, s, u, [name]) => {
        const metric = METRICS.find((one) => one.name === name);
        json(s, metric ? series(metric, u) : nothing(name, u));
      },
    ],
  ];
}
