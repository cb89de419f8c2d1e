import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { PageWindow } from "@/lib/pages";

/** Pages that are held at once. */
const KEPT = 24;
/** Rows that are asked for before they are in sight. */
const AHEAD = 40;

export interface Slot<T> {
  id: string;
  /** Null while it is on its way. */
  item: T | null;
}

export interface Pages<T> {
  rows: readonly Slot<T>[];
  /** Nothing has come yet. */
  isPending: boolean;
  isWhole: boolean;
  error: unknown;
  /** To be told which rows are in sight. */
  onSeen: (first: number, last: number) => void;
  retry: () => void;
}

type Ask<T> = (cursor: string | null, signal: AbortSignal) => Promise<{ items: T[]; next?: string | null }>;

interface Reading<T> {
  pages: PageWindow<T>;
  seen: [first: number, last: number];
  asked: Set<number>;
  controller: AbortController;
}

/** A list of any length, of which what is near is held; another `key` is another list. */
export function usePages<T>(key: string, ask: Ask<T>, idOf: (item: T) => string): Pages<T> {
  const latest = useRef({ ask, idOf });
  useEffect(() => {
    latest.current = { ask, idOf };
  });
  const reading = useRef<Reading<T> | null>(null);
  const [shown, show] = useState<{ key: string; rows: readonly Slot<T>[]; isWhole: boolean } | null>(null);
  const [error, setError] = useState<unknown>(null);

  const look = useCallback((of: Reading<T>, name: string): void => {
    const [first, last] = of.seen;
    for (const { page, cursor } of of.pages.wanted(Math.max(0, first - AHEAD), last + AHEAD)) {
      if (of.asked.has(page)) continue;
      of.asked.add(page);
      latest.current.ask(cursor, of.controller.signal).then(
        ({ items, next }) => {
          if (of.controller.signal.aborted) return;
          of.asked.delete(page);
          of.pages.put(page, cursor, items, next, of.seen[0]);
          setError(null);
          const rows = of.pages.rows().map((item, i): Slot<T> => ({ id: item === null ? `row ${i}` : latest.current.idOf(item), item }));
          show({ key: name, rows, isWhole: of.pages.isWhole });
          // A page may be short, or the list may have been scrolled on meanwhile.
          look(of, name);
        },
        (fault: unknown) => {
          if (of.controller.signal.aborted) return;
          // Asked for again when somebody says so.
          setError(fault);
        },
      );
    }
  }, []);

  const begin = useCallback(() => {
    reading.current?.controller.abort();
    const fresh: Reading<T> = { pages: new PageWindow<T>(KEPT), seen: [0, 0], asked: new Set(), controller: new AbortController() };
    reading.current = fresh;
    setError(null);
    look(fresh, key);
  }, [key, look]);

  useEffect(() => {
    begin();
    return () => reading.current?.controller.abort();
  }, [begin]);

  const onSeen = useCallback(
    (first: number, last: number) => {
      const { current } = reading;
      if (!current) return;
      current.seen = [first, last];
      look(current, key);
    },
    [key, look],
  );
  const retry = useCallback(() => {
    const { current } = reading;
    if (!current) return;
    current.asked.clear();
    look(current, key);
  }, [key, look]);

  return useMemo(() => {
    // Rows of the list before stay until the first of this one are there.
    const isPending = shown === null || (shown.key !== key && error === null && shown.rows.length === 0);
    return { rows: shown?.rows ?? [], isWhole: shown?.key === key && shown.isWhole, isPending, error, onSeen, retry };
  }, [shown, key, error, onSeen, retry]);
}
