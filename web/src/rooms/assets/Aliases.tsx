import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ApiError } from "@/api/client";
import type { Alias, AssetVersion } from "@/api/types";
import { isName, person } from "@/lib/names";
import { FormDialog } from "@/ui/act";
import { Choose, Field } from "@/ui/fields";
import { Button, Card, Time } from "@/ui/kit";
import { NameField } from "@/ui/NameField";
import { toast } from "@/ui/toasts";

interface Props {
  kind: string;
  name: string;
  aliases: Alias[];
  versions: AssetVersion[];
}

export function Aliases({ kind, name, aliases, versions }: Props) {
  const [moving, setMoving] = useState<Alias | "new" | null>(null);
  return (
    <Card
      title="Aliases"
      flush
      actions={
        <Button size="sm" look="ghost" icon="plus" onClick={() => setMoving("new")} disabled={versions.length === 0}>
          New
        </Button>
      }
    >
      {aliases.length === 0 ? (
        <p className="card-body muted">No alias points here. Clients then get the newest version.</p>
      ) : (
        <ul className="alias-list">
          {aliases.map((alias) => (
            <li key={alias.alias}>
              <span className="clip">
                <span className="strong">{alias.alias}</span> <span className="num soft">v{alias.version}</span>
                {alias.moved_at && (
                  <span className="sub">
                    {" "}
                    <Time at={alias.moved_at} />
                    {person(alias.moved_by) && ` by ${person(alias.moved_by)}`}
                  </span>
                )}
              </span>
              <Button size="sm" icon="swap" onClick={() => setMoving(alias)}>
                Move
              </Button>
            </li>
          ))}
        </ul>
      )}
      {moving && (
        <Move
          key={moving === "new" ? "new" : moving.alias}
          kind={kind}
          name={name}
          alias={moving === "new" ? null : moving}
          versions={versions}
          onClose={() => setMoving(null)}
        />
      )}
    </Card>
  );
}

function Move({
  kind,
  name,
  alias,
  versions,
  onClose,
}: {
  kind: string;
  name: string;
  alias: Alias | null;
  versions: AssetVersion[];
  onClose: () => void;
}) {
  const client = useQueryClient();
  const [label, setLabel] = useState(alias?.alias ?? "");
  const [to, setTo] = useState(String(versions.find((v) => v.version !== alias?.version)?.version ?? versions[0]?.version ?? ""));
  const move = useMutation({
    mutationFn: () => api.assets.setAlias(kind, name, label, `v${to}`, alias?.version ?? 0),
    onSuccess: () => {
      toast(`${label} is now v${to}`);
      void client.invalidateQueries({ queryKey: ["asset", kind, name] });
      void client.invalidateQueries({ queryKey: ["assets"] });
      void client.invalidateQueries({ queryKey: ["overview"] });
      onClose();
    },
  });
  const moved = move.error instanceof ApiError && move.error.status === 409;
  return (
    <FormDialog
      title={alias ? `Move ${alias.alias}` : "New alias"}
      does={alias ? `Move from v${alias.version} to v${to}` : `Point to v${to}`}
      doing={move}
      valid={isName(label) && (alias === null || String(alias.version) !== to)}
      onClose={onClose}
      remedy={
        moved && (
          <Button
            size="sm"
            icon="refresh"
            onClick={() => {
              void client.invalidateQueries({ queryKey: ["asset", kind, name] });
              onClose();
            }}
          >
            See where it is now
          </Button>
        )
      }
    >
      {!alias && <NameField name={label} onChange={(name) => setLabel(name.trim())} placeholder="candidate" />}
      <Field
        label="Version"
        hint={alias ? "Everything that asks for this alias gets the new version from its next request on. Moving back is the undo." : undefined}
      >
        {(ids) => (
          <Choose {...ids} value={to} onChange={(event) => setTo(event.target.value)}>
            {versions.map((v) => (
              <option key={v.version} value={v.version}>
                {`v${v.version}${v.version === alias?.version ? " (now)" : ""}${v.message ? ` – ${v.message}` : ""}`}
              </option>
            ))}
          </Choose>
        )}
      </Field>
    </FormDialog>
  );
}
