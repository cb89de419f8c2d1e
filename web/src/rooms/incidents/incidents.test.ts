import { describe, expect, it } from "vitest";
import type { IncidentDelivery, IncidentEvent } from "@/api/types";
import {
  deliveryWords,
  eventWords,
  examples,
  firstExamples,
  firstRelease,
  matchersOf,
  readMatchers,
  releaseFilter,
  silenceState,
  stepBack,
  timeline,
} from "./incidents";

const event = (kind: string, at: string, detail: unknown = {}): IncidentEvent => ({ seq: 1, at, kind, detail }) as IncidentEvent;
const delivery = (more: Partial<IncidentDelivery>): IncidentDelivery => ({
  id: "dlv_1",
  incident: "inc_1",
  receiver: "ops",
  what: "opened",
  state: "pending",
  attempts: 0,
  due_at: "2026-01-01T00:00:00Z",
  created_at: "2026-01-01T00:00:00Z",
  ...more,
});
const nobody = () => null;

describe("the timeline", () => {
  it("is newest first, with a notice after what it tells of", () => {
    const events = [event("opened", "2026-01-01T00:00:00Z"), event("resolved", "2026-01-01T02:00:00Z")];
    const notices = [delivery({}), delivery({ id: "dlv_2", attempted_at: "2026-01-01T01:00:00Z", attempts: 1 })];
    const shown = timeline(events, notices).map((one) => (one.kind === "event" ? one.event.kind : one.delivery.id));
    expect(shown).toEqual(["resolved", "dlv_2", "dlv_1", "opened"]);
  });

  it("puts times of different lengths in their order", () => {
    const events = [event("opened", "2026-01-01T00:00:00.5Z"), event("joined", "2026-01-01T00:00:00.123456Z")];
    expect(timeline(events, []).map((one) => one.at)).toEqual(["2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.123456Z"]);
  });
});

describe("words", () => {
  it("name the alert and say why", () => {
    const opened = event("opened", "", { name: "latency", summary: "p95 is 9.1 s", severity: "error" });
    expect(eventWords(opened, nobody)).toEqual({ what: "Opened: latency fired", why: "p95 is 9.1 s" });
    expect(eventWords(event("escalated", "", { name: "latency", severity: "critical" }), nobody).what).toBe("latency became critical");
    expect(eventWords(event("ended", "", { fingerprint: "f1" }), (f) => (f === "f1" ? "latency" : null)).what).toBe("latency is over");
    expect(eventWords(event("ended", "", { fingerprint: "f2" }), nobody).what).toBe("An alert is over");
    expect(eventWords(event("acknowledged", "", { note: "on it" }), nobody).why).toBe("on it");
    expect(eventWords(event("retried", "", { deliveries: 2 }), nobody).what).toBe("2 given-up deliveries are tried again");
    expect(eventWords(event("reminded", "", null), nobody).why).toBeNull();
  });

  it("say what became of a notice", () => {
    expect(deliveryWords(delivery({ state: "delivered", attempts: 3 }))).toBe("ops: “opened” arrived with try 3");
    expect(deliveryWords(delivery({ state: "failed", attempts: 12 }))).toBe("ops: “opened” was given up after 12 tries");
    expect(deliveryWords(delivery({ attempts: 1 }))).toBe("ops: “opened” has not arrived yet (1 try)");
    expect(deliveryWords(delivery({}))).toBe("ops: “opened” is on its way");
  });
});

describe("a step back", () => {
  const change = { kind: "prompt", name: "answer", at: "", by: "ines", message: "", named: true };
  it("is the move turned round", () => {
    expect(stepBack({ ...change, alias: "production", from: 3, to: 4 })).toEqual({
      kind: "prompt",
      name: "answer",
      alias: "production",
      from: 4,
      to: 3,
    });
  });
  it("needs an alias and a version before", () => {
    expect(stepBack({ ...change, alias: "production", to: 4 })).toBeNull();
    expect(stepBack({ ...change, from: 3, to: 4 })).toBeNull();
  });
});

describe("what it is about", () => {
  const alert = {
    fingerprint: "",
    name: "latency",
    severity: "error",
    summary: "",
    labels: {},
    facts: {},
    measured: [],
    versions: [],
    began_at: "",
    seen_at: "",
  };
  it("shows the traces of what still fires first, each once", () => {
    const alerts = [
      { ...alert, firing: false, traces: ["a", "b"] },
      { ...alert, firing: true, traces: ["c", "a"] },
    ];
    expect(examples(alerts, 9)).toEqual(["c", "a", "b"]);
    expect(examples(alerts, 2)).toEqual(["c", "a"]);
  });
  it("was first seen in traces of when it fired first", () => {
    const alerts = [
      { ...alert, firing: true, began_at: "2026-01-01T00:10:00.5Z", traces: ["a", "b"] },
      { ...alert, firing: false, began_at: "2026-01-01T00:10:00Z", traces: ["c", "d", "e", "f", "g", "of today"] },
    ];
    expect(firstExamples(alerts, 20)).toEqual(["c", "d", "e", "f", "g", "a", "b"]);
    expect(firstExamples(alerts, 2)).toEqual(["c", "d"]);
  });
  it("was first seen in the release of the earliest span that names one", () => {
    const spans = [
      { start: "2026-01-02T00:00:00Z", release: "2" },
      { start: "2026-01-01T00:00:00Z", release: "1" },
      { start: "2025-01-01T00:00:00Z" },
    ];
    expect(firstRelease(spans)).toBe("1");
    expect(firstRelease([])).toBeNull();
    expect(releaseFilter(["a", "b"])).toBe('entry and release exists and trace in ("a", "b")');
  });
  it("is silenced by its name and its labels", () => {
    expect(matchersOf([{ name: "latency" }, { name: "latency" }], { app: "desk", severity: "error" })).toEqual(["name=latency", "app=desk"]);
    expect(matchersOf([{ name: "latency" }, { name: "errors" }], { app: "desk" })).toEqual(["app=desk"]);
    expect(readMatchers(" app=desk \n\nname=drift-*")).toEqual(["app=desk", "name=drift-*"]);
  });
  it("is covered by a silence that has begun", () => {
    const silence = {
      id: "sil_1",
      matchers: [],
      starts_at: "2026-01-01T00:00:00Z",
      ends_at: "2026-01-02T00:00:00Z",
      comment: "",
      created_at: "",
      created_by: "ines",
      active: false,
    };
    expect(silenceState({ ...silence, active: true }, 0)).toBe("active");
    expect(silenceState(silence, Date.parse("2025-12-31T00:00:00Z"))).toBe("to come");
    expect(silenceState(silence, Date.parse("2026-01-03T00:00:00Z"))).toBe("ended");
  });
});
