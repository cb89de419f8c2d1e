// The words for what a limit bounds, and for whom.

import type { Limit } from "@/api/types";

export const METRICS: Record<string, { label: string; unit: string }> = {
  usd_per_month: { label: "Dollars per month", unit: "per month" },
  usd_per_day: { label: "Dollars per day", unit: "per day" },
  requests_per_minute: { label: "Requests per minute", unit: "requests per minute" },
  tokens_per_minute: { label: "Tokens per minute", unit: "tokens per minute" },
  concurrent: { label: "Calls at once", unit: "calls at once" },
};

/** `one` is what the name in a limit is, `each` a limit on all of a kind, every one for itself. */
export const KINDS: Record<string, { label: string; one: string; each: string }> = {
  project: { label: "The project", one: "", each: "The project" },
  key: { label: "A key", one: "key", each: "Each key" },
  principal: { label: "A member", one: "member", each: "Each member" },
  user: { label: "An end user", one: "end user", each: "Each end user" },
  model: { label: "A model", one: "model", each: "Each model" },
};

export const isBudget = (metric: string): boolean => metric.startsWith("usd_");

export function subjectOf(limit: Pick<Limit, "kind" | "subject">, keyName: (id: string) => string | undefined): { kind: string; name: string } {
  const words = KINDS[limit.kind];
  if (limit.subject === "*" || limit.kind === "project") return { kind: "", name: words?.each ?? limit.kind };
  return { kind: words?.one ?? limit.kind, name: (limit.kind === "key" ? keyName(limit.subject) : undefined) ?? limit.subject };
}

export interface Standing {
  left: number;
  used: number;
  /** Of the whole, from 0; above 1 where more was used than there is. */
  share: number;
  tone: "bad" | "warn" | "accent";
}

/** How a limit stands of which so much is left. */
export function standing(left: number, amount: number): Standing {
  const share = amount > 0 ? (amount - left) / amount : 1;
  return { left, used: amount - left, share, tone: share >= 1 ? "bad" : share >= 0.8 ? "warn" : "accent" };
}

/** Why an amount is none, in words; null where it is one, or nothing is typed yet. */
export function amountFault(metric: string, amount: string): string | null {
  if (amount === "") return null;
  if (isBudget(metric)) return /^\d+(\.\d+)?$/.test(amount) && Number(amount) > 0 ? null : "Dollars, as in 12.50.";
  return /^\d+$/.test(amount) && Number(amount) > 0 ? null : "A whole number above nothing.";
}
