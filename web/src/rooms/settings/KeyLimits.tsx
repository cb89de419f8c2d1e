import { Link } from "react-router";
import type { ApiKey, Limit, UsageRow } from "@/api/types";
import { count, fullTime, money, percent, plural, short } from "@/lib/format";
import { Button, ErrorNote, Facts, IconButton, Meter } from "@/ui/kit";
import { isBudget, METRICS } from "../gateway/limits";
import { Spend } from "../gateway/Spend";
import { shareOf, stateOf, toneOf, type KeyLimit } from "./keys";

interface Props {
  apiKey: ApiKey;
  held: KeyLimit[];
  error: unknown;
  today: UsageRow | undefined;
  month: UsageRow | undefined;
  onSet: () => void;
  onRemove: (limit: Limit) => void;
}

/** What a key is held to, and what it did. */
export function KeyLimits({ apiKey: key, held, error, today, month, onSet, onRemove }: Props) {
  const used = (row: UsageRow | undefined) =>
    row ? (
      <>
        <Spend cost={row.cost} unpriced={row.unpriced > 0} />, {plural(row.calls, "call")}
      </>
    ) : (
      "nothing"
    );
  return (
    <div className="key-detail">
      <Facts
        items={[
          ["Today", used(today)],
          ["This month", used(month)],
          ["Tokens this month", month ? `${short(month.input_tokens)} → ${short(month.output_tokens)}` : "–"],
          ["Failed this month", month && month.calls > 0 ? `${count(month.failed)} (${percent(month.failed, month.calls)})` : "–"],
          ["Belongs to", key.member ?? "–"],
          ["Created", fullTime(key.created_at)],
          ["May call", key.models == null ? "everything" : key.models.length === 0 ? "nothing" : key.models.join(", ")],
          ...(key.old_secret_until && Date.parse(key.old_secret_until) > Date.now()
            ? ([["The old secret works until", fullTime(key.old_secret_until)]] satisfies [string, string][])
            : []),
        ]}
      />
      <div className="key-limits">
        <div className="key-limits-head">
          <h3>Limits</h3>
          <span className="grow" />
          <Link className="text-link quiet" to={`/models/live?key=${encodeURIComponent(key.id)}`}>
            Watch its calls
          </Link>
          {stateOf(key) !== "revoked" && (
            <Button size="sm" icon="plus" onClick={onSet}>
              Set limit
            </Button>
          )}
        </div>
        {error ? (
          <ErrorNote error={error} compact />
        ) : held.length === 0 ? (
          <p className="muted">None of its own, and none for each key: only those of the project, its member and the model hold.</p>
        ) : (
          <ul>
            {held.map((one) => (
              <Held key={one.limit.id} of={one} onRemove={() => onRemove(one.limit)} />
            ))}
          </ul>
        )}
      </div>
    </div>
  );
}

function Held({ of, onRemove }: { of: KeyLimit; onRemove: () => void }) {
  const { limit, own, spent } = of;
  const amount = isBudget(limit.metric) ? money(limit.amount) : count(Number(limit.amount));
  return (
    <li>
      <span className="key-limit-what">
        <span className="strong num">{amount}</span> <span className="soft">{METRICS[limit.metric]?.unit ?? limit.metric}</span>
        {!own && <span className="muted"> (for each key)</span>}
      </span>
      <span className="key-limit-spent">
        {spent !== null && (
          <>
            <Meter value={shareOf(of)} label={`Spent of ${amount}`} tone={toneOf(shareOf(of))} />
            <span className="muted num">{`${money(spent)}, ${percent(spent, Number(limit.amount))}`}</span>
          </>
        )}
      </span>
      {own ? <IconButton icon="trash" size="sm" label={`Remove the limit of ${amount}`} onClick={onRemove} /> : <span className="key-limit-none" />}
    </li>
  );
}
