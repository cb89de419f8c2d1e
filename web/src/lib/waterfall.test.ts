import { describe, expect, it } from "vitest";
import type { TreeSpan } from "@/api/types";
import { criticalPath, foldable, indentOf, layout, matching, nextOf, parseTime, slowest, ticks, visible } from "./waterfall";

const at = (ms: number) => new Date(1_700_000_000_000 + ms).toISOString();
const span = (id: string, parent: string | null, from: number, to: number, more: Partial<TreeSpan> = {}): TreeSpan => ({
  span: id,
  parent,
  name: id,
  start: at(from),
  duration_ms: to - from,
  status: "ok",
  ...more,
});
const shape = (spans: TreeSpan[]) => layout(spans).rows.map((r) => `${"  ".repeat(r.depth)}${r.span.span}`);

describe("the waterfall", () => {
  it("indents children below parents in order of time, whatever order they came in", () => {
    expect(shape([span("c", "a", 50, 60), span("d", "b", 10, 20), span("a", null, 0, 100), span("b", "a", 5, 40)])).toEqual([
      "a",
      "  b",
      "    d",
      "  c",
    ]);
  });

  it("places bars as shares of the whole", () => {
    const { rows, durationMs } = layout([span("a", null, 0, 200), span("b", "a", 50, 150)]);
    expect(durationMs).toBe(200);
    expect(rows[1]).toMatchObject({ left: 0.25, width: 0.5, startMs: 50, durationMs: 100 });
  });

  it("makes roots of spans whose parent is unknown", () => {
    expect(shape([span("x", "elsewhere", 0, 10), span("y", "x", 1, 2)])).toEqual(["x", "  y"]);
  });

  it("shows spans in a circle once each instead of hanging or losing them", () => {
    expect(
      shape([span("a", "b", 0, 1), span("b", "a", 0, 1), span("s", "s", 2, 3)])
        .map((s) => s.trim())
        .sort(),
    ).toEqual(["a", "b", "s"]);
  });

  it("shows a span that came twice once", () => {
    expect(shape([span("a", null, 0, 1), span("a", null, 0, 1)])).toEqual(["a"]);
  });

  it("survives no spans, spans of no length and spans that end before they start", () => {
    expect(layout([])).toEqual({ rows: [], startMs: 0, durationMs: 0 });
    expect(layout([span("a", null, 5, 5)]).rows[0]).toMatchObject({ left: 0, width: 1 });
    expect(layout([span("a", null, 9, 5)]).rows[0]).toMatchObject({ durationMs: 0 });
  });

  it("counts overlapping children once in self time", () => {
    const { rows } = layout([span("a", null, 0, 100), span("b", "a", 10, 50), span("c", "a", 30, 60), span("d", "a", 90, 140)]);
    expect(rows[0]!.selfMs).toBe(40);
  });

  it("hides everything below a folded span, and says how much that is and what of it failed", () => {
    const { rows } = layout([
      span("a", null, 0, 9),
      span("b", "a", 1, 8),
      span("c", "b", 2, 3, { status: "error" }),
      span("e", "c", 2, 3),
      span("d", "a", 8, 9),
    ]);
    expect(visible(rows, new Set(["b"])).map((r) => r.span.span)).toEqual(["a", "b", "d"]);
    expect(rows.map((r) => [r.span.span, r.below, r.failedBelow])).toEqual([
      ["a", 4, 1],
      ["b", 2, 1],
      ["c", 1, 0],
      ["e", 0, 0],
      ["d", 0, 0],
    ]);
    expect([...foldable(rows)]).toEqual(["b", "c"]);
  });

  it("goes ten thousand deep without overflowing", () => {
    const spans = Array.from({ length: 10_000 }, (_, i) => span(String(i), i === 0 ? null : String(i - 1), i, 20_000));
    expect(layout(spans).rows.length).toBe(10_000);
    expect(criticalPath(layout(spans).rows).size).toBe(10_000);
  });
});

describe("the way through a trace", () => {
  const spans = [
    span("root", null, 0, 100),
    span("fast", "root", 0, 20),
    span("slow", "root", 5, 60),
    span("inner", "slow", 30, 60),
    span("last", "root", 62, 98),
    span("beside", "root", 62, 70),
  ];

  it("is what was waited for", () => {
    const { rows } = layout(spans);
    expect([...criticalPath(rows)].sort()).toEqual(["inner", "last", "root", "slow"]);
    expect(slowest(rows, criticalPath(rows))!.span.span).toBe("last");
    expect(criticalPath([]).size).toBe(0);
  });

  it("counts what goes on after its parent up to the parent's end", () => {
    const { rows } = layout([span("root", null, 0, 10), span("background", "root", 4, 50), span("before", "root", 0, 4)]);
    expect([...criticalPath(rows)].sort()).toEqual(["background", "before", "root"]);
  });

  it("is searched by name, model, error and first words", () => {
    const { rows } = layout([
      span("a", null, 0, 9, { name: "request", preview: "How is the Gate painted?" }),
      span("b", "a", 1, 2, { name: "chat", model: "gpt-4o" }),
      span("c", "a", 3, 4, { error: "the gate is shut" }),
    ]);
    expect(matching(rows, "gate")).toEqual([0, 2]);
    expect(matching(rows, "GPT")).toEqual([1]);
    expect(matching(rows, "  ")).toEqual([]);
    expect([nextOf([0, 2], 0, 1), nextOf([0, 2], 2, 1), nextOf([0, 2], 0, -1), nextOf([], 0, 1)]).toEqual([2, 0, 2, undefined]);
  });
});

describe("indents", () => {
  it("are wide where a trace is shallow, and leave room for the names where it is deep", () => {
    expect([0, 1, 8].map((depth) => indentOf(depth, 8))).toEqual([0, 15, 120]);
    expect(indentOf(0, 0)).toBe(0);
    for (const deepest of [14, 30, 40, 3_000]) {
      const all = Array.from({ length: Math.min(deepest, 40) + 1 }, (_, depth) => indentOf(depth, deepest));
      expect(Math.max(...all), `${deepest} levels`).toBeLessThanOrEqual(120);
      expect(new Set(all).size, "each level is told apart").toBe(all.length);
    }
    expect(indentOf(2_999, 3_000)).toBe(120);
  });
});

describe("times", () => {
  it("keep microseconds", () => {
    expect(parseTime("2026-01-02T03:04:05.000250Z") - parseTime("2026-01-02T03:04:05Z")).toBeCloseTo(0.25, 3);
  });

  it("give round ticks that cover the length", () => {
    expect(ticks(950, 5)).toEqual([0, 200, 400, 600, 800]);
    expect(ticks(0, 5)).toEqual([0]);
    for (const d of [0.3, 7, 123, 4567, 98765]) expect(ticks(d, 6).length).toBeLessThanOrEqual(7);
  });
});
