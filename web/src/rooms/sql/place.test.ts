import { expect, test } from "vitest";
import { offsetOf, placeOf } from "./place";

test("a place is read where the engine tells one", () => {
  expect(placeOf("Expected: end of statement, found: x at Line: 2, Column: 8")).toEqual({ line: 2, column: 8 });
  expect(placeOf("no field named x")).toBeNull();
  expect(placeOf(null)).toBeNull();
});

test("a place is a letter of the text, and never beyond it", () => {
  const text = "select 1\nfrom x";
  expect(text.slice(offsetOf(text, { line: 2, column: 6 }))).toBe("x");
  expect(offsetOf(text, { line: 1, column: 1 })).toBe(0);
  expect(offsetOf(text, { line: 9, column: 9 })).toBe(text.length);
});
