import { Link } from "react-router";
import type { KnowledgeSummary } from "@/api/types";
import { percent } from "@/lib/format";
import { Status, Time } from "@/ui/kit";

export function Freshness({ knowledge }: { knowledge: KnowledgeSummary }) {
  const run = knowledge.last_run;
  if (run?.status === "running" || run?.status === "queued") {
    const { documents_done: done, documents_total: total } = run.progress ?? {};
    return (
      <Status tone="accent" pulse>
        <Link to={`/knowledge/${knowledge.name}/runs/${run.id}`}>Ingesting{total ? ` ${percent(done ?? 0, total)}` : "…"}</Link>
      </Status>
    );
  }
  if (run?.status === "failed") {
    return (
      <Status tone="bad">
        <Link to={`/knowledge/${knowledge.name}/runs/${run.id}`}>
          Last run failed <Time at={run.finished_at} />
        </Link>
      </Status>
    );
  }
  if (!knowledge.fresh_at) return <Status tone="neutral">Never ingested</Status>;
  const days = (Date.now() - Date.parse(knowledge.fresh_at)) / 86_400_000;
  return (
    <Status tone={days > 7 ? "warn" : "ok"}>
      <Time at={knowledge.fresh_at} />
    </Status>
  );
}
