import { useCallback, useEffect, useRef, useState } from "react";
import { api, ApiError } from "@/api/client";
import { LiveBoard, type LiveRow, type Pulse } from "./live";

/** The screen is drawn this often at most, however much happens. */
const DRAW_MS = 150;
const PAUSES = [250, 1_000, 2_000, 5_000];

export interface LiveFeed {
  rows: readonly LiveRow[];
  /** `waiting` until the server has said what is under way, `lost` while it cannot be reached. */
  state: "waiting" | "live" | "lost";
  error: unknown;
  /** Events this browser was too slow for. */
  missed: number;
  /** Calls that were heard of since the pause began. */
  held: number;
  paused: boolean;
  pause: (on: boolean) => void;
  /** What goes on now, also while the list is held. */
  pulse: (now: number) => Pulse;
}

/** Calls as they happen, for as long as the page is shown; comes again when the connection ends. */
export function useLive(): LiveFeed {
  const board = useRef(new LiveBoard());
  const paused = useRef(false);
  const [shown, show] = useState<Omit<LiveFeed, "pause" | "paused" | "pulse">>({ rows: [], state: "waiting", error: null, missed: 0, held: 0 });
  const [isPaused, setPaused] = useState(false);

  const draw = useCallback((more: Partial<Pick<LiveFeed, "state" | "error">> = {}) => {
    const { current: calls } = board;
    if (!paused.current) calls.fresh = 0;
    show((before) => ({
      ...before,
      ...more,
      rows: paused.current ? before.rows : calls.rows(),
      missed: calls.missed,
      held: calls.fresh,
    }));
  }, []);

  useEffect(() => {
    const controller = new AbortController();
    void follow(board.current, controller.signal, draw);
    return () => controller.abort();
  }, [draw]);

  const pause = useCallback(
    (on: boolean) => {
      paused.current = on;
      board.current.fresh = 0;
      setPaused(on);
      draw();
    },
    [draw],
  );
  const pulse = useCallback((now: number) => board.current.pulse(now), []);
  return { ...shown, paused: isPaused, pause, pulse };
}

type Draw = (more?: Partial<Pick<LiveFeed, "state" | "error">>) => void;

async function follow(board: LiveBoard, signal: AbortSignal, draw: Draw): Promise<void> {
  for (let failures = 0; !signal.aborted;) {
    try {
      await listen(board, signal, draw, () => (failures = 0));
      // The server ends it now and then, so that whoever may no longer look does not.
    } catch (error) {
      if (signal.aborted) return;
      draw({ state: "lost", error });
      // Asking again changes nothing where the server says no.
      if (error instanceof ApiError && !error.isTransient) return;
      failures++;
    }
    await new Promise((later) => setTimeout(later, PAUSES[Math.min(failures, PAUSES.length - 1)]));
  }
}

async function listen(board: LiveBoard, signal: AbortSignal, draw: Draw, heard: () => void): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    let first = true;
    for await (const event of api.gateway.live(signal)) {
      board.push(event, Date.now());
      if (first) {
        first = false;
        heard();
        draw({ state: "live", error: null });
        // What ended before this, and between two connections. Not waited for: events go on.
        void fill(board, signal, draw);
      } else if (event.event === "missed") {
        void fill(board, signal, draw);
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

async function fill(board: LiveBoard, signal: AbortSignal, draw: Draw): Promise<void> {
  try {
    const { items } = await api.gateway.calls({ limit: 100 }, signal);
    board.fill(items, Date.now());
    draw();
  } catch {
    // The list of calls says what is wrong with it; what happens from now on is shown all the same.
  }
}
