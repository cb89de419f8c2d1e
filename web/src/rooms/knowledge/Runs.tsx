import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { queries } from "@/api/queries";
import type { Run } from "@/api/types";
import { capital, count, duration, percent, short } from "@/lib/format";
import { Card, Empty, runTone, Status, Time } from "@/ui/kit";
import { LoadedPages, Table, TableEnd } from "@/ui/tables";

export const runWord = capital;

export function runMillis(run: Run): number | null {
  if (run.report?.seconds != null) return run.report.seconds * 1000;
  if (!run.started_at) return null;
  return (run.finished_at ? Date.parse(run.finished_at) : Date.now()) - Date.parse(run.started_at);
}

export function Runs({ knowledge }: { knowledge: string }) {
  const runs = useInfiniteQuery({
    ...queries.knowledgeRuns(knowledge),
    refetchInterval: (q) => (q.state.data?.pages[0]?.items.some((r) => r.status === "running" || r.status === "queued") ? 2_000 : false),
  });
  const never = (
    <Empty icon="clock" title="Never ingested">
      Every ingestion leaves a run with its report here.
    </Empty>
  );
  return (
    <LoadedPages query={runs} empty={never}>
      {(items) => (
        <Card flush>
          <Table
            head={
              <>
                <th>Status</th>
                <th>Started</th>
                <th className="end">Took</th>
                <th className="end hide-narrow">Added</th>
                <th className="end hide-narrow">Changed</th>
                <th className="end hide-narrow">Deleted</th>
                <th className="end hide-narrow">Unchanged</th>
                <th className="end">Failed</th>
                <th className="end hide-narrow">Tokens</th>
              </>
            }
          >
            {items.map((run) => (
              <RunRow key={run.id} run={run} knowledge={knowledge} />
            ))}
          </Table>

          <TableEnd query={runs} />
        </Card>
      )}
    </LoadedPages>
  );
}

function RunRow({ run, knowledge }: { run: Run; knowledge: string }) {
  const { report, progress } = run;
  const live = run.status === "running" || run.status === "queued";
  return (
    <tr>
      <td>
        <Link to={`/knowledge/${knowledge}/runs/${run.id}`} className="row-link">
          <Status tone={runTone(run.status)} pulse={live}>
            {runWord(run.status)}
            {live && progress?.documents_total ? ` ${percent(progress.documents_done, progress.documents_total)}` : ""}
          </Status>
        </Link>
        {run.error?.detail && <div className="sub bad">{run.error.detail}</div>}
      </td>
      <td className="soft">
        <Time at={run.started_at ?? run.created_at} />
      </td>
      <td className="end">{duration(runMillis(run))}</td>
      <td className="end hide-narrow">{count(report?.added)}</td>
      <td className="end hide-narrow">{count(report?.changed)}</td>
      <td className="end hide-narrow">{count(report?.deleted)}</td>
      <td className="end hide-narrow muted">{count(report?.unchanged)}</td>
      <td className={`end${report?.failed ? " bad" : ""}`}>{count(report?.failed)}</td>
      <td className="end hide-narrow soft">{short(report?.tokens)}</td>
    </tr>
  );
}
