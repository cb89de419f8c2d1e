// API keys: who has one, what each may spend and has spent.

import { useQuery } from "@tanstack/react-query";
import { Fragment, useState } from "react";
import { queries } from "@/api/queries";
import type { ApiKey, Limit } from "@/api/types";
import { money, plural } from "@/lib/format";
import { Icon } from "@/ui/icons";
import { Badge, Button, Card, cx, Empty, Loaded, Meter, Time } from "@/ui/kit";
import { ListLead, Table } from "@/ui/tables";
import { RemoveLimit } from "../gateway/Limits";
import { SetLimit } from "../gateway/SetLimit";
import { Spend } from "../gateway/Spend";
import { CreateKey, RevokeKey, RotateKey } from "./KeyDialogs";
import { KeyLimits } from "./KeyLimits";
import { dayOf, limitsOf, monthOf, shareOf, stateOf, tightest, toneOf, type KeyLimit, type Spending } from "./keys";
import { Sees } from "./rights";

type Open = { kind: "create" } | { kind: "rotate" | "revoke" | "limit"; key: ApiKey } | { kind: "unlimit"; limit: Limit };

export function Keys() {
  const keys = useQuery(queries.keys());
  const limits = useQuery({ ...queries.limits(), retry: false });
  const spending = useSpending();
  const [dialog, open] = useState<Open | null>(null);
  const [shown, show] = useState<string | null>(null);
  const close = () => open(null);
  return (
    <>
      <ListLead
        action={
          <Button look="primary" icon="plus" onClick={() => open({ kind: "create" })}>
            New key
          </Button>
        }
      >
        Clients send a key as <code className="inline-code">Authorization: Bearer …</code>, as OpenAI's do. On this machine none is needed; beyond it,
        nothing works without.
      </ListLead>
      <Loaded query={keys}>
        {({ items }) =>
          items.length === 0 ? (
            <Card>
              <Empty icon="key" title="No keys">
                Make one before you let this server listen beyond loopback.
              </Empty>
            </Card>
          ) : (
            <Card flush>
              <Table
                className="key-table"
                head={
                  <>
                    <th>Name</th>
                    <th className="hide-narrow">Role</th>
                    <th className="large-only">Sees documents labelled</th>
                    <th className="large-only">Last used</th>
                    <th>Expires</th>
                    <th className="key-spent">Spent this month</th>
                    <th className="shrink">
                      <span className="sr-only">Actions</span>
                    </th>
                  </>
                }
              >
                {items.map((key) => {
                  const held = limitsOf(key.id, limits.data?.items ?? [], spending);
                  const isShown = shown === key.id;
                  return (
                    <Fragment key={key.id}>
                      <KeyRow
                        apiKey={key}
                        held={held}
                        spent={spending.month.get(key.id)}
                        shown={isShown}
                        onShow={() => show(isShown ? null : key.id)}
                        onRotate={() => open({ kind: "rotate", key })}
                        onRevoke={() => open({ kind: "revoke", key })}
                      />
                      {isShown && (
                        <tr className="key-more">
                          <td colSpan={7}>
                            <KeyLimits
                              apiKey={key}
                              held={held}
                              error={limits.error}
                              today={spending.day.get(key.id)}
                              month={spending.month.get(key.id)}
                              onSet={() => open({ kind: "limit", key })}
                              onRemove={(limit) => open({ kind: "unlimit", limit })}
                            />
                          </td>
                        </tr>
                      )}
                    </Fragment>
                  );
                })}
              </Table>
            </Card>
          )
        }
      </Loaded>
      {dialog?.kind === "create" && <CreateKey onClose={close} />}
      {dialog?.kind === "rotate" && <RotateKey apiKey={dialog.key} onClose={close} />}
      {dialog?.kind === "revoke" && <RevokeKey apiKey={dialog.key} onClose={close} />}
      {dialog?.kind === "limit" && <SetLimit ofKey={dialog.key} onClose={close} />}
      {dialog?.kind === "unlimit" && (
        <RemoveLimit limit={dialog.limit} keyName={(id) => keys.data?.items.find((k) => k.id === id)?.name} onClose={close} />
      )}
    </>
  );
}

/** What every key spent today and this month, where the reader may know. */
function useSpending(): Spending {
  const day = useQuery({ ...queries.usage("key", dayOf()), refetchInterval: 15_000, retry: false });
  const month = useQuery({ ...queries.usage("key", monthOf()), refetchInterval: 15_000, retry: false });
  const byKey = (rows: NonNullable<typeof day.data>["rows"] | undefined) => new Map(rows?.map((row) => [row.name, row]));
  return { day: byKey(day.data?.rows), month: byKey(month.data?.rows) };
}

interface RowProps {
  apiKey: ApiKey;
  held: KeyLimit[];
  spent: { cost: string; calls: number; unpriced: number } | undefined;
  shown: boolean;
  onShow: () => void;
  onRotate: () => void;
  onRevoke: () => void;
}

function KeyRow({ apiKey: key, held, spent, shown, onShow, onRotate, onRevoke }: RowProps) {
  const state = stateOf(key);
  return (
    <tr className={cx(state !== "active" && "gone", shown && "key-shown")}>
      <td>
        <button type="button" className="key-name" aria-expanded={shown} title={shown ? "Hide its limits" : "Show its limits"} onClick={onShow}>
          <Icon name={shown ? "down" : "right"} size={12} />
          <span className="strong">{key.name}</span>
        </button>
        {key.hint && <code className="key-hint muted">{key.hint}</code>}
        {key.old_secret_until && Date.parse(key.old_secret_until) > Date.now() && (
          <div className="sub key-old">
            old secret stops <Time at={key.old_secret_until} />
          </div>
        )}
      </td>
      <td className="hide-narrow">
        <Badge tone={key.role === "admin" ? "accent" : "neutral"}>{key.role}</Badge>
      </td>
      <td className="large-only">
        <Sees labels={key.labels} />
      </td>
      <td className="large-only soft">
        <Time at={key.last_used_at} />
      </td>
      <td className="soft nowrap">
        {state === "revoked" ? (
          <Badge tone="bad">revoked</Badge>
        ) : state === "expired" ? (
          <Badge tone="warn">expired</Badge>
        ) : key.expires_at ? (
          <Time at={key.expires_at} />
        ) : (
          "never"
        )}
      </td>
      <td className="key-spent">
        <Spent spent={spent} held={held} />
      </td>
      <td className="shrink">
        {state !== "revoked" && (
          <span className="row-flex key-actions">
            {state === "active" && (
              <Button size="sm" onClick={onRotate}>
                Rotate
              </Button>
            )}
            <Button size="sm" look="danger" onClick={onRevoke}>
              Revoke
            </Button>
          </span>
        )}
      </td>
    </tr>
  );
}

/** With the budget that will be reached first as a bar. */
function Spent({ spent, held }: { spent: RowProps["spent"]; held: KeyLimit[] }) {
  const budget = tightest(held);
  const share = budget ? shareOf(budget) : 0;
  const per = budget?.limit.metric === "usd_per_day" ? "today" : "this month";
  return (
    <div className="key-spending">
      <div className="budget-words">
        <span className="strong" title={spent ? plural(spent.calls, "call") : "No calls"}>
          <Spend cost={spent?.cost} unpriced={spent !== undefined && spent.unpriced > 0} />
        </span>
        {budget && <span className="muted">{`${money(budget.spent)} of ${money(budget.limit.amount)} ${per}`}</span>}
      </div>
      {budget && <Meter value={share} label={`Spent ${per} of ${money(budget.limit.amount)}`} tone={toneOf(share)} />}
    </div>
  );
}
