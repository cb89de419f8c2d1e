import { useMemo } from "react";
import { Link, useParams } from "react-router";
import type { Progress, Report, Run } from "@/api/types";
import { capital, count, duration, percent, place, plural, short } from "@/lib/format";
import {
  Button,
  Card,
  Copyable,
  Empty,
  ErrorNote,
  LinkButton,
  Meter,
  PageHeader,
  runTone,
  Skeleton,
  Status,
  Time,
  useTick,
  useTitle,
} from "@/ui/kit";
import { Table } from "@/ui/tables";
import { isOver, useRun, type Sample } from "./progress";
import { useIngest } from "./ingest";
import { runMillis, runWord } from "./Runs";
import "./knowledge.css";

export function Component() {
  const { name = "", id = "" } = useParams();
  const { run, error, samples, refetch } = useRun(id);
  useTitle(run ? `${runWord(run.status)} · ${name}` : "Run");
  return (
    <div className="page">
      <PageHeader
        crumbs={[
          { label: "Knowledge", to: "/knowledge" },
          { label: name, to: `/knowledge/${name}` },
          { label: "Runs", to: `/knowledge/${name}/runs` },
        ]}
        title="Ingestion run"
        lead={<Copyable text={id} label="run id" />}
        actions={
          run && (
            <>
              {run.trace_id && (
                <LinkButton icon="trace" to={`/traces/${run.trace_id}`}>
                  Trace
                </LinkButton>
              )}
              <Status tone={runTone(run.status)} pulse={!isOver(run)}>
                {runWord(run.status)}
              </Status>
            </>
          )
        }
      />
      {error && !run ? (
        <ErrorNote error={error} retry={() => void refetch()} />
      ) : !run ? (
        <Skeleton rows={4} />
      ) : (
        <Body run={run} samples={samples} name={name} />
      )}
    </div>
  );
}

function Body({ run, samples, name }: { run: Run; samples: readonly Sample[]; name: string }) {
  return (
    <div className="stack">
      {run.status === "failed" && (
        <div className="error-note" role="alert">
          <div className="error-note-body">
            <p className="error-note-title">{run.error?.detail ?? "The run failed."}</p>
            {run.error?.code && (
              <p className="error-note-meta">
                <code>{run.error.code}</code> What was committed before stays; ingesting again goes on from there.
              </p>
            )}
          </div>
        </div>
      )}
      {!isOver(run) && <Live run={run} samples={samples} />}
      {run.report ? <ReportCard report={run.report} run={run} name={name} /> : isOver(run) && !run.error && <Empty icon="info" title="No report" />}
    </div>
  );
}

const NOTHING_DONE: Progress = {
  stage: "",
  documents_total: null,
  documents_done: 0,
  documents_unchanged: 0,
  documents_failed: 0,
  chunks: 0,
  tokens: 0,
  tokens_per_second: null,
  eta_seconds: null,
  current: null,
};

function Live({ run, samples }: { run: Run; samples: readonly Sample[] }) {
  useTick(1000);
  const p: Progress = run.progress ?? { ...NOTHING_DONE, stage: run.status === "queued" ? "waiting for a worker" : "starting" };
  const share = p.documents_total ? p.documents_done / p.documents_total : null;
  return (
    <Card className="live">
      <div className="live-head">
        <div>
          <p className="live-share num" aria-live="off">
            {share === null ? capital(p.stage) : percent(p.documents_done, p.documents_total!)}
          </p>
          <p className="soft num">
            {p.documents_total ? `${count(p.documents_done)} of ${plural(p.documents_total, "document")}` : plural(p.documents_done, "document")}
            {share !== null && ` · ${p.stage}`}
          </p>
        </div>
        <Spark samples={samples} />
      </div>
      <Meter value={share} label="Documents done" />
      <dl className="live-facts">
        {(
          [
            ["Chunks", count(p.chunks)],
            ["Tokens", short(p.tokens)],
            ["Speed", p.tokens_per_second ? `${short(p.tokens_per_second)} tokens/s` : "–"],
            ["Unchanged", count(p.documents_unchanged)],
            ["Failed", count(p.documents_failed)],
            ["Running for", duration(runMillis(run))],
            ["Time left", p.eta_seconds != null ? duration(p.eta_seconds * 1000) : "–"],
          ] as const
        ).map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd className="num">{value}</dd>
          </div>
        ))}
      </dl>
      {p.current && <p className="live-current clip">{p.current}</p>}
    </Card>
  );
}

