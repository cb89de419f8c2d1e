import { expect, it } from "vitest";
import { fuzzy } from "./fuzzy";

const best = (query: string, texts: string[]) =>
  texts
    .map((t) => [fuzzy(query, t), t] as const)
    .filter(([s]) => s !== null)
    .sort((a, b) => b[0]! - a[0]!)
    .map(([, t]) => t);

it("a whole word beats scattered letters, and what does not match is left out", () => {
  expect(best("trace", ["Restart rare capture", "Go to traces", "Settings"])).toEqual(["Go to traces", "Restart rare capture"]);
});

it("initials find a command", () => {
  expect(best("gk", ["Go to knowledge", "Background"])[0]).toBe("Go to knowledge");
});

it("letters out of order do not match", () => {
  expect(fuzzy("ba", "abc")).toBeNull();
});
