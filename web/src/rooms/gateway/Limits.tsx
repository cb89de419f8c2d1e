// What calls may come to: requests, tokens and money, for the project and whoever is in it.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { Limit } from "@/api/types";
import { count, money, percent } from "@/lib/format";
import { ActDialog } from "@/ui/act";
import { Button, Card, Empty, ErrorNote, IconButton, Loaded, Meter, Skeleton, Time } from "@/ui/kit";
import { ListLead, Table } from "@/ui/tables";
import { toast } from "@/ui/toasts";
import { SetLimit } from "./SetLimit";
import { isBudget, METRICS, standing, subjectOf } from "./limits";

export function Limits() {
  const overview = useQuery(queries.overview());
  if (!overview.data) return overview.error ? <ErrorNote error={overview.error} retry={() => void overview.refetch()} /> : <Skeleton rows={4} />;
  const { project, projects } = overview.data;
  if (projects.find((p) => p.name === project)?.role !== "admin")
    return (
      <Card>
        <Empty icon="key" title="Limits are the admins' to see and set">
          A call that a limit refuses is answered with 429 and says which one it was.
        </Empty>
      </Card>
    );
  return <AdminLimits />;
}

function AdminLimits() {
  const limits = useQuery(queries.limits());
  const keys = useQuery(queries.keys());
  const [setting, setSetting] = useState(false);
  const [removing, setRemoving] = useState<Limit | null>(null);
  const keyName = (id: string) => keys.data?.items.find((k) => k.id === id)?.name;
  return (
    <>
      <ListLead
        action={
          <Button look="primary" icon="plus" onClick={() => setSetting(true)}>
            Set limit
          </Button>
        }
      >
        A call that would go beyond a limit is refused with 429 and the time to come back.
      </ListLead>
      <Loaded query={limits}>
        {({ items }) =>
          items.length === 0 ? (
            <Card>
              <Empty icon="target" title="No limits">
                Anyone who may call may spend without end. A budget for the project is a good first one.
              </Empty>
            </Card>
          ) : (
            <Card flush>
              <Table
                className="limits"
                head={
                  <>
                    <th>For</th>
                    <th>Limit</th>
                    <th>Used</th>
                    <th className="hide-narrow">Begins anew</th>
                    <th className="hide-narrow">Set by</th>
                    <th className="shrink">
                      <span className="sr-only">Remove</span>
                    </th>
                  </>
                }
              >
                {items.map((limit) => (
                  <LimitRow key={limit.id} limit={limit} keyName={keyName} onRemove={() => setRemoving(limit)} />
                ))}
              </Table>
            </Card>
          )
        }
      </Loaded>
      {setting && <SetLimit onClose={() => setSetting(false)} />}
      {removing && <RemoveLimit limit={removing} keyName={keyName} onClose={() => setRemoving(null)} />}
    </>
  );
}

type KeyName = (id: string) => string | undefined;

function LimitRow({ limit, keyName, onRemove }: { limit: Limit; keyName: KeyName; onRemove: () => void }) {
  const { kind, name } = subjectOf(limit, keyName);
  return (
    <tr>
      <td className="limit-for">
        <div className="strong clip">{name}</div>
        {kind && <div className="sub">{kind}</div>}
      </td>
      <td className="limit-amount">
        <span className="strong num">{isBudget(limit.metric) ? money(limit.amount) : count(Number(limit.amount))}</span>{" "}
        <span className="soft">{METRICS[limit.metric]?.unit ?? limit.metric}</span>
      </td>
      <td className="limit-spent">
        <Spent limit={limit} />
      </td>
      <td className="hide-narrow soft nowrap">{limit.resets_at ? <Time at={limit.resets_at} /> : "–"}</td>
      <td className="hide-narrow soft">{limit.created_by}</td>
      <td className="shrink">
        <IconButton icon="trash" size="sm" label="Remove" onClick={onRemove} />
      </td>
    </tr>
  );
}

function Spent({ limit }: { limit: Limit }) {
  if (!isBudget(limit.metric)) return <Left limit={limit} />;
  if (limit.spent == null) return <span className="muted">counted for each</span>;
  const [spent, amount] = [Number(limit.spent), Number(limit.amount)];
  const { share, tone } = standing(amount - spent, amount);
  return (
    <div className="budget">
      <div className="budget-words">
        <span>
          <span className={tone === "bad" ? "strong bad" : "strong"}>{money(limit.spent)}</span>{" "}
          <span className="muted">of {money(limit.amount)}</span>
        </span>
        <span className="muted">{percent(spent, amount)}</span>
      </div>
      <Meter value={share} label={`Spent of ${money(limit.amount)}`} tone={tone} />
    </div>
  );
}

/** Of a limit by the minute, or on calls at once: it fills again by itself. */
function Left({ limit }: { limit: Limit }) {
  if (limit.left == null) return <span className="muted">counted for each</span>;
  const { left, used, share, tone } = standing(limit.left, Number(limit.amount));
  return (
    <div className="budget">
      <div className="budget-words">
        <span>
          <span className={tone === "bad" ? "strong bad" : "strong"}>{count(left)}</span> <span className="muted">left now</span>
        </span>
        <span className="muted">{count(used)} used</span>
      </div>
      <Meter value={share} label={`Used of ${count(Number(limit.amount))}`} tone={tone} />
    </div>
  );
}

export function RemoveLimit({ limit, keyName, onClose }: { limit: Limit; keyName: KeyName; onClose: () => void }) {
  const client = useQueryClient();
  const { kind, name } = subjectOf(limit, keyName);
  const remove = useMutation({
    mutationFn: () => api.limits.remove(limit.id),
    onSuccess: () => {
      toast("Removed the limit");
      void client.invalidateQueries({ queryKey: ["limits"] });
      onClose();
    },
  });
  return (
    <ActDialog title="Remove this limit?" does="Remove limit" leave="Keep it" look="danger" doing={remove} onClose={onClose}>
      <p>
        <span className="strong">{kind ? `${name} (${kind})` : name}</span> will no longer be held to{" "}
        <span className="strong">
          {isBudget(limit.metric) ? money(limit.amount) : count(Number(limit.amount))} {METRICS[limit.metric]?.unit ?? limit.metric}
        </span>
        .
      </p>
    </ActDialog>
  );
}
