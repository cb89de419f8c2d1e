import { describe, expect, test } from "vitest";
import type { MetricSeries } from "@/api/types";
import { askedFor, drawn, formatOf, formLabel, formValue, kindLabel, summaryOf, unitLabel, usualMeasure } from "./metrics";

const counter = { kind: "sum", unit: "{token}", temporality: "cumulative", monotonic: true };
const histogram = { kind: "exponential_histogram", unit: "s" };
const FROM = "2026-11-27T00:00:00.000000Z";

const found = (of: Partial<MetricSeries>): MetricSeries => ({
  name: "tokens",
  form: counter,
  from: FROM,
  to: "2026-11-27T00:06:00.001000Z",
  step_ms: 120_000,
  measures: ["increase", "rate"],
  groups: [],
  more: false,
  attributes: [],
  points: 3,
  more_forms: 0,
  ...of,
});
const step = (minute: number, ...values: (number | null)[]) => ({ start: `2026-11-27T00:0${minute}:00.000000Z`, values });

test("kinds and units are called as people call them", () => {
  expect(kindLabel(counter)).toBe("counter");
  expect(kindLabel({ ...counter, monotonic: false })).toBe("sum");
  expect(kindLabel(histogram)).toBe("exponential histogram");
  expect(["{token}", "1", "ms", ""].map(unitLabel)).toEqual(["token", "", "ms", ""]);
});

test("each of what is sent under one name has a value, a label and a question of its own", () => {
  const falling = { ...counter, monotonic: false };
  const forms = [
    counter,
    falling,
    { ...falling, temporality: "delta" },
    { ...falling, temporality: null },
    { kind: "gauge", unit: "{token}" },
    { kind: "gauge", unit: "" },
  ];
  expect(forms.map(formLabel)).toEqual([
    "counter, {token}",
    "sum, cumulative, {token}",
    "sum, delta, {token}",
    "sum, unspecified, {token}",
    "gauge, {token}",
    "gauge, no unit",
  ]);
  expect(forms.map((form) => askedFor(formValue(form)))).toEqual([
    { kind: "sum", monotonic: true, unit: "{token}" },
    { kind: "sum", monotonic: false, temporality: "cumulative", unit: "{token}" },
    { kind: "sum", monotonic: false, temporality: "delta", unit: "{token}" },
    { kind: "sum", monotonic: false, temporality: "unspecified", unit: "{token}" },
    { kind: "gauge", unit: "{token}" },
    { kind: "gauge", unit: "" },
  ]);
  expect(askedFor("")).toEqual({});
  // As addresses were before, and units with anything in them.
  expect(askedFor("sum a-b c")).toEqual({ kind: "sum", unit: "a-b c" });
});

test("numbers are written in the unit of the metric, and a rate is of each second", () => {
  expect(formatOf(counter, "increase").format(12)).toBe("12 token");
  expect(formatOf(counter, "rate").format(0.123456)).toBe("0.1235 token/s");
  expect(formatOf(histogram, "p95").format(1.5)).toBe("1.50 s");
  expect(formatOf(histogram, "count").format(7)).toBe("7");
  expect(formatOf({ kind: "gauge", unit: "By" }, "last").format(1_500)).toBe("1.5 KB");
  expect(formatOf({ kind: "gauge", unit: "ms" }, "last").format(-2)).toBe("-2 ms");
});

describe("what is drawn", () => {
  test("a step in which nothing came has no value, and groups have a line each", () => {
    const groups = [
      { value: "input", steps: [step(0, 4, 0.5), step(4, 2, 0.25)] },
      { value: null, steps: [step(2, 1, null)] },
    ];
    const shown = drawn(found({ by: "type", groups }), "rate");
    expect(shown.times.map((s) => new Date(s * 1000).getUTCMinutes())).toEqual([0, 2, 4, 6]);
    expect(shown.series.map((s) => [s.label, s.values, s.shape])).toEqual([
      ["input", [0.5, null, 0.25, null], "line"],
      ["none", [null, null, null, null], "line"],
    ]);
  });

  test("what was counted is a bar where it stands alone", () => {
    const one = found({ groups: [{ steps: [step(0, 4, 0.5)] }] });
    expect(drawn(one, "increase").series[0]).toMatchObject({ label: "increase", shape: "bar" });
    expect(drawn(one, "rate").series[0]!.shape).toBe("line");
    expect(summaryOf(one, "increase", drawn(one, "increase"))).toBe("tokens, increase, 4 points in time. increase: from 4 token to 4 token");
  });
});

test("what is shown first is what people look for first", () => {
  expect(usualMeasure(["increase", "rate"])).toBe("rate");
  expect(usualMeasure(["count", "mean", "p50", "p95", "p99"])).toBe("p95");
  expect(usualMeasure(["mean", "min", "max", "last"])).toBe("mean");
  expect(usualMeasure(["last"])).toBe("last");
  expect(usualMeasure([])).toBe("");
});
