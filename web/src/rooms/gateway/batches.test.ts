import { describe, expect, it } from "vitest";
import type { Batch } from "@/api/types";
import { isOver, progressOf, restOf, tookOf } from "./batches";

const NOW = Date.parse("2026-11-26T10:00:00Z");
const at = (seconds: number) => new Date(NOW + seconds * 1_000).toISOString();
const batch = (more: Partial<Batch>): Batch => ({
  id: "batch_1",
  endpoint: "/v1/chat/completions",
  status: "in_progress",
  input_file: "file_1",
  total: 200,
  completed: 40,
  failed: 10,
  created_by: "local",
  created_at: at(-120),
  in_progress_at: at(-100),
  expires_at: at(80_000),
  ...more,
});

describe("a batch", () => {
  it("is as far as its lines are answered or failed", () => {
    expect(progressOf(batch({}))).toEqual({ share: 0.25, done: 50, failed: 10, total: 200 });
    expect(progressOf(batch({ total: 0, completed: 0, failed: 0 }))).toBeNull();
  });

  it("takes until it ends, or until now", () => {
    expect(tookOf(batch({}), NOW)).toBe(120_000);
    expect(tookOf(batch({ status: "completed", ended_at: at(-60) }), NOW)).toBe(60_000);
    expect([isOver(batch({})), isOver(batch({ ended_at: at(-60) }))]).toEqual([false, true]);
  });

  it("goes on as so far, once there is something to go by", () => {
    expect(restOf(batch({}), NOW)).toBe(300_000);
    expect(restOf(batch({ completed: 3, failed: 0 }), NOW)).toBeNull();
    expect(restOf(batch({ status: "validating" }), NOW)).toBeNull();
  });
});
