// Log records of the stand-in server: some that were written in its traces, and some that were written in none.

const SEVERITIES = ["trace", "debug", "info", "warn", "error", "fatal"];
const SAID = [
  ["info", "asked the warehouse for what is left"],
  ["warn", "the answer of the warehouse took 2.1 s"],
  ["error", "the card was refused: no funds"],
  ["debug", { order: "o-7", lines: 3 }],
];

/** Which records a filter means, as far as it speaks of severities and traces. */
function reads(filter) {
  const [, least] = /severity >= (\w+)/.exec(filter) ?? [];
  const [, trace] = /trace = ([0-9a-f]+)/.exec(filter) ?? [];
  const rank = (severity) => SEVERITIES.indexOf(severity);
  return (record) => (!least || rank(record.severity) >= rank(least)) && (!trace || record.trace_id === trace);
}

export function logRoutes({ json, page, traces, now }) {
  const all = () => {
    const written = [...traces.values()].slice(0, 6);
    return Array.from({ length: 60 }, (_, n) => {
      const [severity, body] = SAID[n % SAID.length];
      const within = n % 3 === 0 ? undefined : written[n % written.length];
      const span = n.toString(16).padStart(16, "5");
      return {
        trace_id: within?.summary.trace_id ?? span + span,
        span,
        parent: within?.spans[0].span ?? null,
        time: new Date(now - n * 47_000).toISOString(),
        name: n % 5 === 0 ? "checkout.failed" : "log",
        severity,
        severity_text: severity.toUpperCase(),
        service: n % 2 === 0 ? "shop-assistant" : "support-desk",
        body,
        attributes: { "otel.signal": "log", "code.line.number": 40 + n },
      };
    });
  };
  const passing = (u) => {
    const [means, text] = [reads(u.get("filter") ?? ""), (u.get("q") ?? "").toLowerCase()];
    return all().filter((record) => {
      const words = JSON.stringify([record.body, record.name]).toLowerCase();
      return means(record) && (!u.get("from") || record.time >= u.get("from")) && words.includes(text);
    });
  };
  return [
    ["GET", /^\/api\/v1\/logs$/, (q, s, u) => page(s, passing(u), u)],
    ["GET", /^\/api\/v1\/logs\/count$/, (q, s, u) => json(s, { count: passing(u).length, exact: true })],
  ];
}
