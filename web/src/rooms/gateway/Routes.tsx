// How providers and the targets of the routes stand, as this server sees them since it started.

import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "react-router";
import { queries } from "@/api/queries";
import type { RouteTarget, TargetHistory } from "@/api/types";
import { count, duration, money, plural } from "@/lib/format";
import { Card, Empty, ErrorNote, Loaded, Skeleton } from "@/ui/kit";
import { Spark } from "@/ui/Stacked";
import { Table } from "@/ui/tables";
import { YamlView } from "../assets/YamlView";
import { Breaker } from "./Breaker";
import { ErrorMix } from "./ErrorMix";
import { Explain } from "./Explain";
import { Failures } from "./Failures";
import { failedIn, grouped, mixOf } from "./history";
import { Others } from "./Others";
import { Providers } from "./Providers";
import { Spend, Unpriced } from "./Spend";

export function Routes() {
  const routes = useQuery(queries.gatewayRoutes());
  const history = useQuery(queries.routesHistory());
  return (
    <Loaded query={routes} skeleton={<Skeleton rows={8} height={48} />}>
      {(targets) =>
        targets.length === 0 ? (
          <div className="stack">
            <NoRoutes />
            <Explain />
          </div>
        ) : (
          <div className="stack">
            <Others what="breakers, times and failures" />
            <Providers targets={targets} />
            {history.error && !history.data && <ErrorNote compact error={history.error} retry={() => void history.refetch()} />}
            {history.data && <ErrorMix histories={history.data} seenAt={history.dataUpdatedAt} />}
            {byRoute(targets).map(([route, of]) => (
              <RouteCard key={route ?? ""} route={route} targets={of} seenAt={routes.dataUpdatedAt} histories={history.data ?? []} />
            ))}
            <Explain suggestion={targets.find((t) => t.route)?.route ?? undefined} />
          </div>
        )
      }
    </Loaded>
  );
}

/** Routes in the order of their names, calls without one last. */
function byRoute(targets: readonly RouteTarget[]): [route: string | null, targets: RouteTarget[]][] {
  const groups = new Map<string | null, RouteTarget[]>();
  for (const target of targets) {
    const route = target.route ?? null;
    groups.set(route, [...(groups.get(route) ?? []), target]);
  }
  return [...groups].sort(([a], [b]) => (a === null ? 1 : b === null ? -1 : a.localeCompare(b)));
}

interface CardProps {
  route: string | null;
  targets: RouteTarget[];
  seenAt: number;
  histories: readonly TargetHistory[];
}

function RouteCard({ route, targets, seenAt, histories }: CardProps) {
  const attempts = targets.reduce((n, t) => n + t.attempts, 0);
  return (
    <Card
      flush
      title={route ?? "Without a route"}
      actions={
        <span className="route-sum">
          {route === null ? (
            <span className="hide-narrow">called as provider/model</span>
          ) : (
            <Link className="text-link quiet hide-narrow" to={`/models/live?route=${encodeURIComponent(route)}`}>
              Watch
            </Link>
          )}
          <span>{plural(attempts, "attempt")}</span>
          <span title="Since this server started">
            <RouteSpend targets={targets} />
          </span>
        </span>
      }
    >
      <Table
        className="targets"
        head={
          <>
            <th>Target</th>
            <th>Breaker</th>
            <th>Recent failures</th>
            <th className="large-only" title="Attempts in the last hour, and in red those that failed">
              Last hour
            </th>
            <th className="end hide-narrow" title="Time to the first token: half and 95 of 100 answers began within">
              First token <span className="of-hundred">p50 · p95</span>
            </th>
            <th className="end hide-narrow" title="Time to the whole answer: half and 95 of 100 were complete within">
              Whole <span className="of-hundred">p50 · p95</span>
            </th>
            <th className="end large-only">Tokens/s</th>
            <th className="end hide-narrow" title="Since this server started">
              Spend
            </th>
          </>
        }
      >
        {targets.map((target) => (
          <TargetRow
            key={`${target.provider}/${target.model}`}
            target={target}
            seenAt={seenAt}
            histories={histories.filter((h) => (h.route ?? null) === route && h.provider === target.provider && h.model === target.model)}
          />
        ))}
      </Table>
    </Card>
  );
}

