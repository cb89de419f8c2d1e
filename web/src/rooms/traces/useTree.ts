import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { queries } from "@/api/queries";
import type { TraceTotals } from "@/api/types";
import { layout, type Waterfall } from "@/lib/waterfall";

export interface Tree {
  fall: Waterfall;
  /** Spans that are there. */
  loaded: number;
  totals: TraceTotals | undefined;
  isWhole: boolean;
  isPending: boolean;
  error: unknown;
  refetch: () => unknown;
}

/** A trace page after page. It is laid out again only when twice as much is there, so that a giant one costs twice its layout. */
export function useTree(id: string): Tree {
  const query = useInfiniteQuery(queries.tree(id));
  const { data, hasNextPage, isFetching, error, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetching && !error) void fetchNextPage();
  }, [hasNextPage, isFetching, error, fetchNextPage, data]);
  const pages = data?.pages;
  const drawn = !pages ? 0 : hasNextPage ? 2 ** Math.floor(Math.log2(pages.length)) : pages.length;
  const first = pages?.[0];
  const fall = useMemo(
    () => layout((pages ?? []).slice(0, drawn).flatMap((page) => page.spans)),
    // Pages are only added behind the first.
    [first, drawn],
  );
  return {
    fall,
    loaded: fall.rows.length,
    totals: first?.totals ?? undefined,
    isWhole: first !== undefined && !hasNextPage,
    isPending: query.isPending,
    error,
    refetch: query.refetch,
  };
}
