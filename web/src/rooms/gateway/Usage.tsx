// What calls used and cost, by whoever or whatever they were for.

import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useMemo } from "react";
import { Link, useSearchParams } from "react-router";
import { queries } from "@/api/queries";
import type { UsageRow } from "@/api/types";
import { count, money, percent, plural, short } from "@/lib/format";
import { Segmented } from "@/ui/fields";
import { Card, Empty, Loaded, Skeleton } from "@/ui/kit";
import { Icon } from "@/ui/icons";
import { Table } from "@/ui/tables";
import { RecentCalls } from "./Calls";
import { Unpriced } from "./Spend";
import { steps } from "./steps";

const Chart = lazy(() => import("@/ui/Chart"));

export const STRETCHES = [
  { value: "24h", label: "24 hours" },
  { value: "7d", label: "7 days" },
  { value: "30d", label: "30 days" },
  { value: "90d", label: "90 days" },
] as const;
const BY = [
  { value: "model", label: "Model", none: "no model" },
  { value: "provider", label: "Provider", none: "no provider" },
  { value: "key", label: "Key", none: "without a key" },
  { value: "user", label: "User", none: "no user named" },
  { value: "app", label: "App", none: "no app" },
  { value: "day", label: "Day", none: "" },
] as const;
const OF_ALL = [{ value: "project", label: "Project", none: "" }, ...BY] as const;
const WHOSE = [
  { value: "one", label: "This project" },
  { value: "all", label: "All projects" },
] as const;

export function Usage() {
  const [params, setParams] = useSearchParams();
  const stretch = STRETCHES.find((s) => s.value === params.get("in"))?.value ?? "7d";
  // Who administers the installation sees what all projects come to.
  const overview = useQuery(queries.overview());
  const mayAll = overview.data?.projects.some((p) => p.name === "default" && p.role === "admin") ?? false;
  const all = mayAll && params.get("of") === "all";
  const choices: readonly (typeof OF_ALL)[number][] = all ? OF_ALL : BY;
  const by = choices.find((b) => b.value === params.get("by")) ?? choices[0] ?? BY[0];
  const set = (key: string, value: string) => setParams((p) => (p.set(key, value), p), { replace: true });
  const unit = stretch === "24h" ? "hour" : "day";
  const time = useQuery({ ...queries.usage(unit, stretch, all), refetchInterval: 15_000 });
  return (
    <div className="stack">
      <div className="toolbar usage-toolbar">
        <Segmented label="Stretch" value={stretch} choices={STRETCHES} onChange={(v) => set("in", v)} />
        {mayAll && <Segmented label="Whose" value={all ? "all" : "one"} choices={WHOSE} onChange={(v) => set("of", v)} />}
      </div>
      <Loaded query={time} skeleton={<Skeleton rows={7} />}>
        {({ total, rows, since, until }) =>
          total.calls === 0 ? (
            <Card>
              <Empty icon="swap" title="No calls in this time">
                Calls of routes and of providers' models are counted here, with what they cost.
              </Empty>
            </Card>
          ) : (
            <>
              <Card>
                <Sums total={total} />
                <Spending rows={rows} since={since} until={until} unit={unit} />
              </Card>
              <Breakdown by={by} choices={choices} stretch={stretch} all={all} onBy={(v) => set("by", v)} />
              {!all && <RecentCalls />}
            </>
          )
        }
      </Loaded>
    </div>
  );
}

function Sums({ total }: { total: UsageRow }) {
  return (
    <>
      <dl className="kpis">
        <Sum label="Cost" value={money(total.cost)} />
        <Sum label="Calls" value={count(total.calls)} />
        <Sum label="Failed" value={count(total.failed)} note={percent(total.failed, total.calls)} bad={total.failed > 0} />
        <Sum
          label="Tokens in"
          value={short(total.input_tokens)}
          note={total.cache_read_tokens > 0 ? `${percent(total.cache_read_tokens, total.input_tokens)} from cache` : undefined}
        />
        <Sum
          label="Tokens out"
          value={short(total.output_tokens)}
          note={total.reasoning_tokens > 0 ? `${percent(total.reasoning_tokens, total.output_tokens)} thought` : undefined}
        />
      </dl>
      {total.unpriced > 0 && (
        <p className="unpriced-note">
          <Icon name="warn" size={14} />
          <span>
            {plural(total.unpriced, "call")} used tokens nobody has a price for: the cost is without {total.unpriced === 1 ? "it" : "them"}. Put the
            price into a <code className="inline-code">prices</code> asset named <code className="inline-code">default</code>.
          </span>
        </p>
      )}
    </>
  );
}

