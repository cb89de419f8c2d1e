// Watches a run: by events where the server sends them, by asking again where the connection breaks.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { Progress, Run } from "@/api/types";

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
          const run = merge(client.getQueryData(queries.run(id).queryKey), event.event, event.data);
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

/** An event carries the whole run, or its progress alone. */
export function merge(run: Run | undefined, event: string, data: string): Run | null {
  if (!run) return null;
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  if ("status" in value && "id" in value) return { ...run, ...(value as Run) };
  if ("documents_done" in value || event === "progress")
    return { ...run, status: run.status === "queued" ? "running" : run.status, progress: value as Progress };
  return null;
}
