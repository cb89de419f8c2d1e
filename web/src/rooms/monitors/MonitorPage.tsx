import { useMutation, useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { Link, useParams } from "react-router";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { MonitorAlert, MonitorDetail, MonitorEvaluation, MonitorLook, MonitorSlice } from "@/api/types";
import { about, capital, count } from "@/lib/format";
import { Select } from "@/ui/fields";
import { Badge, Button, Card, ErrorNote, Facts, Loaded, PageHeader, Skeleton, Status, Time, useTitle } from "@/ui/kit";
import { Table } from "@/ui/tables";
import { Stands } from "./MonitorList";
import {
  chartInWords,
  difference,
  evidence,
  figure,
  inPercent,
  measured,
  ofValue,
  shifts,
  slicesOf,
  stateMeans,
  stateTone,
  type Shift,
} from "./monitors";
import "./monitors.css";

const Chart = lazy(() => import("@/ui/Chart"));

export function Component() {
  const { name = "" } = useParams();
  useTitle(name);
  const monitor = useQuery(queries.monitor(name));
  const look = useMutation({ mutationFn: () => api.monitors.evaluate(name) });
  return (
    <div className="page">
      <PageHeader
        crumbs={[{ label: "Monitors", to: "/monitors" }, { label: name }]}
        title={name}
        lead={monitor.data?.monitor.description}
        actions={
          <Button icon="target" busy={look.isPending} onClick={() => look.mutate()}>
            Look now
          </Button>
        }
      />
      {look.error && <ErrorNote compact error={look.error} />}
      {look.data && <Found look={look.data} />}
      <Loaded query={monitor} skeleton={<Skeleton rows={8} />}>
        {(detail) => <Body detail={detail} />}
      </Loaded>
    </div>
  );
}

function Body({ detail }: { detail: MonitorDetail }) {
  const { monitor, slices, alerts } = detail;
  const moved = shifts(slices);
  return (
    <div className="monitor">
      <Card title="Where it stands">
        <div className="monitor-state">
          <Stands monitor={monitor} />
          {monitor.severity && <Badge>{monitor.severity}</Badge>}
        </div>
        {monitor.enabled && !monitor.hidden && <p>{stateMeans(monitor.state)}</p>}
        {monitor.hidden && <p className="soft">What it finds is counted of every trace, and your key may not see them all.</p>}
        {monitor.says && <p className="soft">{capital(monitor.says)}.</p>}
        {monitor.trouble && <p className="bad">The last look found nothing out: {monitor.trouble}</p>}
        <Facts
          items={[
            ["Looked at", <Time key="looked" at={monitor.looked_at} />],
            ["Next look", <Time key="next" at={monitor.next_look_at} />],
            [
              "Spec",
              <Link key="spec" className="text-link" to={`/assets/monitor/${monitor.name}`}>
                version {monitor.version}
              </Link>,
            ],
          ]}
        />
        {monitor.looked_version != null && monitor.looked_version !== monitor.version && (
          <p className="soft">What is shown is of version {monitor.looked_version}. The newest has not been looked at yet.</p>
        )}
      </Card>
      {alerts.length > 0 && <Alerts alerts={alerts} />}
      {!monitor.hidden && <OverTime name={monitor.name} />}
      {moved.length > 0 && (
        <Card title="What moved" flush>
          <WhatMoved moved={moved} />
        </Card>
      )}
      {slices.length > 0 && (
        <Card title="Slices" flush>
          <Slices slices={slices} />
        </Card>
      )}
    </div>
  );
}

function Found({ look }: { look: MonitorLook }) {
  const { state, slices } = look.evaluation;
  return (
    <Card title="What a look finds now">
      <p>
        <Status tone={stateTone(state)}>{capital(state)}</Status>
      </p>
      <ul className="monitor-says">
        {slices.map((slice) => (
          <li key={slice.slice ?? ""}>{capital(slice.says ?? slice.state)}.</li>
        ))}
      </ul>
      <p className="soft">Nothing of it is remembered, and nobody is told.</p>
    </Card>
  );
}

/** What was measured of one slice, with where it surely lies. */
function OverTime({ name }: { name: string }) {
  const looks = useQuery(queries.monitorEvaluations(name));
  return (
    <Card title="Over time">
      <Loaded query={looks} skeleton={<Skeleton rows={4} />}>
        {({ items }) => (items.length === 0 ? <p className="muted">Nobody has looked at it yet.</p> : <Looks evaluations={items} />)}
      </Loaded>
    </Card>
  );
}

function Looks({ evaluations }: { evaluations: readonly MonitorEvaluation[] }) {
  const names = slicesOf(evaluations);
  const [chosen, setChosen] = useState<string | null>(null);
  const slice = chosen !== null && names.includes(chosen) ? chosen : (names[0] ?? null);
  const of = measured(evaluations, slice);
  const lines = [
    { label: "Value", color: "--accent", values: of.value },
    { label: "At least", color: "--text-3", values: of.low },
    { label: "At most", color: "--text-3", values: of.high },
    { label: "Limit", color: "--bad", values: of.limit },
    { label: "Compared with", color: "--warn", values: of.reference },
  ].filter((line) => line.values.some((value) => value !== null));
  return (
    <>
      {names.length > 1 && (
        <Select label="Slice" value={slice ?? ""} onChange={setChosen} choices={names.map((value) => ({ value, label: value }))} />
      )}
      {lines.length === 0 ? (
        <p className="muted">Nothing was measured.</p>
      ) : (
        <Suspense fallback={<div style={{ height: 176 }} />}>
          <Chart
            summary={chartInWords(of, slice ?? "What is measured")}
            times={of.times}
            series={lines.map((line) => ({ ...line, shape: "line" as const }))}
            format={figure}
            last="the last look"
          />
        </Suspense>
      )}
    </>
  );
}

function Slices({ slices }: { slices: readonly MonitorSlice[] }) {
  const compared = slices.some((slice) => slice.reference != null);
  // Of the slices that are held against all others it is a rate.
  const rates = slices.some((slice) => slice.value_low != null);
  return (
    <Table
      head={
        <>
          <th>Slice</th>
          <th>State</th>
          <th className="end">Measured</th>
          <th className="end">{rates ? "Rate, and where it surely is" : "Value, and where it surely is"}</th>
          {compared && <th className="end">{rates ? "Difference from all others" : "Difference"}</th>}
          <th className="end">Limit</th>
          <th>In words</th>
        </>
      }
    >
      {slices.map((slice) => (
        <tr key={slice.slice ?? ""}>
          <td className="strong">{slice.slice ?? "everything"}</td>
          <td>
            <Status tone={stateTone(slice.state)}>{capital(slice.state)}</Status>
            <div className="sub">
              since <Time at={slice.since} />
            </div>
          </td>
          <td className="end num">{count(slice.count)}</td>
          <td className="end num" title={slice.estimated ? "An estimate: of what is watched only a sample was kept" : undefined}>
            {about(figure(slice.value), slice.estimated)}
            <Surely interval={ofValue(slice)} />
          </td>
          {compared && (
            <td className="end num">
              {difference(slice)?.off ?? "–"}
              <Surely interval={difference(slice)?.surely} />
            </td>
          )}
          <td className="end num">{figure(slice.limit)}</td>
          <td className="soft">
            {slice.says ?? "–"}
            {evidence(slice) && <div className="sub">{evidence(slice)}</div>}
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Surely({ interval }: { interval: string | undefined }) {
  return interval && interval !== "–" ? <div className="sub">{interval}</div> : null;
}

/** The parts of distributions that moved, each slice's own largest changes first. */
function WhatMoved({ moved }: { moved: readonly Shift[] }) {
  const sliced = moved.some((part) => part.slice !== null);
  return (
    <Table
      head={
        <>
          {sliced && <th>Slice</th>}
          <th>What</th>
          <th className="end">Before</th>
          <th className="end">Now</th>
        </>
      }
    >
      {moved.map(({ slice, what, before, after }) => (
        <tr key={`${slice ?? ""}/${what}`}>
          {sliced && <td className="strong">{slice}</td>}
          <td>{what}</td>
          <td className="end num">{inPercent(before)}</td>
          <td className="end num">{inPercent(after)}</td>
        </tr>
      ))}
    </Table>
  );
}

function Alerts({ alerts }: { alerts: readonly MonitorAlert[] }) {
  return (
    <Card title="Alerts that go on" flush>
      <ul className="monitor-alerts">
        {alerts.map((alert) => (
          <li key={alert.fingerprint}>
            <span className="strong">{alert.slice ?? "everything"}</span> {alert.missing && <Badge tone="warn">nothing comes</Badge>}
            {alert.incident ? <Shown incident={alert.incident} fingerprint={alert.fingerprint} /> : <div className="sub">nobody is told yet</div>}
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** The incident, and traces that show it. */
function Shown({ incident, fingerprint }: { incident: string; fingerprint: string }) {
  const found = useQuery(queries.incident(incident));
  const traces = found.data?.alerts.find((alert) => alert.fingerprint === fingerprint)?.traces ?? [];
  return (
    <div className="sub">
      <Link className="text-link" to={`/incidents/${incident}`}>
        Incident
      </Link>
      {traces.map((trace) => (
        <span key={trace}>
          {" · "}
          <Link className="text-link mono" to={`/traces/${trace}`}>
            {trace.slice(0, 8)}
          </Link>
        </span>
      ))}
    </div>
  );
}
