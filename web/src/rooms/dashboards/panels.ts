// From the numbers of a panel to what is drawn.

import type { PanelData } from "@/api/types";
import { both, inQuotes } from "@/lib/filterText";
import { axisDuration, duration, money, percent, short } from "@/lib/format";
import { formatOf as formatOfMetric, formValue } from "@/rooms/metrics/units";
import type { Series } from "@/ui/Chart";

/** Of lines and of bars upon one another, in their order. */
export const COLORS = [
  "--span-model",
  "--span-prompt",
  "--span-retrieve",
  "--span-tool",
  "--span-rerank",
  "--span-ingest",
  "--span-embed",
  "--span-request",
] as const;

/** Among the fields the choice of an attribute; none of them is called so. */
export const ATTRIBUTE = "attribute";

/** The fields by which a reader may tell values apart. */
export const FIELDS = [
  { value: "", label: "Nothing" },
  { value: "app", label: "App" },
  { value: "model", label: "Model" },
  { value: "release", label: "Version" },
  { value: "key", label: "Key" },
  { value: "user", label: "User" },
  { value: ATTRIBUTE, label: "attribute…" },
] as const;

export const isAttribute = (by: string): boolean => /^attributes\s*\[/.test(by);

/** The attribute of this name, as filters write it. */
export const byAttribute = (name: string): string => (name === "" || isAttribute(name) ? name : `attributes[${inQuotes(name)}]`);

/** The name of an attribute that is told apart; what is written in another way stays as it is. */
export function attributeName(by: string): string {
  const written = /^attributes\["([^"\\]+)"\]$/.exec(by);
  return written?.[1] ?? (isAttribute(by) ? by : "");
}

export interface Drawn {
  /** Seconds since the epoch, evenly apart. */
  times: number[];
  series: Series[];
  /** Which value each of the series is of, where values are told apart; null is none. */
  keys: Key[];
  /** They are bars that stand upon one another. */
  stacked: boolean;
  /** There are lines that are not drawn: those with the fewest points. */
  more: boolean;
}

/** A value that is told apart; null is none. Absent: all of them. */
export type Key = string | null | undefined;

