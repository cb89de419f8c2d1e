// One panel: a chart, numbers or a table. Every chart is a table too.

import { lazy, Suspense, useMemo } from "react";
import { Link } from "react-router";
import type { PanelData } from "@/api/types";
import { totalAt } from "@/lib/chart";
import { capital, fullTime } from "@/lib/format";
import { Card, Empty, Skeleton, Status } from "@/ui/kit";
import { Table } from "@/ui/tables";
import { SqlTable } from "@/rooms/sql/SqlTable";
import { drawn, formatOfPanel, isAsked, isDrawn, keyLabel, measureLabel, metricBehind, summaryOf, timesOf, type Drawn, type Key } from "./panels";

const Chart = lazy(() => import("@/ui/Chart"));
/** More lines than this are read in the table. */
const ROWS = 200;

interface Props {
  panel: PanelData;
  /** Where buckets of time begin; those of a metric may be longer. */
  times: readonly number[];
  from: string;
  to: string;
  onZoom: (from: number, to: number) => void;
  onPick: (at: number, key?: Key) => void;
}

export function Panel({ panel, narrowed, ...inside }: Props & { /** The page has a filter, or groups. */ narrowed: boolean }) {
  const metric = metricBehind(panel, inside);
  return (
    <Card title={panel.title}>
      {panel.description && <p className="sub panel-says">{panel.description}</p>}
      <Inside panel={panel} {...inside} />
      {narrowed && isAsked(panel) && <p className="sub">Of everything: it is asked in SQL, which the filter and the groups above do not reach.</p>}
      {narrowed && metric && <p className="sub">Of everything: the filter and the groups above are of spans, and this is a metric.</p>}
      {panel.metric?.note && panel.state === "data" && <p className="sub">{capital(panel.metric.note)}.</p>}
      {metric && (
        <p className="sub">
          <Link className="text-link" to={metric}>
            Look at the metric
          </Link>
        </p>
      )}
      {panel.estimated && panel.state === "data" && <p className="sub">Estimates: of some spans only a sample was kept.</p>}
      {panel.more && panel.state === "data" && <p className="sub">{panel.table ? "There are more rows." : "The largest values; there are more."}</p>}
    </Card>
  );
}

function Inside({ panel, times: usual, from, to, onZoom, onPick }: Props) {
  const times = useMemo(() => (panel.bucket_ms ? timesOf(from, to, panel.bucket_ms) : usual), [panel.bucket_ms, from, to, usual]);
  const { format, axis } = formatOfPanel(panel);
  const shown = useMemo(() => (isDrawn(panel) ? drawn(panel, times) : null), [panel, times]);
  if (panel.state === "failed") {
    return (
      <div role="alert" className="panel-fault">
        <Status tone="bad">{panel.problem?.code ?? "failed"}</Status>
        <p className="wrap-any">{panel.problem?.detail}</p>
        {panel.problem?.hint && <p className="sub">{panel.problem.hint}</p>}
      </div>
    );
  }
  if (panel.state === "nothing" || (shown && shown.series.length === 0)) return <Empty title="No data in this time" />;
  if (shown) {
    return (
      <>
        <Suspense fallback={<Skeleton rows={1} height={168} />}>
          <Chart
            summary={summaryOf(panel, shown)}
            times={shown.times}
            series={shown.series}
            stacked={shown.stacked}
            format={format}
            axis={axis}
            last="the latest"
            sync="dashboard"
            onZoom={onZoom}
            // What a question in SQL was about, only the question says; and there are no spans behind a metric.
            onPick={panel.table || panel.metric ? undefined : (at, series) => onPick(at, series === undefined ? undefined : shown.keys[series])}
          />
        </Suspense>
        {shown.more && <p className="sub">The lines with the most points; there are more.</p>}
        <AsTable panel={panel} shown={shown} />
      </>
    );
  }
  if (panel.table) return <SqlTable answer={panel.table} format={panel.unit === "count" ? undefined : format} />;
  return panel.chart === "number" && !panel.by ? <Numbers panel={panel} /> : <Groups panel={panel} />;
}

function Numbers({ panel }: { panel: PanelData }) {
  const { format } = formatOfPanel(panel);
  return (
    <dl className="kpis">
      {panel.measures.map((measure) => {
        const value = panel.rows[0]?.values[measure];
        return (
          <div key={measure} className="kpi">
            <dt>{measureLabel(measure)}</dt>
            <dd>{value == null ? "–" : format(value)}</dd>
          </div>
        );
      })}
    </dl>
  );
}

function Groups({ panel }: { panel: PanelData }) {
  const { format } = formatOfPanel(panel);
  const head = (
    <>
      {panel.by && <th>{panel.by}</th>}
      {panel.measures.map((measure) => (
        <th key={measure} className="end">
          {measureLabel(measure)}
        </th>
      ))}
    </>
  );
  return (
    <Table head={head}>
      {panel.rows.map((row, i) => (
        <tr key={i}>
          {panel.by && <td className="lead">{keyLabel(row.keys[panel.by])}</td>}
          {panel.measures.map((measure) => (
            <td key={measure} className="end num">
              {row.values[measure] == null ? "–" : format(row.values[measure]!)}
            </td>
          ))}
        </tr>
      ))}
    </Table>
  );
}

/** The same numbers to be read, newest first. */
function AsTable({ panel, shown: { times, series, stacked } }: { panel: PanelData; shown: Drawn }) {
  const { format } = formatOfPanel(panel);
  const head = (
    <>
      <th>From</th>
      {series.map((s) => (
        <th key={s.label} className="end">
          {s.label}
        </th>
      ))}
      {stacked && <th className="end">total</th>}
    </>
  );
  const totalOf = (i: number) => {
    const total = totalAt(series, i);
    return total === null ? "–" : format(total);
  };
  return (
    <details className="panel-table">
      <summary>As a table</summary>
      <Table head={head}>
        {times
          .map((time, i) => (
            <tr key={time}>
              <td className="nowrap">{fullTime(new Date(time * 1000).toISOString())}</td>
              {series.map((s) => (
                <td key={s.label} className="end num">
                  {s.values[i] == null ? "–" : format(s.values[i]!)}
                </td>
              ))}
              {stacked && <td className="end num">{totalOf(i)}</td>}
            </tr>
          ))
          .reverse()
          .slice(0, ROWS)}
      </Table>
    </details>
  );
}
