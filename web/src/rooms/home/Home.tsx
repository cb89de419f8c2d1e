import { useQuery } from "@tanstack/react-query";
import { Fragment, lazy, Suspense, useMemo } from "react";
import { Link } from "react-router";
import { queries } from "@/api/queries";
import type { ActivityBucket, AppSummary, HealthItem, KnowledgeSummary, Overview } from "@/api/types";
import { about, axisDuration, bytes, count, duration, percent, plural, short } from "@/lib/format";
import { Freshness } from "@/rooms/knowledge/Freshness";
import { Icon } from "@/ui/icons";
import { Table } from "@/ui/tables";
import { Badge, Card, Empty, inCode, LinkButton, Loaded, PageHeader, runTone, Skeleton, Status, Time, useTitle, type Tone } from "@/ui/kit";
import "./home.css";

/** Milliseconds that are round to a reader of clocks. */
const ROUND_DURATIONS = [
  ...[1, 10, 100].flatMap((n) => [n, 2 * n, 5 * n]),
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600].map((s) => s * 1000),
];

const Chart = lazy(() => import("@/ui/Chart"));

export function Component() {
  useTitle("Home");
  const overview = useQuery(queries.overview());
  return (
    <div className="page home">
      <PageHeader
        title="Home"
        lead={overview.data ? <Lead overview={overview.data} /> : undefined}
        actions={
          <LinkButton to="/playground" look="primary" icon="chat">
            Ask a question
          </LinkButton>
        }
      />
      <Loaded query={overview} skeleton={<Skeleton rows={10} />}>
        {(data) => (
          <div className="home-grid">
            <div className="home-main">
              <Activity buckets={data.activity} />
              <Recent />
              <Apps apps={data.apps} />
              <Knowledge knowledge={data.knowledge} />
            </div>
            <div className="home-side">
              <Health items={data.health} />
              <Projects overview={data} />
            </div>
          </div>
        )}
      </Loaded>
    </div>
  );
}

function Lead({ overview }: { overview: Overview }) {
  if (overview.apps.length + overview.knowledge.length === 0) return <>Nothing here yet. A folder of specs and one command make the first app.</>;
  const documents = overview.knowledge.reduce((n, k) => n + k.documents, 0);
  return (
    <>
      {plural(overview.apps.length, "app")} over {plural(documents, "document")} in {plural(overview.knowledge.length, "knowledge base")}
    </>
  );
}

function Activity({ buckets }: { buckets: ActivityBucket[] }) {
  const data = useMemo(() => {
    const times = buckets.map((b) => Date.parse(b.start) / 1000);
    return {
      times,
      requests: [
        { label: "Requests", color: "--span-model", shape: "bar" as const, values: buckets.map((b) => b.requests) },
        { label: "Errors", color: "--bad", shape: "bar" as const, values: buckets.map((b) => b.errors) },
      ],
      latency: [
        { label: "p50", color: "--span-model", shape: "line" as const, values: buckets.map((b) => b.p50_ms ?? null) },
        { label: "p95", color: "--span-prompt", shape: "line" as const, values: buckets.map((b) => b.p95_ms ?? null) },
      ],
    };
  }, [buckets]);
  const estimated = buckets.some((b) => b.estimated);
  const requests = buckets.reduce((n, b) => n + b.requests, 0);
  const errors = buckets.reduce((n, b) => n + b.errors, 0);
  const weighted = (pick: (b: ActivityBucket) => number | null | undefined) => {
    const with_ = buckets.filter((b) => pick(b) != null && b.requests > 0);
    const all = with_.reduce((n, b) => n + b.requests, 0);
    return all === 0 ? null : with_.reduce((n, b) => n + pick(b)! * b.requests, 0) / all;
  };
  const slowest = buckets.reduce<number | null>((n, b) => (b.p95_ms == null ? n : Math.max(n ?? 0, b.p95_ms)), null);
  const hours = buckets.length || 24;
  return (
    <Card
      title={`Last ${hours} hours`}
      actions={
        <Link className="text-link quiet" to="/traces">
          All traces
        </Link>
      }
      className="home-activity"
    >
      <dl className="kpis">
        <Kpi label="Requests" value={about(count(requests), estimated)} note={estimated ? "of a sample" : undefined} />
        <Kpi
          label="Errors"
          value={about(count(errors), estimated)}
          note={percent(errors, requests)}
          tone={errors > 0 ? "bad" : undefined}
          to={errors > 0 ? "/traces?status=error" : undefined}
        />
        <Kpi label="Typical latency" value={duration(weighted((b) => b.p50_ms))} note="p50" />
        <Kpi label="Worst hour" value={duration(slowest)} note="p95" />
      </dl>
      {requests === 0 ? (
        <p className="muted home-quiet">No requests in this time. Ask a question in the playground, or point an OpenAI client at this server.</p>
      ) : (
        <Suspense fallback={<div style={{ height: 176 }} />}>
          <div className="charts">
            <Chart
              summary={`${requests} requests and ${errors} errors in ${hours} hours`}
              times={data.times}
              series={data.requests}
              format={short}
              sync="activity"
            />
            <Chart
              summary={`p95 latency at worst ${duration(slowest)}`}
              times={data.times}
              series={data.latency}
              format={duration}
              axis={axisDuration}
              steps={ROUND_DURATIONS}
              sync="activity"
            />
          </div>
        </Suspense>
      )}
    </Card>
  );
}

