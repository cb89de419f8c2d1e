// What failed when: the last hour of some targets laid over each other, minute by minute.

import type { RouteTarget, TargetHistory } from "@/api/types";

export const MINUTES = 60;
const MINUTE_MS = 60_000;

export interface Mix {
  /** The beginnings of the minutes, the oldest first, in milliseconds since the epoch. */
  times: number[];
  attempts: number[];
  /** The classes that occurred, the most frequent first, with their counts by the minute. */
  classes: { name: string; counts: number[]; total: number }[];
}

/** Every minute of the hour that ends now, those without an attempt too: the server names only the others. */
export function mixOf(histories: readonly TargetHistory[], now: number): Mix {
  const last = Math.floor(now / MINUTE_MS);
  const times = Array.from({ length: MINUTES }, (_, i) => (last - MINUTES + 1 + i) * MINUTE_MS);
  const attempts = times.map(() => 0);
  const classes = new Map<string, number[]>();
  for (const { minutes } of histories) {
    for (const minute of minutes) {
      // The server's clock may be a little ahead.
      const at = Math.min(MINUTES - 1, Math.round(Date.parse(minute.at) / MINUTE_MS) - (last - MINUTES + 1));
      if (at < 0) continue;
      attempts[at]! += minute.attempts;
      for (const [name, count] of Object.entries(minute.failed)) {
        const counts = classes.get(name) ?? times.map(() => 0);
        counts[at]! += count;
        classes.set(name, counts);
      }
    }
  }
  const sum = (counts: number[]) => counts.reduce((a, b) => a + b, 0);
  const found = [...classes].map(([name, counts]) => ({ name, counts, total: sum(counts) }));
  return { times, attempts, classes: found.sort((a, b) => b.total - a.total || a.name.localeCompare(b.name)) };
}

export const failedIn = ({ classes }: Mix, at: number): number => classes.reduce((n, { counts }) => n + (counts[at] ?? 0), 0);

/** One colour for a class, wherever it is shown. */
const CLASS_COLORS: Record<string, string> = {
  connect: "--span-request",
  timeout: "--span-prompt",
  reset: "--span-embed",
  malformed: "--span-retrieve",
  rate_limited: "--span-tool",
  overloaded: "--span-model",
  server: "--bad",
  auth: "--span-rerank",
  quota: "--mark-line",
};
export const classColor = (name: string): string => CLASS_COLORS[name] ?? "--span-other";

/** Larger groups of minutes, for pictures that are too small for each. */
export function grouped(counts: readonly number[], size: number): number[] {
  const groups: number[] = [];
  for (let at = 0; at < counts.length; at += size) groups.push(counts.slice(at, at + size).reduce((a, b) => a + b, 0));
  return groups;
}

export interface ProviderSum {
  provider: string;
  targets: number;
  /** Targets that are left alone, and those that are being tried. */
  open: number;
  halfOpen: number;
  inFlight: number;
  attempts: number;
  recent: number;
  failed: Record<string, number>;
  /** The quickest and the slowest of its targets, by their medians to the first token. */
  begin: [number, number] | null;
  whole: [number, number] | null;
}

/** The targets of each provider together, in the order of their names. */
export function byProvider(targets: readonly RouteTarget[]): ProviderSum[] {
  const sums = new Map<string, ProviderSum>();
  const wider = (range: [number, number] | null, ms: number | null | undefined): [number, number] | null =>
    ms == null ? range : range ? [Math.min(range[0], ms), Math.max(range[1], ms)] : [ms, ms];
  for (const target of targets) {
    const sum = sums.get(target.provider) ?? {
      provider: target.provider,
      targets: 0,
      open: 0,
      halfOpen: 0,
      inFlight: 0,
      attempts: 0,
      recent: 0,
      failed: {},
      begin: null,
      whole: null,
    };
    sum.targets++;
    if (target.breaker === "open") sum.open++;
    if (target.breaker === "half_open") sum.halfOpen++;
    sum.inFlight += target.in_flight;
    sum.attempts += target.attempts;
    sum.recent += target.recent;
    for (const [name, count] of Object.entries(target.failed)) sum.failed[name] = (sum.failed[name] ?? 0) + count;
    sum.begin = wider(sum.begin, target.begin_p50_ms);
    sum.whole = wider(sum.whole, target.whole_p50_ms);
    sums.set(target.provider, sum);
  }
  return [...sums.values()].sort((a, b) => a.provider.localeCompare(b.provider));
}
