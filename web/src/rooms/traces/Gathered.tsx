// Sessions, and the people behind them: what their traces used, the last active first.

import { useInfiniteQuery, type InfiniteData, type UseInfiniteQueryResult } from "@tanstack/react-query";
import { useMemo, useState, type ReactNode } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { queries } from "@/api/queries";
import type { SessionSummary, UserSummary } from "@/api/types";
import { both, quoted } from "@/lib/filterText";
import { count, duration, fullTime, listTime, money, moneyBrief, short } from "@/lib/format";
import { Select } from "@/ui/fields";
import { Badge, Empty, ErrorNote, PageHeader, Skeleton, useTitle } from "@/ui/kit";
import { Rows, type Column } from "@/ui/rows";
import { RowsEnd } from "@/ui/tables";
import { FilterBox, isFilterFault } from "./FilterBox";
import { RoomTabs } from "./RoomTabs";
import { SPANS, stretchOf, USUAL } from "./times";
import "./traces.css";

type Used = Omit<SessionSummary, "session" | "user">;

function used<T extends Used>(): Column<T>[] {
  return [
    { key: "traces", head: "Traces", width: "76px", align: "end", cell: (s) => count(s.traces) },
    {
      key: "errors",
      head: "Failed spans",
      width: "100px",
      align: "end",
      wide: true,
      cell: (s) => (s.errors > 0 ? <span className="bad">{count(s.errors)}</span> : <span className="muted">0</span>),
    },
    {
      key: "tokens",
      head: "Tokens",
      width: "120px",
      align: "end",
      wide: true,
      cell: (s) => <span className="soft">{`${short(s.input_tokens)} → ${short(s.output_tokens)}`}</span>,
    },
    {
      key: "cost",
      head: "Cost",
      width: "96px",
      align: "end",
      wide: true,
      cell: (s) => (
        <span className="soft" title={money(s.cost)}>
          {moneyBrief(s.cost)}
        </span>
      ),
    },
    { key: "took", head: "Took", width: "84px", align: "end", cell: (s) => duration(s.duration_ms) },
    {
      key: "last",
      head: "Last active",
      width: "116px",
      align: "end",
      cell: (s) => (
        <time dateTime={s.last} title={fullTime(s.last)} className="soft">
          {listTime(s.last)}
        </time>
      ),
    },
  ];
}

const SESSION: Column<SessionSummary>[] = [
  {
    key: "session",
    head: "Session",
    width: "minmax(150px, 2fr)",
    cell: (s) => (
      <span className="row-flex">
        <span className="clip strong">{s.session}</span>
        {!s.whole && <Badge title="It has more spans than are read for a page; it has and used more than this">and more</Badge>}
      </span>
    ),
  },
  { key: "user", head: "User", width: "minmax(80px, 1fr)", wide: true, cell: (s) => <span className="soft clip">{s.user ?? "–"}</span> },
  ...used<SessionSummary>(),
];
const USER: Column<UserSummary>[] = [
  { key: "user", head: "User", width: "minmax(150px, 2fr)", cell: (u) => <span className="clip strong">{u.user}</span> },
  ...used<UserSummary>(),
];

/** Which of them are meant: by a filter of their spans, and a time. */
function useAsked() {
  const [params, setParams] = useSearchParams();
  const change = (key: string, value: string) => setParams((p) => (value ? p.set(key, value) : p.delete(key), p), { replace: true });
  const [now] = useState(() => Date.now());
  const [filter, inText] = [params.get("filter") ?? "", params.get("in") ?? ""];
  const from = useMemo(() => stretchOf(new URLSearchParams({ in: inText }), now).from, [inText, now]);
  return { asked: { filter: filter || undefined, from }, filter, time: inText || USUAL, change };
}

function Asked({ asked, error }: { asked: ReturnType<typeof useAsked>; error: unknown }) {
  return (
    <div className="asked">
      <FilterBox value={asked.filter} onChange={(v) => asked.change("filter", v)} error={error} />
      <Select label="Time" hideLabel value={asked.time} choices={SPANS} onChange={(v) => asked.change("in", v === USUAL ? "" : v)} />
    </div>
  );
}

type Asking = ReturnType<typeof useAsked>;

/** One of the two lists: they differ by what is gathered, and where a row leads. */
function Gathered<T>(props: {
  asked: Asking;
  list: UseInfiniteQueryResult<InfiniteData<{ items: T[] }>>;
  label: "Sessions" | "Users";
  lead: string;
  empty: { title: string; names: ReactNode };
  columns: Column<T>[];
  idOf: (item: T) => string;
  to: (item: T) => string;
}) {
  const { asked, list, label, lead, empty, columns, idOf, to } = props;
  const navigate = useNavigate();
  const items = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data]);
  useTitle(label);
  return (
    <div className="page fill">
      <PageHeader title="Traces" lead={lead}>
        <RoomTabs at={`/${label.toLowerCase()}` as "/sessions" | "/users"} />
      </PageHeader>
      <Asked asked={asked} error={list.error} />
      {list.error ? (
        isFilterFault(list.error) ? null : (
          <ErrorNote error={list.error} retry={() => void list.refetch()} />
        )
      ) : list.isPending ? (
        <Skeleton rows={14} />
      ) : items.length === 0 ? (
        <Empty icon="chat" title={empty.title}>
          Spans name theirs as {empty.names}.
        </Empty>
      ) : (
        <Rows
          label={label}
          items={items}
          idOf={idOf}
          onOpen={(item) => void navigate(to(item))}
          columns={columns}
          footer={<RowsEnd query={list} shown={items.length} />}
        />
      )}
    </div>
  );
}

export function Sessions() {
  const asked = useAsked();
  return (
    <Gathered
      asked={asked}
      list={useInfiniteQuery(queries.sessions(asked.asked))}
      label="Sessions"
      lead="Conversations: traces that name the same session."
      empty={{
        title: "No session in this time",
        names: (
          <>
            <code>session.id</code> or <code>gen_ai.conversation.id</code>
          </>
        ),
      }}
      columns={SESSION}
      idOf={(s) => s.session}
      to={(s) => `/sessions/${encodeURIComponent(s.session)}`}
    />
  );
}

export function Users() {
  const asked = useAsked();
  const sessionsOf = (u: UserSummary) => {
    const search = new URLSearchParams({ filter: both(`user = ${quoted(u.user)}`, asked.filter) });
    if (asked.time !== USUAL) search.set("in", asked.time);
    return `/sessions?${search}`;
  };
  return (
    <Gathered
      asked={asked}
      list={useInfiniteQuery(queries.users(asked.asked))}
      label="Users"
      lead="End users, as spans name them, and what they used."
      empty={{ title: "No user in this time", names: <code>user.id</code> }}
      columns={USER}
      idOf={(u) => u.user}
      to={sessionsOf}
    />
  );
}
