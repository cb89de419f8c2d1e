// Two traces beside each other: spans are paired by where they stand in the tree and what they are called.

import type { TreeSpan } from "@/api/types";
import { diff } from "./diff";
import { layout, type Row } from "./waterfall";

export type Fate = "same" | "changed" | "added" | "removed";

export interface Pair {
  before: Row | null;
  after: Row | null;
  depth: number;
  fate: Fate;
}

/** Longer lists are paired by how often a name came, which costs no more than reading them. */
const EXACT_MAX = 1_500;

const keyOf = (row: Row): string => `${row.span.kind ?? ""}\n${row.span.name}`;

type Couple = [before: Row | null, after: Row | null];

export function align(before: readonly TreeSpan[], after: readonly TreeSpan[]): Pair[] {
  const [old, now] = [tree(before), tree(after)];
  const pairs: Pair[] = [];
  const stack: { couple: Couple; depth: number }[] = [];
  const push = (couples: Couple[], depth: number) => {
    for (let i = couples.length - 1; i >= 0; i--) stack.push({ couple: couples[i]!, depth });
  };
  push(couple(old.of(null), now.of(null)), 0);
  while (stack.length > 0) {
    const { couple: found, depth } = stack.pop()!;
    const [a, b] = found;
    pairs.push({ before: a, after: b, depth, fate: fateOf(a, b) });
    push(couple(a ? old.of(a.span.span) : [], b ? now.of(b.span.span) : []), depth + 1);
  }
  return pairs;
}

function tree(spans: readonly TreeSpan[]): { of: (parent: string | null) => readonly Row[] } {
  const children = new Map<string | null, Row[]>();
  for (const row of layout(spans).rows) {
    const list = children.get(row.parent);
    if (list) list.push(row);
    else children.set(row.parent, [row]);
  }
  return { of: (parent) => children.get(parent) ?? [] };
}

function couple(before: readonly Row[], after: readonly Row[]): Couple[] {
  if (before.length === 0) return after.map((row): Couple => [null, row]);
  if (after.length === 0) return before.map((row): Couple => [row, null]);
  return renamed(before.length + after.length > EXACT_MAX ? byTurn(before, after) : bySequence(before, after));
}

function bySequence(before: readonly Row[], after: readonly Row[]): Couple[] {
  let [a, b] = [0, 0];
  return diff(before.map(keyOf), after.map(keyOf)).map(({ op }): Couple => [op === "add" ? null : before[a++]!, op === "del" ? null : after[b++]!]);
}

function byTurn(before: readonly Row[], after: readonly Row[]): Couple[] {
  const waiting = new Map<string, Row[]>();
  for (const row of after) {
    const list = waiting.get(keyOf(row));
    if (list) list.push(row);
    else waiting.set(keyOf(row), [row]);
  }
  const used = new Map<string, number>();
  const couples = before.map((row): Couple => {
    const key = keyOf(row);
    const turn = used.get(key) ?? 0;
    used.set(key, turn + 1);
    return [row, waiting.get(key)?.[turn] ?? null];
  });
  for (const [key, rows] of waiting) for (const row of rows.slice(used.get(key) ?? 0)) couples.push([null, row]);
  return couples;
}

/** One that went and one of its kind that came in its place are the same step under another name: another model, another tool. */
function renamed(couples: readonly Couple[]): Couple[] {
  const found: Couple[] = [];
  let run: Couple[] = [];
  const settle = () => {
    const come = run.filter(([a]) => a === null).map(([, b]) => b!);
    for (const [gone, b] of run) {
      if (!gone) continue;
      const at = come.findIndex((row) => row.span.kind && row.span.kind === gone.span.kind);
      found.push([gone, b ?? (at >= 0 ? come.splice(at, 1)[0]! : null)]);
    }
    found.push(...come.map((row): Couple => [null, row]));
    run = [];
  };
  for (const one of couples) {
    if (one[0] && one[1]) {
      settle();
      found.push(one);
    } else run.push(one);
  }
  settle();
  return found;
}

/** Clocks differ a little every time. */
function fateOf(before: Row | null, after: Row | null): Fate {
  if (!before) return "added";
  if (!after) return "removed";
  const [a, b] = [before.span, after.span];
  const longer = Math.abs(before.durationMs - after.durationMs);
  const changed =
    a.name !== b.name ||
    a.model !== b.model ||
    a.status !== b.status ||
    a.preview !== b.preview ||
    a.input_tokens !== b.input_tokens ||
    a.output_tokens !== b.output_tokens ||
    a.cost !== b.cost ||
    (longer > 5 && longer > 0.2 * Math.max(before.durationMs, after.durationMs));
  return changed ? "changed" : "same";
}

const tokensOf = (row: Row | null): number | null =>
  row && (row.span.input_tokens != null || row.span.output_tokens != null) ? (row.span.input_tokens ?? 0) + (row.span.output_tokens ?? 0) : null;
const costOf = (row: Row | null): number | null => (row?.span.cost != null ? Number(row.span.cost) : null);

export interface Change {
  duration: number | null;
  tokens: number | null;
  cost: number | null;
}

/** How much more there is after; null where there is nothing to compare. */
export function changeOf({ before, after }: Pair): Change {
  const less = (a: number | null, b: number | null) => (a === null && b === null ? null : (b ?? 0) - (a ?? 0));
  return {
    duration: less(before?.durationMs ?? null, after?.durationMs ?? null),
    tokens: less(tokensOf(before), tokensOf(after)),
    cost: less(costOf(before), costOf(after)),
  };
}
