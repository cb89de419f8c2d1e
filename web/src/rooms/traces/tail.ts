// Spans as they are stored, the newest first, no more than can be looked through.

import type { SpanSummary, TailEvent } from "@/api/types";

export const KEPT = 500;

export class TailBoard {
  #rows: SpanSummary[] = [];
  /** Spans that this browser was too slow for. */
  missed = 0;
  /** Spans that came since the board was last looked at. */
  fresh = 0;

  push(event: TailEvent): void {
    if (event.event === "missed") this.missed += event.spans;
    if (event.event !== "span") return;
    this.#rows.push(event);
    this.fresh++;
    // The oldest stand first; cutting now and then costs less than cutting for each.
    if (this.#rows.length > KEPT * 2) this.#rows = this.#rows.slice(-KEPT);
  }

  rows(): SpanSummary[] {
    return this.#rows.slice(-KEPT).reverse();
  }

  clear(): void {
    this.#rows = [];
    this.fresh = this.missed = 0;
  }
}
