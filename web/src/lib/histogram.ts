// Bars over time from measures in buckets: where nothing happened the server says nothing.

import type { TraceMetrics } from "@/api/types";

export interface Bar {
  /** Milliseconds since the epoch. */
  start: number;
  end: number;
  count: number;
  errors: number;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WIDTHS: [ms: number, name: string][] = [
  [SECOND, "1s"],
  [5 * SECOND, "5s"],
  [10 * SECOND, "10s"],
  [30 * SECOND, "30s"],
  [MINUTE, "1m"],
  [2 * MINUTE, "2m"],
  [5 * MINUTE, "5m"],
  [10 * MINUTE, "10m"],
  [15 * MINUTE, "15m"],
  [30 * MINUTE, "30m"],
  [HOUR, "1h"],
  [2 * HOUR, "2h"],
  [6 * HOUR, "6h"],
  [12 * HOUR, "12h"],
  [DAY, "1d"],
  [7 * DAY, "7d"],
  [30 * DAY, "30d"],
];

export interface Bucket {
  ms: number;
  /** As the server takes it. */
  name: string;
}

/** The shortest bucket of which so many cover this time. */
export function bucketFor(fromMs: number, toMs: number, most = 90): Bucket {
  const [ms, name] = WIDTHS.find(([width]) => (toMs - fromMs) / width <= most) ?? WIDTHS.at(-1)!;
  return { ms, name };
}

export function bars(metrics: Pick<TraceMetrics, "rows">, fromMs: number, toMs: number, { ms }: Bucket): Bar[] {
  const first = Math.floor(fromMs / ms) * ms;
  const length = Math.max(1, Math.ceil((toMs - first) / ms));
  const found = Array.from({ length }, (_, i): Bar => ({ start: first + i * ms, end: first + (i + 1) * ms, count: 0, errors: 0 }));
  for (const row of metrics.rows) {
    const bar = row.start == null ? undefined : found[Math.round((Date.parse(row.start) - first) / ms)];
    if (!bar) continue;
    bar.count += row.values.count ?? row.values.traces ?? 0;
    bar.errors += row.values.errors ?? 0;
  }
  return found;
}
