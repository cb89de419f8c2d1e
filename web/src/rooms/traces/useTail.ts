import { useCallback, useEffect, useRef, useState } from "react";
import { api, ApiError } from "@/api/client";
import type { SpanSummary } from "@/api/types";
import { both } from "@/lib/filterText";
import { TailBoard } from "./tail";

/** The screen is drawn this often at most, however much happens. */
const DRAW_MS = 150;
const PAUSES = [250, 1_000, 2_000, 5_000];
/** A server says every fifteen seconds that it is there. One that is silent for so long has gone without a word. */
const SILENT_MS = 60_000;
/** After a break so many spans of the list are looked through, a page at a time. */
const PAGE = 200;
const LOOKED_THROUGH = 1_000;

export interface Tail {
  rows: readonly SpanSummary[];
  /** `refused` where asking again changes nothing. */
  state: "waiting" | "live" | "lost" | "refused";
  error: unknown;
  missed: number;
  /** Whether some may not be shown that came while the connection was away. */
  gap: boolean;
  /** Spans that came since the pause began. */
  held: number;
  paused: boolean;
  pause: (on: boolean) => void;
}

type Shown = Pick<Tail, "rows" | "state" | "error" | "missed" | "gap" | "held">;
const NOTHING: Shown = { rows: [], state: "waiting", error: null, missed: 0, gap: false, held: 0 };

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
      gap: current.gap,
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

async function listen(asked: Asked, board: TailBoard, signal: AbortSignal, draw: Draw, heard: () => void): Promise<void> {
  const silent = new AbortController();
  const either = AbortSignal.any([signal, silent.signal]);
  let [timer, silence]: (ReturnType<typeof setTimeout> | undefined)[] = [];
  const listening = () => {
    clearTimeout(silence);
    silence = setTimeout(() => silent.abort(), SILENT_MS);
  };
  const { filter, spans } = asked;
  try {
    let first = true;
    listening();
    for await (const event of api.traces.tail({ filter: filter || undefined, spans: spans || undefined }, either)) {
      listening();
      const since = first ? board.since() : null;
      board.push(event);
      if (first) {
        first = false;
        heard();
        // What comes from here on waits in the stream, so that nothing falls between.
        if (since !== null) await catchUp(asked, board, since, signal);
        draw({ state: "live", error: null });
      }
      timer ??= setTimeout(() => {
        timer = undefined;
        draw();
      }, DRAW_MS);
    }
  } finally {
    clearTimeout(timer);
    clearTimeout(silence);
  }
}

/** Shows what came while nobody followed, from the list, which has what is stored. */
async function catchUp({ filter, spans }: Asked, board: TailBoard, from: string, signal: AbortSignal): Promise<void> {
  const found: SpanSummary[] = [];
  let cursor: string | null | undefined;
  try {
    do {
      const page = await api.traces.spans({ filter: both(spans ? "" : "entry", filter) || undefined, from, limit: PAGE, cursor }, signal);
      found.push(...page.items);
      cursor = page.next;
    } while (cursor && found.length < LOOKED_THROUGH);
    board.gap ||= Boolean(cursor);
  } catch (error) {
    if (signal.aborted) throw error;
    board.gap = true;
  }
  board.catchUp(found);
}
