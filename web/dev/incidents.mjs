// Incidents of the stand-in server: one of each state, with deliveries that arrived, wait and were given up.

/** The spans that name releases of example traces; null where somebody asks for other spans. */
export function releases(filter) {
  if (!filter?.startsWith("entry and release exists")) return null;
  return [...filter.matchAll(/"([0-9a-f]{32})"/g)].map(([, trace_id], i) => ({
    trace_id,
    span: trace_id.slice(16),
    name: "ask",
    entry: true,
    status: "ok",
    start: new Date(Date.now() - 2_000_000 + i * 1_000).toISOString(),
    duration_ms: 9_100,
    release: `2.${4 + i}.0`,
  }));
}

export function incidentRoutes({ json, page, problem, hex, ago, traceIds }) {
  const base = (more) => ({
    id: `inc_${hex(32)}`,
    state: "open",
    severity: "error",
    labels: { app: "manual" },
    group: "app=manual,name=slow-answers",
    opened_at: ago(2_400),
    updated_at: ago(600),
    ...more,
  });
  const open = base({ title: "slow-answers: p95 of manual is 9.1 s, twice what it was" });
  const incidents = [
    open,
    base({
      title: "refunds-drift: questions moved towards refunds",
      state: "acknowledged",
      severity: "warning",
      labels: {},
      group: "name=refunds-drift",
      acknowledged_at: ago(5_000),
      acknowledged_by: "ines",
    }),
    ...Array.from({ length: 60 }, (_, i) =>
      base({
        title: `errors: ${i + 3} of 100 calls failed`,
        state: "resolved",
        opened_at: ago(90_000 + i * 7_000),
        resolved_at: ago(86_000 + i * 7_000),
      }),
    ),
  ];
  const alert = {
    fingerprint: hex(32),
    name: "slow-answers",
    severity: "error",
    summary: "p95 of duration over the last 10 minutes is 9.1 s; in the 10 minutes before it was 4.2 s.",
    labels: { app: "manual" },
    facts: { value: 9.1, reference: 4.2, count: 412, unit: "s" },
    measured: [
      { name: "value", value: "9.1 s" },
      { name: "compared with", value: "4.2 s" },
      { name: "measured", value: "412" },
    ],
    traces: traceIds.slice(0, 3),
    versions: ["prompt/grounded-answer@v3"],
    firing: true,
    began_at: ago(2_400),
    seen_at: ago(600),
  };
  const changes = [
    {
      kind: "prompt",
      name: "grounded-answer",
      alias: "production",
      from: 2,
      to: 3,
      at: ago(4_000),
      by: "tomáš",
      message: "",
      named: true,
      rollback: "mainspring alias prompt/grounded-answer production v2 --expected 3",
    },
    { kind: "app", name: "manual", to: 3, at: ago(9_000), by: "ci", message: "Another example", named: false },
  ];
  let seq = 2;
  const happened = new Map([
    [
      open.id,
      [
        { seq: 2, at: ago(600), kind: "refired", detail: { name: alert.name, summary: alert.summary, fingerprint: alert.fingerprint } },
        { seq: 1, at: ago(2_400), kind: "opened", detail: { name: alert.name, summary: alert.summary, fingerprint: alert.fingerprint } },
      ],
    ],
  ]);
  const delivery = (more) => ({
    id: `dlv_${hex(32)}`,
    incident: open.id,
    receiver: "ops",
    what: "opened",
    state: "delivered",
    attempts: 1,
    due_at: ago(2_400),
    status: 200,
    created_at: ago(2_400),
    attempted_at: ago(2_399),
    ended_at: ago(2_399),
    ...more,
  });
  const deliveries = [
    delivery({}),
    delivery({
      receiver: "chat",
      state: "failed",
      attempts: 12,
      status: 503,
      error: "the receiver answered 503: no healthy upstream",
      ended_at: ago(900),
    }),
  ];
  const receivers = [
    { name: "chat", version: 2, way: "slack", pending: 0, failed: 1, error: "the receiver answered 503: no healthy upstream" },
    { name: "ops", version: 1, way: "webhook", pending: 0, failed: 0, delivered_at: ago(2_399) },
  ];
  const silences = [
    {
      id: `sil_${hex(32)}`,
      matchers: ["app=desk", "name=drift-*"],
      starts_at: ago(90_000),
      ends_at: ago(80_000),
      comment: "a new index was built",
      created_at: ago(90_000),
      created_by: "ines",
      active: false,
    },
  ];
  const find = (s, id, act) => {
    const found = incidents.find((one) => one.id === id);
    return found ? act(found) : problem(s, 404, "incident-not-found", `there is no incident \`${id}\``, "`mainspring incidents list` shows them");
  };
  const end =
    (state) =>
    (q, s, u, [id], body) =>
      find(s, id, (found) => {
        if (found.state === "resolved") return problem(s, 409, "incident-resolved", "the incident is over");
        const now = new Date().toISOString();
        Object.assign(found, { state, updated_at: now, [`${state}_at`]: now, [`${state}_by`]: "ines" });
        const events = happened.get(id) ?? [];
        happened.set(id, [{ seq: ++seq, at: now, kind: state, by: "ines", detail: body.note ? { note: body.note } : {} }, ...events]);
        json(s, found);
      });
  return [
    [
      "GET",
      /^\/api\/v1\/incidents$/,
      (q, s, u) =>
        page(
          s,
          incidents.filter((one) => !u.get("state") || one.state === u.get("state")),
          u,
        ),
    ],
    [
      "GET",
      /^\/api\/v1\/incidents\/([^/]+)$/,
      (q, s, u, [id]) =>
        find(s, id, (incident) =>
          json(s, {
            incident,
            alerts: [{ ...alert, firing: incident.state !== "resolved" }],
            changes,
            changes_left_out: 0,
            events: happened.get(id) ?? [],
            deliveries: id === open.id ? deliveries : [],
          }),
        ),
    ],
    ["POST", /^\/api\/v1\/incidents\/([^/]+)\/acknowledge$/, end("acknowledged")],
    ["POST", /^\/api\/v1\/incidents\/([^/]+)\/resolve$/, end("resolved")],
    [
      "POST",
      /^\/api\/v1\/incidents\/([^/]+)\/retry$/,
      (q, s) => {
        const failed = deliveries.filter((one) => one.state === "failed");
        if (failed.length === 0) return problem(s, 409, "incident-nothing-failed", "no delivery of it was given up");
        for (const one of failed)
          Object.assign(one, { state: "delivered", attempts: 1, status: 200, error: null, ended_at: new Date().toISOString() });
        json(s, { deliveries: failed.length });
      },
    ],
    ["GET", /^\/api\/v1\/receivers$/, (q, s, u) => page(s, receivers, u)],
    [
      "POST",
      /^\/api\/v1\/receivers\/([^/]+)\/test$/,
      (q, s, u, [name]) =>
        json(
          s,
          name === "ops" ? { arrived: true, status: 200, took_ms: 41 } : { arrived: false, status: 503, message: "no healthy upstream", took_ms: 87 },
        ),
    ],
    [
      "GET",
      /^\/api\/v1\/silences$/,
      (q, s, u) =>
        page(
          s,
          silences.filter((one) => u.get("ended") === "true" || Date.parse(one.ends_at) > Date.now()),
          u,
        ),
    ],
    [
      "POST",
      /^\/api\/v1\/silences$/,
      (q, s, u, m, body) => {
        const wrong = body.matchers.find((matcher) => !matcher.includes("="));
        if (wrong) return problem(s, 400, "silence-invalid", `\`${wrong}\` is no matcher`, "write `label=value` or `label!=value`");
        const [, n, unit] = /^(\d+)([smhd])$/.exec(body.for);
        const ends = Date.now() + Number(n) * { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit];
        const now = new Date().toISOString();
        const silence = {
          id: `sil_${hex(32)}`,
          matchers: body.matchers,
          starts_at: now,
          ends_at: new Date(ends).toISOString(),
          comment: body.comment ?? "",
          created_at: now,
          created_by: "ines",
          active: true,
        };
        silences.unshift(silence);
        json(s, silence);
      },
    ],
    [
      "DELETE",
      /^\/api\/v1\/silences\/([^/]+)$/,
      (q, s, u, [id]) => {
        const found = silences.find((one) => one.id === id);
        if (!found) return problem(s, 404, "silence-not-found", `there is no silence \`${id}\``);
        Object.assign(found, { active: false, ends_at: new Date().toISOString() });
        json(s, found);
      },
    ],
  ];
}
