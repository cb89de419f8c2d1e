import { describe, expect, it } from "vitest";
import type { MonitorEvaluation, MonitorSlice } from "@/api/types";
import {
  chartInWords,
  difference,
  evidence,
  figure,
  inPercent,
  interval,
  measured,
  ofValue,
  shifts,
  slicesInWords,
  slicesOf,
  stateTone,
} from "./monitors";

const slice = (more: Partial<MonitorSlice>): MonitorSlice => ({ state: "ok", since: "2026-01-01T00:00:00Z", count: 30, ...more });
const look = (at: string, slices: MonitorSlice[]): MonitorEvaluation => ({ at, version: 1, state: "ok", slices });

describe("what looks saw over time", () => {
  const newest = look("2026-01-01T00:02:00Z", [slice({ slice: "b", value: 0.3, low: 0.2, high: 0.4, limit: 0.1 })]);
  const oldest = look("2026-01-01T00:01:00Z", [slice({ slice: "a", value: 9 }), slice({ slice: "b", value: 0.1 })]);

  it("is oldest first, and has a gap where a slice was not seen", () => {
    const of = measured([newest, oldest], "b");
    expect(of.times).toEqual([1_767_225_660, 1_767_225_720]);
    expect([of.value, of.low, of.limit]).toEqual([
      [0.1, 0.3],
      [null, 0.2],
      [null, 0.1],
    ]);
    expect(measured([newest, oldest], "a").value).toEqual([9, null]);
    expect(chartInWords(of, "the share")).toBe("the share over 2 looks: last 0.3, at most 0.3");
  });

  it("shows no bounds of a difference as if they were of the value", () => {
    const compared = look("2026-01-01T00:00:00Z", [slice({ value: 5, reference: 4, low: 0.5, high: 1.5, limit: 0.2 })]);
    const of = measured([compared], null);
    expect([of.reference, of.low, of.limit]).toEqual([[4], [null], [null]]);
  });

  it("shows the bounds of a rate beside those of its difference", () => {
    const pl = slice({ value: 0.3, reference: 0.1, low: 0.14, high: 0.27, value_low: 0.24, value_high: 0.36 });
    const of = measured([look("2026-01-01T00:00:00Z", [pl])], null);
    expect([of.low, of.high, of.reference]).toEqual([[0.24], [0.36], [0.1]]);
    expect([ofValue(pl), difference(pl)]).toEqual(["0.24 to 0.36", { off: "0.2", surely: "0.14 to 0.27" }]);
    expect([ofValue(slice({ value: 0.3, low: 0.2, high: 0.4 })), difference(slice({ value: 0.3 }))]).toEqual(["0.2 to 0.4", null]);
  });

  it("knows every slice", () => expect(slicesOf([newest, oldest])).toEqual(["a", "b"]));

  it("says so where nothing was measured", () => expect(chartInWords(measured([], null), "it")).toContain("nothing was measured"));
});

describe("what moved", () => {
  it("is told slice by slice, with shares of before and now", () => {
    const slices = [slice({}), slice({ slice: "de", moved: [{ what: "the topic refund, late", before: 0.04, after: 0.3125 }] })];
    expect(shifts(slices)).toEqual([{ slice: "de", what: "the topic refund, late", before: 0.04, after: 0.3125 }]);
    expect([inPercent(0.04), inPercent(0.3125), inPercent(0)]).toEqual(["4 %", "31.3 %", "0 %"]);
  });
});

describe("words", () => {
  it("tell figures and where they lie", () => {
    expect([figure(0.123456), figure(123_456), figure(null), figure(0)]).toEqual(["0.123", "123,456", "–", "0"]);
    expect(interval({ low: 0.1, high: 0.25 })).toBe("0.1 to 0.25");
    expect(interval({ low: 3, high: 3 })).toBe("3");
    expect(interval({})).toBe("–");
  });

  it("count slices where there are several, the worst first", () => {
    expect(slicesInWords({ ok: 3, warming: 0, missing: 1, firing: 2 })).toBe("2 firing, 1 missing, 3 ok");
    expect(slicesInWords({ ok: 1, warming: 0, missing: 0, firing: 0 })).toBeNull();
  });

  it("say how far a sequential test is", () => {
    expect(evidence(slice({ evidence: 5, evidence_needed: 10 }))).toContain("50 %");
    expect(evidence(slice({ evidence: -4, evidence_needed: 10 }))).toContain("0 %");
    expect(evidence(slice({}))).toBeNull();
  });

  it("do not call missing data well", () => {
    expect([stateTone("missing"), stateTone("firing"), stateTone("ok"), stateTone(undefined)]).toEqual(["warn", "bad", "ok", "neutral"]);
  });
});
