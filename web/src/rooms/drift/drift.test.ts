import { describe, expect, it } from "vitest";
import type { FieldDrift } from "@/api/types";
import { because, binName, inUnit, isoOf, localOf, moved, nextTopics, serviceChoices, servicesOf, share, stretchesOf } from "./drift";

const field = (over: Partial<FieldDrift>): FieldDrift => ({
  field: "model",
  kind: "categories",
  state: "measured",
  reference: 60,
  current: 60,
  drifted: true,
  bins: [],
  ...over,
});

describe("the services to choose from", () => {
  const row = (service: string | null) => ({ keys: { service }, values: { count: 3 } });
  it("are those that sent spans, by name, and spans without one are no service", () => {
    const counted = { from: "", to: "", by: ["service"], measures: ["count"], rows: [row("shop"), row(null), row("desk"), row("shop")], more: false };
    expect(servicesOf(counted)).toEqual(["desk", "shop"]);
    expect(servicesOf(undefined)).toEqual([]);
  });
  it("are also the apps of this server, whose spans are no service's", () => {
    const keys = [
      { service: null, app: "shop" },
      { service: "shop", app: null },
      { service: null, app: null },
    ];
    const rows = keys.map((keys) => ({ keys, values: { count: 3 } }));
    expect(servicesOf({ from: "", to: "", by: ["service", "app"], measures: ["count"], rows, more: false })).toEqual(["app/shop", "shop"]);
  });
  it("have the one that is chosen among them", () => {
    const values = (names: string[], chosen: string) => serviceChoices(names, chosen).map((choice) => choice.value);
    expect(values(["desk", "shop"], "shop")).toEqual(["", "desk", "shop"]);
    expect(values(["desk"], "gone")).toEqual(["", "gone", "desk"]);
    expect(values([], "")).toEqual([""]);
  });
});

describe("a comparison in words", () => {
  it("names the category that moved most", () => {
    const bins = [
      { category: "a", before: 0.9, after: 0.85 },
      { category: "b", before: 0, after: 0.15 },
    ];
    expect(moved(field({ bins }))).toBe("b: 0% → 15%");
  });
  it("never calls too little no drift", () => {
    expect(moved(field({ state: "too_few" }))).toBe("too few to say");
    expect(moved(field({ state: "missing", reference: 0 }))).toBe("nothing on one side");
    expect(moved(field({ state: "missing", reference: 0, current: 0 }))).toBe("nothing on either side");
  });
  it("writes numbers in the field's unit", () => {
    expect([inUnit("ms", 1500), inUnit("dollars", 0.5), inUnit("tokens", 12)]).toEqual(["1.50 s", "$0.50", "12"]);
    expect(binName(field({ unit: "ms" }), { low: 100, high: 100, before: 0, after: 1 })).toBe("100 ms");
    expect(binName(field({}), { before: 0, after: 1 })).toBe("all others");
    expect([share(0), share(0.0004), share(0.5)]).toEqual(["0%", "<0.1%", "50%"]);
  });
});

describe("topics", () => {
  const version = { number: 3, digest: "00ab", why: "release" };
  it("say why they were learnt, and what is to come in their place", () => {
    expect([because("unlike"), because("what a later server says")]).toEqual(["too much was unlike all of them", "what a later server says"]);
    expect(nextTopics(version)).toBeNull();
    expect(nextTopics({ ...version, next: "reference" })).toContain("Others are being made: a monitor compares with another time.");
  });
});

describe("the stretches that are compared", () => {
  const now = Date.parse("2026-11-27T12:30:00Z");
  const of = (search: string) => stretchesOf(new URLSearchParams(search), now);
  it("are the last day unless somebody says, and what comes before it is the server's to know", () => {
    expect(of("")).toEqual({ from: "2026-11-26T12:30:00.000Z", to: undefined });
    expect(of("in=6h&from=2026-11-01T00:00:00Z")).toEqual({ from: "2026-11-27T06:30:00.000Z", to: undefined });
    expect(of("in=own&from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z")).toEqual({ from: "2026-11-01T00:00:00Z", to: "2026-11-02T00:00:00Z" });
    expect(of("in=own&from=yesterday").from).toBe("2026-11-26T12:30:00.000Z");
  });
  it("are a week apart where the other one is not named", () => {
    const found = of("against=range&in=own&from=2026-11-10T00:00:00Z&to=2026-11-11T00:00:00Z&reference_to=2026-11-05T00:00:00Z");
    expect([found.reference_from, found.reference_to]).toEqual(["2026-11-03T00:00:00.000Z", "2026-11-05T00:00:00Z"]);
    expect(of("against=range").reference_to).toBe("2026-11-20T12:30:00.000Z");
  });
  it("are hours in the reader's own time", () => {
    expect(localOf("nothing")).toBe("");
    expect(isoOf("")).toBe("");
    expect(isoOf(localOf("2026-11-10T05:00:00.000Z"))).toBe("2026-11-10T05:00:00.000Z");
    expect(localOf(isoOf("2026-11-10T05:40"))).toBe("2026-11-10T05:00");
  });
});
