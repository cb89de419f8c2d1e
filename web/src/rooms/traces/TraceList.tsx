import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import type { TraceFilter } from "@/api/client";
import { queries } from "@/api/queries";
import type { TraceSummary } from "@/api/types";
import { duration, listTime, fullTime, short } from "@/lib/format";
import { useShortcuts } from "@/lib/keys";
import { Button, Empty, ErrorNote, IconButton, PageHeader, SearchField, Segmented, Select, Skeleton, useDebounced, useTitle } from "@/ui/kit";
import { Rows } from "@/ui/rows";
import { RowsEnd } from "@/ui/tables";
import "./traces.css";

const SPANS = [
  { value: "1h", label: "Last hour", minutes: 60 },
  { value: "6h", label: "Last 6 hours", minutes: 360 },
  { value: "24h", label: "Last 24 hours", minutes: 1440 },
  { value: "7d", label: "Last 7 days", minutes: 10_080 },
  { value: "30d", label: "Last 30 days", minutes: 43_200 },
  { value: "all", label: "All time", minutes: null },
] as const;
const SLOW = [
  { value: "", label: "Any length" },
  { value: "100", label: "≥ 100 ms" },
  { value: "500", label: "≥ 500 ms" },
  { value: "1000", label: "≥ 1 s" },
  { value: "2000", label: "≥ 2 s" },
  { value: "5000", label: "≥ 5 s" },
  { value: "30000", label: "≥ 30 s" },
];

