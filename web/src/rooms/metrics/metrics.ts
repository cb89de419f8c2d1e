// From what a metric came to, step by step, to what is drawn and read.

import type { MetricQuery } from "@/api/client";
import type { MetricForm, MetricSeries } from "@/api/types";
import { axisDuration, bytes, duration, short } from "@/lib/format";
import { COLORS, keyLabel, timesOf } from "@/rooms/dashboards/panels";
import type { Series } from "@/ui/Chart";

/** Lines that can be told from one another; the table has every group. */
export const LINES = 8;

/** A sum that only grows is what people call a counter. */
export const kindLabel = (form: MetricForm): string => (form.kind === "sum" && form.monotonic ? "counter" : form.kind.replaceAll("_", " "));

/** How its points count, where that makes it another than what is sent under the same name, of the same kind and in the same unit. */
const apart = (form: MetricForm): string | undefined => (form.monotonic === false ? (form.temporality ?? "unspecified") : undefined);

/** Which of what is sent under a name, as an address has it. */
export function formValue(form: MetricForm): string {
  const counting = apart(form);
  const kind = form.kind === "sum" && form.monotonic ? "counter" : form.kind;
  return `${counting ? `${kind}-${counting}` : kind} ${form.unit}`;
}

/** What asks the server about it: also about an empty unit. Of nothing nothing is asked. */
export function askedFor(value: string): Pick<MetricQuery, "kind" | "unit" | "monotonic" | "temporality"> {
  if (!value) return {};
  const [words = ""] = value.split(" ", 1);
  const unit = value.slice(words.length + 1);
  const [kind = "", temporality] = words.split("-", 2);
  if (kind === "counter") return { kind: "sum", monotonic: true, unit };
  return temporality ? { kind, monotonic: false, temporality, unit } : { kind, unit };
}

/** What tells it from others that are sent under its name. */
export const formLabel = (form: MetricForm): string => [kindLabel(form), apart(form), form.unit || "no unit"].filter(Boolean).join(", ");

/** `{token}` is an annotation, and no unit. */
export const unitLabel = (unit: string): string => (unit === "1" ? "" : unit.replace(/^\{(.*)\}$/, "$1"));

/** Milliseconds in one of a unit of time. */
const TIMES: Record<string, number> = { us: 0.001, ms: 1, s: 1_000, min: 60_000, h: 3_600_000 };

type Format = { format: (n: number) => string; axis: (n: number) => string };

const plain = (digits: number) => (n: number) => (Number.isInteger(n) ? short(n) : String(+n.toPrecision(digits)));

/** How the numbers of a measure are written: a rate is of each second, and what a histogram counted has no unit. */
export function formatOf(form: MetricForm, measure: string): Format {
  const counted = measure === "count" && form.kind !== "gauge" && form.kind !== "sum";
  const unit = counted ? "" : form.unit;
  const per = measure === "rate" ? "/s" : "";
  const inTime = TIMES[unit];
  // Below nought these have no words for themselves.
  if (inTime !== undefined && !per) {
    const of = (told: (ms: number) => string, other: (n: number) => string) => (n: number) => (n < 0 ? `${other(n)} ${unit}` : told(n * inTime));
    return { format: of(duration, plain(4)), axis: of(axisDuration, plain(3)) };
  }
  if (unit === "By") {
    const of = (digits: number) => (n: number) => (n < 0 ? `${plain(digits)(n)} B${per}` : `${bytes(n)}${per}`);
    return { format: of(4), axis: of(3) };
  }
  const label = unitLabel(unit);
  return { format: (n) => `${plain(4)(n)}${label && ` ${label}`}${per}`, axis: plain(3) };
}

export interface Drawn {
  /** Seconds since the epoch, evenly apart. */
  times: number[];
  /** Every group, the largest first. */
  series: Series[];
}

/** A line for each group of what one measure says. */
export function drawn(found: MetricSeries, measure: string): Drawn {
  const times = timesOf(found.from, found.to, found.step_ms);
  const at = new Map(times.map((time, i) => [Math.round(time * 1000), i]));
  const which = found.measures.indexOf(measure);
  // What was counted is a bar where it stands alone; what was measured is a line.
  const shape: Series["shape"] = found.groups.length === 1 && (measure === "increase" || measure === "count") ? "bar" : "line";
  const series = found.groups.map((group, i): Series => {
    const values: (number | null)[] = times.map(() => null);
    for (const step of group.steps) {
      const place = at.get(Math.round(Date.parse(step.start)));
      if (place !== undefined) values[place] = step.values[which] ?? null;
    }
    return { label: found.by ? keyLabel(group.value) : measure, color: COLORS[i % COLORS.length]!, shape, values };
  });
  return { times, series };
}

/** What a chart says to those who cannot see it. */
export function summaryOf(found: MetricSeries, measure: string, { times, series }: Drawn): string {
  const { format } = found.form ? formatOf(found.form, measure) : { format: String };
  const said = series.map(({ label, values }) => {
    const known = values.filter((value): value is number => value !== null);
    if (known.length === 0) return `${label}: none`;
    return `${label}: from ${format(Math.min(...known))} to ${format(Math.max(...known))}`;
  });
  return `${found.name}, ${measure}, ${times.length} points in time. ${said.join("; ")}`;
}

/** What is shown of a metric where nobody chose: of a counter how fast it counts, of a histogram how much most took. */
export function usualMeasure(measures: readonly string[]): string {
  return ["rate", "p95", "mean"].find((measure) => measures.includes(measure)) ?? measures[0] ?? "";
}
