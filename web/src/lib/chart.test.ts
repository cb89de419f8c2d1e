import { describe, expect, test } from "vitest";
import { heaped, hoursOf, loneAt, meant, rangeOf, spanOf, totalAt } from "./chart";

describe("the upright axis", () => {
  test("begins at nought, and lower where something is", () => {
    expect(rangeOf(2, 10)).toEqual([0, 10 * 1.12]);
    const [low, high] = rangeOf(-5, 10);
    expect(low).toBeLessThan(-5);
    expect(high).toBeGreaterThan(10);
    expect(rangeOf(-5, -1)).toEqual([-5 * 1.12, 0]);
    expect(rangeOf(null, null)).toEqual([0, 1]);
    expect(rangeOf(0, 0)).toEqual([0, 1]);
  });
});

describe("the level axis", () => {
  test("goes half a step beyond what there is, and is an hour about a single time", () => {
    expect(spanOf([100, 160, 220])).toEqual([70, 250]);
    expect(spanOf([7200])).toEqual([5400, 9000]);
    // Two looks at the same moment.
    expect(spanOf([7200, 7200])).toEqual([5400, 9000]);
    expect(spanOf([])).toBeNull();
  });

  test("no two of its marks say the same, however near they are to each other", () => {
    const told = (length: number, apart: number) => {
      const times = [0, length];
      const marks = Array.from({ length: Math.floor(length / apart) + 1 }, (_, i) => hoursOf(times, apart).format(new Date(i * apart * 1000)));
      return [marks.length, new Set(marks).size];
    };
    for (const [length, apart] of [
      [30, 5],
      [600, 30],
      [3600, 600],
      [86_400 - 3600, 3600],
      [30 * 3600, 6 * 3600],
      [5 * 86_400, 21_600],
    ]) {
      const [all, different] = told(length!, apart!);
      expect(different, `${length} s, every ${apart} s`).toBe(all);
    }
  });
});

test("values without others beside them are points", () => {
  expect(loneAt([1, null, 2, 3, null, 4])).toEqual([0, 5]);
  expect(loneAt([undefined, 7, undefined])).toEqual([1]);
  expect(loneAt([null, null])).toEqual([]);
  expect(loneAt([1, 2])).toEqual([]);
});

describe("what a pointer means", () => {
  const line = (...values: (number | null)[]) => ({ shape: "line" as const, values });
  const bar = (...values: (number | null)[]) => ({ shape: "bar" as const, values });

  test("of lines the nearest that has a value there", () => {
    const lines = [line(1, 1), line(10, null), line(4, 4)];
    expect(meant(lines, 0, 8)).toBe(1);
    expect(meant(lines, 1, 8)).toBe(2);
    expect(meant([line(null)], 0, 8)).toBeUndefined();
  });

  test("of bars the lowest that reaches up to it, and else the tallest", () => {
    const bars = [bar(9), bar(3), bar(0)];
    expect(meant(bars, 0, 2)).toBe(1);
    expect(meant(bars, 0, 5)).toBe(0);
    expect(meant(bars, 0, 50)).toBe(0);
    expect(meant([bar(0)], 0, 0)).toBeUndefined();
  });
});

describe("values that stand upon one another", () => {
  const parts = [{ values: [2, 0, null] }, { values: [3, -1, null] }, { values: [1, -4, 5] }];

  test("reach as far as those below and themselves, and hang down from nought", () => {
    expect(heaped(parts)).toEqual([
      [2, 0, null],
      [5, -1, null],
      [6, -5, 5],
    ]);
    expect(heaped([])).toEqual([]);
  });

  test("come to a total, unless nothing is known", () => {
    expect([0, 1, 2].map((at) => totalAt(parts, at))).toEqual([6, -5, 5]);
    expect(totalAt([{ values: [null] }], 0)).toBeNull();
    expect(totalAt([], 0)).toBeNull();
  });

  test("are meant by a pointer within them, not by one within what they stand on", () => {
    const bars = heaped([{ values: [4] }, { values: [0] }, { values: [2] }]).map((values) => ({ shape: "bar" as const, values }));
    expect([1, 3.9, 4.5, 6, 99].map((height) => meant(bars, 0, height))).toEqual([0, 0, 2, 2, 2]);
  });
});