function Sum({ label, value, note, bad }: { label: string; value: string; note?: string; bad?: boolean }) {
  return (
    <div className="kpi">
      <dt>{label}</dt>
      <dd className={bad ? "bad" : undefined}>
        <span>{value}</span>
        {note && <small>{note}</small>}
      </dd>
    </div>
  );
}

function Spending({ rows, since, until, unit }: { rows: UsageRow[]; since: string; until: string; unit: "hour" | "day" }) {
  const { times, cost, calls } = useMemo(() => {
    const found = steps(rows, since, until, unit);
    return {
      times: found.map((s) => s.at),
      cost: [{ label: "Cost", color: "--accent", shape: "bar" as const, values: found.map((s) => s.cost) }],
      calls: [
        { label: "Calls", color: "--span-retrieve", shape: "bar" as const, values: found.map((s) => s.calls) },
        { label: "Failed", color: "--bad", shape: "bar" as const, values: found.map((s) => s.failed) },
      ],
    };
  }, [rows, since, until, unit]);
  return (
    <Suspense fallback={<div style={{ height: 176 }} />}>
      <div className="charts">
        <Chart summary={`Cost by ${unit}`} times={times} series={cost} format={money} unit={unit} sync="usage" />
        <Chart summary={`Calls by ${unit}`} times={times} series={calls} format={short} unit={unit} sync="usage" />
      </div>
    </Suspense>
  );
}

interface BreakdownProps {
  by: (typeof OF_ALL)[number];
  choices: readonly (typeof OF_ALL)[number][];
  stretch: string;
  /** Of all projects: calls are listed of one at a time, so that nothing leads there. */
  all: boolean;
  onBy: (by: string) => void;
}

function Breakdown({ by, choices, stretch, all, onBy }: BreakdownProps) {
  const usage = useQuery(queries.usage(by.value, stretch, all));
  return (
    <Card
      flush
      title={`By ${by.label.toLowerCase()}`}
      actions={<Segmented label="By" value={by.value} choices={choices} onChange={onBy} />}
      className="usage-by"
    >
      <Loaded query={usage}>
        {({ rows, cut, total }) => {
          const most = rows.reduce((n, r) => Math.max(n, Number(r.cost)), 0);
          return (
            <>
              <Table
                head={
                  <>
                    <th>{by.label}</th>
                    <th className="end">Calls</th>
                    <th className="end hide-narrow">Failed</th>
                    <th className="end hide-narrow">Tokens in</th>
                    <th className="end hide-narrow">Tokens out</th>
                    <th className="end">Cost</th>
                  </>
                }
              >
                {rows.map((row) => (
                  <tr key={row.name}>
                    <td className="lead">
                      <div className="strong clip">
                        {row.name === "" ? (
                          <span className="muted">{by.none}</span>
                        ) : (
                          <Name by={all ? "" : by.value} name={row.key_name ?? row.name} stretch={stretch} />
                        )}
                      </div>
                    </td>
                    <td className="end">{count(row.calls)}</td>
                    <td className={row.failed > 0 ? "end hide-narrow bad" : "end hide-narrow muted"}>{count(row.failed)}</td>
                    <td className="end hide-narrow">{short(row.input_tokens)}</td>
                    <td className="end hide-narrow">{short(row.output_tokens)}</td>
                    <td className="end">
                      <Cost row={row} most={most} />
                    </td>
                  </tr>
                ))}
              </Table>
              {cut && <p className="table-note muted">Only the dearest are shown; the sums above are of all {plural(total.calls, "call")}.</p>}
            </>
          );
        }}
      </Loaded>
    </Card>
  );
}

/** What calls can be listed by leads to their list. */
function Name({ by, name, stretch }: { by: string; name: string; stretch: string }) {
  if (by !== "model" && by !== "provider" && by !== "user" && by !== "app") return <>{name}</>;
  return (
    <Link className="row-link" to={`/models/calls?in=${stretch}&${by}=${encodeURIComponent(name)}`}>
      {name}
    </Link>
  );
}

function Cost({ row, most }: { row: UsageRow; most: number }) {
  const cost = Number(row.cost);
  if (row.unpriced > 0 && cost === 0) return <Unpriced />;
  return (
    <span className="usage-cost">
      <span className="dur-bar" aria-hidden="true">
        <i style={{ width: `${most > 0 ? (100 * cost) / most : 0}%` }} />
      </span>
      <span>
        {money(row.cost)}
        {row.unpriced > 0 && (
          <div className="sub warn">
            {count(row.unpriced)} <Unpriced />
          </div>
        )}
      </span>
    </span>
  );
}
