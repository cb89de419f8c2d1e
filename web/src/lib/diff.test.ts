import { describe, expect, it } from "vitest";
import { diff, diffLines, diffWords, hunks } from "./diff";

const sides = (edits: { op: string; item: string }[], join = "") => ({
  before: edits
    .filter((e) => e.op !== "add")
    .map((e) => e.item)
    .join(join),
  after: edits
    .filter((e) => e.op !== "del")
    .map((e) => e.item)
    .join(join),
});

/** A small repeatable generator, so that a failure can be run again. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
}

describe("a diff", () => {
  it("gives both sides back, and is as short as the longest common subsequence allows", () => {
    const next = numbers(7);
    for (let round = 0; round < 400; round++) {
      const make = () => Array.from({ length: Math.floor(next() * 12) }, () => "abcd"[Math.floor(next() * 4)]!);
      const [a, b] = [make(), make()];
      const edits = diff(a, b);
      expect(sides(edits)).toEqual({ before: a.join(""), after: b.join("") });
      expect(edits.filter((e) => e.op === "same").length).toBe(lcs(a, b));
    }
  });

  it("of equal texts is all the same", () => {
    expect(diffLines("a\nb", "a\nb").every((e) => e.op === "same")).toBe(true);
  });

  it("keeps words and the space between them", () => {
    const edits = diffWords("The lake  commits\ndata.", "The lake safely commits data!");
    expect(sides(edits)).toEqual({ before: "The lake  commits\ndata.", after: "The lake safely commits data!" });
  });

  it("shows a changed phrase as one change, not word by word", () => {
    expect(diffWords("it was a torn page here", "it was one whole thing here")).toEqual([
      { op: "same", item: "it was " },
      { op: "del", item: "a torn page" },
      { op: "add", item: "one whole thing" },
      { op: "same", item: " here" },
    ]);
  });

  it("of two large unlike texts ends", () => {
    const a = Array.from({ length: 6000 }, (_, i) => `a${i}`);
    const b = Array.from({ length: 6000 }, (_, i) => `b${i}`);
    expect(diff(a, b).length).toBe(12000);
  });
});

describe("hunks", () => {
  it("leave out what did not change and number lines on both sides", () => {
    const before = Array.from({ length: 20 }, (_, i) => `line ${i}`).join("\n");
    const { hunks: found, skipped } = hunks(diffLines(before, before.replace("line 10", "new")), 2);
    expect(found.length).toBe(1);
    expect(found[0]!.skipped).toBe(8);
    expect(found[0]!.lines.map((l) => [l.op, l.before, l.after])).toEqual([
      ["same", 9, 9],
      ["same", 10, 10],
      ["del", 11, null],
      ["add", null, 11],
      ["same", 12, 12],
      ["same", 13, 13],
    ]);
    expect(skipped).toBe(7);
  });
});

function lcs(a: string[], b: string[]): number {
  const row = new Array<number>(b.length + 1).fill(0);
  for (const x of a) {
    let diagonal = 0;
    b.forEach((y, j) => {
      const above = row[j + 1]!;
      row[j + 1] = x === y ? diagonal + 1 : Math.max(above, row[j]!);
      diagonal = above;
    });
  }
  return row[b.length]!;
}
