// The metrics that programs send.

import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { queries } from "@/api/queries";
import type { Metric } from "@/api/types";
import { count } from "@/lib/format";
import { settingsFor } from "@/rooms/traces/conventions";
import { SPANS, stretchOf, USUAL } from "@/rooms/traces/times";
import { SearchField, Select, useDebounced } from "@/ui/fields";
import { Empty, PageHeader, Skeleton, Time, useTitle } from "@/ui/kit";
import { Rows, type Column } from "@/ui/rows";
import { LoadedPages, RowsEnd } from "@/ui/tables";
import { formatOf, formLabel, kindLabel, unitLabel } from "./metrics";
import "./metrics.css";

const COLUMNS: Column<Metric>[] = [
  { key: "name", head: "Metric", width: "minmax(180px, 3fr)", cell: (metric) => <span className="clip strong">{metric.name}</span> },
  { key: "kind", head: "Kind", width: "minmax(90px, 1fr)", cell: (metric) => <Kind metric={metric} /> },
  { key: "unit", head: "Unit", width: "90px", wide: true, cell: (metric) => <span className="soft clip">{unitLabel(metric.form.unit) || "–"}</span> },
  { key: "services", head: "Services", width: "minmax(100px, 2fr)", wide: true, cell: (metric) => <Services metric={metric} /> },
  { key: "series", head: "Series", width: "80px", align: "end", large: true, cell: (metric) => <span className="soft">{count(metric.series)}</span> },
  { key: "value", head: "Last value", width: "120px", align: "end", cell: (metric) => <Last metric={metric} /> },
  {
    key: "seen",
    head: "Last seen",
    width: "100px",
    align: "end",
    cell: (metric) => (
      <span className="soft">
        <Time at={metric.last_seen} />
      </span>
    ),
  },
];

export function Component() {
  useTitle("Metrics");
  const navigate = useNavigate();
  const [params, setParams] = useSearchParams();
  const change = (key: string, value: string) => setParams((p) => (value ? p.set(key, value) : p.delete(key), p), { replace: true });
  const [now] = useState(() => Date.now());
  const [typed, setTyped] = useState(params.get("q") ?? "");
  const q = useDebounced(typed);
  useEffect(() => {
    if (q !== (params.get("q") ?? "")) change("q", q);
    // Only what is typed changes the address here.
  }, [q]);
  const inText = params.get("in") ?? "";
  const from = useMemo(() => stretchOf(new URLSearchParams({ in: inText }), now).from ?? new Date(0).toISOString(), [inText, now]);
  const metrics = useInfiniteQuery(queries.metrics({ q: q || undefined, from }));
  return (
    <div className="page fill">
      <PageHeader title="Metrics" lead="What programs measure themselves and send as OpenTelemetry metrics." />
      <div className="toolbar">
        <SearchField label="Find a metric" value={typed} onChange={setTyped} shortcut="/" />
        <Select label="Time" hideLabel value={inText || USUAL} choices={SPANS} onChange={(v) => change("in", v === USUAL ? "" : v)} />
      </div>
      <LoadedPages query={metrics} skeleton={<Skeleton rows={10} />} empty={q ? <NoSuch q={q} /> : <None />}>
        {(items) => (
          <Rows
            label="Metrics"
            items={items}
            columns={COLUMNS}
            idOf={(metric) => metric.name}
            onOpen={(metric) =>
              void navigate(`/observe/metrics/${encodeURIComponent(metric.name)}${inText && inText !== "all" ? `?in=${inText}` : ""}`)
            }
            footer={<RowsEnd query={metrics} shown={items.length} />}
          />
        )}
      </LoadedPages>
    </div>
  );
}

function Kind({ metric }: { metric: Metric }) {
  const others = metric.others ?? [];
  const more = metric.more_forms ?? 0;
  const title = `Also ${others.map(formLabel).join("; ")}${more > 0 ? `; and about ${count(more)} more` : ""}`;
  return (
    <span className="soft clip" title={others.length > 0 ? title : undefined}>
      {kindLabel(metric.form)}
      {others.length > 0 && ` +${count(others.length + more)}`}
    </span>
  );
}

function Services({ metric }: { metric: Metric }) {
  return <span className="soft clip">{metric.services.join(", ") + (metric.more_services ? ", …" : "") || "–"}</span>;
}

/** Of what is counted in distributions, the mean. */
function Last({ metric }: { metric: Metric }) {
  if (metric.last_value == null) return <span className="muted">–</span>;
  return <span className="num">{formatOf(metric.form, "mean").format(metric.last_value)}</span>;
}

function NoSuch({ q }: { q: string }) {
  return (
    <Empty icon="search" title="No such metric">
      No metric of this time has “{q}” in its name.
    </Empty>
  );
}

function None() {
  return (
    <Empty icon="chart" title="No metrics in this time">
      Point the exporter of an OpenTelemetry SDK here:
      <pre className="metrics-settings">{settingsFor(location.origin)}</pre>
      The guide, <code>docs/guides/metrics.md</code>, has a program that sends some.
    </Empty>
  );
}