/** The newest traces, so that what just happened is one click away. */
function Recent() {
  const traces = useQuery({ ...queries.recentTraces(), refetchInterval: 10_000 });
  const items = traces.data?.items ?? [];
  if (items.length === 0) return null;
  return (
    <Card title="Recent" flush>
      <Table>
        {items.map((trace) => (
          <tr key={trace.trace_id}>
            <td className="lead">
              <Link className="row-link" to={`/traces/${trace.trace_id}`}>
                {trace.name}
              </Link>
              {trace.preview && <div className="sub clip">{trace.preview}</div>}
            </td>
            <td className="shrink nowrap">
              <span className="told-short" title={trace.error ?? undefined}>
                {trace.status === "error" ? <Status tone="bad">{trace.error ?? "Failed"}</Status> : <Status tone="ok">Ok</Status>}
              </span>
            </td>
            <td className="end nowrap hide-narrow">{duration(trace.duration_ms)}</td>
            <td className="end nowrap">
              <Time at={trace.start} />
            </td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}

function Kpi({ label, value, note, tone, to }: { label: string; value: string; note?: string; tone?: Tone; to?: string }) {
  const inner = (
    <>
      <span className={tone === "bad" ? "bad" : undefined}>{value}</span>
      {note && <small>{note}</small>}
    </>
  );
  return (
    <div className="kpi">
      <dt>{label}</dt>
      <dd>{to ? <Link to={to}>{inner}</Link> : inner}</dd>
    </div>
  );
}

function Apps({ apps }: { apps: AppSummary[] }) {
  return (
    <Card
      title="Apps"
      actions={
        <Link className="text-link quiet" to="/assets/app">
          Manage
        </Link>
      }
      flush
    >
      {apps.length === 0 ? (
        <Empty icon="chat" title="No apps yet">
          Describe one as text and run <code>mainspring apply DIR</code>; <code>examples/manual</code> is a place to start.
        </Empty>
      ) : (
        <Table
          head={
            <>
              <th>Name</th>
              <th className="hide-narrow">Model</th>
              <th className="end">Requests</th>
              <th className="end hide-narrow">Errors</th>
              <th className="end hide-narrow">p50</th>
              <th className="end hide-narrow">p95</th>
              <th className="shrink">
                <span className="sr-only">Ask</span>
              </th>
            </>
          }
        >
          {apps.map((app) => (
            <tr key={app.name}>
              <td className="lead">
                <Link className="row-link" to={`/playground/${app.name}`}>
                  {app.name}
                </Link>{" "}
                <span className="muted num">v{app.version}</span>
                {app.description && <div className="sub clip">{app.description}</div>}
              </td>
              <td className="soft nowrap hide-narrow">{app.model ?? (app.quotes ? "quotes its sources" : "–")}</td>
              <td className="end">{about(short(app.requests_24h), app.estimated)}</td>
              <td className={`end hide-narrow${app.errors_24h ? " bad" : ""}`}>{about(short(app.errors_24h), app.estimated)}</td>
              <td className="end hide-narrow">{duration(app.p50_ms)}</td>
              <td className="end hide-narrow">{duration(app.p95_ms)}</td>
              <td className="shrink">
                <LinkButton size="sm" to={`/playground/${app.name}`}>
                  Ask
                </LinkButton>
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Card>
  );
}

function Knowledge({ knowledge }: { knowledge: KnowledgeSummary[] }) {
  return (
    <Card
      title="Knowledge"
      actions={
        <Link className="text-link quiet" to="/knowledge">
          All knowledge
        </Link>
      }
      flush
    >
      {knowledge.length === 0 ? (
        <Empty icon="book" title="No knowledge yet">
          A knowledge spec names folders, sites, repositories or buckets; <code>mainspring ingest</code> reads them.
        </Empty>
      ) : (
        <Table
          head={
            <>
              <th>Name</th>
              <th className="end">Documents</th>
              <th className="end hide-narrow">Chunks</th>
              <th className="end hide-narrow">Failed</th>
              <th>Freshness</th>
            </>
          }
        >
          {knowledge.map((k) => (
            <tr key={k.name}>
              <td>
                <Link className="row-link" to={`/knowledge/${k.name}`}>
                  {k.name}
                </Link>{" "}
                <span className="muted num">v{k.version}</span>
              </td>
              <td className="end">{count(k.documents)}</td>
              <td className="end hide-narrow">{count(k.chunks)}</td>
              <td className={`end hide-narrow${k.failed ? " bad" : " muted"}`}>
                {k.failed ? <Link to={`/knowledge/${k.name}/documents?status=failed`}>{count(k.failed)}</Link> : 0}
              </td>
              <td>
                <Freshness knowledge={k} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Card>
  );
}

const STATE_WORDS: Record<string, string> = { ok: "Healthy", busy: "Busy", degraded: "Degraded", down: "Down", off: "Off" };

function Health({ items }: { items: HealthItem[] }) {
  const broken = items.filter((i) => i.state === "down" || i.state === "degraded").length;
  return (
    <Card
      title="Health"
      actions={
        items.length > 0 && (
          <Badge tone={items.some((i) => i.state === "down") ? "bad" : broken ? "warn" : "ok"} dot>
            {broken ? `${broken} of ${items.length} need care` : "All healthy"}
          </Badge>
        )
      }
      flush
    >
      <ul className="health">
        {items.map((item) => (
          <li key={item.component}>
            <div className="health-head">
              <span className="strong health-name">{item.component}</span>
              <Status tone={item.state === "ok" ? "ok" : item.state === "busy" ? "accent" : item.state === "off" ? "neutral" : runTone(item.state)}>
                {STATE_WORDS[item.state] ?? item.state}
              </Status>
            </div>
            {item.detail && (
              <p className={item.state === "down" ? "health-bad tone-bad" : item.state === "degraded" ? "health-bad tone-warn" : "sub"}>
                {inCode(item.detail)}
              </p>
            )}
            {Object.keys(item.facts).length > 0 && (
              <p className="health-facts">
                {Object.entries(item.facts).map(([key, value], i) => (
                  <Fragment key={key}>
                    {i > 0 && <span className="sep" />}
                    <Fact name={key} value={value} />
                  </Fragment>
                ))}
              </p>
            )}
          </li>
        ))}
        {items.length === 0 && <li className="muted">Nothing reports its health.</li>}
      </ul>
    </Card>
  );
}

function Fact({ name, value }: { name: string; value: unknown }) {
  const words = name.replace(/_bytes$/, "").replaceAll("_", " ");
  return (
    <span>
      {words} <b>{typeof value !== "number" ? String(value) : name.endsWith("_bytes") ? bytes(value) : short(value)}</b>
    </span>
  );
}

function Projects({ overview }: { overview: Overview }) {
  return (
    <Card title="Projects" flush>
      <ul className="health">
        {overview.projects.map((p) => (
          <li key={p.id} className="row-flex">
            <Icon name="folder" />
            <span className="strong grow">{p.name}</span>
            {p.name === overview.project && overview.projects.length > 1 && <Badge tone="accent">open</Badge>}
            {p.role && <Badge>{p.role}</Badge>}
          </li>
        ))}
      </ul>
    </Card>
  );
}
