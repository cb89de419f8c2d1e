// What a key may spend and has spent.

import type { ApiKey, Limit, UsageRow } from "@/api/types";

export type KeyState = "active" | "expired" | "revoked";

export const stateOf = (key: Pick<ApiKey, "revoked_at" | "expires_at">, now: number = Date.now()): KeyState =>
  key.revoked_at != null ? "revoked" : key.expires_at != null && Date.parse(key.expires_at) <= now ? "expired" : "active";

/** Days and months of budgets are UTC's. */
export const dayOf = (now: number = Date.now()): string => new Date(now).toISOString().slice(0, 10);
export const monthOf = (now: number = Date.now()): string => `${new Date(now).toISOString().slice(0, 7)}-01`;

/** What each key spent, by its id. */
export interface Spending {
  day: ReadonlyMap<string, UsageRow>;
  month: ReadonlyMap<string, UsageRow>;
}

export interface KeyLimit {
  limit: Limit;
  /** Set for this key; otherwise for each key, and counted for this one. */
  own: boolean;
  /** In dollars, of a budget. */
  spent: number | null;
}

const BUDGETS: Record<string, keyof Spending> = { usd_per_day: "day", usd_per_month: "month" };

/** The limits that hold for a key, budgets first. Its own limit takes the place of the one for each key. */
export function limitsOf(id: string, limits: readonly Limit[], spending: Spending): KeyLimit[] {
  const held = new Map<string, KeyLimit>();
  for (const own of [false, true]) {
    for (const limit of limits) {
      if (limit.kind !== "key" || limit.subject !== (own ? id : "*")) continue;
      const span = BUDGETS[limit.metric];
      // The ledger knows what was spent of a budget of one key; of one for each key, what the key's calls cost.
      const spent = span === undefined ? null : Number(limit.spent ?? spending[span].get(id)?.cost ?? 0);
      held.set(limit.metric, { limit, own, spent });
    }
  }
  return [...held.values()].sort((a, b) => Number(b.spent !== null) - Number(a.spent !== null) || a.limit.metric.localeCompare(b.limit.metric));
}

export const shareOf = ({ limit, spent }: KeyLimit): number => {
  const amount = Number(limit.amount);
  return spent === null ? 0 : amount > 0 ? spent / amount : 1;
};

export const toneOf = (share: number): "bad" | "warn" | "accent" => (share >= 1 ? "bad" : share >= 0.8 ? "warn" : "accent");

/** The budget of which the largest part is spent. */
export function tightest(limits: readonly KeyLimit[]): KeyLimit | null {
  const budgets = limits.filter(({ spent }) => spent !== null);
  return budgets.length === 0 ? null : budgets.reduce((a, b) => (shareOf(b) > shareOf(a) ? b : a));
}
