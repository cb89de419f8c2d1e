// The providers behind the routes: how they are, and what they cost.

import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "react-router";
import { queries } from "@/api/queries";
import type { RouteTarget } from "@/api/types";
import { count, duration, plural } from "@/lib/format";
import { Card, Status } from "@/ui/kit";
import { Table } from "@/ui/tables";
import { Failures } from "./Failures";
import { byProvider, type ProviderSum } from "./history";
import { Spend } from "./Spend";

export function Providers({ targets }: { targets: readonly RouteTarget[] }) {
  const sums = useMemo(() => byProvider(targets), [targets]);
  const usage = useQuery({ ...queries.usage("provider", "24h"), refetchInterval: 15_000 });
  const spent = new Map(usage.data?.rows.map((row) => [row.name, row]));
  return (
    <Card flush title="Providers">
      <Table
        className="providers"
        head={
          <>
            <th>Provider</th>
            <th>Health</th>
            <th>Recent failures</th>
            <th className="end large-only">Under way</th>
            <th className="end hide-narrow" title="The medians of its quickest and slowest target">
              First token
            </th>
            <th className="end hide-narrow" title="The medians of its quickest and slowest target">
              Whole
            </th>
            <th className="end">Spend, 24 h</th>
          </>
        }
      >
        {sums.map((sum) => (
          <tr key={sum.provider}>
            <td className="lead">
              <div className="strong clip">
                {sum.provider === "local" ? (
                  "local"
                ) : (
                  <Link className="row-link" to={`/assets/provider/${sum.provider}`}>
                    {sum.provider}
                  </Link>
                )}
              </div>
              <div className="sub clip">{`${plural(sum.targets, "target")} · ${plural(sum.attempts, "attempt")}`}</div>
            </td>
            <td className="nowrap">
              <Health sum={sum} />
            </td>
            <td className="target-failed">
              <Failures recent={sum.recent} failed={sum.failed} />
            </td>
            <td className="end large-only">{sum.inFlight === 0 ? <span className="muted">–</span> : count(sum.inFlight)}</td>
            <td className="end hide-narrow">
              <Range of={sum.begin} />
            </td>
            <td className="end hide-narrow">
              <Range of={sum.whole} />
            </td>
            <td className="end">
              <SpentAt row={spent.get(sum.provider)} />
            </td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}

function Health({ sum: { targets, open, halfOpen, recent } }: { sum: ProviderSum }) {
  if (open > 0)
    return (
      <Status tone={open === targets ? "bad" : "warn"}>{open === targets ? "left alone" : `${count(open)} of ${count(targets)} left alone`}</Status>
    );
  if (halfOpen > 0)
    return (
      <Status tone="warn" pulse>
        {halfOpen === targets ? "being tried" : `${count(halfOpen)} of ${count(targets)} being tried`}
      </Status>
    );
  return recent === 0 ? <Status tone="neutral">not asked yet</Status> : <Status tone="ok">well</Status>;
}

function Range({ of }: { of: [number, number] | null }) {
  if (!of) return <span className="muted">–</span>;
  const [least, most] = of.map((ms) => duration(ms));
  return <>{least === most ? least : `${least} – ${most}`}</>;
}

function SpentAt({ row }: { row: { cost: string; unpriced: number } | undefined }) {
  return row ? <Spend cost={row.cost} unpriced={row.unpriced > 0} /> : <span className="muted">–</span>;
}
