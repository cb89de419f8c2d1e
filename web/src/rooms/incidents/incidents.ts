// What an incident says of itself, in words.

import type { IncidentAlert, IncidentChange, IncidentDelivery, IncidentEvent, IncidentState, Silence } from "@/api/types";
import { inQuotes } from "@/lib/filterText";
import { count, plural } from "@/lib/format";
import type { Tone } from "@/ui/kit";

export const STATES: readonly { value: IncidentState; label: string }[] = [
  { value: "open", label: "Open" },
  { value: "acknowledged", label: "Acknowledged" },
  { value: "resolved", label: "Resolved" },
];

export const severityTone = (severity: string): Tone =>
  severity === "critical" || severity === "error" ? "bad" : severity === "warning" ? "warn" : "neutral";

export const stateTone = (state: string): Tone => (state === "open" ? "bad" : state === "acknowledged" ? "warn" : "ok");

export const deliveryTone = (state: string): Tone => (state === "delivered" ? "ok" : state === "failed" ? "bad" : "neutral");

/** One thing that happened: to the incident, or to a notice on its way. */
export type Happening = { at: string } & ({ kind: "event"; event: IncidentEvent } | { kind: "delivery"; delivery: IncidentDelivery });

/** What happened and who was told, newest first. Of what happened at the same moment the notice came after its cause. */
export function timeline(events: readonly IncidentEvent[], deliveries: readonly IncidentDelivery[]): Happening[] {
  const told = deliveries.map((delivery): Happening => ({ kind: "delivery", at: momentOf(delivery), delivery }));
  const happened = events.map((event): Happening => ({ kind: "event", at: event.at, event }));
  return [...told, ...happened].sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
}

const momentOf = (delivery: IncidentDelivery): string => delivery.ended_at ?? delivery.attempted_at ?? delivery.created_at;

const textOf = (detail: unknown, field: string): string | null => {
  const value = typeof detail === "object" && detail !== null ? (detail as Record<string, unknown>)[field] : undefined;
  return typeof value === "string" && value !== "" ? value : typeof value === "number" ? count(value) : null;
};

/** `nameOf` knows alerts by their fingerprint. */
export function eventWords({ kind, detail }: IncidentEvent, nameOf: (fingerprint: string) => string | null): { what: string; why: string | null } {
  const named = (otherwise: string): string => textOf(detail, "name") ?? nameOf(textOf(detail, "fingerprint") ?? "") ?? otherwise;
  const why = textOf(detail, "summary") ?? textOf(detail, "note");
  switch (kind) {
    case "opened":
      return { what: `Opened: ${named("an alert")} fired`, why };
    case "joined":
      return { what: `${named("Another alert")} fired as well`, why };
    case "refired":
      return { what: `${named("An alert")} fired again`, why };
    case "escalated":
      return { what: `${named("An alert")} became ${textOf(detail, "severity") ?? "worse"}`, why };
    case "reopened":
      return { what: `Opened again: ${named("an alert")} fired`, why };
    case "ended":
      return { what: `${named("An alert")} is over`, why };
    case "silenced":
      return { what: "Nobody is told: a silence covers it", why };
    case "reminded":
      return { what: "Receivers were reminded", why };
    case "acknowledged":
      return { what: "Acknowledged", why };
    case "resolved":
      return { what: "Resolved", why };
    case "retried":
      return { what: `${textOf(detail, "deliveries") ?? "Some"} given-up deliveries are tried again`, why };
    default:
      return { what: kind, why };
  }
}

/** What became of a notice. */
export function deliveryWords(delivery: IncidentDelivery): string {
  const notice = `${delivery.receiver}: “${delivery.what}”`;
  switch (delivery.state) {
    case "delivered":
      return delivery.attempts > 1 ? `${notice} arrived with try ${count(delivery.attempts)}` : `${notice} arrived`;
    case "failed":
      return `${notice} was given up after ${plural(delivery.attempts, "try", "tries")}`;
    case "skipped":
      return `${notice} was not sent: the receiver does not want it`;
    default:
      return delivery.attempts === 0 ? `${notice} is on its way` : `${notice} has not arrived yet (${plural(delivery.attempts, "try", "tries")})`;
  }
}

/** Traces that show it, each once, those of what still fires first. */
export function examples(alerts: readonly IncidentAlert[], most: number): string[] {
  const ordered = [...alerts].sort((a, b) => Number(b.firing) - Number(a.firing));
  return [...new Set(ordered.flatMap((alert) => alert.traces))].slice(0, most);
}

/** Of what an alert has, these are of when it began. */
const FIRST = 5;

/** Traces of when it fired, those of the alert that began first before others. */
export function firstExamples(alerts: readonly IncidentAlert[], most: number): string[] {
  const ordered = [...alerts].sort((a, b) => Date.parse(a.began_at) - Date.parse(b.began_at));
  return [...new Set(ordered.flatMap((alert) => alert.traces.slice(0, FIRST)))].slice(0, most);
}

/** The release of the earliest of these spans that names one. */
export function firstRelease(spans: readonly { start: string; release?: string | null }[]): string | null {
  const named = spans.filter((span) => span.release);
  const [first] = named.sort((a, b) => Date.parse(a.start) - Date.parse(b.start));
  return first?.release ?? null;
}

/** Finds the spans by which some traces were entered and that name a release. */
export const releaseFilter = (traces: readonly string[]): string => `entry and release exists and trace in (${traces.map(inQuotes).join(", ")})`;

/** What moves an alias back to where it was: only where there was a version before. */
export interface Step {
  kind: string;
  name: string;
  alias: string;
  from: number;
  to: number;
}

export function stepBack({ kind, name, alias, from, to }: IncidentChange): Step | null {
  return alias && from != null && to != null ? { kind, name, alias, from: to, to: from } : null;
}

/** What a silence of this incident would look for. */
export function matchersOf(alerts: readonly { name: string }[], labels: Readonly<Record<string, string>>): string[] {
  const names = [...new Set(alerts.map((alert) => alert.name))];
  const only = names.length === 1 ? names[0] : undefined;
  const rest = Object.entries(labels).filter(([label]) => label !== "name" && label !== "severity");
  return [...(only ? [`name=${only}`] : []), ...rest.map(([label, value]) => `${label}=${value}`)];
}

/** As they are typed: one a line. */
export const readMatchers = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

export const silenceState = (silence: Silence, now: number): string =>
  silence.active ? "active" : Date.parse(silence.starts_at) > now ? "to come" : "ended";