/** A sum that leaves something out says so. */
function RouteSpend({ targets }: { targets: readonly RouteTarget[] }) {
  const spend = targets.reduce((n, t) => n + Number(t.spend), 0);
  if (!targets.some((t) => t.priced === false)) return <>{money(spend)}</>;
  return (
    <>
      {spend > 0 && `${money(spend)} + `}
      <Unpriced />
    </>
  );
}

function TargetRow({ target, seenAt, histories }: { target: RouteTarget; seenAt: number; histories: TargetHistory[] }) {
  return (
    <tr>
      <td className="lead">
        <div className="strong clip" title={target.model}>
          {target.model === "*" ? "any model" : target.model}
        </div>
        <div className="sub clip">
          {[target.provider, target.in_flight > 0 ? `${count(target.in_flight)} under way` : null, plural(target.attempts, "attempt")]
            .filter(Boolean)
            .join(" · ")}
        </div>
      </td>
      <td className="target-breaker">
        <Breaker state={target.breaker} waitMs={target.wait_ms} seenAt={seenAt} />
      </td>
      <td className="target-failed">
        <Failures recent={target.recent} failed={target.failed} />
      </td>
      <td className="large-only">
        <LastHour histories={histories} />
      </td>
      <td className="end hide-narrow">
        <Percentiles p50={target.begin_p50_ms} p95={target.begin_p95_ms} />
      </td>
      <td className="end hide-narrow">
        <Percentiles p50={target.whole_p50_ms} p95={target.whole_p95_ms} />
      </td>
      <td className="end large-only">
        {target.tokens_per_second == null ? (
          <span className="muted">–</span>
        ) : (
          target.tokens_per_second.toFixed(target.tokens_per_second < 10 ? 1 : 0)
        )}
      </td>
      <td className="end hide-narrow">
        <Spend cost={target.spend} unpriced={target.priced === false} />
      </td>
    </tr>
  );
}

function Percentiles({ p50, p95 }: { p50?: number | null; p95?: number | null }) {
  if (p50 == null) return <span className="muted">–</span>;
  return (
    <>
      {duration(p50)} <span className="muted">· {duration(p95)}</span>
    </>
  );
}

/** Two minutes in a bar. */
function LastHour({ histories }: { histories: TargetHistory[] }) {
  const { all, bad, label } = useMemo(() => {
    const mix = mixOf(histories, Date.now());
    const failed = mix.times.map((_, at) => failedIn(mix, at));
    const sum = (counts: number[]) => counts.reduce((a, b) => a + b, 0);
    return {
      all: grouped(mix.attempts, 2),
      bad: grouped(failed, 2),
      label: `${plural(sum(mix.attempts), "attempt")} in the last hour, ${count(sum(failed))} failed`,
    };
  }, [histories]);
  return <Spark all={all} bad={bad} label={label} />;
}

const EXAMPLE = `apiVersion: mainspring/v1
kind: provider
name: openai
spec:
  type: openai
  preset: openai
  credential: env:OPENAI_API_KEY
---
apiVersion: mainspring/v1
kind: route
name: assistant
spec:
  targets:
    - { provider: openai, model: gpt-4o-mini, weight: 80 }
    - { provider: openai, model: gpt-4o, weight: 20 }`;

function NoRoutes() {
  return (
    <Card className="no-routes">
      <Empty icon="swap" title="No routes yet">
        A route is a name that clients call; it chooses among models of providers. Write one of each to a file and run{" "}
        <code>mainspring apply models.yaml</code>.
      </Empty>
      <div className="route-example">
        <YamlView text={EXAMPLE} />
      </div>
      <p className="route-guide soft">
        The guide, <code className="inline-code">docs/guides/gateway.md</code>, tells of every dialect, preset and field.
      </p>
    </Card>
  );
}