export function Component() {
  useTitle("Traces");
  const [params, setParams] = useSearchParams();
  const navigate = useNavigate();
  const get = (key: string) => params.get(key) ?? "";
  const set = (key: string, value: string) => setParams((p) => (value ? p.set(key, value) : p.delete(key), p), { replace: true });
  const [text, setText] = useState(get("q"));
  const q = useDebounced(text.trim());
  const span = SPANS.find((s) => s.value === get("in")) ?? SPANS[2];
  const [turn, setTurn] = useState(0);

  // Fixed while paging, so that pages fit together; moved on by “refresh”.
  const from = useMemo(
    () => (span.minutes === null ? undefined : new Date(Date.now() - span.minutes * 60_000).toISOString()),
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [span.minutes, turn],
  );
  const filter: TraceFilter = {
    from,
    q: q || undefined,
    app: get("app") || undefined,
    model: get("model") || undefined,
    status: get("status") || undefined,
    min_ms: Number(get("min_ms")) || undefined,
  };
  const traces = useInfiniteQuery(queries.traces(filter));
  const items = useMemo(() => traces.data?.pages.flatMap((p) => p.items) ?? [], [traces.data]);
  const slowest = items.reduce((n, t) => Math.max(n, t.duration_ms), 0);
  const filtered = Boolean(q || filter.app || filter.model || filter.status || filter.min_ms);
  const refresh = () => {
    setTurn((n) => n + 1);
    void traces.refetch();
  };
  useShortcuts([{ keys: "r", label: "Refresh", group: "Traces", run: refresh }]);

  return (
    <div className="page fill">
      <PageHeader title="Traces" lead="Every request, ingestion and model call, with the versions it used." />
      <div className="toolbar">
        <SearchField
          label="Search in questions, answers and errors"
          placeholder="Search text, or paste a trace id"
          value={text}
          onChange={setText}
          shortcut="/"
        />
        <Select label="Time" hideLabel value={span.value} choices={SPANS} onChange={(v) => set("in", v === "24h" ? "" : v)} />
        <Segmented
          label="Status"
          value={get("status")}
          onChange={(v) => set("status", v)}
          choices={[
            { value: "", label: "All" },
            { value: "ok", label: "Ok" },
            { value: "error", label: "Errors" },
          ]}
        />
        <AppFilter value={get("app")} onChange={(v) => set("app", v)} />
        <ModelFilter value={get("model")} onChange={(v) => set("model", v)} seen={items} />
        <Select label="Length" hideLabel value={get("min_ms")} choices={SLOW} onChange={(v) => set("min_ms", v)} />
        <IconButton icon="refresh" label="Refresh (r)" onClick={refresh} />
      </div>
      {traces.error && items.length === 0 ? (
        <ErrorNote error={traces.error} retry={() => void traces.refetch()} />
      ) : traces.isPending ? (
        <Skeleton rows={14} />
      ) : items.length === 0 ? (
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
        </Empty>
      ) : (
        <Rows
          label="Traces"
          items={items}
          idOf={(t) => t.trace_id}
          rowHeight={46}
          onOpen={(t) => void navigate(`/traces/${t.trace_id}`)}
          columns={[
            {
              key: "name",
              head: "Trace",
              width: "minmax(170px, 3fr)",
              cell: (t) => (
                <>
                  <div className="row-flex">
                    <span className={`dot ${t.status === "error" ? "tone-bad" : t.status === "ok" ? "tone-ok" : "tone-neutral"}`} title={t.status} />
                    <span className="clip strong">{t.preview || t.name}</span>
                    <span className="sr-only">{t.status}</span>
                  </div>
                  {(t.error || t.preview) && <div className={`sub clip trace-sub${t.error ? " bad" : ""}`}>{t.error || t.name}</div>}
                </>
              ),
            },
            { key: "app", head: "App", width: "minmax(70px, 0.7fr)", wide: true, cell: (t) => <span className="soft">{t.app ?? "–"}</span> },
            { key: "model", head: "Model", width: "minmax(90px, 1fr)", wide: true, cell: (t) => <span className="soft">{t.model ?? "–"}</span> },
            {
              key: "tokens",
              head: "Tokens",
              width: "112px",
              align: "end",
              wide: true,
              cell: (t) =>
                t.input_tokens != null || t.output_tokens != null ? (
                  <span className="soft" title="In → out">{`${short(t.input_tokens)} → ${short(t.output_tokens)}`}</span>
                ) : (
                  <span className="muted">–</span>
                ),
            },
            {
              key: "duration",
              head: "Duration",
              width: "minmax(72px, 130px)",
              align: "end",
              cell: (t) => (
                <span className="dur">
                  <span className="dur-bar" aria-hidden="true">
                    <i style={{ width: `${slowest > 0 ? Math.max(1.5, (100 * t.duration_ms) / slowest) : 0}%` }} />
                  </span>
                  <span>{duration(t.duration_ms)}</span>
                </span>
              ),
            },
            {
              key: "start",
              head: "Start",
              width: "106px",
              align: "end",
              cell: (t) => (
                <time dateTime={t.start} title={fullTime(t.start)} className="soft">
                  {listTime(t.start)}
                </time>
              ),
            },
          ]}
          footer={<RowsEnd query={traces} shown={items.length} />}
        />
      )}
    </div>
  );
}

function AppFilter({ value, onChange }: { value: string; onChange: (v: string) => void }) {
  const apps = useQuery({ ...queries.apps(), staleTime: 60_000 });
  const names = new Set([...(apps.data?.items.map((a) => a.name) ?? []), ...(value ? [value] : [])]);
  return (
    <Select
      label="App"
      hideLabel
      value={value}
      onChange={onChange}
      choices={[{ value: "", label: "Any app" }, ...[...names].map((n) => ({ value: n, label: n }))]}
    />
  );
}

function ModelFilter({ value, onChange, seen }: { value: string; onChange: (v: string) => void; seen: readonly TraceSummary[] }) {
  const models = useQuery({ ...queries.models(), staleTime: 60_000 });
  const names = new Set([
    ...(models.data?.items.map((m) => m.name) ?? []),
    ...seen.flatMap((t) => (t.model ? [t.model] : [])),
    ...(value ? [value] : []),
  ]);
  return (
    <Select
      label="Model"
      hideLabel
      value={value}
      onChange={onChange}
      choices={[{ value: "", label: "Any model" }, ...[...names].map((n) => ({ value: n, label: n }))]}
    />
  );
}
