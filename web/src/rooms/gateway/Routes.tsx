// How the targets of the routes stand, as this server sees them since it started.

import { useQuery } from "@tanstack/react-query";
import { queries } from "@/api/queries";
import type { RouteTarget } from "@/api/types";
import { count, duration, money, percent, plural } from "@/lib/format";
import { Badge, Card, Empty, Loaded, Skeleton } from "@/ui/kit";
import { YamlView } from "../assets/YamlView";
import { Breaker } from "./Breaker";
import { Explain } from "./Explain";

export function Routes() {
  const routes = useQuery(queries.gatewayRoutes());
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
            <Explain suggestion={targets.find((t) => t.route)?.route ?? undefined} />
            {grouped(targets).map(([route, of]) => (
              <RouteCard key={route ?? ""} route={route} targets={of} seenAt={routes.dataUpdatedAt} />
            ))}
          </div>
        )
      }
    </Loaded>
  );
}

/** Routes in the order of their names, calls without one last. */
function grouped(targets: readonly RouteTarget[]): [route: string | null, targets: RouteTarget[]][] {
  const groups = new Map<string | null, RouteTarget[]>();
  for (const target of targets) {
    const route = target.route ?? null;
    groups.set(route, [...(groups.get(route) ?? []), target]);
  }
  return [...groups].sort(([a], [b]) => (a === null ? 1 : b === null ? -1 : a.localeCompare(b)));
}

function RouteCard({ route, targets, seenAt }: { route: string | null; targets: RouteTarget[]; seenAt: number }) {
  const attempts = targets.reduce((n, t) => n + t.attempts, 0);
  const spend = targets.reduce((n, t) => n + Number(t.spend), 0);
  return (
    <Card
      flush
      title={route ?? "Without a route"}
      actions={
        <span className="route-sum">
          {route === null && <span className="hide-narrow">called as provider/model</span>}
          <span>{plural(attempts, "attempt")}</span>
          <span>{money(spend)}</span>
        </span>
      }
    >
      <div className="table-scroll">
        <table className="table targets">
          <thead>
            <tr>
              <th>Target</th>
              <th>Breaker</th>
              <th>Recent failures</th>
              <th className="end hide-narrow">Attempts</th>
              <th className="end hide-narrow" title="Time to begin: half and 95 of 100 answers began within">
                Begins, p50 · p95
              </th>
              <th className="end hide-narrow">Tokens/s</th>
              <th className="end hide-narrow">Spend</th>
            </tr>
          </thead>
          <tbody>
            {targets.map((target) => (
              <TargetRow key={`${target.provider}/${target.model}`} target={target} seenAt={seenAt} />
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

function TargetRow({ target, seenAt }: { target: RouteTarget; seenAt: number }) {
  return (
    <tr>
      <td className="lead">
        <div className="strong clip" title={target.model}>
          {target.model === "*" ? "any model" : target.model}
        </div>
        <div className="sub clip">
          {target.provider}
          {target.in_flight > 0 && ` · ${count(target.in_flight)} under way`}
        </div>
      </td>
      <td className="target-breaker">
        <Breaker state={target.breaker} waitMs={target.wait_ms} seenAt={seenAt} />
      </td>
      <td className="target-failed">
        <Failures recent={target.recent} failed={target.failed} />
      </td>
      <td className="end hide-narrow">{count(target.attempts)}</td>
      <td className="end hide-narrow">
        {target.begin_p50_ms == null ? (
          <span className="muted">–</span>
        ) : (
          <>
            {duration(target.begin_p50_ms)} <span className="muted">· {duration(target.begin_p95_ms)}</span>
          </>
        )}
      </td>
      <td className="end hide-narrow">
        {target.tokens_per_second == null ? (
          <span className="muted">–</span>
        ) : (
          target.tokens_per_second.toFixed(target.tokens_per_second < 10 ? 1 : 0)
        )}
      </td>
      <td className="end hide-narrow">{Number(target.spend) === 0 ? <span className="muted">$0</span> : money(target.spend)}</td>
    </tr>
  );
}

function Failures({ recent, failed }: { recent: number; failed: RouteTarget["failed"] }) {
  const classes = Object.entries(failed).sort(([, a], [, b]) => b - a);
  const all = classes.reduce((n, [, times]) => n + times, 0);
  if (recent === 0) return <span className="muted">not asked yet</span>;
  if (all === 0) return <span className="soft">none of {count(recent)}</span>;
  return (
    <span className="row-flex wrap failures" title={`${count(all)} of the last ${count(recent)}: ${percent(all, recent)}`}>
      {classes.map(([name, times]) => (
        <Badge key={name} tone="bad">
          {name.replaceAll("_", " ")} {count(times)}
        </Badge>
      ))}
      <span className="muted num">of {count(recent)}</span>
    </span>
  );
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
