// What the page says of monitors, without a page.

import type { MonitorEvaluation, MonitorSlice, MonitorSlices } from "@/api/types";
import { plural } from "@/lib/format";
import type { Tone } from "@/ui/kit";

export const stateTone = (state: string | null | undefined): Tone =>
  state === "firing" ? "bad" : state === "missing" ? "warn" : state === "ok" ? "ok" : "neutral";

/** What a state means, for whoever has not seen it before. */
export function stateMeans(state: string | null | undefined): string {
  switch (state) {
    case "ok":
      return "Nothing is wrong, as far as can be told from what came.";
    case "warming":
      return "Less came than it takes to say anything.";
    case "missing":
      return "Nothing came to measure, or it could not be looked at. That is not well: what should report may be dead.";
    case "firing":
      return "It has been wrong for long enough, and has not been well for long enough since.";
    default:
      return "Nobody has looked at it yet.";
  }
}

/** How many slices are in each state, the worst first; nothing where everything is watched together. */
export function slicesInWords({ firing, missing, warming, ok }: MonitorSlices): string | null {
  if (firing + missing + warming + ok < 2) return null;
  const parts: [number, string][] = [
    [firing, "firing"],
    [missing, "missing"],
    [warming, "warming"],
    [ok, "ok"],
  ];
  return parts
    .filter(([n]) => n > 0)
    .map(([n, state]) => `${n} ${state}`)
    .join(", ");
}

/** The names of all slices that any of the looks saw, in order. */
export function slicesOf(evaluations: readonly MonitorEvaluation[]): string[] {
  const names = evaluations.flatMap((found) => found.slices.map((slice) => slice.slice)).filter((name) => name != null);
  return [...new Set(names)].sort();
}

export interface Measured {
  /** Seconds since the epoch. */
  times: number[];
  value: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  limit: (number | null)[];
  reference: (number | null)[];
}

/** What looks saw of one slice over time, the oldest first. Bounds are those of the value, and none where only its difference has any. */
export function measured(evaluations: readonly MonitorEvaluation[], slice: string | null): Measured {
  const of: Measured = { times: [], value: [], low: [], high: [], limit: [], reference: [] };
  for (const found of [...evaluations].reverse()) {
    const seen = found.slices.find((one) => (one.slice ?? null) === slice);
    const compared = seen?.reference != null;
    of.times.push(Date.parse(found.at) / 1000);
    of.value.push(seen?.value ?? null);
    of.low.push((compared ? seen.value_low : seen?.low) ?? null);
    of.high.push((compared ? seen.value_high : seen?.high) ?? null);
    of.limit.push(compared ? null : (seen?.limit ?? null));
    of.reference.push(seen?.reference ?? null);
  }
  return of;
}

/** Three digits that say something. */
export const figure = (n: number | null | undefined): string =>
  n == null ? "–" : new Intl.NumberFormat("en-US", { maximumSignificantDigits: n !== 0 && Math.abs(n) >= 1000 ? 6 : 3 }).format(n);

/** Where the truth surely lies. */
export const interval = ({ low, high }: Pick<MonitorSlice, "low" | "high">): string =>
  low == null || high == null ? "–" : low === high ? figure(low) : `${figure(low)} to ${figure(high)}`;

/** Where the value itself surely lies, whatever it is compared with. */
export const ofValue = (slice: MonitorSlice): string =>
  slice.reference == null ? interval(slice) : interval({ low: slice.value_low, high: slice.value_high });

/** How far the value is from what it is compared with, and where that surely lies. */
export function difference(slice: MonitorSlice): { off: string; surely: string } | null {
  const { value, reference } = slice;
  return value == null || reference == null ? null : { off: figure(value - reference), surely: interval(slice) };
}

/** A share of all. */
export const inPercent = (share: number): string => `${figure(share * 100)} %`;

export interface Shift {
  slice: string | null;
  what: string;
  before: number;
  after: number;
}

/** What moved within the distributions of slices, as rows of a table. */
export const shifts = (slices: readonly MonitorSlice[]): Shift[] =>
  slices.flatMap(({ slice, moved }) => (moved ?? []).map(({ what, before, after }) => ({ slice: slice ?? null, what, before, after })));

/** What a sequential test has gathered, of what it takes. */
export function evidence({ evidence: has, evidence_needed: needs }: MonitorSlice): string | null {
  if (has == null || needs == null || needs <= 0) return null;
  return `${Math.round(Math.min(1, Math.max(0, has / needs)) * 100)} % of the evidence that it takes to fire`;
}

export const chartInWords = (of: Measured, what: string): string => {
  const values = of.value.filter((value) => value != null);
  if (values.length === 0) return `${what}: nothing was measured`;
  return `${what} over ${plural(of.times.length, "look")}: last ${figure(values.at(-1))}, at most ${figure(Math.max(...values))}`;
};
