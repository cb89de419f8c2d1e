// Calls as they happen: who calls what, who answers, how far it is, what it came to.

import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { queries } from "@/api/queries";
import { count, duration, fullTime, listTime, money, percent, plural, short } from "@/lib/format";
import { useShortcuts } from "@/lib/keys";
import { Icon } from "@/ui/icons";
import { Segmented, Select, type Choice } from "@/ui/fields";
import { Button, Empty, ErrorNote, Skeleton, Status, useTick, type Tone } from "@/ui/kit";
import { Rows, type Column } from "@/ui/rows";
import { Cost } from "./Calls";
import { Others } from "./Others";
import { choices, isOpen, nameOf, passes, statusOf, type LiveFilter, type LiveRow } from "./live";
import { marks } from "./marks";
import { useLive, type LiveFeed } from "./useLive";

const TONES: Record<string, Tone> = { started: "accent", streaming: "accent", ok: "ok", failed: "bad", cancelled: "warn", interrupted: "warn" };
const STATUSES = [
  { value: "", label: "All" },
  { value: "open", label: "Under way" },
  { value: "ok", label: "Ok" },
  { value: "failed", label: "Failed" },
  { value: "cancelled", label: "Cancelled" },
] as const;

export function Live() {
  const live = useLive();
  const navigate = useNavigate();
  const [params, setParams] = useSearchParams();
  const set = (key: string, value: string) => setParams((p) => (value ? p.set(key, value) : p.delete(key), p), { replace: true });
  const [status, route, key, user] = ["status", "route", "key", "user"].map((name) => params.get(name) ?? undefined);
  const rows = useMemo(() => {
    const filter: LiveFilter = { status, route, key, user };
    return live.rows.filter((row) => passes(row, filter));
  }, [live.rows, status, route, key, user]);
  useShortcuts([{ keys: "p", label: live.paused ? "Go on" : "Pause", group: "Live calls", run: () => live.pause(!live.paused) }]);

  if (live.state === "lost" && live.rows.length === 0) return <ErrorNote error={live.error} />;
  return (
    <>
      <div className="toolbar live-toolbar">
        <Button icon={live.paused ? "play" : "pause"} look={live.paused ? "primary" : "plain"} onClick={() => live.pause(!live.paused)}>
          {live.paused ? (live.held > 0 ? `Go on, ${short(live.held)} new` : "Go on") : "Pause"}
        </Button>
        <Segmented label="Status" value={status ?? ""} choices={STATUSES} onChange={(v) => set("status", v)} />
        <Filters live={live} chosen={{ route, key, user }} onChoose={set} />
        <span className="grow" />
        <Pulse live={live} />
      </div>
      <Others what="calls under way" />
      {live.missed > 0 && (
        <p className="live-missed" role="status">
          <Icon name="warn" size={14} />
          {`${plural(live.missed, "event")} could not be shown: more happened than this browser could take. Every call is in the list of calls.`}
        </p>
      )}
      {live.state === "waiting" ? (
        <Skeleton rows={14} />
      ) : rows.length === 0 ? (
        <Empty icon="swap" title={live.rows.length === 0 ? "Nobody calls" : "No such call"}>
          {live.rows.length === 0
            ? "Calls of models appear here the moment they start."
            : "Calls that fit the filter appear here the moment they start."}
        </Empty>
      ) : (
        <Rows
          label="Live calls"
          items={rows}
          idOf={(row) => row.id}
          rowHeight={46}
          onOpen={(row) => void navigate(`/traces/${row.begun.trace_id}`)}
          columns={COLUMNS}
          tone={(row) => (isOpen(row) ? "live-open" : undefined)}
          footer={<span>{`${plural(rows.length, "call")} shown; older ones are in the list of calls`}</span>}
        />
      )}
    </>
  );
}

function Filters({ live, chosen, onChoose }: { live: LiveFeed; chosen: LiveFilter; onChoose: (key: string, value: string) => void }) {
  const keys = useQuery({ ...queries.keys(), retry: false });
  const keyName = (id: string) => keys.data?.items.find((k) => k.id === id)?.name ?? id.slice(0, 12);
  const all = (label: string, names: string[], nameOf = (name: string) => name): Choice<string>[] => [
    { value: "", label },
    ...names.map((name) => ({ value: name, label: nameOf(name) })),
  ];
  return (
    <>
      <Select
        label="Route"
        hideLabel
        value={chosen.route ?? ""}
        choices={all("Every route", choices(live.rows, nameOf, chosen.route))}
        onChange={(v) => onChoose("route", v)}
      />
      <Select
        label="Key"
        hideLabel
        value={chosen.key ?? ""}
        choices={all(
          "Every key",
          choices(live.rows, (row) => row.begun.key, chosen.key),
          keyName,
        )}
        onChange={(v) => onChoose("key", v)}
      />
      <Select
        label="User"
        hideLabel
        value={chosen.user ?? ""}
        choices={all(
          "Every user",
          choices(live.rows, (row) => row.begun.user, chosen.user),
        )}
        onChange={(v) => onChoose("user", v)}
      />
    </>
  );
}

