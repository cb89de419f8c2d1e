// What moved, made up: a model that came, answers that got slower, a field without values, and a topic that grew.

const bins = (low, shares) => shares.map(([before, after], at) => ({ low: low * 2 ** at, high: low * 2 ** (at + 1), before, after }));

const FIELDS = [
  {
    field: "model",
    kind: "categories",
    state: "measured",
    reference: 18_204,
    current: 17_990,
    drifted: true,
    figures: { psi: 1.204, psi_by_chance: 0.001, jensen_shannon: 0.311, p: 0, unseen: 0.12 },
    bins: [
      { category: "gpt-4o-mini", before: 0.98, after: 0.49 },
      { category: "gpt-4o", before: 0.02, after: 0.39 },
      { category: "claude-haiku-4-5", before: 0, after: 0.12 },
    ],
  },
  {
    field: "duration",
    kind: "numbers",
    unit: "ms",
    state: "measured",
    reference: 9_102,
    current: 8_995,
    drifted: true,
    figures: { psi: 0.352, psi_by_chance: 0.004, jensen_shannon: 0.061, ks: 0.21, p: 0, moved: 412.5 },
    bins: bins(125, [
      [0.1, 0.04],
      [0.35, 0.2],
      [0.4, 0.36],
      [0.13, 0.3],
      [0.02, 0.1],
    ]),
  },
  {
    field: "status",
    kind: "categories",
    state: "measured",
    reference: 9_102,
    current: 8_995,
    drifted: false,
    figures: { psi: 0.001, psi_by_chance: 0.002, jensen_shannon: 0, p: 0.44, unseen: 0 },
    bins: [
      { category: "ok", before: 0.98, after: 0.979 },
      { category: "error", before: 0.02, after: 0.021 },
    ],
  },
  { field: "first_token", kind: "numbers", unit: "ms", state: "missing", reference: 0, current: 0, drifted: false, bins: [] },
];

/** Which services have releases, the newest first. */
const RELEASES = { "shop-assistant": ["2.1", "2.0"], "support-desk": ["8", "7"] };
/** Whose releases are meant, as far as that can be said. */
function owner(u) {
  const named = [u.get("release"), u.get("reference_release")].filter(Boolean);
  const theirs = Object.keys(RELEASES).filter((name) => named.length === 0 || named.some((release) => RELEASES[name].includes(release)));
  return u.get("service") || (theirs.length === 1 ? theirs[0] : undefined);
}

export function driftRoutes({ json, problem, traceIds }) {
  const topics = {
    state: "measured",
    reference: 4_800,
    current: 4_800,
    mmd_squared: 0.021,
    p: 0.0004,
    psi: 0.27,
    topics: [
      { words: ["refund", "invoice", "charged"], before: 0.06, after: 0.19, grew: true, p: 0, traces: traceIds.slice(0, 3) },
      { words: ["password", "login"], before: 0.41, after: 0.35, grew: false, p: 0.08, traces: traceIds.slice(3, 5) },
      { words: [], before: 0.01, after: 0.015, grew: false, p: 1, traces: [] },
    ],
    version: { number: 3, digest: "8f0c2a51d94e7b36", learnt_at: "2026-11-12T10:00:00Z", why: "release", next: "unlike" },
  };
  return [
    [
      "GET",
      /^\/api\/v1\/drift$/,
      (q, s, u) => {
        const against = u.get("against") || "previous";
        const [to, day] = [Date.now(), 86_400_000];
        const at = (ms) => new Date(ms).toISOString();
        const service = against === "release" ? owner(u) : u.get("service") || undefined;
        if (against === "release" && !service) {
          const names = Object.keys(RELEASES).map((name) => `\`${name}\``);
          const what = "several services have releases in this time, and those of one are not compared with those of another";
          return problem(s, 400, "drift-several-services", what, `name one as \`service\`: ${names.join(", ")}`);
        }
        const [newest, older] = (against === "release" && RELEASES[service]) || [];
        const released = newest && { release: u.get("release") || newest, reference_release: u.get("reference_release") || older };
        json(s, {
          from: at(to - day),
          to: at(to),
          against,
          reference_from: at(to - 2 * day),
          reference_to: at(to - day),
          fields: FIELDS,
          service,
          waiting_hours: 0,
          no_output_topics: "no topics were made yet: that takes a hundred answers and an installed model that embeds",
          ...(service ? { no_topics: "topics are kept of all services together" } : { topics }),
          ...released,
        });
      },
    ],
  ];
}
