// Calls as they start, go on and end, put together from what the server tells.

import type { AnsweringCall, Call, LiveCall, StartedCall } from "@/api/types";

/** Calls that are kept: older ones are in the list of calls. */
export const KEPT = 1_000;

export interface LiveRow {
  id: string;
  begun: StartedCall;
  /** When it began, on this browser's clock. */
  since: number;
  answering?: AnsweringCall;
  settled?: Call;
}

export type LiveStatus = "started" | "streaming" | "ok" | "failed" | "cancelled" | "interrupted";

export const statusOf = (row: LiveRow): LiveStatus => (row.settled ? (row.settled.status as LiveStatus) : row.answering ? "streaming" : "started");
export const isOpen = (row: LiveRow): boolean => row.settled === undefined;
/** What the client called: a route where there is one. */
export const nameOf = (row: LiveRow): string => row.begun.route ?? row.begun.model;

const begunOf = (call: Call): StartedCall => ({
  id: call.id,
  started_at: call.started_at,
  key: call.key,
  principal: call.principal,
  user: call.user,
  app: call.app,
  model: call.model,
  route: call.route,
  operation: call.operation,
  batch: call.batch,
  batch_id: call.batch_id,
  trace_id: call.trace_id,
});

export interface Pulse {
  open: number;
  /** Of the last minute. */
  ended: number;
  failed: number;
  cost: number;
}

export class LiveBoard {
  #rows = new Map<string, LiveRow>();
  /** What ended in each second: more calls may end in a minute than are kept. */
  #ended = new Map<number, Omit<Pulse, "open">>();
  /** Events that this browser was too slow for. */
  missed = 0;
  /** Calls that were heard of since the board was last looked at. */
  fresh = 0;

  push(event: LiveCall, now: number): void {
    switch (event.event) {
      case "open":
        return this.#open(event.calls, event.more, now);
      case "started":
        return this.#start(event, now);
      case "answering": {
        const row = this.#rows.get(event.id);
        // One that was under way before anyone looked and is not told yet comes with the next list.
        if (row && !row.settled) this.#rows.set(event.id, { ...row, answering: event });
        return;
      }
      case "settled":
        return this.#settle(event, now);
      case "missed":
        this.missed += event.events;
    }
  }

  /** Calls that had ended before this was told of any. */
  fill(calls: readonly Call[], now: number): void {
    for (const call of calls) if (!this.#rows.get(call.id)?.settled) this.#settle(call, now, false);
  }

  #start(begun: StartedCall, now: number, heard = now): void {
    if (this.#rows.has(begun.id)) return;
    this.#rows.set(begun.id, { id: begun.id, begun, since: heard });
    this.fresh++;
    this.#trim();
  }

  #settle(call: Call, now: number, isNew = true): void {
    const row = this.#rows.get(call.id);
    if (!row && isNew) this.fresh++;
    if (!row?.settled) this.#count(call, now);
    this.#rows.set(call.id, row ? { ...row, settled: call } : { id: call.id, begun: begunOf(call), since: now - call.took_ms, settled: call });
    this.#trim();
  }

  #count(call: Call, now: number): void {
    const second = Math.floor(Date.parse(call.ended_at) / 1_000);
    if (second < now / 1_000 - 61) return;
    const { ended, failed, cost } = this.#ended.get(second) ?? { ended: 0, failed: 0, cost: 0 };
    this.#ended.set(second, { ended: ended + 1, failed: failed + Number(call.status === "failed"), cost: cost + Number(call.cost) });
  }

  pulse(now: number): Pulse {
    const sum: Pulse = { open: 0, ended: 0, failed: 0, cost: 0 };
    for (const row of this.#rows.values()) if (isOpen(row)) sum.open++;
    for (const [second, { ended, failed, cost }] of this.#ended) {
      if (second < now / 1_000 - 60) this.#ended.delete(second);
      else {
        sum.ended += ended;
        sum.failed += failed;
        sum.cost += cost;
      }
    }
    return sum;
  }

  /** What is under way, by the server's word: whatever else seems to be has ended unheard. */
  #open(calls: readonly StartedCall[], more: boolean, now: number): void {
    const open = new Set(calls.map((call) => call.id));
    if (!more) for (const row of this.#rows.values()) if (isOpen(row) && !open.has(row.id)) this.#rows.delete(row.id);
    for (const call of calls) this.#start(call, now, Math.min(now, Date.parse(call.started_at)));
  }

  #trim(): void {
    if (this.#rows.size <= KEPT * 1.2) return;
    const ended = this.rows().filter((row) => !isOpen(row));
    for (const row of ended.slice(Math.max(0, KEPT - (this.#rows.size - ended.length)))) this.#rows.delete(row.id);
  }

  /** The newest first. */
  rows(): LiveRow[] {
    return [...this.#rows.values()].sort((a, b) =>
      a.begun.started_at < b.begun.started_at ? 1 : a.begun.started_at > b.begun.started_at ? -1 : a.id < b.id ? 1 : -1,
    );
  }
}

export interface LiveFilter {
  status?: string;
  route?: string;
  key?: string;
  user?: string;
}

export function passes(row: LiveRow, filter: LiveFilter): boolean {
  const { status, route, key, user } = filter;
  if (status && (status === "open" ? !isOpen(row) : statusOf(row) !== status)) return false;
  return (!route || nameOf(row) === route) && (!key || row.begun.key === key) && (!user || row.begun.user === user);
}

/** What there is to choose from, and always what is chosen. */
export function choices(rows: readonly LiveRow[], of: (row: LiveRow) => string | null | undefined, chosen: string | undefined): string[] {
  const found = new Set(rows.map(of).filter((name): name is string => Boolean(name)));
  if (chosen) found.add(chosen);
  return [...found].sort((a, b) => a.localeCompare(b));
}
