import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { api, type TraceFilter } from "@/api/client";
import { queries } from "@/api/queries";
import type { TraceSummary } from "@/api/types";
import { both, inQuotes } from "@/lib/filterText";
import { count, duration, fullTime, listTime, money, moneyBrief, plural, short } from "@/lib/format";
import { bars, bucketFor } from "@/lib/histogram";
import { useShortcuts } from "@/lib/keys";
import { shownScore } from "@/lib/scores";
import { SearchField, Segmented, Select, Toggle, useDebounced } from "@/ui/fields";
import { Button, cx, Empty, ErrorNote, IconButton, PageHeader, Skeleton, useTitle } from "@/ui/kit";
import { Rows, type Column } from "@/ui/rows";
import { asksEverySpan, models, senderOf, senders, senderValue } from "./choices";
import { FilterBox, isFilterFault } from "./FilterBox";
import { Histogram } from "./Histogram";
import { aheadOf, newerThan } from "./newer";
import { RoomTabs } from "./RoomTabs";
import { SPANS, stretchOf, USUAL, type Stretch } from "./times";
import { usePages, type Slot } from "./usePages";
import "./traces.css";

const SLOW = [
  { value: "", label: "Any length" },
  { value: "100", label: "≥ 100 ms" },
  { value: "500", label: "≥ 500 ms" },
  { value: "1000", label: "≥ 1 s" },
  { value: "2000", label: "≥ 2 s" },
  { value: "5000", label: "≥ 5 s" },
  { value: "30000", label: "≥ 30 s" },
];
const PAGE = 50;
const MONTH_MS = 30 * 86_400_000;
/** Whoever looks at everything sees how the last month went. */
const backFrom = (now: number) => now - MONTH_MS;

