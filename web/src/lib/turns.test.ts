import { expect, it } from "vitest";
import type { SpanMessage, SpanReading } from "@/api/types";
import { newIn, pauseAfter, saysNothing, transcript } from "./turns";

const said = (role: string, content: string): SpanMessage => ({ role, parts: [{ type: "text", content }] });
const reading = (input: SpanMessage[], output: SpanMessage[], more: Partial<SpanReading> = {}): SpanReading => ({
  trace_id: "t",
  span: "s",
  type: "chat",
  input,
  output,
  ...more,
});

it("a turn is what was said since the person spoke, with the tools that were called meanwhile", () => {
  const call: SpanMessage = { role: "assistant", parts: [{ type: "tool_call", id: "1", name: "clock", arguments: {} }] };
  const input = [
    said("system", "Be kind."),
    said("user", "Hi"),
    said("assistant", "Hello"),
    said("user", "One"),
    said("user", "Two"),
    call,
    said("tool", "12:00"),
  ];
  const turn = newIn(reading(input, [said("assistant", "Noon")]));
  expect(turn.asked.map((message) => message.role)).toEqual(["user", "user", "assistant", "tool"]);
  expect(turn.answered).toEqual([said("assistant", "Noon")]);
});

it("a search asks its query, and a span without words says nothing", () => {
  expect(newIn(reading([], [], { query: "gate" })).asked).toEqual([said("user", "gate")]);
  expect(saysNothing(newIn(reading([said("system", "Be kind.")], [])))).toBe(true);
});

it("a transcript holds what can be compared", () => {
  const text = transcript(
    reading([said("user", "Hi")], [said("assistant", "Hello")], {
      system: [{ type: "text", content: "Be kind." }],
      documents: [{ id: "d1", content: "A gate." }],
    }),
  );
  expect(text.split("\n\n")).toEqual(["system: Be kind.", "user: Hi", "assistant: Hello", "document d1: A gate."]);
});

it("a replay keeps the rhythm within reason", () => {
  const starts = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:08Z", "2026-01-01T01:00:00Z", "2026-01-01T01:00:00.010Z"];
  expect([0, 1, 2, 3].map((at) => pauseAfter(starts, at, 4))).toEqual([2_000, 4_000, 500, 500]);
});
