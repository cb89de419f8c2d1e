// Making a key, giving it a new secret, ending it.

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import type { ApiKey, CreatedKey } from "@/api/types";
import { isName } from "@/lib/names";
import { ActDialog, FormDialog } from "@/ui/act";
import { Choose, Field } from "@/ui/fields";
import { Button, copy, Dialog, Time } from "@/ui/kit";
import { NameField } from "@/ui/NameField";
import { toast } from "@/ui/toasts";
import { labelsOf, RoleField, SightField, type Role } from "./rights";

const LIFETIMES = [
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "1 year" },
  { value: "", label: "Never" },
];

export function CreateKey({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("reader");
  const [sight, setSight] = useState({ all: false, text: "" });
  const [models, setModels] = useState("");
  const [days, setDays] = useState("90");
  const [created, setCreated] = useState<CreatedKey | null>(null);
  const create = useMutation({
    mutationFn: () =>
      api.keys.create({
        name: name.trim(),
        role,
        labels: labelsOf(sight),
        models: models.trim() === "" ? null : models.split(/[\s,]+/).filter(Boolean),
        expires_at: days ? new Date(Date.now() + Number(days) * 86_400_000).toISOString() : null,
      }),
    onSuccess: (made) => {
      setCreated(made);
      void client.invalidateQueries({ queryKey: ["keys"] });
    },
  });
  if (created) return <ShowKey created={created} onClose={onClose} />;
  return (
    <FormDialog title="New API key" does="Create key" doing={create} valid={isName(name.trim())} onClose={onClose}>
      <NameField name={name} onChange={setName} placeholder="support-bot" hint="Who or what will use it." />
      <RoleField role={role} onChange={setRole} />
      <SightField sight={sight} onChange={setSight} />
      <Field label="May call" hint="Apps, routes and models; a name may end in *. Left empty: everything.">
        {(ids) => (
          <input
            {...ids}
            className="input"
            autoComplete="off"
            spellCheck={false}
            value={models}
            placeholder="assistant, openai/*"
            onChange={(event) => setModels(event.target.value)}
          />
        )}
      </Field>
      <Field label="Expires after">
        {(ids) => (
          <Choose {...ids} value={days} onChange={(event) => setDays(event.target.value)}>
            {LIFETIMES.map((l) => (
              <option key={l.value} value={l.value}>
                {l.label}
              </option>
            ))}
          </Choose>
        )}
      </Field>
    </FormDialog>
  );
}

function ShowKey({ created, onClose }: { created: CreatedKey; onClose: () => void }) {
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Key for ${created.key.name}`}
      footer={
        <Button look="primary" onClick={onClose}>
          I have stored it
        </Button>
      }
    >
      <p>
        Copy it now: it is stored only as a hash and <strong>cannot be shown again</strong>.
      </p>
      <div className="secret">
        <code data-secret="">{created.secret}</code>
        <Button size="sm" icon="copy" data-focus="" onClick={() => void copy(created.secret, "key")}>
          Copy
        </Button>
      </div>
    </Dialog>
  );
}

/** How long the old secret goes on, for clients that cannot all change at once. */
const OVERLAPS = [
  { value: "0", label: "At once" },
  { value: "3600", label: "In an hour" },
  { value: "86400", label: "In a day" },
  { value: "604800", label: "In a week" },
];

export function RotateKey({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const client = useQueryClient();
  const [overlap, setOverlap] = useState("0");
  const [rotated, setRotated] = useState<CreatedKey | null>(null);
  const rotate = useMutation({
    mutationFn: () => api.keys.rotate(apiKey.id, { overlap_seconds: Number(overlap) }),
    onSuccess: (made) => {
      setRotated(made);
      void client.invalidateQueries({ queryKey: ["keys"] });
    },
  });
  if (rotated) return <ShowKey created={rotated} onClose={onClose} />;
  return (
    <ActDialog title={`Rotate ${apiKey.name}?`} does="Rotate key" doing={rotate} onClose={onClose}>
      <p className="rotate-lead">It gets a new secret, shown once. Its name, role, limits and what it spent stay.</p>
      <Field label="The old secret stops" hint={overlap === "0" ? "Whatever uses it is refused from its next request on." : "Until then both work."}>
        {(ids) => (
          <Choose {...ids} value={overlap} onChange={(event) => setOverlap(event.target.value)}>
            {OVERLAPS.map((o) => (
              <option key={o.value} value={o.value}>
                {o.label}
              </option>
            ))}
          </Choose>
        )}
      </Field>
    </ActDialog>
  );
}

export function RevokeKey({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const client = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => api.keys.revoke(apiKey.id),
    onSuccess: () => {
      toast(`Revoked ${apiKey.name}`);
      void client.invalidateQueries({ queryKey: ["keys"] });
      onClose();
    },
  });
  return (
    <ActDialog title={`Revoke ${apiKey.name}?`} does="Revoke key" look="danger" doing={revoke} onClose={onClose}>
      <p>Whatever uses it is refused from its next request on. This cannot be undone.</p>
      {apiKey.last_used_at && (
        <p className="soft">
          Last used <Time at={apiKey.last_used_at} />.
        </p>
      )}
    </ActDialog>
  );
}
