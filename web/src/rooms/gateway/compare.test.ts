import { describe, expect, it } from "vitest";
import type { Call } from "@/api/types";
import {
  bestOf,
  costOf,
  EMPTY,
  fromHash,
  heard,
  IDLE,
  notReady,
  requestOf,
  speedOf,
  suggested,
  temperatureFault,
  toHash,
  tokensFault,
  type Answer,
} from "./compare";

const SETUP = { targets: ["assistant", "openai/gpt-4o"], system: "Be brief.", prompt: "What & why = #1?", temperature: "0.2", maxTokens: "256" };

describe("the address", () => {
  it("says all that is asked, and is read back", () => {
    const hash = toHash(SETUP);
    expect(hash.startsWith("#")).toBe(true);
    expect(fromHash(hash)).toEqual(SETUP);
    expect(fromHash(toHash(EMPTY))).toEqual(EMPTY);
  });

  it("may say too much, too little or nothing", () => {
    expect(fromHash("")).toBeNull();
    expect(fromHash("#")).toBeNull();
    expect(fromHash("#m=a&m=b&m=c&m=d&m=e")?.targets).toEqual(["a", "b", "c", "d"]);
    expect(fromHash("#m=a")?.targets).toEqual(["a", ""]);
    expect(fromHash("#p=%E0%A4%A")?.targets).toEqual(["", ""]);
  });
});

describe("what is asked", () => {
  it("is held back until it can be asked", () => {
    expect(notReady(SETUP)).toBeNull();
    expect(notReady({ ...SETUP, targets: ["assistant", " "] })).toMatch(/target/);
    expect(notReady({ ...SETUP, prompt: " \n" })).toMatch(/prompt/);
    expect(notReady({ ...SETUP, temperature: "hot" })).toMatch(/settings/);
    expect(["", "0", "0.7", "2"].map(temperatureFault)).toEqual([null, null, null, null]);
    expect(["-1", "2.1", "1e0", "a"].every((text) => temperatureFault(text) !== null)).toBe(true);
    expect(["", "1", "4096"].map(tokensFault)).toEqual([null, null, null]);
    expect(["0", "1.5", "-3"].every((text) => tokensFault(text) !== null)).toBe(true);
  });

  it("leaves to the target what is not set", () => {
    expect(requestOf(SETUP, " assistant ")).toEqual({
      model: "assistant",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "What & why = #1?" },
      ],
      temperature: 0.2,
      max_tokens: 256,
    });
    const bare = requestOf({ ...EMPTY, prompt: "Hello" }, "a");
    expect(bare).toEqual({ model: "a", messages: [{ role: "user", content: "Hello" }] });
  });
});

describe("an answer", () => {
  it("grows by what is heard", () => {
    let answer: Answer = { ...IDLE, state: "waiting" };
    answer = heard(answer, { trace_id: "ab", via: { provider: "openai", target: "gpt-4o" } }, 5);
    expect(answer).toMatchObject({ state: "waiting", trace: "ab", via: { provider: "openai" } });
    answer = heard(answer, { choices: [{ index: 0, delta: {} }] }, 8);
    expect(answer.state).toBe("waiting");
    answer = heard(answer, { choices: [{ index: 0, delta: { reasoning_content: "Hm." } }] }, 10);
    answer = heard(answer, { choices: [{ index: 0, delta: { content: "A" } }] }, 20);
    answer = heard(answer, { choices: [{ index: 0, delta: { content: "B" }, finish_reason: "length" }] }, 30);
    answer = heard(answer, { usage: { prompt_tokens: 3, completion_tokens: 40, total_tokens: 43 } }, 31);
    expect(answer).toMatchObject({ state: "streaming", text: "AB", thought: "Hm.", firstMs: 10, finish: "length", tokens: { input: 3, output: 40 } });
  });

  it("has a speed when it came in pieces and somebody counted", () => {
    const done: Answer = { ...IDLE, state: "done", firstMs: 500, totalMs: 2_500, tokens: { input: 1, output: 100 } };
    expect(speedOf(done)).toBe(50);
    expect(speedOf({ ...done, tokens: undefined })).toBeNull();
    expect(speedOf({ ...done, firstMs: 2_495 })).toBeNull();
  });

  it("costs what its calls cost", () => {
    const call = (more: object): Call => ({ cost: "0.25", price: {}, cached: false, usage: { input_tokens: 1, output_tokens: 1 }, ...more }) as Call;
    expect(costOf([])).toBeNull();
    expect(costOf([call({}), call({ cost: "0.5" })])).toEqual({ sum: 0.75, unpriced: false, cached: false });
    expect(costOf([call({}), call({ cost: "0", price: null })])).toMatchObject({ sum: 0.25, unpriced: true });
    expect(costOf([call({ cost: "0", price: null, cached: true })])).toEqual({ sum: 0, unpriced: false, cached: true });
  });
});

it("begins with routes, and with whatever else there is", () => {
  const of = (kind: string, name: string) => ({ kind, name });
  expect(suggested([of("app", "manual"), of("local model", "small"), of("route", "drafts"), of("route", "assistant")])).toEqual([
    "drafts",
    "assistant",
  ]);
  expect(suggested([of("app", "manual"), of("provider's model", "openai/gpt-4o")])).toEqual(["openai/gpt-4o", "manual"]);
  expect(suggested([])).toEqual([]);
});

it("the best column is named where there is something to compare", () => {
  const done = (firstMs: number, sum: number, unpriced = false): Answer => ({
    ...IDLE,
    state: "done",
    firstMs,
    totalMs: 2_000,
    tokens: { input: 1, output: 100 },
    cost: { sum, unpriced, cached: false },
  });
  expect(bestOf([done(100, 0.2), done(50, 0.3), { ...done(1, 0), state: "failed" }])).toEqual({ first: 1, speed: 0, total: null, cost: 0 });
  expect(bestOf([done(100, 0.2), done(50, 0, true)]).cost).toBeNull();
  expect(bestOf([done(100, 0.2)])).toEqual({ first: null, speed: null, total: null, cost: null });
});
