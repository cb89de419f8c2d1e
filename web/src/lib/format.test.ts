import { describe, expect, it } from "vitest";
import { about, ago, bytes, duration, money, moneyBrief, percent, place, short, stageName } from "./format";

describe("formatting", () => {
  it("gives durations the precision they deserve", () => {
    expect([0, 0.25, 3.21, 87.4, 999.4, 999.6, 1234, 12_345, 59_960, 61_000, 3_725_000, null].map(duration)).toEqual([
      "0 ms",
      "250 µs",
      "3.2 ms",
      "87 ms",
      "999 ms",
      "1.00 s",
      "1.23 s",
      "12.3 s",
      "1m 0s",
      "1m 1s",
      "1h 2m",
      "–",
    ]);
  });

  it("tells how long ago", () => {
    const now = Date.parse("2026-06-01T12:00:00Z");
    expect(ago("2026-06-01T11:59:58Z", now)).toBe("now");
    expect(ago("2026-06-01T11:58:00Z", now)).toBe("2m ago");
    expect(ago("2026-06-03T12:00:00Z", now)).toBe("in 2d");
    expect(ago(null, now)).toBe("never");
  });

  it("never tells an estimate as a count", () => {
    expect([about("12", true), about("12", false), about("12", undefined)]).toEqual(["≈ 12", "12", "12"]);
  });

  it("shortens sizes and shares", () => {
    expect([999, 1000, 23_400_000, 250_000_000].map(bytes)).toEqual(["999 B", "1.0 KB", "23.4 MB", "250 MB"]);
    expect([percent(0, 0), percent(1, 3), percent(1, 5000), percent(1, 2)]).toEqual(["0%", "33%", "<0.1%", "50%"]);
    expect([short(9999), short(12_345), short(null)]).toEqual(["9,999", "12.3K", "–"]);
  });
});

it("writes addresses of files as paths, and leaves others alone", () => {
  expect(place("file:///srv/docs/%E5%8B%A4%E5%8B%99.md")).toBe("/srv/docs/勤務.md");
  expect(place("file:///srv/100%.md")).toBe("/srv/100%.md");
  expect(place("https://example.org/a%20b")).toBe("https://example.org/a%20b");
});

it("names stages in words", () => {
  expect(stageName("first_token")).toBe("first token");
  expect(stageName("rerank")).toBe("rerank");
});

it("keeps the small sums that calls cost", () => {
  expect(["0.00", "0.0000066", "0.0002618", "0.05", "0.5", "12.5", "1234.567", null].map(money)).toEqual([
    "$0",
    "$0.0000066",
    "$0.00026",
    "$0.05",
    "$0.50",
    "$12.50",
    "$1,234.57",
    "–",
  ]);
});

it("in a column, what is next to nothing is said to be less than a hundredth of a cent", () => {
  expect(["0.00", "0.0000066", "0.0001", "0.0002618", "-0.00001", null].map(moneyBrief)).toEqual([
    "$0",
    "<$0.0001",
    "$0.0001",
    "$0.00026",
    "−$0.00001",
    "–",
  ]);
});
