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

const open = (ms: number): TailEvent => ({ event: "open", at: new Date(ms).toISOString(), filter: "" });
const listed = (n: number) => {
  const { event: _, ...rest } = span(n) as TailEvent & { event: "span" };
  return rest;
};
const names = (board: TailBoard) => board.rows().map((row) => row.span);

it("shows what the list has of a break, each span once, and nothing of before it was opened", () => {
  const board = new TailBoard();
  expect(board.since()).toBeNull();
  board.push(open(1_000_000));
  board.push(span(1_000_010));
  board.push(open(1_015_000));
  expect(board.since()).toBe(new Date(1_015_000 - 120_000).toISOString());
  board.push(open(1_020_000));
  board.catchUp([listed(1_016_000), listed(1_015_500), listed(1_000_010), listed(999_000)]);
  expect(names(board)).toEqual(["s1016000", "s1015500", "s1000010"]);
  // The stream may tell again what the list had, and a sender may repeat itself after that.
  board.push(span(1_016_000));
  expect(board.rows()).toHaveLength(3);
  board.push(span(1_016_000));
  expect(board.rows()).toHaveLength(4);
  board.clear();
  expect([board.since(), board.gap, board.rows()]).toEqual([null, false, []]);
});
