import { expect, it } from "vitest";
import { asideOf, attributesOf, listOf } from "./attributes";

it("reads whatever a client sent as attributes", () => {
  expect(attributesOf({ attributes: { a: 1 } })).toEqual({ a: 1 });
  for (const odd of [null, undefined, "text", 3, ["a"]]) expect(attributesOf({ attributes: odd })).toEqual({});
});

it("reads a list, or the JSON text of one", () => {
  expect(listOf(["a"])).toEqual(["a"]);
  expect(listOf('["a"]')).toEqual(["a"]);
  for (const odd of ["{", '{"a":1}', null, undefined, 3]) expect(listOf(odd)).toEqual([]);
});

it("what stands in the place of a large value is known by its shape", () => {
  const aside = { digest: "sha256:ab", bytes: 70_000, beginning: "It begins" };
  expect(asideOf({ "mainspring.value": aside })).toEqual(aside);
  for (const other of [null, "text", {}, { "mainspring.value": "x" }, { "mainspring.value": { digest: 1 } }, { "mainspring.value": aside, more: 1 }])
    expect(asideOf(other)).toBeNull();
});
