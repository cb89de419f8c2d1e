import { describe, expect, it } from "vitest";
import type { Limit, UsageRow } from "@/api/types";
import { dayOf, limitsOf, monthOf, shareOf, stateOf, tightest, type Spending } from "./keys";

const NOW = Date.parse("2026-11-26T23:30:00Z");
const limit = (subject: string, metric: string, amount: string, more: Partial<Limit> = {}): Limit => ({
  id: `lim_${subject}_${metric}`,
  kind: "key",
  subject,
  metric,
  amount,
  created_at: "",
  created_by: "local",
  ...more,
});
const rows = (costs: Record<string, string>) => new Map(Object.entries(costs).map(([name, cost]) => [name, { name, cost } as UsageRow]));
const SPENDING: Spending = { day: rows({ key_a: "0.40" }), month: rows({ key_a: "3.00", key_b: "1" }) };

describe("a key", () => {
  it("is over when it expires or is revoked", () => {
    expect(stateOf({}, NOW)).toBe("active");
    expect(stateOf({ expires_at: "2026-11-27T00:00:00Z" }, NOW)).toBe("active");
    expect(stateOf({ expires_at: "2026-11-26T00:00:00Z" }, NOW)).toBe("expired");
    expect(stateOf({ revoked_at: "2026-11-01T00:00:00Z", expires_at: "2026-11-26T00:00:00Z" }, NOW)).toBe("revoked");
  });

  it("spends by UTC's days and months", () => {
    expect([dayOf(NOW), monthOf(NOW)]).toEqual(["2026-11-26", "2026-11-01"]);
  });
});

describe("the limits of a key", () => {
  const limits = [
    limit("*", "requests_per_minute", "60"),
    limit("*", "usd_per_month", "4"),
    limit("*", "usd_per_day", "1"),
    limit("key_b", "usd_per_month", "2", { spent: "1.50" }),
    limit("ada", "usd_per_day", "9", { kind: "user" }),
    limit("*", "usd_per_month", "100", { kind: "project" }),
  ];

  it("are its own before those for each key, with what it spent", () => {
    const shown = (id: string) => limitsOf(id, limits, SPENDING).map(({ limit, own, spent }) => [limit.metric, limit.amount, own, spent]);
    expect(shown("key_a")).toEqual([
      ["usd_per_day", "1", false, 0.4],
      ["usd_per_month", "4", false, 3],
      ["requests_per_minute", "60", false, null],
    ]);
    expect(shown("key_b")).toEqual([
      ["usd_per_day", "1", false, 0],
      ["usd_per_month", "2", true, 1.5],
      ["requests_per_minute", "60", false, null],
    ]);
  });

  it("are shown by the one that will be reached first", () => {
    const held = limitsOf("key_a", limits, SPENDING);
    expect(tightest(held)?.limit.metric).toBe("usd_per_month");
    expect(held.map(shareOf)).toEqual([0.4, 0.75, 0]);
    expect(tightest(limitsOf("key_a", [limits[0]!], SPENDING))).toBeNull();
    expect(shareOf({ limit: limit("*", "usd_per_day", "0"), own: false, spent: 0 })).toBe(1);
  });
});
