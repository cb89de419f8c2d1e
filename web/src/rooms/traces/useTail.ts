import { useCallback, useEffect, useRef, useState } from "react";
import { api, ApiError } from "@/api/client";
import type { SpanSummary } from "@/api/types";
import { TailBoard } from "./tail";

/** The screen is drawn this often at most, however much happens. */
const DRAW_MS = 150;
const PAUSES = [250, 1_000, 2_000, 5_000];

export interface Tail {
  rows: readonly SpanSummary[];
  /** `refused` where asking again changes nothing. */
  state: "waiting" | "live" | "lost" | "refused";
  error: unknown;
  missed: number;
  /** Spans that came since the pause began. */
  held: number;
  paused: boolean;
  pause: (on: boolean) => void;
}

type Shown = Pick<Tail, "rows" | "state" | "error" | "missed" | "held">;
const NOTHING: Shown = { rows: [], state: "waiting", error: null, missed: 0, held: 0 };

/** Spans that pass, for as long as the page is shown; comes again when the connection ends. */
export function useTail(filter: string, spans: boolean): Tail {
  const board = useRef(new TailBoard());
  const paused = useRef(false);
  const [isPaused, setPaused] = useState(false);
  const [shown, show] = useState(NOTHING);

  const draw = useCallback((more: Partial<Pick<Tail, "state" | "error">> = {}) => {
    const { current } = board;
    if (!paused.current) current.fresh = 0;
    show((before) => ({
      ...before,
      ...more,
      rows: paused.current ? before.rows : current.rows(),
      missed: current.missed,
      held: current.fresh,
    }));
  }, []);

  useEffect(() => {
    board.current.clear();
    show(NOTHING);
    const controller = new AbortController();
    void follow({ filter, spans }, board.current, controller.signal, draw);
    return () => controller.abort();
  }, [filter, spans, draw]);

  const pause = useCallback(
    (on: boolean) => {
      paused.current = on;
      board.current.fresh = 0;
      setPaused(on);
      draw();
    },
    [draw],
  );
  return { ...shown, paused: isPaused, pause };
}

interface Asked {
  filter: string;
  spans: boolean;
}
type Draw = (more?: Partial<Pick<Tail, "state" | "error">>) => void;

async function follow(asked: Asked, board: TailBoard, signal: AbortSignal, draw: Draw): Promise<void> {
  for (let failures = 0; !signal.aborted;) {
    try {
      await listen(asked, board, signal, draw, () => (failures = 0));
      // The server ends it now and then, so that whoever may no longer look does not.
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && !error.isTransient) return draw({ state: "refused", error });
      draw({ state: "lost", error });
      failures++;
    }
    await new Promise((later) => setTimeout(later, PAUSES[Math.min(failures, PAUSES.length - 1)]));
  }
}

async function listen({ filter, spans }: Asked, board: TailBoard, signal: AbortSignal, draw: Draw, heard: () => void): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    let first = true;
    for await (const event of api.traces.tail({ filter: filter || undefined, spans: spans || undefined }, signal)) {
      board.push(event);
      if (first) {
        first = false;
        heard();
        draw({ state: "live", error: null });
      }
      timer ??= setTimeout(() => {
        timer = undefined;
        draw();
      }, DRAW_MS);
    }
  } finally {
    clearTimeout(timer);
  }
}
