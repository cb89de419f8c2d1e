// From what a metric came to, step by step, to what is drawn and read.

import type { MetricForm, MetricSeries } from "@/api/types";
import { COLORS, keyLabel, timesOf } from "@/rooms/dashboards/panels";
import type { Series } from "@/ui/Chart";
import { apart, formatOf } from "./units";

export { askedFor, formatOf, formValue, unitLabel } from "./units";

/** Lines that can be told from one another; the table has every group. */
export const LINES = 8;

/** A sum that only grows is what people call a counter. */
export const kindLabel = (form: MetricForm): string => (form.kind === "sum" && form.monotonic ? "counter" : form.kind.replaceAll("_", " "));

/** What tells it from others that are sent under its name. */
export const formLabel = (form: MetricForm): string => [kindLabel(form), apart(form), form.unit || "no unit"].filter(Boolean).join(", ");

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
