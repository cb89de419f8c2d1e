// Spans as they are stored, the newest first, no more than can be looked through.

import type { SpanSummary, TailEvent } from "@/api/types";

export const KEPT = 500;
/** After a break spans are looked for that began so long before it, since they may have come within it. */
const BEFORE_MS = 120_000;
/** So many are known again, so that a span which both the list and the stream have is shown once. */
const KNOWN = 20_000;

const keyOf = (span: SpanSummary): string => `${span.trace_id}/${span.span}`;

export class TailBoard {
  #rows: SpanSummary[] = [];
  /** When the server said first, and when it said last, that it tells what comes. */
  #first: number | null = null;
  #last: number | null = null;
  /** The oldest first. */
  #known = new Set<string>();
  /** Of the list, since the stream was opened: the stream may tell them too. */
  #listed = new Set<string>();
  /** Whether some may not be shown that came while nobody followed. */
  gap = false;
  /** Spans that this browser was too slow for. */
  missed = 0;
  /** Spans that came since the board was last looked at. */
  fresh = 0;

  push(event: TailEvent): void {
    if (event.event === "missed") this.missed += event.spans;
    if (event.event === "open") {
      this.#last = Date.parse(event.at);
      this.#first ??= this.#last;
    }
    if (event.event !== "span") return;
    // One that its sender repeats is told again, and shown again.
    if (!this.#listed.delete(keyOf(event))) this.#show(event);
  }

  /** From when on the list has what came while nobody followed; null where nobody has followed yet. */
  since(): string | null {
    return this.#last === null ? null : new Date(this.#last - BEFORE_MS).toISOString();
  }

  /** What the list has, the newest first. What had ended before somebody looked on is not shown. */
  catchUp(listed: readonly SpanSummary[]): void {
    const first = this.#first ?? 0;
    const unseen = listed.filter((span) => !this.#known.has(keyOf(span)) && Date.parse(span.start) + span.duration_ms >= first);
    this.#listed = new Set(unseen.map(keyOf));
    unseen.toReversed().forEach((span) => this.#show(span));
  }

  #show(span: SpanSummary): void {
    this.#known.add(keyOf(span));
    const [oldest] = this.#known;
    if (this.#known.size > KNOWN && oldest !== undefined) this.#known.delete(oldest);
    this.#rows.push(span);
    this.fresh++;
    // The oldest stand first; cutting now and then costs less than cutting for each.
    if (this.#rows.length > KEPT * 2) this.#rows = this.#rows.slice(-KEPT);
  }

  rows(): SpanSummary[] {
    return this.#rows.slice(-KEPT).reverse();
  }

  clear(): void {
    this.#rows = [];
    this.#first = this.#last = null;
    this.#known = new Set();
    this.#listed = new Set();
    this.gap = false;
    this.fresh = this.missed = 0;
  }
}
