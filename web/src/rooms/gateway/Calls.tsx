// Every call of a model: who answered, what it used, what it cost.

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearchParams } from "react-router";
import type { CallFilter } from "@/api/client";
import { queries } from "@/api/queries";
import type { Call } from "@/api/types";
import { count, duration, fullTime, listTime, money, short } from "@/lib/format";
import { useShortcuts } from "@/lib/keys";
import { Segmented, Select } from "@/ui/fields";
import { Card, Empty, ErrorNote, IconButton, Skeleton, Status, type Tone } from "@/ui/kit";
import { Icon } from "@/ui/icons";
import { Rows, type Column } from "@/ui/rows";
import { LoadedPages, RowsEnd, Table } from "@/ui/tables";
import { marks } from "./marks";
import { Unpriced } from "./Spend";

const TIMES = [
  { value: "1h", label: "Last hour" },
  { value: "24h", label: "Last 24 hours" },
  { value: "7d", label: "Last 7 days" },
  { value: "30d", label: "Last 30 days" },
  { value: "90d", label: "Last 90 days" },
] as const;
const FILTERS = ["model", "provider", "user", "app"] as const;
const TONES: Record<string, Tone> = { ok: "ok", failed: "bad", cancelled: "warn", interrupted: "warn" };

/** Answers from the cache cost nothing; where tokens were used and no price is named, nobody knows the cost. */
export function Cost({ call }: { call: Call }) {
  if (call.cached) return <span className="soft">cached</span>;
  if (call.price == null && call.usage.input_tokens + call.usage.output_tokens > 0) return <Unpriced />;
  return Number(call.cost) === 0 ? <span className="muted">$0</span> : <>{money(call.cost)}</>;
}

function CallStatus({ call }: { call: Call }) {
  return <Status tone={TONES[call.status] ?? "neutral"}>{call.class ? `${call.status}: ${call.class.replaceAll("_", " ")}` : call.status}</Status>;
}

function Model({ call }: { call: Call }) {
  const target = call.provider ? `${call.provider}/${call.target ?? ""}` : null;
  const tried = call.attempts > 1 ? `${count(call.attempts)} attempts` : null;
  const under = [target === call.model ? null : target, tried, call.operation === "chat" ? null : call.operation].filter(Boolean).join(" · ");
  return (
    <>
      <div className="strong clip">{call.model}</div>
      {under && <div className="sub clip">{under}</div>}
    </>
  );
}

const tokens = (call: Call) => (
  <span className="soft" title={marks(call.usage)}>
    {`${short(call.usage.input_tokens)} → ${short(call.usage.output_tokens)}`}
  </span>
);
const took = (call: Call) => (
  <span title={call.first_ms == null ? undefined : `Began after ${duration(call.first_ms)}`}>{duration(call.took_ms)}</span>
);
const started = (call: Call) => (
  <time dateTime={call.started_at} title={fullTime(call.started_at)} className="soft">
    {listTime(call.started_at)}
  </time>
);

const COLUMNS: readonly Column<Call>[] = [
  { key: "model", head: "Model", width: "minmax(140px, 2.2fr)", cell: (call) => <Model call={call} /> },
  { key: "status", head: "Status", width: "minmax(90px, 1.2fr)", cell: (call) => <CallStatus call={call} /> },
  {
    key: "who",
    head: "User",
    width: "minmax(80px, 1fr)",
    large: true,
    cell: (call) => <span className="soft">{call.user ?? call.app ?? call.principal}</span>,
  },
  { key: "tokens", head: "Tokens", width: "112px", align: "end", wide: true, cell: tokens },
  { key: "cost", head: "Cost", width: "90px", align: "end", cell: (call) => <Cost call={call} /> },
  { key: "took", head: "Took", width: "80px", align: "end", wide: true, cell: took },
  { key: "start", head: "Start", width: "112px", align: "end", wide: true, cell: started },
];

export function Calls() {
  const [params, setParams] = useSearchParams();
  const navigate = useNavigate();
  const time = TIMES.find((t) => t.value === params.get("in"))?.value ?? "7d";
  const set = (key: string, value: string) => setParams((p) => (value ? p.set(key, value) : p.delete(key), p), { replace: true });
  const filter: CallFilter = { since: time, status: params.get("status") || undefined };
  for (const key of FILTERS) filter[key] = params.get(key) || undefined;
  const narrowed = FILTERS.filter((key) => params.get(key));
  const calls = useInfiniteQuery(queries.calls(filter));
  useShortcuts([{ keys: "r", label: "Refresh", group: "Calls", run: () => void calls.refetch() }]);
  return (
    <>
      <div className="toolbar">
        <Select label="Time" hideLabel value={time} choices={TIMES} onChange={(v) => set("in", v)} />
        <Segmented
          label="Status"
          value={params.get("status") ?? ""}
          onChange={(v) => set("status", v)}
          choices={[
            { value: "", label: "All" },
            { value: "ok", label: "Ok" },
            { value: "failed", label: "Failed" },
            { value: "cancelled", label: "Cancelled" },
          ]}
        />
        {narrowed.map((key) => (
          <button key={key} type="button" className="chip" title={`Show every ${key}`} onClick={() => set(key, "")}>
            {`${key}: ${params.get(key)}`}
            <Icon name="close" size={12} />
          </button>
        ))}
        <IconButton icon="refresh" label="Refresh (r)" onClick={() => void calls.refetch()} />
      </div>
      <LoadedPages
        query={calls}
        skeleton={<Skeleton rows={14} />}
        empty={
          <Empty icon="swap" title="No calls here">
            Try a longer time or fewer filters.
          </Empty>
        }
      >
        {(items) => (
          <Rows
            label="Calls"
            items={items}
            idOf={(call) => call.id}
            rowHeight={46}
            onOpen={(call) => void navigate(`/traces/${call.trace_id}`)}
            columns={COLUMNS}
            footer={<RowsEnd query={calls} shown={items.length} />}
          />
        )}
      </LoadedPages>
    </>
  );
}

/** The newest calls, so that what just happened is one click away. */
export function RecentCalls() {
  const calls = useQuery(queries.recentCalls());
  const items = calls.data?.items ?? [];
  if (items.length === 0) return calls.error ? <ErrorNote error={calls.error} retry={() => void calls.refetch()} /> : null;
  return (
    <Card
      title="Recent calls"
      flush
      actions={
        <Link className="text-link quiet" to="/models/calls">
          All calls
        </Link>
      }
    >
      <Table
        className="recent-calls"
        head={
          <>
            <th>Model</th>
            <th>Status</th>
            <th className="end hide-narrow">Tokens</th>
            <th className="end">Cost</th>
            <th className="end hide-narrow">Took</th>
            <th className="end hide-narrow">Start</th>
            <th className="shrink">Trace</th>
          </>
        }
      >
        {items.map((call) => (
          <tr key={call.id}>
            <td className="lead">
              <Model call={call} />
            </td>
            <td>
              <CallStatus call={call} />
            </td>
            <td className="end hide-narrow">{tokens(call)}</td>
            <td className="end">
              <Cost call={call} />
            </td>
            <td className="end hide-narrow">{took(call)}</td>
            <td className="end hide-narrow">{started(call)}</td>
            <td className="shrink">
              <Link className="text-link mono" to={`/traces/${call.trace_id}`} aria-label={`Trace ${call.trace_id}`}>
                {call.trace_id.slice(0, 8)}
              </Link>
            </td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}
