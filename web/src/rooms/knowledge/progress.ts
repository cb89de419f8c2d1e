// Watches a run: by events where the server sends them, by asking again where the connection breaks.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { Run } from "@/api/types";

export const isOver = (run: Run | undefined): boolean => run !== undefined && run.status !== "running" && run.status !== "queued";

export interface Sample {
  at: number;
  tokens: number;
  documents: number;
}

const SAMPLES = 240;

export function useRun(id: string): { run: Run | undefined; error: unknown; samples: readonly Sample[]; refetch: () => unknown } {
  const client = useQueryClient();
  const [streaming, setStreaming] = useState(false);
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  const query = useQuery({ ...queries.run(id), refetchInterval: (q) => (streaming || isOver(q.state.data) ? false : 1_500) });
  const over = isOver(query.data);
  const known = query.data !== undefined;

  useEffect(() => {
    if (!known || over) return;
    const controller = new AbortController();
    const follow = async () => {
      try {
        for await (const event of api.runs.events(id, controller.signal)) {
          setStreaming(true);
          const run = runOf(event.data);
          if (run) client.setQueryData(queries.run(id).queryKey, run);
        }
      } catch {
        // Asking again goes on instead.
      }
      if (controller.signal.aborted) return;
      setStreaming(false);
      void client.invalidateQueries({ queryKey: queries.run(id).queryKey });
    };
    void follow();
    return () => controller.abort();
  }, [client, id, known, over]);

  const progress = query.data?.progress;
  const last = useRef(0);
  useEffect(() => {
    if (!progress || Date.now() - last.current < 250) return;
    last.current = Date.now();
    setSamples((s) => [...s.slice(1 - SAMPLES), { at: last.current, tokens: progress.tokens_per_second ?? 0, documents: progress.documents_done }]);
  }, [progress]);

  useEffect(() => {
    if (over && query.data?.knowledge) void client.invalidateQueries({ queryKey: ["knowledge"] });
  }, [client, over, query.data?.knowledge]);

  return { run: query.data, error: query.error, samples, refetch: query.refetch };
}

/** Every event carries the whole run. */
function runOf(data: string): Run | null {
  try {
    return JSON.parse(data) as Run;
  } catch {
    return null;
  }
}
