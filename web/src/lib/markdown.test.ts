import { expect, test } from "vitest";
import { isMarkdown } from "./markdown";

test("Markdown is known by its signs, and plain words are none", () => {
  for (const text of [
    "# Title",
    "Use this:\n```sh\nls\n```",
    "It is **bold**.",
    "Two:\n- one\n- two",
    "1. first",
    "| a | b |\n|---|---|",
    "call `apply` first",
    "see [the guide](https://x.example)",
  ])
    expect(isMarkdown(text), text).toBe(true);
  for (const text of [
    "",
    "The lake fsyncs every commit [1].",
    "2 * 3 * 4 = 24",
    "a_b_c -1 #5",
    "roses are red,\nviolets are blue",
    "x".repeat(9_000) + " **late**",
  ])
    expect(isMarkdown(text), text.slice(0, 40)).toBe(false);
});

test("a text of brackets is looked at in no time", () => {
  const begun = performance.now();
  for (const odd of ["[", "`", "|", "*", "#"]) isMarkdown(odd.repeat(1_000_000));
  expect(performance.now() - begun).toBeLessThan(500);
});
