import { expect, it } from "vitest";
import { aheadOf, newerThan } from "./newer";

const NOW = Date.parse("2026-01-01T12:00:00Z");
const MINUTE = 60_000;
const began = (minutes: number) => ({ start: new Date(NOW + minutes * MINUTE).toISOString() });

it("a trace whose clock is ahead is told apart, and is nothing new when its time has come", () => {
  const rows = [began(60), null, began(-1)];
  expect(aheadOf(rows, NOW)).toBe(1);
  expect(aheadOf([began(0.5)], NOW)).toBe(0);
  expect(newerThan(0, rows, [NOW, NOW + MINUTE])).toBe(0);
  expect(newerThan(3, rows, [NOW, NOW + MINUTE])).toBe(3);
  expect(newerThan(4, rows, [NOW, NOW + 61 * MINUTE])).toBe(3);
});
