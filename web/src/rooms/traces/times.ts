// Which time a list is about: so long until now, or from one moment to another.

export const SPANS = [
  { value: "15m", label: "Last 15 minutes", minutes: 15 },
  { value: "1h", label: "Last hour", minutes: 60 },
  { value: "6h", label: "Last 6 hours", minutes: 360 },
  { value: "24h", label: "Last 24 hours", minutes: 1440 },
  { value: "7d", label: "Last 7 days", minutes: 10_080 },
  { value: "30d", label: "Last 30 days", minutes: 43_200 },
  { value: "all", label: "All time", minutes: null },
] as const;

export const USUAL = "24h";

export interface Stretch {
  /** Absent where everything is meant. */
  from?: string;
  /** Absent where what comes is meant too. */
  to?: string;
  /** Chosen by hand. */
  isFixed: boolean;
}

const valid = (text: string | null): string | undefined => (text && !Number.isNaN(Date.parse(text)) ? text : undefined);

export function stretchOf(params: URLSearchParams, now: number): Stretch {
  const [from, to] = [valid(params.get("from")), valid(params.get("to"))];
  if (from && to) return { from, to, isFixed: true };
  const span = SPANS.find((s) => s.value === params.get("in")) ?? SPANS.find((s) => s.value === USUAL)!;
  return { from: span.minutes === null ? undefined : new Date(now - span.minutes * 60_000).toISOString(), isFixed: false };
}
