// What began since a list was read, where clocks may be wrong.

/** A clock is not ahead before it is by more than pages take to come. */
const AHEAD_MS = 60_000;

interface Began {
  start: string;
}

/** How many of a list began later than it was read: their senders' clocks are ahead. */
export const aheadOf = (rows: readonly (Began | null)[], now: number): number =>
  rows.filter((row) => row !== null && Date.parse(row.start) > now + AHEAD_MS).length;

/**
 * How many are not in the list, of so many that began since it was read and until somebody asked: one whose clock was ahead is in the list
 * already, also when its time has come.
 */
export const newerThan = (counted: number, rows: readonly (Began | null)[], [since, until]: [since: number, until: number]): number => {
  const shown = rows.filter((row) => row !== null && Date.parse(row.start) >= since && Date.parse(row.start) < until).length;
  return Math.max(0, counted - shown);
};
