import type { Span } from "@/api/types";
import { attributesOf } from "./attributes";

export interface Row {
  span: Span;
  depth: number;
  children: number;
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

/**
 * Spans as an indented list in order of time. Spans whose parent is unknown become roots (a client's parent is often not ours);
 * spans that are their own ancestors are cut loose instead of being lost.
 */
export function layout(spans: readonly Span[]): Waterfall {
  const byId = new Map<string, Span>();
  for (const span of spans) if (!byId.has(span.span)) byId.set(span.span, span);
  const times = new Map([...byId.values()].map((s) => [s.span, { start: parseTime(s.start), end: Math.max(parseTime(s.end), parseTime(s.start)) }]));
  if (byId.size === 0) return { rows: [], startMs: 0, durationMs: 0 };

  const children = new Map<string, Span[]>();
  const roots: Span[] = [];
  for (const span of byId.values()) {
    if (span.parent && span.parent !== span.span && byId.has(span.parent)) {
      const list = children.get(span.parent);
      if (list) list.push(span);
      else children.set(span.parent, [span]);
    } else roots.push(span);
  }
  const inOrder = (a: Span, b: Span) =>
    times.get(a.span)!.start - times.get(b.span)!.start || times.get(b.span)!.end - times.get(a.span)!.end || a.span.localeCompare(b.span);

  let startMs = Infinity;
  let endMs = -Infinity;
  for (const { start, end } of times.values()) {
    startMs = Math.min(startMs, start);
    endMs = Math.max(endMs, end);
  }
  const durationMs = endMs - startMs;
  const rows: Row[] = [];
  const seen = new Set<string>();

  const visit = (root: Span) => {
    const stack: { span: Span; depth: number; parent: string | null }[] = [{ span: root, depth: 0, parent: null }];
    while (stack.length > 0) {
      const { span, depth, parent } = stack.pop()!;
      if (seen.has(span.span)) continue;
      seen.add(span.span);
      const own = (children.get(span.span) ?? []).filter((c) => !seen.has(c.span)).sort(inOrder);
      const { start, end } = times.get(span.span)!;
      rows.push({
        span,
        depth,
        children: own.length,
        parent,
        startMs: start - startMs,
        durationMs: end - start,
        left: durationMs > 0 ? (start - startMs) / durationMs : 0,
        width: durationMs > 0 ? (end - start) / durationMs : 1,
        selfMs: selfTime(
          start,
          end,
          own.map((c) => times.get(c.span)!),
        ),
      });
      for (const child of own.toReversed()) stack.push({ span: child, depth: depth + 1, parent: span.span });
    }
  };
  for (const root of roots.sort(inOrder)) visit(root);
  for (const span of [...byId.values()].sort(inOrder)) if (!seen.has(span.span)) visit(span);
  return { rows, startMs, durationMs };
}

/** Children may overlap each other and stick out of their parent. */
function selfTime(start: number, end: number, children: { start: number; end: number }[]): number {
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
  let below = Infinity;
  return rows.filter((row) => {
    if (row.depth > below) return false;
    below = folded.has(row.span.span) ? row.depth : Infinity;
    return true;
  });
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

export function roleOf(span: Span): SpanRole {
  const operation = String(attributesOf(span)["gen_ai.operation.name"] ?? "");
  if (/^(chat|text_completion|generate_content)$/.test(operation)) return span.parent ? "model" : "request";
  if (operation === "embeddings") return "embed";
  if (operation === "execute_tool") return "tool";
  if (/retriev|search/.test(operation) || /retriev|search|bm25|vector|lake/.test(span.name)) return "retrieve";
  if (/rerank/.test(span.name)) return "rerank";
  if (/embed/.test(span.name)) return "embed";
  if (/prompt|render/.test(span.name)) return "prompt";
  if (/ingest|parse|chunk/.test(span.name)) return "ingest";
  return !span.parent || span.kind === "server" ? "request" : "other";
}
