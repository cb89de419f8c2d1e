import type { TreeSpan } from "@/api/types";

export interface Row {
  span: TreeSpan;
  depth: number;
  children: number;
  /** Spans below it, however deep, and how many of them failed. */
  below: number;
  failedBelow: number;
  /** The row above in the tree; null for a root. */
  parent: string | null;
  startMs: number;
  durationMs: number;
  /** Share of the trace's length, 0 to 1. */
  left: number;
  width: number;
  /** Time in this span and in none of its children. */
  selfMs: number;
}

export interface Waterfall {
  rows: Row[];
  startMs: number;
  durationMs: number;
}

/** RFC 3339 to milliseconds, keeping the microseconds that `Date.parse` drops. */
export function parseTime(text: string): number {
  const whole = Date.parse(text);
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? "";
  return Math.floor(whole / 1000) * 1000 + Number(`0.${fraction || "0"}`) * 1000;
}

interface Placed {
  span: TreeSpan;
  start: number;
  end: number;
}

/**
 * Spans as an indented list in order of time. Spans whose parent is unknown become roots (a client's parent is often not ours);
 * spans that are their own ancestors are cut loose instead of being lost.
 */
export function layout(spans: readonly TreeSpan[]): Waterfall {
  const byId = new Map<string, Placed>();
  let startMs = Infinity;
  let endMs = -Infinity;
  for (const span of spans) {
    if (byId.has(span.span)) continue;
    const start = parseTime(span.start);
    const end = start + Math.max(0, span.duration_ms);
    byId.set(span.span, { span, start, end });
    startMs = Math.min(startMs, start);
    endMs = Math.max(endMs, end);
  }
  if (byId.size === 0) return { rows: [], startMs: 0, durationMs: 0 };

  const inOrder = (a: Placed, b: Placed) => a.start - b.start || b.end - a.end || (a.span.span < b.span.span ? -1 : 1);
  const children = new Map<string, Placed[]>();
  const roots: Placed[] = [];
  const all = [...byId.values()].sort(inOrder);
  for (const one of all) {
    const { span, parent } = one.span;
    if (parent && parent !== span && byId.has(parent)) {
      const list = children.get(parent);
      if (list) list.push(one);
      else children.set(parent, [one]);
    } else roots.push(one);
  }

  const durationMs = endMs - startMs;
  const rows: Row[] = [];
  const above: number[] = [];
  const seen = new Set<string>();
  const visit = (root: Placed) => {
    const stack: { one: Placed; depth: number; parent: number }[] = [{ one: root, depth: 0, parent: -1 }];
    while (stack.length > 0) {
      const { one, depth, parent } = stack.pop()!;
      const { span, start, end } = one;
      if (seen.has(span.span)) continue;
      seen.add(span.span);
      const own = (children.get(span.span) ?? []).filter((c) => !seen.has(c.span.span));
      const at = rows.length;
      rows.push({
        span,
        depth,
        children: own.length,
        below: 0,
        failedBelow: 0,
        parent: rows[parent]?.span.span ?? null,
        startMs: start - startMs,
        durationMs: end - start,
        left: durationMs > 0 ? (start - startMs) / durationMs : 0,
        width: durationMs > 0 ? (end - start) / durationMs : 1,
        selfMs: selfTime(one, own),
      });
      above.push(parent);
      for (let i = own.length - 1; i >= 0; i--) stack.push({ one: own[i]!, depth: depth + 1, parent: at });
    }
  };
  for (const root of roots) visit(root);
  for (const one of all) if (!seen.has(one.span.span)) visit(one);
  // Whatever is below comes later.
  for (let i = rows.length - 1; i >= 0; i--) {
    const parent = rows[above[i]!];
    if (!parent) continue;
    parent.below += rows[i]!.below + 1;
    parent.failedBelow += rows[i]!.failedBelow + Number(rows[i]!.span.status === "error");
  }
  return { rows, startMs, durationMs };
}

/** Children may overlap each other and stick out of their parent. */
function selfTime({ start, end }: Placed, children: readonly Placed[]): number {
  let covered = 0;
  let reached = start;
  for (const child of children) {
    const from = Math.max(child.start, reached);
    const to = Math.min(child.end, end);
    if (to > from) {
      covered += to - from;
      reached = to;
    }
  }
  return end - start - covered;
}

