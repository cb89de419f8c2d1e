// One metric over time, told apart by an attribute: a chart, and the same numbers as a table.

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useMemo, useState } from "react";
import { useParams, useSearchParams } from "react-router";
import { queries } from "@/api/queries";
import type { MetricSeries } from "@/api/types";
import { count, fullTime, plural } from "@/lib/format";
import { useShortcuts } from "@/lib/keys";
import { stretchAround } from "@/rooms/dashboards/panels";
import { SPANS, stretchOf, USUAL } from "@/rooms/traces/times";
import { Segmented, Select } from "@/ui/fields";
import { Button, Card, Empty, IconButton, Loaded, PageHeader, Skeleton, useTitle } from "@/ui/kit";
import { Table } from "@/ui/tables";
import { askedFor, drawn, formatOf, formLabel, formValue, kindLabel, LINES, summaryOf, unitLabel, usualMeasure, type Drawn } from "./metrics";
import "./metrics.css";

const Chart = lazy(() => import("@/ui/Chart"));
/** All of the time would be steps of years. */
const TIMES = SPANS.filter((span) => span.minutes !== null);
/** More lines than this nobody reads. */
const ROWS = 200;

export function Component() {
  const { name = "" } = useParams();
  useTitle(name);
  const [params, setParams] = useSearchParams();
  const get = (key: string) => params.get(key) ?? "";
  const change = (values: Record<string, string>) =>
    setParams((p) => (Object.entries(values).forEach(([key, value]) => (value ? p.set(key, value) : p.delete(key))), p));
  // Moved on by “refresh”, so that the chart holds still while one looks.
  const [now, setNow] = useState(() => Date.now());
  const [fromText, toText, inText] = [get("from"), get("to"), get("in")];
  const stretch = useMemo(
    () => stretchOf(new URLSearchParams({ from: fromText, to: toText, in: inText === "all" ? USUAL : inText }), now),
    [fromText, toText, inText, now],
  );
  const [by, service, form] = [get("by"), get("service"), get("form")];
  const found = useQuery(
    queries.metric(name, {
      from: stretch.from,
      to: stretch.to ?? new Date(now).toISOString(),
      by: by || undefined,
      service: service || undefined,
      ...askedFor(form),
    }),
  );
  // Who sends it, as the list knows.
  const named = useInfiniteQuery(queries.metrics({ q: name, from: stretch.from }));
  const services = named.data?.pages.flatMap((page) => page.items).find((metric) => metric.name === name)?.services ?? [];
  const refresh = () => setNow(Date.now());
  useShortcuts([{ keys: "r", label: "Refresh", group: "Metrics", run: refresh }]);
  const zoom = (from: number, to: number) => {
    const chosen = stretchAround(from, Math.min(to, Date.now() / 1000));
    if (chosen.from < chosen.to) change({ ...chosen, in: "" });
  };
  const data = found.data;
  const attributes = data?.attributes ?? [];
  const forms = data?.form ? [data.form, ...(data.others ?? [])] : [];
  return (
    <div className="page">
      <PageHeader
        crumbs={[{ label: "Metrics", to: `/observe/metrics${inText ? `?in=${inText}` : ""}` }, { label: name }]}
        title={<span className="wrap-any">{name}</span>}
        lead={data?.form ? [kindLabel(data.form), unitLabel(data.form.unit), data.form.temporality].filter(Boolean).join(" · ") : undefined}
      />
      <div className="toolbar">
        {stretch.isFixed ? (
          <Button icon="left" onClick={() => change({ from: "", to: "" })} title={`${fullTime(stretch.from)} to ${fullTime(stretch.to)}`}>
            {`${fullTime(stretch.from)} to ${fullTime(stretch.to)}`}
            <span className="sr-only">, back to the whole time</span>
          </Button>
        ) : (
          <Select label="Time" hideLabel value={inText && inText !== "all" ? inText : USUAL} choices={TIMES} onChange={(v) => change({ in: v })} />
        )}
        <Select label="Split by" value={by} choices={choicesOf(attributes, by, "Nothing")} onChange={(v) => change({ by: v })} />
        {(services.length > 1 || service) && (
          <Select label="Service" value={service} choices={choicesOf(services, service, "All")} onChange={(v) => change({ service: v })} />
        )}
        {forms.length > 1 && (
          <Select
            label="Sent as"
            value={formValue(forms[0]!)}
            choices={forms.map((one) => ({ value: formValue(one), label: formLabel(one) }))}
            onChange={(v) => change({ form: v, measure: "" })}
          />
        )}
        <IconButton icon="refresh" label="Refresh (r)" onClick={refresh} />
      </div>
      <Loaded query={found} skeleton={<Skeleton rows={6} height={60} />}>
        {(found) => <Found found={found} chosen={get("measure")} onChoose={(measure) => change({ measure })} onZoom={zoom} />}
      </Loaded>
    </div>
  );
}