function Pulse({ live }: { live: LiveFeed }) {
  useTick(1_000);
  const now = live.pulse(Date.now());
  return (
    <p className="live-pulse num">
      <span>
        <b>{count(now.open)}</b> under way
      </span>
      <span className="hide-narrow">
        <b>{short(now.ended)}</b> in the last minute
      </span>
      {now.failed > 0 && (
        <span className="hide-narrow bad">
          <b>{percent(now.failed, now.ended)}</b> failed
        </span>
      )}
      {now.cost > 0 && (
        <span className="hide-narrow">
          <b>{money(now.cost)}</b>
        </span>
      )}
      {live.state === "lost" ? (
        <Status tone="bad">Connecting again…</Status>
      ) : live.paused ? (
        <Status tone="warn">Paused</Status>
      ) : (
        <Status tone={live.state === "live" ? "ok" : "neutral"} pulse={live.state === "live"}>
          {live.state === "live" ? "Live" : "Connecting…"}
        </Status>
      )}
    </p>
  );
}

function State({ row }: { row: LiveRow }) {
  const status = statusOf(row);
  const why = row.settled?.class?.replaceAll("_", " ");
  return (
    <Status tone={TONES[status] ?? "neutral"} pulse={isOpen(row)}>
      {why ? `${status}: ${why}` : status}
    </Status>
  );
}

function Model({ row }: { row: LiveRow }) {
  const { begun, answering, settled } = row;
  const { provider, target, attempts } = settled ?? answering ?? {};
  const answers = provider ? `${provider}/${target ?? ""}` : null;
  const under = [
    answers === begun.model ? null : answers,
    attempts && attempts > 1 ? `${count(attempts)} attempts` : null,
    begun.operation === "chat" ? null : begun.operation,
    begun.batch_id ? "batch" : null,
  ].filter(Boolean);
  return (
    <>
      <div className="strong clip">{begun.model}</div>
      {under.length > 0 && <div className="sub clip">{under.join(" · ")}</div>}
    </>
  );
}

function Took({ row }: { row: LiveRow }) {
  if (row.settled) return <>{duration(row.settled.took_ms)}</>;
  return <Elapsed since={row.since} />;
}

function Elapsed({ since }: { since: number }) {
  useTick(200);
  const ms = Math.max(0, Date.now() - since);
  return <span className="live-elapsed">{ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : duration(ms)}</span>;
}

function Tokens({ row }: { row: LiveRow }) {
  const { settled, answering } = row;
  if (settled) {
    const { input_tokens, output_tokens } = settled.usage;
    return <span className="soft" title={marks(settled.usage)}>{`${short(input_tokens)} → ${short(output_tokens)}`}</span>;
  }
  if (!answering) return <span className="muted">–</span>;
  return <span className="live-elapsed" title="A guess from the text so far">{`~ ${short(answering.output_tokens)}`}</span>;
}

const COLUMNS: readonly Column<LiveRow>[] = [
  { key: "status", head: "Status", width: "minmax(130px, 1.2fr)", cell: (row) => <State row={row} /> },
  { key: "model", head: "Model", width: "minmax(140px, 2.2fr)", cell: (row) => <Model row={row} /> },
  {
    key: "who",
    head: "User",
    width: "minmax(80px, 1fr)",
    wide: true,
    cell: ({ begun }) => <span className="soft">{begun.user ?? begun.app ?? begun.principal}</span>,
  },
  { key: "tokens", head: "Tokens", width: "112px", align: "end", wide: true, cell: (row) => <Tokens row={row} /> },
  {
    key: "first",
    head: <span title="From the call's start to its first token">First token</span>,
    width: "84px",
    align: "end",
    large: true,
    cell: ({ settled, answering }) => <span className="soft">{duration(settled ? settled.first_ms : answering?.first_ms)}</span>,
  },
  { key: "took", head: "Took", width: "76px", align: "end", cell: (row) => <Took row={row} /> },
  {
    key: "cost",
    head: "Cost",
    width: "90px",
    align: "end",
    wide: true,
    cell: ({ settled }) => (settled ? <Cost call={settled} /> : <span className="muted">–</span>),
  },
  {
    key: "start",
    head: "Start",
    width: "84px",
    align: "end",
    large: true,
    cell: ({ begun }) => (
      <time dateTime={begun.started_at} title={fullTime(begun.started_at)} className="soft">
        {listTime(begun.started_at)}
      </time>
    ),
  },
];