/** The rows left when some spans are folded. */
export function visible(rows: readonly Row[], folded: ReadonlySet<string>): Row[] {
  if (folded.size === 0) return [...rows];
  const shown: Row[] = [];
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    shown.push(row);
    if (folded.has(row.span.span)) i += row.below;
  }
  return shown;
}

/** Everything below the roots' children, which is what folding everything hides. */
export const foldable = (rows: readonly Row[]): Set<string> =>
  new Set(rows.filter((row) => row.depth > 0 && row.children > 0).map((row) => row.span.span));

/** The spans that the trace waited for: walked back from its end, always to the child that ended last. */
export function criticalPath(rows: readonly Row[]): Set<string> {
  const path = new Set<string>();
  const children = new Map<string, Row[]>();
  let root: Row | undefined;
  for (const row of rows) {
    if (row.parent === null) {
      if (!root || row.durationMs > root.durationMs) root = row;
    } else {
      const list = children.get(row.parent);
      if (list) list.push(row);
      else children.set(row.parent, [row]);
    }
  }
  const endOf = (row: Row) => row.startMs + row.durationMs;
  const stack = root ? [{ row: root, until: endOf(root) }] : [];
  while (stack.length > 0) {
    const { row, until } = stack.pop()!;
    path.add(row.span.span);
    let reached = until;
    // What goes on after its parent is waited for until its parent ends.
    for (const child of (children.get(row.span.span) ?? []).toSorted((a, b) => endOf(b) - endOf(a))) {
      if (reached <= row.startMs) break;
      const end = Math.min(endOf(child), until);
      if (end > reached || child.startMs >= reached) continue;
      stack.push({ row: child, until: end });
      reached = child.startMs;
    }
  }
  return path;
}

/** Where most of the waiting was done by a span itself. */
export function slowest(rows: readonly Row[], path: ReadonlySet<string>): Row | undefined {
  let found: Row | undefined;
  for (const row of rows) if (path.has(row.span.span) && (!found || row.selfMs > found.selfMs)) found = row;
  return found;
}

/** The rows that say this, by where they stand. */
export function matching(rows: readonly Row[], text: string): number[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return [];
  const found: number[] = [];
  rows.forEach(({ span }, i) => {
    const said = `${span.name}\n${span.kind ?? ""}\n${span.model ?? ""}\n${span.error ?? ""}\n${span.preview ?? ""}\n${span.span}`;
    if (said.toLowerCase().includes(wanted)) found.push(i);
  });
  return found;
}

/** The next of these places after one, or before it; round the end. */
export function nextOf(places: readonly number[], at: number, step: 1 | -1): number | undefined {
  const next = step > 0 ? places.find((place) => place > at) : places.findLast((place) => place < at);
  return next ?? places.at(step > 0 ? 0 : -1);
}

const INDENT = 15;
/** All indents of a row together take no more than this, so that there is room for its name. */
const INDENTS = 120;
const LEVELS = 40;

/** How far a row is moved in, in a trace whose deepest is at `deepest`: the deeper it is, the shorter the steps. Below forty levels all stand alike. */
export function indentOf(depth: number, deepest: number): number {
  const levels = Math.min(deepest, LEVELS);
  return Math.min(depth, LEVELS) * Math.min(INDENT, INDENTS / Math.max(1, levels));
}

/** Round tick values over a length of time: at most `most` of them after zero. */
export function ticks(durationMs: number, most: number): number[] {
  if (!(durationMs > 0) || most < 1) return [0];
  const rough = durationMs / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough)!;
  const found: number[] = [];
  for (let i = 0; i * step <= durationMs * (1 + 1e-9); i++) found.push(i * step);
  return found;
}

/** What a span does, for its colour. */
export type SpanRole = "request" | "model" | "retrieve" | "embed" | "rerank" | "prompt" | "tool" | "ingest" | "other";

const BY_KIND: Record<string, SpanRole> = {
  chat: "model",
  embedding: "embed",
  rerank: "rerank",
  tool: "tool",
  retriever: "retrieve",
};

export function roleOf(span: TreeSpan): SpanRole {
  const role = BY_KIND[span.kind ?? ""];
  if (role) return role === "model" && !span.parent ? "request" : role;
  if (/retriev|search|bm25|vector|lake/.test(span.name)) return "retrieve";
  if (/rerank/.test(span.name)) return "rerank";
  if (/embed/.test(span.name)) return "embed";
  if (/prompt|render/.test(span.name)) return "prompt";
  if (/ingest|parse|chunk/.test(span.name)) return "ingest";
  return span.parent ? "other" : "request";
}
