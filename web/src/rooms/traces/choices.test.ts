import { expect, it } from "vitest";
import { asksEverySpan, models, senderOf, senders, senderValue } from "./choices";

const measured = (field: string, names: (string | null)[]) => ({
  rows: names.map((name) => ({ keys: { [field]: name }, values: { count: 1 } })),
});

it("offers what the traces have, apps before programs, and what was chosen", () => {
  expect(senders(measured("app", ["manual", null]), measured("service", ["shop"]), "gone", "")).toEqual([
    { value: "", label: "Any app" },
    { value: "app:manual", label: "manual" },
    { value: "app:gone", label: "gone" },
    { value: "service:shop", label: "shop" },
  ]);
  expect(senders(undefined, undefined, "", "")).toEqual([{ value: "", label: "Any app" }]);
  expect(models(measured("model", ["gpt-4o", "gpt-4o-mini"]), "gpt-4o").map(({ label }) => label)).toEqual(["Any model", "gpt-4o", "gpt-4o-mini"]);
});

it("knows an app from a program of the same name", () => {
  for (const [app, service] of [
    ["shop", ""],
    ["", "shop"],
    ["", "a:b"],
    ["", ""],
  ] as const) {
    expect(senderOf(senderValue(app, service))).toEqual({ app, service });
  }
});

it("asks every span what mostly stands beneath the first, unless somebody says otherwise", () => {
  const nothing = { q: "", model: "", status: "" };
  expect(asksEverySpan("", nothing)).toBe(false);
  expect(asksEverySpan("", { ...nothing, status: "ok" })).toBe(false);
  for (const asked of [{ q: "Lisbon" }, { model: "gpt-4o" }, { status: "error" }]) {
    expect(asksEverySpan("", { ...nothing, ...asked })).toBe(true);
    expect(asksEverySpan("false", { ...nothing, ...asked })).toBe(false);
  }
  expect(asksEverySpan("true", nothing)).toBe(true);
});
