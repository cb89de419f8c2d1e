import { expect, test } from "vitest";
import { scoreValue, shownScore } from "./scores";

test("a value is what it looks like, unless it is said to be a word", () => {
  expect(scoreValue(" 0.5 ")).toBe(0.5);
  expect(scoreValue("-3")).toBe(-3);
  expect(scoreValue("true")).toBe(true);
  expect(scoreValue("good")).toBe("good");
  expect(scoreValue("Infinity")).toBe("Infinity");
  expect(scoreValue("5", "categorical")).toBe("5");
});

test("a value is shown shortly", () => {
  expect([shownScore(true), shownScore(false), shownScore("good"), shownScore(0.123456), shownScore(7)]).toEqual([
    "yes",
    "no",
    "good",
    "0.1235",
    "7",
  ]);
});
