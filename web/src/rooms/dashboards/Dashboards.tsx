// How a project is doing, over time: what is built in and what people wrote.

import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Link, useNavigate, useParams, useSearchParams } from "react-router";
import { queries } from "@/api/queries";
import type { PanelData } from "@/api/types";
import { fullTime } from "@/lib/format";
import { useShortcuts } from "@/lib/keys";
import { FilterBox, isFilterFault } from "@/rooms/traces/FilterBox";
import { SPANS, stretchOf, USUAL } from "@/rooms/traces/times";
import { Select } from "@/ui/fields";
import { Button, ErrorNote, IconButton, LinkButton, PageHeader, Skeleton, useTitle } from "@/ui/kit";
import { Behind, type Picked } from "./Behind";
import { GroupBy } from "./GroupBy";
import { Panel } from "./Panel";
import { stretchAround, timesOf, type Key } from "./panels";
import "./dashboards.css";

const BUILT_IN = "overview";
/** All of the time would be one bucket of years. */
const TIMES = SPANS.filter((span) => span.minutes !== null);

export function Component() {
  const { name = BUILT_IN } = useParams();
  const [params, setParams] = useSearchParams();
  const navigate = useNavigate();
  const get = (key: string) => params.get(key) ?? "";
  const change = (values: Record<string, string>) =>
    setParams((p) => (Object.entries(values).forEach(([key, value]) => (value ? p.set(key, value) : p.delete(key))), p));
  // Moved on by “refresh”, so that every panel is about the same time.
  const [now, setNow] = useState(() => Date.now());
  const [picked, setPicked] = useState<Picked | null>(null);
  const [fromText, toText, inText] = [get("from"), get("to"), get("in")];
  const stretch = useMemo(
    () => stretchOf(new URLSearchParams({ from: fromText, to: toText, in: inText === "all" ? USUAL : inText }), now),
    [fromText, toText, inText, now],
  );
  const by = get("by");
  const filter = get("filter");
  const query = {
    from: stretch.from,
    to: stretch.to ?? new Date(now).toISOString(),
    by: by || undefined,
    filter: filter || undefined,
  };
  const data = useQuery(queries.dashboard(name, query));
  const all = useQuery(queries.dashboards());
  useTitle(data.data?.title ?? "Dashboards");
  const refresh = () => setNow(Date.now());
  useShortcuts([{ keys: "r", label: "Refresh", group: "Dashboards", run: refresh }]);
  const times = useMemo(() => (data.data ? timesOf(data.data.from, data.data.to, data.data.bucket_ms) : []), [data.data]);
  const zoom = (from: number, to: number) => {
    const chosen = stretchAround(from, Math.min(to, Date.now() / 1000));
    if (chosen.from < chosen.to) change({ ...chosen, in: "" });
  };
  const pick = (panel: PanelData, at: number, key: Key) => {
    const width = (data.data?.bucket_ms ?? 0) / 1000;
    if (times[at] !== undefined) setPicked({ panel, key, ...stretchAround(times[at]!, times[at]! + width) });
  };
  const names = all.data?.map((one) => one.name) ?? [name];

  return (
    <div className="page">
      <PageHeader
        title={data.data?.title ?? "Dashboards"}
        lead="Drag over a chart to look closer, click a point to see the traces behind it."
        actions={
          <LinkButton to="/sql" icon="list">
            Ask in SQL
          </LinkButton>
        }
      />
      <div className="toolbar">
        <Select
          label="Dashboard"
          hideLabel
          value={name}
          choices={(names.includes(name) ? names : [name, ...names]).map((one) => ({ value: one, label: one }))}
          onChange={(one) => void navigate({ pathname: `/dashboards/${encodeURIComponent(one)}`, search: params.toString() })}
        />
        {stretch.isFixed ? (
          <Button icon="left" onClick={() => change({ from: "", to: "" })} title={`${fullTime(stretch.from)} to ${fullTime(stretch.to)}`}>
            {`${fullTime(stretch.from)} to ${fullTime(stretch.to)}`}
            <span className="sr-only">, back to the whole time</span>
          </Button>
        ) : (
          <Select label="Time" hideLabel value={inText && inText !== "all" ? inText : USUAL} choices={TIMES} onChange={(v) => change({ in: v })} />
        )}
        <GroupBy by={by} onChange={(v) => change({ by: v })} />
        <IconButton icon="refresh" label="Refresh (r)" onClick={refresh} />
      </div>
      <FilterBox value={filter} onChange={(v) => change({ filter: v })} error={data.error} />
      {data.error && !isFilterFault(data.error) ? <ErrorNote error={data.error} retry={() => void data.refetch()} /> : null}
      {data.isPending && <Skeleton rows={6} height={200} />}
      {data.data && (
        <div className="panels" aria-busy={data.isPlaceholderData}>
          {data.data.panels.map((panel) => (
            <Panel
              key={panel.title}
              panel={panel}
              narrowed={Boolean(filter || by)}
              times={times}
              from={data.data!.from}
              to={data.data!.to}
              onZoom={zoom}
              onPick={(at, key) => pick(panel, at, key)}
            />
          ))}
        </div>
      )}
      {name === BUILT_IN && (
        <p className="soft panels-end">
          Write panels of your own as a spec of kind <code>dashboard</code>; Grafana reads the same measures at <code>/api/v1/prometheus</code>.{" "}
          <Link className="text-link" to="/assets/dashboard">
            Dashboards among the assets
          </Link>
        </p>
      )}
      {picked && <Behind picked={picked} within={filter} onClose={() => setPicked(null)} />}
    </div>
  );
}
