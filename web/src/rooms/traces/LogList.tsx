// Log records that programs sent, the newest first: those that were written in a span and those that were written in none.

import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { api, type LogFilter } from "@/api/client";
import { queries } from "@/api/queries";
import type { LogRecord } from "@/api/types";
import { asideOf } from "@/lib/attributes";
import { both } from "@/lib/filterText";
import { count, fullTime, listTime, plural } from "@/lib/format";
import { useShortcuts } from "@/lib/keys";
import { SearchField, Select, useDebounced } from "@/ui/fields";
import { Empty, ErrorNote, IconButton, PageHeader, Skeleton, useTitle } from "@/ui/kit";
import { Rows, type Column } from "@/ui/rows";
import { FilterBox, isFilterFault } from "./FilterBox";
import { RoomTabs } from "./RoomTabs";
import { SPANS, stretchOf, USUAL } from "./times";
import { usePages, type Slot } from "./usePages";
import "./traces.css";

const PAGE = 100;
const SEVERITIES = [
  { value: "", label: "Any severity" },
  { value: "debug", label: "Debug and above" },
  { value: "info", label: "Info and above" },
  { value: "warn", label: "Warnings and above" },
  { value: "error", label: "Errors and above" },
  { value: "fatal", label: "Fatal" },
];

export function Component() {
  useTitle("Logs");
  const [params, setParams] = useSearchParams();
  const navigate = useNavigate();
  const get = (key: string) => params.get(key) ?? "";
  const change = (key: string, value: string) => setParams((p) => (value ? p.set(key, value) : p.delete(key), p), { replace: true });
  const [text, setText] = useState(get("q"));
  const q = useDebounced(text.trim());
  // Fixed while paging, so that pages fit together; moved on by “refresh”.
  const [now, setNow] = useState(() => Date.now());
  const [written, severity, inText] = [get("filter"), get("severity"), get("in")];
  const filter = useMemo(
    (): LogFilter => ({
      from: stretchOf(new URLSearchParams({ in: inText }), now).from,
      q: q || undefined,
      filter: both(written || undefined, severity ? `severity >= ${severity}` : undefined) || undefined,
    }),
    [written, severity, inText, q, now],
  );
  const list = usePages<LogRecord>(
    JSON.stringify([filter, now]),
    (cursor, signal) => api.logs.list({ ...filter, limit: PAGE, cursor }, signal),
    (record) => `${record.trace_id}/${record.span}`,
  );
  const refresh = () => setNow(Date.now());
  useShortcuts([{ keys: "r", label: "Refresh", group: "Logs", run: refresh }]);

  return (
    <div className="page fill">
      <PageHeader title="Traces" lead="What programs logged, in a span or in none.">
        <RoomTabs at="/traces/logs" />
      </PageHeader>
      <div className="toolbar">
        <SearchField label="Search in what was logged" placeholder="Search text" value={text} onChange={setText} shortcut="/" />
        <Select label="Time" hideLabel value={inText || USUAL} choices={SPANS} onChange={(v) => change("in", v === USUAL ? "" : v)} />
        <Select label="Severity" hideLabel value={severity} choices={SEVERITIES} onChange={(v) => change("severity", v)} />
        <IconButton icon="refresh" label="Refresh (r)" onClick={refresh} />
      </div>
      <FilterBox value={written} onChange={(v) => change("filter", v)} error={list.error} shift={severity && written ? 1 : 0} />
      <div className="list-status" role="status">
        <Found filter={filter} />
      </div>
      {list.error && (list.rows.length === 0 || isFilterFault(list.error)) ? (
        isFilterFault(list.error) ? null : (
          <ErrorNote error={list.error} retry={list.retry} />
        )
      ) : list.isPending ? (
        <Skeleton rows={14} />
      ) : list.rows.length === 0 ? (
        <Empty icon="trace" title={q || written || severity ? "No log record matches" : "No log records in this time"}>
          {q || written || severity ? "Try a longer time or fewer filters." : "Programs send them as OpenTelemetry logs to /v1/logs."}
        </Empty>
      ) : (
        <Rows
          label="Log records"
          items={list.rows}
          idOf={(slot) => slot.id}
          rowHeight={46}
          onOpen={({ item }) => item && void navigate(`/traces/${item.trace_id}?span=${item.span}`)}
          onSeen={list.onSeen}
          columns={COLUMNS}
          footer={
            list.error ? (
              <ErrorNote compact error={list.error} retry={list.retry} />
            ) : (
              <span>{list.isWhole ? `${count(list.rows.length)} shown, that is all` : "More is on its way…"}</span>
            )
          }
        />
      )}
    </div>
  );
}

function Found({ filter }: { filter: LogFilter }) {
  const found = useQuery(queries.logsCount(filter));
  if (!found.data || found.error) return null;
  const { count: n, waiting } = found.data;
  return <span className="soft num">{`${plural(n, "log record")}${waiting ? `; ${plural(waiting, "span")} or more cannot be found yet` : ""}`}</span>;
}

const toneOf = ({ severity }: LogRecord): string => {
  if (severity === "error" || severity === "fatal") return "tone-bad";
  return severity === "warn" ? "tone-warn" : "tone-neutral";
};

/** A text as it is, anything else as JSON; of a large value how it begins. */
function said({ body }: LogRecord): string {
  if (body === undefined || body === null) return "";
  return asideOf(body)?.beginning ?? (typeof body === "string" ? body : JSON.stringify(body));
}

const of = (cell: (record: LogRecord) => React.ReactNode) => {
  const shown = ({ item }: Slot<LogRecord>) => (item ? cell(item) : <span className="row-soon" />);
  return shown;
};

const COLUMNS: readonly Column<Slot<LogRecord>>[] = [
  {
    key: "says",
    head: "Says",
    width: "minmax(200px, 4fr)",
    cell: of((record) => (
      <>
        <div className="row-flex">
          <span className={`dot ${toneOf(record)}`} aria-hidden="true" />
          <span className="clip strong">{said(record) || record.name}</span>
        </div>
        {said(record) && <div className="sub clip trace-sub">{record.name}</div>}
      </>
    )),
  },
  {
    key: "severity",
    head: "Severity",
    width: "84px",
    cell: of((record) => <span className="soft clip">{record.severity ?? record.severity_text ?? "–"}</span>),
  },
  {
    key: "service",
    head: "Service",
    width: "minmax(80px, 1fr)",
    wide: true,
    cell: of((record) => <span className="soft clip">{record.service ?? "–"}</span>),
  },
  {
    key: "within",
    head: "Written in",
    width: "128px",
    wide: true,
    cell: of((record) => <span className="soft clip mono">{record.parent ?? "no span"}</span>),
  },
  {
    key: "time",
    head: "Time",
    width: "98px",
    align: "end",
    cell: of((record) => (
      <time dateTime={record.time} title={fullTime(record.time)} className="soft">
        {listTime(record.time)}
      </time>
    )),
  },
];
