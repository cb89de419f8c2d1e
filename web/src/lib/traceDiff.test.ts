import { describe, expect, it } from "vitest";
import type { TreeSpan } from "@/api/types";
import { align, changeOf } from "./traceDiff";

const at = (ms: number) => new Date(1_700_000_000_000 + ms).toISOString();
let number = 0;
const span = (id: string, parent: string | null, name: string, from: number, more: Partial<TreeSpan> = {}): TreeSpan => ({
  span: id,
  parent,
  name,
  start: at(from),
  duration_ms: 10,
  status: "ok",
  ...more,
});
const shown = (before: TreeSpan[], after: TreeSpan[]) =>
  align(before, after).map((p) => `${"  ".repeat(p.depth)}${p.fate} ${(p.after ?? p.before)!.span.name}`);

describe("two traces", () => {
  it("are paired by structure and name, whatever their ids are", () => {
    const before = [span("a", null, "ask", 0), span("b", "a", "retrieve", 1), span("c", "b", "lake", 2), span("d", "a", "chat", 20)];
    const after = [
      span("1", null, "ask", 0),
      span("2", "1", "retrieve", 1),
      span("3", "2", "lake", 2),
      span("4", "1", "rerank", 12),
      span("5", "1", "chat", 20, { output_tokens: 7 }),
    ];
    expect(shown(before, after)).toEqual(["same ask", "  same retrieve", "    same lake", "  added rerank", "  changed chat"]);
    expect(shown(after, before)).toEqual(["same ask", "  same retrieve", "    same lake", "  removed rerank", "  changed chat"]);
  });

  it("show a step of the same kind under another name as changed", () => {
    const before = [span("a", null, "ask", 0), span("b", "a", "chat gpt-4o", 1, { kind: "chat", cost: "0.5" })];
    const after = [span("1", null, "ask", 0), span("2", "1", "chat small", 1, { kind: "chat", cost: "0.1", duration_ms: 40 })];
    const pairs = align(before, after);
    expect(pairs.map((p) => p.fate)).toEqual(["same", "changed"]);
    const change = changeOf(pairs[1]!);
    expect([change.duration, change.tokens, change.cost!.toFixed(2)]).toEqual([30, null, "-0.40"]);
  });

  it("lose no span, also where there are thousands side by side", () => {
    const many = (n: number, every: number) => [
      span("root", null, "walk", 0),
      ...Array.from({ length: n }, (_, i) => span(`s${number++}`, "root", `step ${i % every}`, i + 1)),
    ];
    const [before, after] = [many(12_000, 50), many(11_000, 50)];
    const pairs = align(before, after);
    expect(pairs.filter((p) => p.before).length).toBe(before.length);
    expect(pairs.filter((p) => p.after).length).toBe(after.length);
    expect(pairs.filter((p) => p.fate === "removed").length).toBe(1_000);
  });

  it("are told apart when there is nothing of one", () => {
    expect(shown([], [span("a", null, "ask", 0)])).toEqual(["added ask"]);
    expect(align([], [])).toEqual([]);
  });
});