/** What is chosen is among the choices, also where no newest point has it. */
const choicesOf = (names: readonly string[], chosen: string, none: string) => [
  { value: "", label: none },
  ...[...names, ...(chosen && !names.includes(chosen) ? [chosen] : [])].map((name) => ({ value: name, label: name })),
];

interface Props {
  found: MetricSeries;
  chosen: string;
  onChoose: (measure: string) => void;
  onZoom: (from: number, to: number) => void;
}

function Found({ found, chosen, onChoose, onZoom }: Props) {
  const measure = found.measures.includes(chosen) ? chosen : usualMeasure(found.measures);
  const shown = useMemo(() => drawn(found, measure), [found, measure]);
  const lines = useMemo(() => shown.series.slice(0, LINES), [shown]);
  if (!found.form || shown.series.length === 0) {
    return (
      <Card>
        <Empty icon="chart" title="No points in this time">
          Choose a longer one, or look whether the program still sends them.
        </Empty>
      </Card>
    );
  }
  const { format, axis } = formatOf(found.form, measure);
  return (
    <div className="stack">
      <Card
        title="Over time"
        actions={
          found.measures.length > 1 && (
            <Segmented label="Measure" value={measure} choices={found.measures.map((one) => ({ value: one, label: one }))} onChange={onChoose} />
          )
        }
      >
        <div className="metrics-chart">
          <Suspense fallback={<Skeleton rows={1} height={280} />}>
            <Chart
              summary={summaryOf(found, measure, { ...shown, series: lines })}
              times={shown.times}
              series={lines}
              format={format}
              axis={axis}
              height={260}
              last="the latest"
              onZoom={onZoom}
            />
          </Suspense>
        </div>
        <p className="sub">
          {`${plural(found.points, "point")} looked at`}
          {found.note && ` · ${found.note}`}
        </p>
        {!!found.more_forms && (
          <p className="sub">
            {`The name is sent in about ${count(found.more_forms)} more kinds and units than can be chosen here; those that were sent last can.`}
          </p>
        )}
        {(found.more || shown.series.length > LINES) && (
          <p className="sub">
            {`The ${count(LINES)} largest groups are drawn, `}
            {found.more ? `and the ${count(shown.series.length)} largest are in the table; there are more.` : "and all are in the table."}
          </p>
        )}
      </Card>
      <Card title="Numbers" flush>
        <Numbers shown={shown} format={format} />
      </Card>
    </div>
  );
}

/** The same numbers to be read, newest first. */
function Numbers({ shown: { times, series }, format }: { shown: Drawn; format: (n: number) => string }) {
  const lines = times.map((time, i) => ({ time, values: series.map((s) => s.values[i] ?? null) }));
  const told = lines.filter(({ values }) => values.some((value) => value !== null)).reverse();
  return (
    <Table
      className="metrics-table"
      head={
        <>
          <th>From</th>
          {series.map((s, i) => (
            <th key={i} className="end" title={s.label}>
              {s.label}
            </th>
          ))}
        </>
      }
    >
      {told.slice(0, ROWS).map(({ time, values }) => (
        <tr key={time}>
          <td className="nowrap">{fullTime(new Date(time * 1000).toISOString())}</td>
          {values.map((value, i) => (
            <td key={i} className="end num">
              {value === null ? "–" : format(value)}
            </td>
          ))}
        </tr>
      ))}
    </Table>
  );
}
