import { describe, expect, it } from "vitest";
import type { UsageRow } from "@/api/types";
import { steps } from "./steps";

const row = (name: string, cost: string, calls: number): UsageRow => ({ name, cost, calls, failed: 1 }) as UsageRow;

describe("the steps of a stretch", () => {
  it("are every day of it, in order, also those without a call", () => {
    const found = steps([row("2026-11-26", "0.25", 3)], "2026-11-24T06:00:00Z", "2026-11-27T00:00:00Z", "day");
    expect(found.map((s) => [new Date(s.at * 1000).toISOString().slice(0, 10), s.cost, s.calls, s.failed])).toEqual([
      ["2026-11-24", 0, 0, 0],
      ["2026-11-25", 0, 0, 0],
      ["2026-11-26", 0.25, 3, 1],
    ]);
  });

  it("are its hours where it is short", () => {
    const found = steps([row("2026-11-26T06:00:00Z", "1", 2)], "2026-11-26T05:00:00Z", "2026-11-26T07:00:00Z", "hour");
    expect(found.map((s) => s.calls)).toEqual([0, 2]);
  });
});
