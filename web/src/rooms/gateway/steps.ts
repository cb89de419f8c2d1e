import type { UsageRow } from "@/api/types";

export interface Step {
  /** Seconds since the epoch. */
  at: number;
  cost: number;
  calls: number;
  failed: number;
}

/** Every hour or day (UTC's) of a stretch in order, those without a call too: the server names only the others. */
export function steps(rows: readonly UsageRow[], since: string, until: string, unit: "hour" | "day"): Step[] {
  const size = unit === "hour" ? 3_600 : 86_400;
  const floor = (when: string) => Math.floor(Date.parse(when) / 1_000 / size) * size;
  const known = new Map(rows.map((row) => [floor(row.name), row]));
  const found: Step[] = [];
  // `until` is not part of the stretch.
  for (let at = floor(since); at * 1_000 < Date.parse(until); at += size) {
    const row = known.get(at);
    found.push({ at, cost: Number(row?.cost ?? 0), calls: row?.calls ?? 0, failed: row?.failed ?? 0 });
  }
  return found;
}
