// How far a batch is, in the page's words.

import type { Batch } from "@/api/types";
import type { Tone } from "@/ui/kit";

const TONES: Record<string, Tone> = { completed: "ok", failed: "bad", expired: "warn", cancelling: "warn", cancelled: "warn" };
export const toneOf = ({ status }: Batch): Tone => TONES[status] ?? "accent";

export const isOver = ({ ended_at }: Batch): boolean => ended_at != null;

/** Lines that were answered or have failed, of all; null before anyone counted them. */
export function progressOf({ total, completed, failed }: Batch): { share: number; done: number; failed: number; total: number } | null {
  return total === 0 ? null : { share: (completed + failed) / total, done: completed + failed, failed, total };
}

/** In milliseconds, from when it was made to its end or now. */
export const tookOf = ({ created_at, ended_at }: Batch, now: number): number =>
  Math.max(0, (ended_at ? Date.parse(ended_at) : now) - Date.parse(created_at));

/** How long the rest will take if it goes on as so far; null where that would be a guess from nothing. */
export function restOf(batch: Batch, now: number): number | null {
  const progress = progressOf(batch);
  if (batch.status !== "in_progress" || !progress || progress.done < 5 || !batch.in_progress_at) return null;
  const sofar = now - Date.parse(batch.in_progress_at);
  return sofar <= 0 ? null : (sofar / progress.done) * (progress.total - progress.done);
}
