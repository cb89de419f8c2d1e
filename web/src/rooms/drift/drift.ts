// What the explorer shows of a comparison, apart from how it is drawn.

import type { DriftBin, FieldDrift, TopicDrift, TraceMetrics } from "@/api/types";
import { duration, money, short } from "@/lib/format";

/** A number of a field in the field's own unit. */
export function inUnit(unit: string | null | undefined, n: number): string {
  if (unit === "ms") return duration(n);
  if (unit === "dollars") return money(n);
  return Math.abs(n) < 10 && n % 1 !== 0 ? n.toFixed(2) : short(n);
}

/** What a part of a distribution is called. */
export function binName(field: Pick<FieldDrift, "unit">, bin: DriftBin): string {
  if (bin.category != null) return bin.category === "" ? "(empty)" : bin.category;
  if (bin.low == null || bin.high == null) return "all others";
  const [low, high] = [inUnit(field.unit, bin.low), inUnit(field.unit, bin.high)];
  return low === high ? low : `${low} to ${high}`;
}

/** In one line what moved: by how much numbers did, or the category that did most. */
export function moved(field: FieldDrift): string {
  if (field.state === "missing") return field.reference === 0 && field.current === 0 ? "nothing on either side" : "nothing on one side";
  if (field.state === "too_few") return "too few to say";
  const by = field.figures?.moved;
  if (by != null) return `moved ${inUnit(field.unit, by)} on average`;
  const most = field.bins.reduce<DriftBin | undefined>((top, bin) => (top && change(top) >= change(bin) ? top : bin), undefined);
  return most ? `${binName(field, most)}: ${share(most.before)} → ${share(most.after)}` : "";
}

const change = (bin: DriftBin): number => Math.abs(bin.after - bin.before);

export const share = (part: number): string => {
  const percent = part * 100;
  return percent > 0 && percent < 0.1 ? "<0.1%" : `${percent < 10 && percent % 1 !== 0 ? percent.toFixed(1) : Math.round(percent)}%`;
};

const WHY: Record<string, string> = {
  first: "there were none",
  embedder: "another model embeds",
  release: "a new release came",
  unlike: "too much was unlike all of them",
  reference: "a monitor compares with another time",
  age: "nothing was left of the time they were made of",
};

/** Why topics were learnt, or are to be. */
export const because = (why: string): string => WHY[why] ?? why;

/** What is said of others that are to take the place of these topics. */
export const nextTopics = ({ next }: TopicDrift["version"]): string | null =>
  next ? `Others are being made: ${because(next)}. Until their hours are there, all of this is in these.` : null;

/** The services of spans that were counted by them, and the apps of this server, whose spans are no service's, in the order of their names. */
export function servicesOf(counted: TraceMetrics | undefined): string[] {
  const names = (counted?.rows ?? []).flatMap(({ keys }) => keys.service || (keys.app ? `app/${keys.app}` : []));
  return [...new Set(names)].sort((one, other) => one.localeCompare(other));
}

/** What a service is chosen from: the one that is chosen is among them, though nothing came of it. */
export function serviceChoices(names: readonly string[], chosen: string): { value: string; label: string }[] {
  const all = chosen === "" || names.includes(chosen) ? names : [chosen, ...names];
  return [{ value: "", label: "All together" }, ...all.map((name) => ({ value: name, label: name }))];
}

/** A moment as a field of a form has it, in the reader's own time: stretches are whole hours. */
export function localOf(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  const two = (n: number) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:00`;
}

/** The same back; nothing of what is no moment. */
export function isoOf(local: string): string {
  const date = new Date(local);
  return local === "" || Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

const HOUR_MS = 3_600_000;
const WEEK_MS = 168 * HOUR_MS;

export interface Stretches {
  from: string;
  /** Absent: until now. */
  to?: string;
  /** What it is compared with, where that is a stretch of its own: the week before unless somebody says. */
  reference_from?: string;
  reference_to?: string;
}

/** What an address says is compared: `in` names a stretch until now, or is `own` beside `from` and `to`. */
export function stretchesOf(params: URLSearchParams, now: number): Stretches {
  const moment = (key: string) => {
    const text = params.get(key);
    return text && !Number.isNaN(Date.parse(text)) ? text : undefined;
  };
  const hours = (STRETCHES.find((s) => s.value === params.get("in")) ?? USUAL).hours;
  const own = params.get("in") === "own";
  const from = (own && moment("from")) || new Date(now - hours * HOUR_MS).toISOString();
  const to = own ? moment("to") : undefined;
  if (params.get("against") !== "range") return { from, to };
  const week = (iso: string | number) => new Date(new Date(iso).getTime() - WEEK_MS).toISOString();
  return { from, to, reference_from: moment("reference_from") ?? week(from), reference_to: moment("reference_to") ?? week(to ?? now) };
}

/** The stretches that can be chosen. */
export const STRETCHES = [
  { value: "6h", label: "Last 6 hours", hours: 6 },
  { value: "24h", label: "Last 24 hours", hours: 24 },
  { value: "7d", label: "Last 7 days", hours: 168 },
  { value: "30d", label: "Last 30 days", hours: 720 },
] as const;

const USUAL = STRETCHES[1];
/** The one of one's own. */
export const OWN = { value: "own", label: "From … to …" } as const;
