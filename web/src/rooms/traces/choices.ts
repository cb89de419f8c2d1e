// What a list of traces can be narrowed to: what its traces have, whoever sent them.

import type { TraceMetrics } from "@/api/types";

export interface Choice {
  value: string;
  label: string;
}

type Groups = Pick<TraceMetrics, "rows"> | undefined;

/** The groups that were measured, the largest first. */
const named = (metrics: Groups, field: string): string[] => (metrics?.rows ?? []).flatMap((row) => row.keys[field] ?? []);

/** The column App shows an app of this server, or else the program that sent the trace. */
export const senderValue = (app: string, service: string): string => (app ? `app:${app}` : service ? `service:${service}` : "");

export function senderOf(value: string): { app: string; service: string } {
  const at = value.indexOf(":");
  const name = value.slice(at + 1);
  return { app: value.startsWith("app:") ? name : "", service: value.startsWith("service:") ? name : "" };
}

/** What was chosen stays a choice, whatever the traces of this time have. */
export function senders(apps: Groups, services: Groups, app: string, service: string): Choice[] {
  const choices = (names: string[], value: (name: string) => string) => [...new Set(names)].map((name) => ({ value: value(name), label: name }));
  return [
    { value: "", label: "Any app" },
    ...choices([...named(apps, "app"), ...(app ? [app] : [])], (name) => senderValue(name, "")),
    ...choices([...named(services, "service"), ...(service ? [service] : [])], (name) => senderValue("", name)),
  ];
}

export function models(found: Groups, chosen: string): Choice[] {
  const names = new Set([...named(found, "model"), ...(chosen ? [chosen] : [])]);
  return [{ value: "", label: "Any model" }, ...[...names].map((name) => ({ value: name, label: name }))];
}

/**
 * Whether a filter is asked of every span of a trace, or only of the one by which it is entered. What is searched, which model was called and
 * what failed mostly stands beneath that one; whoever says otherwise is obeyed.
 */
export const asksEverySpan = (said: string, { q, model, status }: { q: string; model: string; status: string }): boolean =>
  said === "true" || (said !== "false" && Boolean(q || model || status === "error"));
