// Traces, or single spans, the moment they are stored.

import { useNavigate, useSearchParams } from "react-router";
import type { SpanSummary } from "@/api/types";
import { duration, fullTime, listTime, money, moneyBrief, plural, short } from "@/lib/format";
import { useShortcuts } from "@/lib/keys";
import { Icon } from "@/ui/icons";
import { Toggle } from "@/ui/fields";
import { Button, Empty, ErrorNote, PageHeader, Skeleton, Status, useTitle } from "@/ui/kit";
import { Rows, type Column } from "@/ui/rows";
import { FilterBox, isFilterFault } from "./FilterBox";
import { RoomTabs } from "./RoomTabs";
import { KEPT } from "./tail";
import { useTail, type Tail } from "./useTail";
import "./traces.css";

export function Component() {
  useTitle("Live traces");
  const [params, setParams] = useSearchParams();
  const navigate = useNavigate();
  const set = (key: string, value: string) => setParams((p) => (value ? p.set(key, value) : p.delete(key), p), { replace: true });
  const [filter, spans] = [params.get("filter") ?? "", params.get("spans") === "true"];
  const tail = useTail(filter, spans);
  const toggle = () => tail.pause(!tail.paused);
  useShortcuts([{ keys: "p", label: tail.paused ? "Go on" : "Pause", group: "Live traces", run: toggle }]);
  const what = spans ? "span" : "trace";
  return (
    <div className="page fill">
      <PageHeader title="Traces" lead="Every request, ingestion and model call, as it is stored.">
        <RoomTabs at="/traces/live" />
      </PageHeader>
      <div className="toolbar tail-tools">
        <Button icon={tail.paused ? "play" : "pause"} look={tail.paused ? "primary" : "plain"} onClick={toggle}>
          {tail.paused ? (tail.held > 0 ? `Go on, ${short(tail.held)} new` : "Go on") : "Pause"}
        </Button>
        <Toggle checked={spans} onChange={(on) => set("spans", on ? "true" : "")}>
          Every span
        </Toggle>
        <span className="grow" />
        <State tail={tail} />
      </div>
      <FilterBox value={filter} onChange={(v) => set("filter", v)} error={tail.error} />
      {tail.missed > 0 && (
        <p className="tail-missed" role="status">
          <Icon name="warn" size={14} />
          {`${plural(tail.missed, "span")} could not be shown: more came than this browser could take. All are in the list.`}
        </p>
      )}
      {tail.gap && (
        <p className="tail-missed" role="status">
          <Icon name="warn" size={14} />
          The connection was away, and some of what came meanwhile may not be shown here. All is in the list.
        </p>
      )}
      {tail.state === "refused" ? (
        isFilterFault(tail.error) ? null : (
          <ErrorNote error={tail.error} />
        )
      ) : tail.state === "waiting" ? (
        <Skeleton rows={14} />
      ) : tail.rows.length === 0 ? (
        <Empty icon="trace" title={filter ? `No such ${what} yet` : `No ${what} yet`}>
          What passes appears here the moment it is stored.
        </Empty>
      ) : (
        <Rows
          label="Live traces"
          items={tail.rows}
          idOf={(row) => `${row.trace_id}/${row.span}`}
          rowHeight={46}
          onOpen={(row) => void navigate(`/traces/${row.trace_id}?span=${row.span}`)}
          columns={COLUMNS}
          footer={
            <span>
              {tail.rows.length < KEPT ? `${plural(tail.rows.length, what)} since you look` : `The last ${KEPT}; older ones are in the list`}
            </span>
          }
        />
      )}
    </div>
  );
}

function State({ tail }: { tail: Tail }) {
  if (tail.state === "lost") return <Status tone="bad">Connecting again…</Status>;
  if (tail.state === "refused") return <Status tone="bad">Not followed</Status>;
  if (tail.paused) return <Status tone="warn">Paused</Status>;
  return (
    <Status tone={tail.state === "live" ? "ok" : "neutral"} pulse={tail.state === "live"}>
      {tail.state === "live" ? "Live" : "Connecting…"}
    </Status>
  );
}

const COLUMNS: readonly Column<SpanSummary>[] = [
  {
    key: "name",
    head: "Span",
    width: "minmax(170px, 3fr)",
    cell: (row) => (
      <>
        <div className="row-flex">
          <span className={`dot ${row.status === "error" ? "tone-bad" : row.status === "ok" ? "tone-ok" : "tone-neutral"}`} title={row.status} />
          <span className="clip strong">{row.preview || row.name}</span>
          <span className="sr-only">{row.status}</span>
        </div>
        {(row.error || row.preview) && <div className={`sub clip trace-sub${row.error ? " bad" : ""}`}>{row.error || row.name}</div>}
      </>
    ),
  },
  { key: "kind", head: "Type", width: "90px", wide: true, cell: (row) => <span className="soft">{row.kind ?? "span"}</span> },
  {
    key: "app",
    head: "App",
    width: "minmax(70px, 0.7fr)",
    wide: true,
    cell: (row) => <span className="soft clip">{row.app ?? row.service ?? "–"}</span>,
  },
  { key: "model", head: "Model", width: "minmax(90px, 1fr)", wide: true, cell: (row) => <span className="soft clip">{row.model ?? "–"}</span> },
  {
    key: "tokens",
    head: "Tokens",
    width: "112px",
    align: "end",
    wide: true,
    cell: (row) =>
      row.input_tokens != null || row.output_tokens != null ? (
        <span className="soft">{`${short(row.input_tokens)} → ${short(row.output_tokens)}`}</span>
      ) : (
        <span className="muted">–</span>
      ),
  },
  {
    key: "cost",
    head: "Cost",
    width: "84px",
    align: "end",
    large: true,
    cell: (row) => (
      <span className="soft" title={money(row.cost)}>
        {moneyBrief(row.cost)}
      </span>
    ),
  },
  { key: "duration", head: "Duration", width: "84px", align: "end", cell: (row) => duration(row.duration_ms) },
  {
    key: "start",
    head: "Start",
    width: "106px",
    align: "end",
    cell: (row) => (
      <time dateTime={row.start} title={fullTime(row.start)} className="soft">
        {listTime(row.start)}
      </time>
    ),
  },
];
