import { describe, expect, it } from "vitest";
import { amountFault, standing, subjectOf } from "./limits";

describe("limits", () => {
  it("say for whom they are", () => {
    const named = (id: string) => (id === "key_1" ? "shop" : undefined);
    expect(subjectOf({ kind: "project", subject: "*" }, named)).toEqual({ kind: "", name: "The project" });
    expect(subjectOf({ kind: "key", subject: "*" }, named)).toEqual({ kind: "", name: "Each key" });
    expect(subjectOf({ kind: "key", subject: "key_1" }, named)).toEqual({ kind: "key", name: "shop" });
    expect(subjectOf({ kind: "key", subject: "key_2" }, named)).toEqual({ kind: "key", name: "key_2" });
    expect(subjectOf({ kind: "user", subject: "ada" }, named)).toEqual({ kind: "end user", name: "ada" });
  });

  it("say how they stand", () => {
    expect(standing(60, 60)).toEqual({ left: 60, used: 0, share: 0, tone: "accent" });
    expect(standing(10, 60)).toMatchObject({ used: 50, tone: "warn" });
    expect(standing(0, 60)).toMatchObject({ share: 1, tone: "bad" });
    expect(standing(-1, 5)).toMatchObject({ used: 6, tone: "bad" });
    expect(standing(0, 0).tone).toBe("bad");
  });

  it("take dollars for budgets and whole numbers for the rest", () => {
    const faulty = (metric: string, amount: string) => amountFault(metric, amount) !== null;
    expect(["12", "12.50", "0.001"].map((a) => faulty("usd_per_day", a))).toEqual([false, false, false]);
    expect(["0", "-1", "1e3", "$5", "a", "."].map((a) => faulty("usd_per_day", a))).toEqual([true, true, true, true, true, true]);
    expect(["60", "0", "1.5"].map((a) => faulty("requests_per_minute", a))).toEqual([false, true, true]);
  });
});