/** Tokens per second so far. */
function Spark({ samples }: { samples: readonly Sample[] }) {
  const path = useMemo(() => {
    if (samples.length < 2) return null;
    const most = Math.max(1, ...samples.map((s) => s.tokens));
    return samples
      .map((s, i) => `${i === 0 ? "M" : "L"}${((i / (samples.length - 1)) * 200).toFixed(1)} ${(42 - (s.tokens / most) * 38).toFixed(1)}`)
      .join("");
  }, [samples]);
  if (!path) return null;
  return (
    <svg className="spark" viewBox="0 0 200 44" preserveAspectRatio="none" role="img" aria-label="Tokens per second over time">
      <path d={`${path}L200 44L0 44Z`} className="spark-fill" />
      <path d={path} className="spark-line" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}

/** What a run has to say of documents, or of a whole source. */
function Told({ name, what, items }: { name: string; what: string; items: (Report["failures"][number] | Report["warnings"][number])[] }) {
  const sources = new Set(items.map((item) => item.source)).size;
  return (
    <Table
      head={
        <>
          <th>Document</th>
          {sources > 1 && <th className="hide-narrow">Source</th>}
          <th>{what}</th>
          <th className="hide-narrow">Code</th>
        </>
      }
    >
      {items.map((item, i) => (
        <tr key={i}>
          <td className="wrap-any">
            {item.uri === "" ? (
              <span className="soft">the source {item.source}</span>
            ) : item.document ? (
              <Link className="row-link" to={`/knowledge/${name}/documents/${encodeURIComponent(item.document)}`}>
                {place(item.uri)}
              </Link>
            ) : (
              place(item.uri)
            )}
          </td>
          {sources > 1 && <td className="soft hide-narrow">{item.source}</td>}
          <td className="soft">{capital(item.detail)}</td>
          <td className="hide-narrow">
            <code className="soft">{item.code}</code>
          </td>
        </tr>
      ))}
    </Table>
  );
}

function ReportCard({ report, run, name }: { report: Report; run: Run; name: string }) {
  const retry = useIngest(name);
  const counts: [string, number | null | undefined, string][] = [
    ["Added", report.added, "ok"],
    ["Changed", report.changed, "accent"],
    ["Moved", report.moved, "neutral"],
    ["Deleted", report.deleted, "warn"],
    ["Failed", report.failed, "bad"],
    ["Unchanged", report.unchanged, "neutral"],
    ["Skipped", report.skipped, "neutral"],
  ];
  // Whoever does not see every document is told no counts of all.
  const parts = counts.filter((part): part is [string, number, string] => part[1] != null);
  const all = parts.reduce((n, [, c]) => n + c, 0);
  return (
    <>
      <Card
        title="Report"
        actions={
          <span className="muted">
            <Time at={run.finished_at} />
          </span>
        }
      >
        <div className="report-bar" aria-hidden="true">
          {parts
            .filter(([, c]) => c > 0)
            .map(([label, c, tone]) => (
              <span key={label} className={`tone-${tone} part-${label.toLowerCase()}`} style={{ flexGrow: c / Math.max(1, all) }} />
            ))}
        </div>
        <dl className="live-facts">
          {parts
            .filter(([label, c]) => c > 0 || label !== "Moved")
            .map(([label, c, tone]) => (
              <div key={label}>
                <dt>
                  <span className={`dot tone-${tone} part-${label.toLowerCase()}`} /> {label}
                </dt>
                <dd className="num">{count(c)}</dd>
              </div>
            ))}
          {report.chunks != null && (
            <>
              <div>
                <dt>Chunks written</dt>
                <dd className="num">{count(report.chunks)}</dd>
              </div>
              <div>
                <dt>Embedded</dt>
                <dd className="num">{count(report.embedded)}</dd>
              </div>
              <div>
                <dt>Tokens</dt>
                <dd className="num">{short(report.tokens)}</dd>
              </div>
            </>
          )}
          <div>
            <dt>Took</dt>
            <dd className="num">{duration(report.seconds * 1000)}</dd>
          </div>
          {report.tokens != null && report.tokens > 0 && report.seconds > 0 && (
            <div>
              <dt>Speed</dt>
              <dd className="num">{short(report.tokens / report.seconds)} tokens/s</dd>
            </div>
          )}
        </dl>
      </Card>
      {report.failures.length > 0 && (
        <Card
          title={`${plural(report.failed, "document")} could not be read`}
          actions={
            <span className="row-flex">
              <Link className="text-link quiet" to={`/knowledge/${name}/documents?status=failed`}>
                All failed
              </Link>
              <Button size="sm" icon="refresh" busy={retry.isPending} onClick={() => retry.mutate({ retry_failed: true })}>
                Retry failed
              </Button>
            </span>
          }
          flush
        >
          <Told name={name} what="Reason" items={report.failures} />
        </Card>
      )}
      {report.warnings.length > 0 && (
        <Card title={plural(report.warnings.length + report.warnings_left_out, "warning")} flush>
          <Told name={name} what="What was met" items={report.warnings} />
          {report.warnings_left_out > 0 && (
            <p className="muted told-rest">{`${count(report.warnings_left_out)} more are not listed; each document shows its own.`}</p>
          )}
        </Card>
      )}
    </>
  );
}
