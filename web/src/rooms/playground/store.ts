// Conversations live outside the page that shows them: an answer goes on while the reader looks at its trace.

import { useSyncExternalStore } from "react";
import { api, ApiError } from "@/api/client";
import type { Outcome, Problem } from "@/api/types";

export interface Turn {
  id: string;
  question: string;
  answer: string;
  state: "asking" | "streaming" | "done" | "stopped" | "failed";
  finish?: string | null;
  trace?: string;
  outcome?: Outcome;
  usage?: { prompt_tokens: number; completion_tokens: number };
  problem?: Problem;
  startedAt: number;
  firstTokenMs?: number;
  totalMs?: number;
}

export interface Conversation {
  turns: readonly Turn[];
}

const KEY = "mainspring.conversations";
const KEEP = 30;
const EMPTY: Conversation = { turns: [] };
const watchers = new Set<() => void>();
const running = new Map<string, AbortController>();
let conversations = load();

function load(): Readonly<Record<string, Conversation>> {
  try {
    const stored = JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as Record<string, Conversation>;
    // What was still streaming when the page was closed has stopped.
    for (const conversation of Object.values(stored)) {
      conversation.turns = conversation.turns.map((t) => (isLive(t) ? { ...t, state: "stopped" } : t));
    }
    return stored;
  } catch {
    return {};
  }
}

function save(): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(conversations));
  } catch {
    // A full or forbidden store loses only what a reload would have kept.
  }
}

function set(app: string, turns: readonly Turn[]): void {
  conversations = { ...conversations, [app]: { turns: turns.slice(-KEEP) } };
  watchers.forEach((tell) => tell());
}

function update(app: string, id: string, change: (turn: Turn) => Turn): void {
  set(
    app,
    (conversations[app] ?? EMPTY).turns.map((t) => (t.id === id ? change(t) : t)),
  );
}

// A function, because `load` needs it while this file is still being read.
export function isLive(turn: Turn | undefined): boolean {
  return turn?.state === "asking" || turn?.state === "streaming";
}

export function useConversation(app: string): Conversation {
  return useSyncExternalStore(
    (tell) => {
      watchers.add(tell);
      return () => watchers.delete(tell);
    },
    () => conversations[app] ?? EMPTY,
  );
}

export function clear(app: string): void {
  running.get(app)?.abort();
  set(app, []);
  save();
}

export function stop(app: string): void {
  running.get(app)?.abort();
}

export async function ask(app: string, question: string): Promise<void> {
  const before = (conversations[app] ?? EMPTY).turns;
  if (isLive(before.at(-1))) return;
  const turn: Turn = { id: crypto.randomUUID?.() ?? String(performance.now()), question, answer: "", state: "asking", startedAt: Date.now() };
  set(app, [...before, turn]);
  const messages = before.flatMap((t) =>
    t.answer && t.state !== "failed"
      ? [
          { role: "user", content: t.question },
          { role: "assistant", content: t.answer },
        ]
      : [],
  );
  const controller = new AbortController();
  running.set(app, controller);
  const started = performance.now();
  try {
    await stream(app, turn.id, [...messages, { role: "user", content: question }], controller.signal, started);
  } catch (error) {
    const stopped = controller.signal.aborted;
    const problem =
      error instanceof ApiError
        ? error.problem
        : { title: error instanceof Error ? error.message : "The answer broke off", status: 0, code: "stream-failed" };
    update(app, turn.id, (t) => ({
      ...t,
      state: stopped ? "stopped" : "failed",
      problem: stopped ? undefined : problem,
      totalMs: performance.now() - started,
    }));
  } finally {
    if (running.get(app) === controller) running.delete(app);
    save();
  }
}

async function stream(app: string, id: string, messages: { role: string; content: string }[], signal: AbortSignal, started: number): Promise<void> {
  let finished = false;
  let text = "";
  let frame = 0;
  // Tokens may come faster than the screen is drawn.
  const flush = () => {
    frame = 0;
    update(app, id, (t) => ({ ...t, answer: text }));
  };
  try {
    for await (const chunk of api.chat({ model: app, messages }, signal)) {
      if (chunk.trace_id) update(app, id, (t) => ({ ...t, trace: chunk.trace_id }));
      const choice = chunk.choices?.[0];
      const piece = choice?.delta?.content;
      if (piece) {
        if (text === "") update(app, id, (t) => ({ ...t, state: "streaming", firstTokenMs: performance.now() - started }));
        text += piece;
        frame ||= requestAnimationFrame(flush);
      }
      if (choice?.finish_reason) {
        finished = true;
        update(app, id, (t) => ({ ...t, finish: choice.finish_reason }));
      }
      if (chunk.usage) update(app, id, (t) => ({ ...t, usage: chunk.usage! }));
      if (chunk.mainspring) update(app, id, (t) => ({ ...t, outcome: chunk.mainspring }));
    }
  } finally {
    cancelAnimationFrame(frame);
    flush();
  }
  if (!finished) throw new ApiError({ title: "The answer broke off before its end", status: 0, code: "stream-ended-early" });
  update(app, id, (t) => ({ ...t, state: "done", totalMs: performance.now() - started }));
}
