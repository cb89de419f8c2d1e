import { useCallback, useEffect, useRef, useState } from "react";
import { api, ApiError } from "@/api/client";
import { costOf, heard, IDLE, isRunning, requestOf, type Answer, type AnswerCost, type Setup } from "./compare";

/** A call is in the ledger when it has ended; an app's may end a little after its answer. */
const COST_TRIES = [0, 300, 900];

/** Answers by the key of their column. */
export type Answers = Readonly<Record<number, Answer>>;

export interface Comparing {
  answers: Answers;
  running: boolean;
  /** Asks every column, in the order of the setup's targets. */
  run: (setup: Setup, columns: readonly number[]) => void;
  /** All of them, or one column. */
  stop: (column?: number) => void;
  /** The column is taken away. */
  drop: (column: number) => void;
}

/** Answers side by side: each on its own, so that one that fails or is stopped leaves the others alone. */
export function useCompare(): Comparing {
  const [answers, setAnswers] = useState<Answers>({});
  const controllers = useRef(new Map<number, AbortController>());

  const stop = useCallback((column?: number) => {
    for (const [key, controller] of controllers.current) if (column === undefined || column === key) controller.abort();
  }, []);
  useEffect(() => () => stop(), [stop]);

  const run = useCallback(
    (setup: Setup, columns: readonly number[]) => {
      stop();
      const began = columns.map((column): [number, AbortController] => [column, new AbortController()]);
      controllers.current = new Map(began);
      setAnswers(Object.fromEntries(columns.map((column) => [column, { ...IDLE, state: "waiting" } satisfies Answer])));
      for (const [at, [column, controller]] of began.entries()) {
        void answer(setup, setup.targets[at] ?? "", controller.signal, (change) => {
          // What an earlier run, or a column that is gone, still has to say is nobody's.
          if (controllers.current.get(column) !== controller) return;
          setAnswers((all) => ({ ...all, [column]: change(all[column] ?? IDLE) }));
        });
      }
    },
    [stop],
  );

  const drop = useCallback((column: number) => {
    controllers.current.get(column)?.abort();
    controllers.current.delete(column);
    setAnswers((all) => Object.fromEntries(Object.entries(all).filter(([key]) => Number(key) !== column)));
  }, []);

  return { answers, running: Object.values(answers).some(isRunning), run, stop, drop };
}

type Update = (change: (answer: Answer) => Answer) => void;

async function answer(setup: Setup, target: string, signal: AbortSignal, update: Update): Promise<void> {
  const began = performance.now();
  const since = () => performance.now() - began;
  let now: Answer = { ...IDLE, state: "waiting" };
  let frame = 0;
  // Tokens may come faster than the screen is drawn.
  const draw = () => {
    frame = 0;
    const shown = now;
    update(() => shown);
  };
  const end = (more: Partial<Answer>) => {
    cancelAnimationFrame(frame);
    now = { ...now, totalMs: since(), ...more };
    draw();
  };
  try {
    for await (const chunk of api.chat(requestOf(setup, target), signal)) {
      now = heard(now, chunk, since());
      frame ||= requestAnimationFrame(draw);
    }
    if (now.finish) end({ state: "done" });
    else end({ state: "failed", problem: { title: "The answer broke off before its end", status: 0, code: "stream-ended-early" } });
  } catch (error) {
    const title = error instanceof Error ? error.message : "The answer broke off";
    const problem = error instanceof ApiError ? error.problem : { title, status: 0, code: "stream-failed" };
    end(signal.aborted ? { state: "stopped" } : { state: "failed", problem });
  }
  const cost = now.trace ? await paid(now.trace) : null;
  if (cost) update((one) => ({ ...one, cost }));
}

async function paid(trace: string): Promise<AnswerCost | null> {
  for (const pause of COST_TRIES) {
    await new Promise((later) => setTimeout(later, pause));
    try {
      const cost = costOf((await api.gateway.calls({ trace, since: "1h", limit: 50 })).items);
      if (cost) return cost;
    } catch {
      return null;
    }
  }
  return null;
}
