import { expect, it } from "vitest";
import { bars, bucketFor } from "./histogram";

const T = Date.parse("2026-01-01T10:00:00Z");

it("buckets are as short as there is room for them", () => {
  expect(bucketFor(T, T + 3_600_000).name).toBe("1m");
  expect(bucketFor(T, T + 24 * 3_600_000).name).toBe("30m");
  expect(bucketFor(T, T + 10).name).toBe("1s");
  for (const days of [1, 7, 30, 365]) {
    const { ms } = bucketFor(T, T + days * 86_400_000);
    expect((days * 86_400_000) / ms).toBeLessThanOrEqual(90);
  }
});

it("bars begin at whole buckets, and those without a row are empty", () => {
  const row = (start: string, count: number, errors: number | null) => ({ start, keys: {}, values: { count, errors } });
  const rows = [row("2026-01-01T10:00:00Z", 3, 1), row("2026-01-01T10:02:00Z", 2, null), row("2025-12-31T00:00:00Z", 9, 9)];
  const found = bars({ rows }, T + 30_000, T + 170_000, { ms: 60_000, name: "1m" });
  expect(found.map((bar) => [bar.start - T, bar.count, bar.errors])).toEqual([
    [0, 3, 1],
    [60_000, 0, 0],
    [120_000, 2, 0],
  ]);
});
