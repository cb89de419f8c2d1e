import { describe, expect, it } from "vitest";
import type { RouteTarget, TargetHistory } from "@/api/types";
import { byProvider, failedIn, grouped, MINUTES, mixOf } from "./history";

const NOW = Date.parse("2026-11-26T10:00:30Z");
const history = (minutes: TargetHistory["minutes"]): TargetHistory => ({ route: "assistant", provider: "openai", model: "gpt-4o", minutes });

describe("the last hour", () => {
  it("has every minute, and targets on top of each other", () => {
    const mix = mixOf(
      [
        history([
          { at: "2026-11-26T09:58:00Z", attempts: 5, failed: { timeout: 1 } },
          { at: "2026-11-26T10:00:00Z", attempts: 2, failed: { server: 2 } },
        ]),
        history([{ at: "2026-11-26T09:58:00Z", attempts: 3, failed: { timeout: 1, server: 2 } }]),
      ],
      NOW,
    );
    expect(mix.times).toHaveLength(MINUTES);
    expect(new Date(mix.times[0]!).toISOString()).toBe("2026-11-26T09:01:00.000Z");
    expect(new Date(mix.times.at(-1)!).toISOString()).toBe("2026-11-26T10:00:00.000Z");
    expect(mix.attempts.slice(-3)).toEqual([8, 0, 2]);
    expect(mix.classes.map(({ name, total, counts }) => [name, total, counts.slice(-3)])).toEqual([
      ["server", 4, [2, 0, 2]],
      ["timeout", 2, [2, 0, 0]],
    ]);
    expect(failedIn(mix, MINUTES - 3)).toBe(4);
  });

  it("leaves out what is older, and takes what is a little ahead for now", () => {
    const mix = mixOf(
      [
        history([
          { at: "2026-11-26T08:30:00Z", attempts: 9, failed: { server: 9 } },
          { at: "2026-11-26T10:02:00Z", attempts: 1, failed: {} },
        ]),
      ],
      NOW,
    );
    expect(mix.classes).toEqual([]);
    expect(mix.attempts.at(-1)).toBe(1);
    expect(mix.attempts.reduce((a, b) => a + b)).toBe(1);
  });

  it("is drawn in larger groups where it is small", () => {
    expect(grouped([1, 2, 3, 4, 5], 2)).toEqual([3, 7, 5]);
  });
});

it("the targets of a provider are summed up", () => {
  const target = (more: Partial<RouteTarget>): RouteTarget => ({
    provider: "openai",
    model: "gpt-4o",
    breaker: "closed",
    in_flight: 1,
    recent: 10,
    failed: {},
    attempts: 10,
    input_tokens: 0,
    output_tokens: 0,
    spend: "0",
    ...more,
  });
  const sums = byProvider([
    target({ begin_p50_ms: 300, failed: { timeout: 1 } }),
    target({ provider: "anthropic", breaker: "half_open" }),
    target({ breaker: "open", begin_p50_ms: 120, failed: { timeout: 2, server: 1 } }),
    target({}),
  ]);
  expect(sums.map((s) => [s.provider, s.targets, s.open, s.halfOpen, s.inFlight, s.attempts])).toEqual([
    ["anthropic", 1, 0, 1, 1, 10],
    ["openai", 3, 1, 0, 3, 30],
  ]);
  expect(sums[1]).toMatchObject({ failed: { timeout: 3, server: 1 }, begin: [120, 300], whole: null });
});
