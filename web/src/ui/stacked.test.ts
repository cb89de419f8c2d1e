import { expect, it } from "vitest";
import { roof } from "./Stacked";

it("the axis ends at a round number at or above the highest bar", () => {
  expect([0, 1, 4, 7, 11, 21, 30, 99, 240, 1_001].map(roof)).toEqual([1, 1, 4, 10, 20, 25, 50, 100, 250, 2_000]);
});
