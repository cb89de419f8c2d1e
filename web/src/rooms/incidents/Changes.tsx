// What was moved or made before an incident, and the step back.

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, ApiError } from "@/api/client";
import type { IncidentChange } from "@/api/types";
import { inQuotes } from "@/lib/filterText";
import { count } from "@/lib/format";
import { person } from "@/lib/names";
import { ActDialog } from "@/ui/act";
import { Badge, Button, Card, Copyable, Time } from "@/ui/kit";
import { toast } from "@/ui/toasts";
import { stepBack, type Step } from "./incidents";

interface Chosen {
  step: Step;
  command: string | null;
}

export function Changes({ changes, leftOut }: { changes: readonly IncidentChange[]; leftOut: number }) {
  const [chosen, setChosen] = useState<Chosen | null>(null);
  return (
    <Card title="What changed before it" flush>
      {changes.length === 0 ? (
        <p className="card-body muted">Nothing that may be why was made or moved in the day before it opened, and no release was new.</p>
      ) : (
        <ul className="changes">
          {changes.map((change, at) => (
            <Change key={at} change={change} onBack={(step) => setChosen({ step, command: change.rollback ?? null })} />
          ))}
        </ul>
      )}
      {leftOut > 0 && <p className="card-body muted">{`And ${count(leftOut)} more.`}</p>}
      {chosen && <RollBack {...chosen} onClose={() => setChosen(null)} />}
    </Card>
  );
}

/** The spans of a release, as a filter. */
const ofRelease = (service: string, release: string) => `service = ${inQuotes(service)} and release = ${inQuotes(release)}`;

function Change({ change, onBack }: { change: IncidentChange; onBack: (step: Step) => void }) {
  const { kind, name, release, release_before: before, alias, from, to, at, message, named } = change;
  const step = stepBack(change);
  const asset = `/assets/${kind}/${name}`;
  const by = person(change.by);
  return (
    <li>
      <div className="change-what">
        <div>
          {release ? (
            <Link className="text-link strong" to={`/traces?${new URLSearchParams({ filter: ofRelease(name, release), in: "all" }).toString()}`}>
              {`service ${name}`}
            </Link>
          ) : (
            <Link
              className="text-link strong"
              to={to == null ? asset : from == null ? `${asset}?version=${to}` : `${asset}/diff?from=${from}&to=${to}`}
            >
              {`${kind}/${name}`}
            </Link>
          )}{" "}
          {release ? (
            <span className="num">{before ? `${before} → ${release}` : `${release} was seen first`}</span>
          ) : alias ? (
            <span>
              {alias} <span className="num">{`${from == null ? "new" : `v${from}`} → ${to == null ? "removed" : `v${to}`}`}</span>
            </span>
          ) : (
            <span className="num">{`v${to} was made`}</span>
          )}{" "}
          {named && <Badge tone="warn">an alert is about it</Badge>}
        </div>
        <div className="sub">
          <Time at={at} />
          {by && ` by ${by}`}
          {message && `: ${message}`}
        </div>
      </div>
      {step && (
        <Button size="sm" icon="swap" onClick={() => onBack(step)}>
          Roll back
        </Button>
      )}
    </li>
  );
}

function RollBack({ step, command, onClose }: Chosen & { onClose: () => void }) {
  const client = useQueryClient();
  const { kind, name, alias, from, to } = step;
  const seeNow = () => {
    void client.invalidateQueries({ queryKey: ["asset", kind, name] });
    void client.invalidateQueries({ queryKey: ["assets"] });
    onClose();
  };
  const move = useMutation({
    mutationFn: () => api.assets.setAlias(kind, name, alias, `v${to}`, from),
    onSuccess: () => {
      toast(`${alias} is v${to} again`);
      void client.invalidateQueries({ queryKey: ["overview"] });
      seeNow();
    },
  });
  const moved = move.error instanceof ApiError && move.error.status === 409;
  return (
    <ActDialog
      title={`Move ${alias} back?`}
      does={`Move from v${from} to v${to}`}
      doing={move}
      onClose={onClose}
      remedy={
        moved && (
          <Link className="text-link" to={`/assets/${kind}/${name}`} onClick={seeNow}>
            See where it is now
          </Link>
        )
      }
    >
      <p>
        The alias <b>{alias}</b> of <b>{`${kind}/${name}`}</b> goes from v{from} back to v{to}. Everything that asks for it gets v{to} from its next
        request on. If somebody has moved it since, nothing is changed.
      </p>
      {command && (
        <p className="step">
          <Copyable text={command} label="command" />
        </p>
      )}
    </ActDialog>
  );
}
