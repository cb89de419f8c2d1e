import { expect, it } from "vitest";
import { readMessages } from "./messages";

it("messages are read from arrays, from JSON text and from parts", () => {
  const expected = [{ role: "user", text: "Hi" }];
  expect(readMessages([{ role: "user", content: "Hi" }], "x")).toEqual(expected);
  expect(readMessages('[{"role":"user","content":"Hi"}]', "x")).toEqual(expected);
  expect(readMessages([{ role: "user", parts: [{ type: "text", content: "Hi" }] }], "x")).toEqual(expected);
  expect(readMessages([{ role: "user", content: [{ type: "text", text: "Hi" }] }], "x")).toEqual(expected);
});

it("plain text is one message, and what cannot be read as text is shown as it is", () => {
  expect(readMessages("just words", "assistant")).toEqual([{ role: "assistant", text: "just words" }]);
  expect(readMessages([{ role: "tool", content: [{ call: 1 }] }], "x")).toEqual([{ role: "tool", text: '{\n  "call": 1\n}' }]);
});

it("nothing is no messages", () => {
  for (const value of [undefined, null, "", [], 7]) expect(readMessages(value, "x")).toBeNull();
});