export function Component() {
  useTitle("Traces");
  const [params, setParams] = useSearchParams();
  const navigate = useNavigate();
  const get = (key: string) => params.get(key) ?? "";
  const change = (values: Record<string, string>) =>
    setParams((p) => (Object.entries(values).forEach(([key, value]) => (value ? p.set(key, value) : p.delete(key))), p), { replace: true });
  const [text, setText] = useState(get("q"));
  const q = useDebounced(text.trim());
  // Fixed while paging, so that pages fit together; moved on by “refresh”.
  const [now, setNow] = useState(() => Date.now());
  const [marked, setMarked] = useState<readonly TraceSummary[]>([]);

  const [fromText, toText, inText] = [get("from"), get("to"), get("in")];
  const stretch = useMemo(() => stretchOf(new URLSearchParams({ from: fromText, to: toText, in: inText }), now), [fromText, toText, inText, now]);
  const [service, status, model] = [get("service"), get("status"), get("model")];
  const usually = asksEverySpan("", { q, model, status });
  const any = asksEverySpan(get("any"), { q, model, status });
  const filter = useMemo(
    (): TraceFilter => ({
      from: stretch.from,
      to: stretch.to,
      q: q || undefined,
      filter: both(params.get("filter") ?? undefined, service ? `service = ${inQuotes(service)}` : undefined) || undefined,
      app: params.get("app") || undefined,
      model: params.get("model") || undefined,
      status: params.get("status") || undefined,
      min_ms: Number(params.get("min_ms")) || undefined,
      any: any || undefined,
    }),
    [stretch, q, params, service, any],
  );
  const key = JSON.stringify([filter, now]);
  const list = usePages<TraceSummary>(
    key,
    (cursor, signal) => api.traces.list({ ...filter, limit: PAGE, cursor }, signal),
    (trace) => trace.trace_id,
  );
  const filtered = Boolean(q || filter.filter || filter.app || filter.model || filter.status || filter.min_ms);
  const slowest = useMemo(() => list.rows.reduce((n, { item }) => Math.max(n, item?.duration_ms ?? 0), 0), [list.rows]);
  const refresh = () => setNow(Date.now());
  const mark = (trace: TraceSummary) =>
    setMarked((before) =>
      before.some((t) => t.trace_id === trace.trace_id) ? before.filter((t) => t.trace_id !== trace.trace_id) : [...before, trace].slice(-2),
    );
  const compare = () => {
    // The earlier one is what it was before.
    const [a, b] = marked.toSorted((x, y) => (x.start < y.start ? -1 : 1));
    if (a && b) void navigate(`/traces/diff?a=${a.trace_id}&b=${b.trace_id}`);
  };
  useShortcuts([
    { keys: "r", label: "Refresh", group: "Traces", run: refresh },
    ...(marked.length === 2 ? [{ keys: "c", label: "Compare the two that are marked", group: "Traces", run: compare }] : []),
  ]);

  return (
    <div className="page fill">
      <PageHeader
        title="Traces"
        lead="Every request, ingestion and model call, with the versions it used."
        actions={
          <Link className="text-link quiet" to="/traces/conventions">
            What programs send
          </Link>
        }
      >
        <RoomTabs at="/traces" />
      </PageHeader>
      <div className="toolbar">
        <SearchField
          label="Search in questions, answers and errors"
          placeholder="Search text, or paste a trace id"
          value={text}
          onChange={setText}
          shortcut="/"
        />
        <TimeChoice fixed={stretch.isFixed ? stretch : null} value={inText || USUAL} onChange={change} />
        <Segmented
          label="Status"
          value={get("status")}
          onChange={(v) => change({ status: v })}
          choices={[
            { value: "", label: "All" },
            { value: "ok", label: "Ok" },
            { value: "error", label: "Errors" },
          ]}
        />
        <AppFilter app={get("app")} service={service} stretch={stretch} now={now} onChange={change} />
        <ModelFilter value={model} stretch={stretch} now={now} onChange={(v) => change({ model: v })} />
        <Select label="Length" hideLabel value={get("min_ms")} choices={SLOW} onChange={(v) => change({ min_ms: v })} />
        <Toggle checked={any} onChange={(on) => change({ any: on === usually ? "" : String(on) })}>
          <span title="Filters are asked of every span of a trace, not only of the one by which it begins. Traces whose beginning is not here are shown too.">
            Ask every span
          </span>
        </Toggle>
        <IconButton icon="refresh" label="Refresh (r)" onClick={refresh} />
      </div>
      <FilterBox value={get("filter")} onChange={(v) => change({ filter: v })} error={list.error} shift={service && get("filter") ? 1 : 0} />
      <OverTime
        filter={filter}
        now={now}
        onChoose={(from, to) => change({ from, to })}
        onBack={stretch.isFixed ? () => change({ from: "", to: "" }) : undefined}
      />
      <div className="list-status" role="status">
        <Found filter={filter} />
        <Newer filter={filter} now={now} rows={list.rows} onShow={refresh} />
        <Ahead now={now} rows={list.rows} />
        <span className="grow" />
        {marked.length > 0 && (
          <>
            <span className="soft">{marked.length === 1 ? "Mark another to compare" : "Two are marked"}</span>
            <Button size="sm" look={marked.length === 2 ? "primary" : "plain"} icon="diff" disabled={marked.length < 2} onClick={compare}>
              Compare
            </Button>
            <IconButton size="sm" icon="close" label="Unmark" onClick={() => setMarked([])} />
          </>
        )}
      </div>
      {list.error && (list.rows.length === 0 || isFilterFault(list.error)) ? (
        isFilterFault(list.error) ? null : (
          <ErrorNote error={list.error} retry={list.retry} />
        )
      ) : list.isPending ? (
        <Skeleton rows={14} />
      ) : list.rows.length === 0 ? (
        <Empty
          icon="trace"
          title={filtered ? "No trace matches" : "No traces in this time"}
          action={
            filtered ? (
              <Button
                onClick={() => {
                  setText("");
                  setParams({}, { replace: true });
                }}
              >
                Clear filters
              </Button>
            ) : undefined
          }
        >
          {filtered ? "Try a longer time or fewer filters." : "Ask a question, or send OpenTelemetry spans to /v1/traces."}
          {!any && " Filters were asked of the span by which a trace begins; the switch above asks every span, and shows traces begun elsewhere too."}
        </Empty>
      ) : (
        <Rows
          label="Traces"
          items={list.rows}
          idOf={(slot) => slot.id}
          rowHeight={46}
          onOpen={({ item }) => item && void navigate(`/traces/${item.trace_id}`)}
          onSeen={list.onSeen}
          keys={[{ keys: "x", label: "Mark the row to compare", group: "Traces", run: ({ item }) => item && mark(item) }]}
          columns={columns(slowest, marked, mark)}
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

function columns(slowest: number, marked: readonly TraceSummary[], mark: (trace: TraceSummary) => void): Column<Slot<TraceSummary>>[] {
  const of = (cell: (trace: TraceSummary) => React.ReactNode) => {
    const shown = ({ item }: Slot<TraceSummary>) => (item ? cell(item) : <span className="row-soon" />);
    return shown;
  };
  return [
    {
      key: "mark",
      head: <span className="sr-only">Mark</span>,
      width: "22px",
      wide: true,
      cell: of((t) => {
        const on = marked.some((m) => m.trace_id === t.trace_id);
        return (
          // One in each of thousands of rows is no stop on the way: `x` marks the row the keyboard is on.
          <button
            type="button"
            tabIndex={-1}
            className={cx("row-mark", on && "on")}
            aria-pressed={on}
            aria-label={`Mark ${t.preview || t.name} to compare`}
            title="Mark to compare (x)"
            onClick={() => mark(t)}
          />
        );
      }),
    },
    {
      key: "name",
      head: "Trace",
      width: "minmax(170px, 3fr)",
      cell: of((t) => (
        <>
          <div className="row-flex">
            <span className={`dot ${t.status === "error" ? "tone-bad" : t.status === "ok" ? "tone-ok" : "tone-neutral"}`} title={t.status} />
            <span className="clip strong">{t.preview || t.name}</span>
            <span className="sr-only">{t.status}</span>
          </div>
          {(t.error || t.preview) && <div className={`sub clip trace-sub${t.error ? " bad" : ""}`}>{t.error || t.name}</div>}
        </>
      )),
    },
    {
      key: "app",
      head: "App",
      width: "minmax(70px, 0.7fr)",
      wide: true,
      cell: of((t) => <span className="soft clip">{t.app ?? t.service ?? "–"}</span>),
    },
    { key: "model", head: "Model", width: "minmax(90px, 1fr)", wide: true, cell: of((t) => <span className="soft">{t.model ?? "–"}</span>) },
    {
      key: "spans",
      head: "Spans",
      width: "52px",
      align: "end",
      large: true,
      cell: of((t) => (
        <span className="soft" title={t.errors ? `${count(t.errors)} failed` : undefined}>
          {t.spans ? short(t.spans) : "–"}
          {t.errors ? <span className="bad"> !</span> : null}
        </span>
      )),
    },
    {
      key: "tokens",
      head: "Tokens",
      width: "106px",
      align: "end",
      wide: true,
      cell: of((t) =>
        t.input_tokens != null || t.output_tokens != null ? (
          <span className="soft" title="In → out">{`${short(t.input_tokens)} → ${short(t.output_tokens)}`}</span>
        ) : (
          <span className="muted">–</span>
        ),
      ),
    },
    {
      key: "scores",
      head: "Scores",
      width: "minmax(64px, 1fr)",
      large: true,
      cell: of((t) => (
        <span className="soft clip" title={t.scores?.map((one) => `${one.name}: ${count(one.count)}`).join("\n")}>
          {t.scores?.length ? t.scores.map((one) => `${one.name} ${one.mean != null ? shownScore(one.mean) : (one.label ?? "")}`).join(", ") : "–"}
        </span>
      )),
    },
    {
      key: "cost",
      head: "Cost",
      width: "76px",
      align: "end",
      large: true,
      cell: of((t) => (
        <span className="soft" title={money(t.cost)}>
          {moneyBrief(t.cost)}
        </span>
      )),
    },
    {
      key: "duration",
      head: "Duration",
      width: "minmax(72px, 0.8fr)",
      align: "end",
      cell: of((t) => (
        <span className="dur">
          <span className="dur-bar" aria-hidden="true">
            <i style={{ width: `${slowest > 0 ? Math.max(1.5, (100 * t.duration_ms) / slowest) : 0}%` }} />
          </span>
          <span>{duration(t.duration_ms)}</span>
        </span>
      )),
    },
    {
      key: "start",
      head: "Start",
      width: "98px",
      align: "end",
      cell: of((t) => (
        <time dateTime={t.start} title={fullTime(t.start)} className="soft">
          {listTime(t.start)}
        </time>
      )),
    },
  ];
}

function TimeChoice({
  fixed,
  value,
  onChange,
}: {
  fixed: { from?: string; to?: string } | null;
  value: string;
  onChange: (values: Record<string, string>) => void;
}) {
  if (fixed?.from && fixed.to) {
    return (
      <span className="chosen-time num">
        <span title={`${fullTime(fixed.from)} – ${fullTime(fixed.to)}`}>{`${listTime(fixed.from)} – ${listTime(fixed.to)}`}</span>
        <IconButton size="sm" icon="close" label="Back to the time before" onClick={() => onChange({ from: "", to: "" })} />
      </span>
    );
  }
  return <Select label="Time" hideLabel value={value} choices={SPANS} onChange={(v) => onChange({ in: v === USUAL ? "" : v, from: "", to: "" })} />;
}

/** Traces over the time that is asked about, of which a part can be chosen. */
function OverTime({
  filter,
  now,
  onChoose,
  onBack,
}: {
  filter: TraceFilter;
  now: number;
  onChoose: (from: string, to: string) => void;
  onBack?: () => void;
}) {
  const from = filter.from ? Date.parse(filter.from) : backFrom(now);
  const to = filter.to ? Date.parse(filter.to) : now;
  const bucket = bucketFor(from, to);
  // Where every span is asked, a trace is in each bucket in which a span of it passes.
  const asked = {
    ...filter,
    any: undefined,
    filter: filter.any ? filter.filter : both("entry", filter.filter ?? undefined),
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    bucket: bucket.name,
    measures: filter.any ? "traces" : "count,errors",
  };
  const metrics = useQuery(queries.traceMetrics(asked));
  const shown = useMemo(
    () => (metrics.data ? bars(metrics.data, from, to, bucket) : []),
    // A bucket is told by its name.
    [metrics.data, from, to, bucket.name],
  );
  if (metrics.error && !metrics.data) return null;
  return (
    <Histogram
      bars={shown}
      estimated={metrics.data?.estimated}
      onChoose={(low, high) => onChoose(new Date(low).toISOString(), new Date(high).toISOString())}
      onBack={onBack}
    />
  );
}

function Found({ filter }: { filter: TraceFilter }) {
  const found = useQuery(queries.tracesCount(filter));
  if (!found.data || found.error) return null;
  const { count: n, exact, waiting } = found.data;
  if (!waiting) return <span className="soft num">{`${exact ? "" : "about "}${plural(n, "trace")}`}</span>;
  return (
    <span className="soft num" title="They are stored, and the lake does not take them: its disk is full, or its store is away.">
      {`${plural(n, "trace")}; ${plural(waiting, "span")} or more cannot be found yet`}
    </span>
  );
}

/** What began since the list was read does not push it about: it is shown when somebody wants it. */
function Newer({ filter, now, rows, onShow }: { filter: TraceFilter; now: number; rows: readonly Slot<TraceSummary>[]; onShow: () => void }) {
  const newer = useQuery({
    queryKey: ["traces", "newer", filter, now],
    queryFn: async ({ signal }) => {
      // Not later: what a wrong clock dates so is in the list.
      const until = Date.now();
      const { count: began } = await api.traces.count({ ...filter, from: new Date(now).toISOString(), to: new Date(until).toISOString() }, signal);
      return { began, until };
    },
    enabled: filter.to === undefined,
    refetchInterval: 15_000,
    retry: false,
  });
  if (!newer.data || filter.to !== undefined) return null;
  const items = rows.map(({ item }) => item);
  const n = newerThan(newer.data.began, items, [now, newer.data.until]);
  if (n === 0) return null;
  return (
    <Button size="sm" look="ghost" icon="refresh" onClick={onShow}>
      {`${short(n)} newer`}
    </Button>
  );
}

/** The chart ends now, and the list does not. */
function Ahead({ now, rows }: { now: number; rows: readonly Slot<TraceSummary>[] }) {
  const items = useMemo(() => rows.map(({ item }) => item), [rows]);
  const n = aheadOf(items, now);
  if (n === 0) return null;
  return (
    <span className="soft num" title="By the clock of whoever sent them they are yet to begin. They stand in the list, and not in the chart.">
      {`${short(n)} from a clock that is ahead`}
    </span>
  );
}

/** What the traces of a time have, or those of the last month where all of it is meant. */
function useGroups(by: string, filter: string, { from, to }: Stretch, now: number) {
  return useQuery({
    ...queries.traceMetrics({ by, filter, from: from ?? new Date(backFrom(now)).toISOString(), to, measures: "count", limit: 100 }),
    staleTime: 60_000,
  });
}

function AppFilter({
  app,
  service,
  stretch,
  now,
  onChange,
}: {
  app: string;
  service: string;
  stretch: Stretch;
  now: number;
  onChange: (values: Record<string, string>) => void;
}) {
  const apps = useGroups("app", "entry and app exists", stretch, now);
  const services = useGroups("service", "entry and service exists and not app exists", stretch, now);
  return (
    <Select
      label="App"
      hideLabel
      value={senderValue(app, service)}
      onChange={(value) => onChange(senderOf(value))}
      choices={senders(apps.data, services.data, app, service)}
    />
  );
}

function ModelFilter({ value, stretch, now, onChange }: { value: string; stretch: Stretch; now: number; onChange: (v: string) => void }) {
  const found = useGroups("model", "model exists", stretch, now);
  return <Select label="Model" hideLabel value={value} onChange={onChange} choices={models(found.data, value)} />;
}
