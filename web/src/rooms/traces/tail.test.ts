import { expect, it } from "vitest";
import type { TailEvent } from "@/api/types";
import { KEPT, TailBoard } from "./tail";

const span = (n: number): TailEvent => ({
  event: "span",
  trace_id: `t${n}`,
  span: `s${n}`,
  name: "ask",
  entry: true,
  status: "ok",
  start: new Date(n).toISOString(),
  duration_ms: 1,
});

it("holds the newest, the last first, and no more than it may", () => {
  const board = new TailBoard();
  for (let n = 0; n < KEPT * 5; n++) board.push(span(n));
  const rows = board.rows();
  expect([rows.length, rows[0]!.span, rows.at(-1)!.span]).toEqual([KEPT, `s${KEPT * 5 - 1}`, `s${KEPT * 4}`]);
  expect(board.fresh).toBe(KEPT * 5);
});

it("counts what was missed, and forgets everything when asked to", () => {
  const board = new TailBoard();
  board.push({ event: "open", at: "2026-01-01T00:00:00Z", filter: "" });
  board.push({ event: "missed", spans: 3 });
  board.push({ event: "missed", spans: 4 });
  board.push(span(1));
  expect([board.missed, board.rows().length]).toEqual([7, 1]);
  board.clear();
  expect([board.missed, board.fresh, board.rows()]).toEqual([0, 0, []]);
});
