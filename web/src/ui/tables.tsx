// Short lists: plain tables, and lists that come page by page.

import { useMemo, type ReactNode } from "react";
import { count } from "@/lib/format";
import { Button, cx, ErrorNote, Skeleton } from "./kit";

/** A table that scrolls by itself where the screen is narrower. `head` are its `th`, the children its rows. */
export function Table({ head, className, children }: { head?: ReactNode; className?: string; children: ReactNode }) {
  return (
    <div className="table-scroll">
      <table className={cx("table", className)}>
        {head && (
          <thead>
            <tr>{head}</tr>
          </thead>
        )}
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** What a list is for, and the button that adds to it. */
export function ListLead({ children, action }: { children: ReactNode; action: ReactNode }) {
  return (
    <div className="list-lead">
      <p className="soft">{children}</p>
      {action}
    </div>
  );
}

interface More {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
}

interface Pages<T> extends More {
  data: { pages: { items: T[] }[] } | undefined;
  error: unknown;
  isPending: boolean;
  refetch: () => unknown;
}

/** A list that comes page by page: on its way, failed, empty or there. Old rows stay while new ones fail to come. */
export function LoadedPages<T>({
  query,
  empty,
  skeleton,
  children,
}: {
  query: Pages<T>;
  empty: ReactNode;
  skeleton?: ReactNode;
  children: (items: T[]) => ReactNode;
}) {
  const items = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const retry = () => void query.refetch();
  if (query.error && items.length === 0) return <ErrorNote error={query.error} retry={retry} />;
  if (query.isPending) return <>{skeleton ?? <Skeleton />}</>;
  if (items.length === 0 && !query.hasNextPage) return <>{empty}</>;
  return (
    <>
      {query.error ? <ErrorNote compact error={query.error} retry={retry} /> : null}
      {children(items)}
    </>
  );
}

function LoadMore({ query }: { query: More }) {
  return (
    <Button size="sm" busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
      Load more
    </Button>
  );
}

/** Under a table: its next page, while there is one. */
export function TableEnd({ query }: { query: More }) {
  if (!query.hasNextPage) return null;
  return (
    <div className="table-more">
      <LoadMore query={query} />
    </div>
  );
}

/** Under rows: the next page, or that there is none. */
export function RowsEnd({ query, shown }: { query: More; shown: number }) {
  return query.hasNextPage ? <LoadMore query={query} /> : <span>{count(shown)} shown, that is all</span>;
}
