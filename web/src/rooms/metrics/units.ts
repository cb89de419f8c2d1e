// What a metric is sent as, and how its numbers are written: in its own unit.

import type { MetricQuery } from "@/api/client";
import type { MetricForm } from "@/api/types";
import { axisDuration, bytes, duration, short } from "@/lib/format";

/** How its points count, where that makes it another than what is sent under the same name, of the same kind and in the same unit. */
export const apart = (form: MetricForm): string | undefined => (form.monotonic === false ? (form.temporality ?? "unspecified") : undefined);

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
