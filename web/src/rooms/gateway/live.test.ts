import { describe, expect, it } from "vitest";
import type { Call, LiveCall, StartedCall } from "@/api/types";
import { choices, isOpen, KEPT, LiveBoard, nameOf, passes, statusOf } from "./live";

const NOW = Date.parse("2026-11-26T10:00:00Z");
const at = (ms: number) => new Date(NOW + ms).toISOString();

const begun = (id: string, ms = 0, more: Partial<StartedCall> = {}): StartedCall => ({
  id,
  started_at: at(ms),
  principal: "local",
  model: "assistant",
  route: "assistant",
  operation: "chat",
  batch: false,
  trace_id: `trace-${id}`,
  ...more,
});
const ended = (id: string, ms = 0, more: Partial<Call> = {}): Call =>
  ({
    ...begun(id, ms),
    ended_at: at(ms + 500),
    took_ms: 500,
    status: "ok",
    attempts: 1,
    cost: "0.5",
    cached: false,
    usage: { input_tokens: 10, output_tokens: 5 },
    ...more,
  }) as Call;
const started = (id: string, ms = 0, more: Partial<StartedCall> = {}): LiveCall => ({ event: "started", ...begun(id, ms, more) });
const settled = (id: string, ms = 0, more: Partial<Call> = {}): LiveCall => ({ event: "settled", ...ended(id, ms, more) });
const answering = (id: string, output_tokens: number): LiveCall => ({
  event: "answering",
  id,
  provider: "openai",
  target: "gpt-4o",
  attempts: 1,
  first_ms: 90,
  output_tokens,
});

function board(...events: LiveCall[]): LiveBoard {
  const made = new LiveBoard();
  for (const event of events) made.push(event, NOW);
  return made;
}
const shown = (made: LiveBoard) => made.rows().map((row) => [row.id, statusOf(row)]);

describe("the board of calls", () => {
  it("follows a call from its start to its end, and shows the newest first", () => {
    const made = board(started("a"), started("b", 10));
    expect(shown(made)).toEqual([
      ["b", "started"],
      ["a", "started"],
    ]);
    made.push(answering("a", 12), NOW + 20);
    expect(made.rows()[1]?.answering?.output_tokens).toBe(12);
    made.push(settled("a"), NOW + 30);
    made.push(settled("b", 10, { status: "failed", class: "timeout" }), NOW + 30);
    expect(shown(made)).toEqual([
      ["b", "failed"],
      ["a", "ok"],
    ]);
    expect(made.fresh).toBe(2);
  });

  it("takes the end of a call whose start it never heard, and no word after the end", () => {
    const made = board(settled("a"), answering("a", 3), started("a"));
    expect(shown(made)).toEqual([["a", "ok"]]);
    expect(made.rows()[0]?.begun.trace_id).toBe("trace-a");
    expect(made.rows()[0]?.answering).toBeUndefined();
  });

  it("lets go of what has ended unheard, unless the list of what is under way is cut", () => {
    const made = board(started("gone"), started("here", 5), settled("done", 6));
    made.push({ event: "open", calls: [begun("here", 5), begun("older", -9_000)], more: true }, NOW);
    expect(shown(made).map(([id]) => id)).toEqual(["done", "here", "gone", "older"]);
    made.push({ event: "open", calls: [begun("here", 5)], more: false }, NOW);
    expect(shown(made).map(([id]) => id)).toEqual(["done", "here"]);
    // It was under way before anyone looked: its time counts from its start.
    expect(board({ event: "open", calls: [begun("older", -9_000)], more: false }).rows()[0]?.since).toBe(NOW - 9_000);
  });

  it("is filled with what had ended before, which is not news", () => {
    const made = board(started("a", 50));
    made.fill([ended("old", -1_000), ended("a", 50)], NOW);
    expect(shown(made)).toEqual([
      ["a", "ok"],
      ["old", "ok"],
    ]);
    expect(made.fresh).toBe(1);
  });

  it("keeps no more than it can show, and never forgets what is under way", () => {
    const made = board(started("open", -5_000));
    for (let i = 0; i < 3 * KEPT; i++) made.push(settled(`c${i}`, i), NOW);
    const rows = made.rows();
    expect(rows.length).toBeLessThanOrEqual(KEPT * 1.2);
    expect(rows[0]?.id).toBe(`c${3 * KEPT - 1}`);
    expect(rows.filter(isOpen).map((row) => row.id)).toEqual(["open"]);
  });

  it("counts what was missed", () => {
    expect(board({ event: "missed", events: 3 }, { event: "missed", events: 4 }).missed).toBe(7);
  });
});

describe("the filter", () => {
  const rows = board(
    started("a", 0, { key: "key_1", user: "ada" }),
    settled("b", 1, { status: "failed", user: "bob" }),
    settled("c", 2, { route: null, model: "openai/gpt-4o" }),
  ).rows();
  const kept = (filter: Parameters<typeof passes>[1]) => rows.filter((row) => passes(row, filter)).map((row) => row.id);

  it("narrows by status, route, key and user", () => {
    expect(kept({})).toEqual(["c", "b", "a"]);
    expect(kept({ status: "open" })).toEqual(["a"]);
    expect(kept({ status: "failed" })).toEqual(["b"]);
    expect(kept({ route: "openai/gpt-4o" })).toEqual(["c"]);
    expect(kept({ key: "key_1" })).toEqual(["a"]);
    expect(kept({ user: "bob", status: "ok" })).toEqual([]);
  });

  it("offers what was seen, and what is chosen", () => {
    expect(choices(rows, nameOf, undefined)).toEqual(["assistant", "openai/gpt-4o"]);
    expect(choices(rows, (row) => row.begun.user, "zoe")).toEqual(["ada", "bob", "zoe"]);
  });
});

it("the pulse is of the last minute, also of calls that are not kept, and of none twice", () => {
  const made = board(started("a"), settled("b", 0, { status: "failed" }), settled("c", 1), settled("d", -120_000));
  made.fill([ended("b", 0, { status: "failed" }), ended("e", -2_000)], NOW);
  expect(made.pulse(NOW + 1_000)).toEqual({ open: 1, ended: 3, failed: 1, cost: 1.5 });
  for (let i = 0; i < 2 * KEPT; i++) made.push(settled(`c${i}`, 2), NOW);
  expect(made.pulse(NOW + 1_000)).toMatchObject({ open: 1, ended: 3 + 2 * KEPT });
  expect(made.pulse(NOW + 70_000)).toEqual({ open: 1, ended: 0, failed: 0, cost: 0 });
});
