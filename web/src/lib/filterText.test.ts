import { expect, it } from "vitest";
import type { FilterField } from "@/api/types";
import { both, faultAt, inQuotes, quoted, suggest } from "./filterText";

const fields: FilterField[] = [
  { name: "model", kind: "text", says: "the model that was asked" },
  { name: "status", kind: "text", says: "`ok`, `error` or `unset`" },
  { name: "duration", kind: "duration", says: "how long it took" },
  { name: "error", kind: "flag", says: "it failed" },
];
const at = (text: string) => suggest(text.replace("|", ""), text.indexOf("|"), fields);
const texts = (text: string) => at(text).items.map((item) => item.text);

it("fields come first, and after and, or, not and a parenthesis", () => {
  expect(texts("|")).toEqual(["model", "status", "duration", "error", 'attributes["', "not"]);
  expect(texts("error and d|")).toEqual(["duration", "model"]);
  expect(texts("(|")).toContain("model");
  expect(at("error and sta|").from).toBe(10);
});

it("a field is followed by what compares its kind, and a condition by and or or", () => {
  expect(texts("model |")).toEqual(["=", "!=", "in (", "contains", "starts_with", "exists"]);
  expect(texts("duration |")).toEqual([">", ">=", "<", "<=", "="]);
  expect(texts("error |")).toEqual(["and", "or"]);
  expect(texts("model = gpt |")).toEqual(["and", "or"]);
  expect(texts("model in (a, b) |")).toEqual(["and", "or"]);
});

it("values come by their kind, and those of texts from what was recorded", () => {
  expect(texts("status = |")).toEqual(["ok", "error", "unset"]);
  expect(texts("status = e|")).toEqual(["error", "unset"]);
  expect(texts("duration > 1|")).toEqual(["100ms", "1s", "1m"]);
  expect(at("model = g|")).toEqual({ from: 8, items: [], valuesOf: "model" });
  expect(at('model in ("gpt-4o", |').valuesOf).toBe("model");
  expect(at("model not in (|").valuesOf).toBe("model");
});

it("values are written so that they are read as they are", () => {
  expect(["gpt-4o", "two words", 'a "b"', "and", "-1h", ""].map(quoted)).toEqual(["gpt-4o", '"two words"', '"a \\"b\\""', '"and"', '"-1h"', '""']);
});

it("a text in quotes is read as it is", () => {
  expect(inQuotes('a "b" \\ c')).toBe('"a \\"b\\" \\\\ c"');
  expect(inQuotes("one\ntwo\r\tthree")).toBe('"one\\ntwo\\r\\tthree"');
});

it("a fault has a place and a reason", () => {
  expect(faultAt("the filter cannot be read at character 7: there is no field `modle`")).toEqual({ at: 6, what: "there is no field `modle`" });
  expect(faultAt("something else")).toBeNull();
});

it("what must hold as well is put beside it", () => {
  expect([both("entry", "a or b"), both("", "error"), both(undefined, " ")]).toEqual(["(entry) and (a or b)", "error", ""]);
});