/** Groups call a number or a truth by how it is written, and a filter tells them from texts. */
const is = (by: string, key: string): string =>
  isAttribute(by) && /^(?:true|false|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(key)
    ? `${by} in (${inQuotes(key)}, ${key})`
    : `${by} = ${inQuotes(key)}`;

/** What a measure is reckoned of, where not every span has it. */
const NEEDS = /^(cost|first_token|(?:input|output|cache_read|cache_write|reasoning)_tokens)(?:_|$)/;

/** The spans that a point is made of, as a filter. */
export function behindFilter(panel: PanelData, key: Key, within: string): string {
  const needed = panel.measures.map((measure) => NEEDS.exec(measure)?.[1]);
  const has = needed.includes(undefined) ? "" : [...new Set(needed)].map((field) => `${field} exists`).join(" or ");
  // Of a chart of failures only the failures are of interest.
  const failed = panel.measures.every((measure) => measure.startsWith("error")) ? "error" : "";
  const one = !panel.by || key === undefined ? "" : key === null ? `not ${panel.by} exists` : is(panel.by, key);
  return both(panel.filter, failed, has, one, within);
}

/** Whether only spans are meant by which a trace is entered: lists ask these, and no others unless they are told to. */
export const isOfEntries = (filter: string): boolean => /^\s*entry\s*(?:$|and\b)/i.test(filter) && !/\bor\b/i.test(filter);

/** The way to the traces of a point. */
export function tracesBehind(panel: PanelData, key: Key, within: string, { from, to }: { from: string; to: string }): string {
  const filter = behindFilter(panel, key, within);
  const search = new URLSearchParams({ from, to });
  if (filter) search.set("filter", filter);
  if (!isOfEntries(panel.filter)) search.set("any", "true");
  return `/traces?${search.toString()}`;
}

/** Whether it was asked in SQL, which neither the filter of the page nor its groups are put into. */
export const isAsked = (panel: PanelData): boolean => panel.measures.length === 0;

/** The way to the metric that a panel shows, told apart as there, in the time that is looked at. */
export function metricBehind({ metric, by }: PanelData, { from, to }: { from: string; to: string }): string | null {
  if (!metric) return null;
  const search = new URLSearchParams({ from, to });
  if (by) search.set("by", by);
  if (metric.form) search.set("form", formValue(metric.form));
  return `/observe/metrics/${encodeURIComponent(metric.name)}?${search.toString()}`;
}

/** Where buckets of time begin, in seconds. */
export function timesOf(from: string, to: string, bucketMs: number): number[] {
  const [begin, end] = [Date.parse(from), Date.parse(to)];
  if (!(bucketMs > 0) || Number.isNaN(begin) || Number.isNaN(end)) return [];
  return Array.from({ length: Math.min(5_000, Math.max(0, Math.ceil((end - begin) / bucketMs))) }, (_, i) => (begin + i * bucketMs) / 1000);
}

/** `duration_p95` is the p95 of a panel that is about durations. */
export const measureLabel = (measure: string): string => /_(p\d+)$/.exec(measure)?.[1] ?? measure.replaceAll("_", " ");

/** Measures whose values for several groups come to what it is for all of these: no shares, no means, and nobody counted twice. */
const SUMS = /^(?:count|errors|unpriced|cost|(?:input|output|cache_read|cache_write|reasoning)_tokens|score\..*\.count)$/;
/** Of several measures only these are no parts of one another: of errors each is among the count. */
const APART = new Set(["input_tokens", "output_tokens"]);

/** Whether the values of a panel may stand upon one another, so that how high they come says something. */
export const isSum = ({ measures }: Pick<PanelData, "measures">): boolean =>
  measures.length > 0 &&
  measures.every((measure) => SUMS.test(measure)) &&
  (measures.length === 1 || measures.every((measure) => APART.has(measure)));

export const keyLabel = (key: string | null | undefined): string => key ?? "none";

export function formatOf(unit: string): { format: (n: number) => string; axis: (n: number) => string } {
  if (unit === "milliseconds") return { format: duration, axis: axisDuration };
  if (unit === "dollars") return { format: (n) => money(n), axis: (n) => (n === 0 ? "$0" : `$${+n.toPrecision(3)}`) };
  if (unit === "share") return { format: (n) => percent(n, 1), axis: (n) => `${+(n * 100).toPrecision(3)}%` };
  const whole = (digits: number) => (n: number) => (Number.isInteger(n) ? short(n) : String(+n.toPrecision(digits)));
  return { format: whole(4), axis: whole(3) };
}

/** Numbers of a metric are in its own unit; those of one panel are of one. */
export const formatOfPanel = ({ unit, measures, metric }: PanelData): ReturnType<typeof formatOf> =>
  metric?.form ? formatOfMetric(metric.form, measures[0] ?? "") : formatOf(unit);

/**
 * A line for each measure and value, in the order in which they first come. Bars of several stand upon one another where that
 * comes to something, and are lines where it does not: before one another they would hide what is lower.
 */
export function drawn(panel: PanelData, times: readonly number[]): Drawn {
  const shape: Series["shape"] = panel.chart === "bar" ? "bar" : "line";
  // Where nothing was counted there was nothing; where nothing was measured nobody knows, nor where no program said anything.
  const without = shape === "bar" && !panel.metric ? 0 : null;
  const at = new Map(times.map((time, i) => [Math.round(time * 1000), i]));
  const lines = new Map<string, { values: (number | null)[]; key: Key }>();
  const put = (label: string, ms: number, value: number | null, key?: Key) => {
    const place = at.get(Math.round(ms));
    let line = lines.get(label);
    if (!line) lines.set(label, (line = { values: times.map(() => without), key }));
    if (place !== undefined) line.values[place] = value ?? without;
  };
  if (panel.table) {
    const { columns, rows } = panel.table;
    const start = columns.findIndex((column) => column.name === "start");
    const told = columns.flatMap((column, i) => (i !== start && column.type === "TEXT" ? [i] : []));
    const isNumber = (i: number) => rows.every((row) => typeof row[i] === "number" || row[i] === null);
    const numbers = columns.flatMap((_, i) => (i !== start && !told.includes(i) && isNumber(i) ? [i] : []));
    for (const row of rows) {
      // As of a panel that measures: texts tell lines apart, and of several numbers each has its own.
      const key = told.map((i) => keyLabel(row[i] as string | null)).join(", ");
      for (const i of numbers) {
        const name = columns[i]!.name.replaceAll("_", " ");
        const label = told.length === 0 ? name : numbers.length === 1 ? key : `${key}, ${name}`;
        put(label, timeOf(row[start]), row[i] as number | null);
      }
    }
  } else {
    for (const row of panel.rows) {
      const key = panel.by ? keyLabel(row.keys[panel.by]) : null;
      for (const measure of panel.measures) {
        const label = key === null ? measureLabel(measure) : panel.measures.length === 1 ? key : `${key}, ${measureLabel(measure)}`;
        put(label, Date.parse(row.start ?? ""), row.values[measure] ?? null, panel.by ? (row.keys[panel.by] ?? null) : undefined);
      }
    }
  }
  const all = [...lines];
  // A question in SQL may tell hundreds apart; measures tell the largest by themselves.
  const pointsOf = ([, { values }]: (typeof all)[number]) => values.filter((value) => value !== without).length;
  const fullest = new Set(panel.table ? all.toSorted((one, other) => pointsOf(other) - pointsOf(one)).slice(0, COLORS.length) : all);
  const kept = all.filter((line) => fullest.has(line));
  const several = shape === "bar" && kept.length > 1;
  const stacked = several && isSum(panel);
  const apart: Series["shape"] = several && !stacked ? "line" : shape;
  const series = kept.map(([label, { values }], i): Series => ({ label, color: COLORS[i % COLORS.length]!, shape: apart, values }));
  return { times: [...times], series, keys: kept.map(([, { key }]) => key), stacked, more: kept.length < all.length };
}

/** A column `start` holds microseconds, or a time. */
function timeOf(value: unknown): number {
  if (typeof value === "number") return value / 1000;
  return typeof value === "string" ? Date.parse(value) : Number.NaN;
}

/** Whether a table of SQL can be drawn over time. */
export const isDrawn = (panel: PanelData): boolean =>
  (panel.chart === "line" || panel.chart === "bar") && (!panel.table || panel.table.columns.some((column) => column.name === "start"));

/** What a chart says to those who cannot see it. */
export function summaryOf(panel: PanelData, { times, series }: Drawn): string {
  const { format } = formatOfPanel(panel);
  const said = series.map(({ label, values }) => {
    const known = values.filter((value): value is number => value !== null);
    if (known.length === 0) return `${label}: none`;
    return `${label}: from ${format(Math.min(...known))} to ${format(Math.max(...known))}`;
  });
  return `${panel.title}, ${times.length} points in time. ${said.join("; ")}`;
}

/** A stretch of time as an address has it, whole seconds outwards; none shorter than a second. */
export function stretchAround(from: number, to: number): { from: string; to: string } {
  const begin = Math.floor(Math.min(from, to));
  return { from: new Date(begin * 1000).toISOString(), to: new Date(Math.max(begin + 1, Math.ceil(Math.max(from, to))) * 1000).toISOString() };
}
