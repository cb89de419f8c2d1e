// One prompt to several targets: what is asked, as the address says it, and what came of it.

import type { Call, ChatChunk, Problem, Via } from "@/api/types";

export const TARGETS_MIN = 2;
export const TARGETS_MAX = 4;

export interface Setup {
  targets: readonly string[];
  system: string;
  prompt: string;
  /** As they are typed; empty: as the target has it. */
  temperature: string;
  maxTokens: string;
}

export const EMPTY: Setup = { targets: ["", ""], system: "", prompt: "", temperature: "", maxTokens: "" };

/** After the `#`, which browsers keep to themselves: prompts are in no server's log. */
export function toHash({ targets, system, prompt, temperature, maxTokens }: Setup): string {
  const pairs = new URLSearchParams();
  for (const target of targets) pairs.append("m", target);
  const rest = { s: system, p: prompt, t: temperature, max: maxTokens };
  for (const [key, value] of Object.entries(rest)) if (value !== "") pairs.set(key, value);
  return `#${pairs.toString()}`;
}

/** Whatever an address says, so many targets as can be shown; null where it says nothing. */
export function fromHash(hash: string): Setup | null {
  const pairs = new URLSearchParams(hash.replace(/^#/, ""));
  if ([...pairs.keys()].length === 0) return null;
  const targets = pairs.getAll("m").slice(0, TARGETS_MAX);
  while (targets.length < TARGETS_MIN) targets.push("");
  const text = (key: string) => pairs.get(key) ?? "";
  return { targets, system: text("s"), prompt: text("p"), temperature: text("t"), maxTokens: text("max") };
}

export const temperatureFault = (text: string): string | null =>
  text === "" || (/^\d+(\.\d+)?$/.test(text) && Number(text) <= 2) ? null : "A number from 0 to 2";
export const tokensFault = (text: string): string | null =>
  text === "" || (/^\d+$/.test(text) && Number(text) > 0) ? null : "A whole number above 0";

/** Why it cannot be asked yet; null when it can. */
export function notReady(setup: Setup): string | null {
  if (setup.targets.some((target) => target.trim() === "")) return "Choose a target for each column";
  if (setup.prompt.trim() === "") return "Write a prompt";
  if (temperatureFault(setup.temperature) || tokensFault(setup.maxTokens)) return "Mend the settings";
  return null;
}

export function requestOf(setup: Setup, target: string) {
  const messages = [...(setup.system.trim() === "" ? [] : [{ role: "system", content: setup.system }]), { role: "user", content: setup.prompt }];
  return {
    model: target.trim(),
    messages,
    ...(setup.temperature === "" ? {} : { temperature: Number(setup.temperature) }),
    ...(setup.maxTokens === "" ? {} : { max_tokens: Number(setup.maxTokens) }),
  };
}

// ── One answer ──────────────────────────────────────────────────────────────

export interface Answer {
  state: "idle" | "waiting" | "streaming" | "done" | "stopped" | "failed";
  text: string;
  thought: string;
  via?: Via;
  trace?: string;
  finish?: string;
  tokens?: { input: number; output: number };
  /** In milliseconds from the question, as this browser saw it. */
  firstMs?: number;
  totalMs?: number;
  cost?: AnswerCost;
  problem?: Problem;
}

export interface AnswerCost {
  /** In dollars. */
  sum: number;
  /** Tokens were used that nobody knows the price of: the sum is without them. */
  unpriced: boolean;
  cached: boolean;
}

export const IDLE: Answer = { state: "idle", text: "", thought: "" };
export const isRunning = (answer: Answer): boolean => answer.state === "waiting" || answer.state === "streaming";

/** An answer with what came next. */
export function heard(answer: Answer, chunk: ChatChunk, ms: number): Answer {
  const next = { ...answer };
  if (chunk.trace_id) next.trace = chunk.trace_id;
  if (chunk.via) next.via = chunk.via;
  const choice = chunk.choices?.[0];
  const { content, reasoning_content: thought } = choice?.delta ?? {};
  if (content || thought) {
    next.state = "streaming";
    next.firstMs ??= ms;
    next.text += content ?? "";
    next.thought += thought ?? "";
  }
  if (choice?.finish_reason) next.finish = choice.finish_reason;
  if (chunk.usage) next.tokens = { input: chunk.usage.prompt_tokens, output: chunk.usage.completion_tokens };
  return next;
}

/** Tokens a second while it was writing; null where it came in one piece, or nobody counted. */
export function speedOf({ tokens, firstMs, totalMs }: Answer): number | null {
  if (!tokens || firstMs === undefined || totalMs === undefined) return null;
  const writing = totalMs - firstMs;
  return writing < 20 || tokens.output < 2 ? null : (1_000 * tokens.output) / writing;
}

/** What all the calls of an answer cost; null where no call was made, as for a model of this machine behind a prompt. */
export function costOf(calls: readonly Call[]): AnswerCost | null {
  if (calls.length === 0) return null;
  const used = (call: Call) => call.usage.input_tokens + call.usage.output_tokens > 0;
  return {
    sum: calls.reduce((sum, call) => sum + Number(call.cost), 0),
    unpriced: calls.some((call) => call.price == null && !call.cached && used(call)),
    cached: calls.every((call) => call.cached),
  };
}

/** What to begin with: routes before models before apps, since those are what is chosen among. */
export function suggested(names: readonly { name: string; kind: string }[]): string[] {
  const order = ["route", "provider's model", "local model", "app", "prompt"];
  const rank = (kind: string) => (order.includes(kind) ? order.indexOf(kind) : order.length);
  return names
    .toSorted((a, b) => rank(a.kind) - rank(b.kind))
    .slice(0, TARGETS_MIN)
    .map(({ name }) => name);
}

export interface Best {
  first: number | null;
  speed: number | null;
  total: number | null;
  cost: number | null;
}

/** Which column is best at what, once there are several to choose from and they differ. */
export function bestOf(answers: readonly Answer[]): Best {
  const best = (of: (answer: Answer) => number | null | undefined, wins: (a: number, b: number) => boolean): number | null => {
    const known = answers.flatMap((answer, at) => {
      const value = answer.state === "done" ? of(answer) : null;
      return value == null ? [] : [{ at, value }];
    });
    const [first, ...others] = known;
    if (!first || others.length === 0 || others.every(({ value }) => value === first.value)) return null;
    return known.reduce((a, b) => (wins(b.value, a.value) ? b : a)).at;
  };
  const less = (a: number, b: number) => a < b;
  return {
    first: best((a) => a.firstMs, less),
    speed: best(speedOf, (a, b) => a > b),
    total: best((a) => a.totalMs, less),
    cost: best((a) => (a.cost && !a.cost.unpriced ? a.cost.sum : null), less),
  };
}
