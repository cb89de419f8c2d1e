import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useParams } from "react-router";
import { api, session } from "@/api/client";
import { queries } from "@/api/queries";
import type { ApiKey, CreatedKey } from "@/api/types";
import { bytes, count } from "@/lib/format";
import { isName, nameFault } from "@/lib/names";
import {
  Badge,
  Button,
  Card,
  Choose,
  copy,
  Dialog,
  Digest,
  Empty,
  ErrorNote,
  Facts,
  Field,
  Loaded,
  PageHeader,
  runTone,
  Skeleton,
  Status,
  Tabs,
  Time,
  useTitle,
} from "@/ui/kit";
import { toast } from "@/ui/toasts";
import { Jobs } from "./Jobs";
import { Members } from "./Members";
import { Projects } from "./Projects";
import { labelsOf, RoleField, Sees, SightField, type Role } from "./rights";
import "./settings.css";

export function Component() {
  const { tab = "keys" } = useParams();
  useTitle("Settings");
  return (
    <div className="page">
      <PageHeader title="Settings">
        <Tabs
          label="Settings"
          tabs={[
            { to: "/settings", label: "API keys", active: tab === "keys" },
            { to: "/settings/members", label: "Members", active: tab === "members" },
            { to: "/settings/projects", label: "Projects", active: tab === "projects" },
            { to: "/settings/jobs", label: "Jobs", active: tab === "jobs" },
            { to: "/settings/models", label: "Models", active: tab === "models" },
            { to: "/settings/about", label: "About", active: tab === "about" },
          ]}
        />
      </PageHeader>
      <Shown tab={tab} />
    </div>
  );
}

function Shown({ tab }: { tab: string }) {
  switch (tab) {
    case "members":
      return <Members />;
    case "projects":
      return <Projects />;
    case "jobs":
      return <Jobs />;
    case "models":
      return <Models />;
    case "about":
      return <About />;
    default:
      return <Keys />;
  }
}

// ── Keys ────────────────────────────────────────────────────────────────────

function Keys() {
  const keys = useQuery(queries.keys());
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  return (
    <>
      <div className="settings-lead">
        <p className="soft">
          Clients send a key as <code className="inline-code">Authorization: Bearer …</code>, as OpenAI's do. On this machine none is needed; beyond
          it, nothing works without.
        </p>
        <Button look="primary" icon="plus" onClick={() => setCreating(true)}>
          New key
        </Button>
      </div>
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
              <div className="table-scroll">
                <table className="table">
                  <thead>
                    <tr>
                      <th>Name</th>
                      <th>Role</th>
                      <th className="hide-narrow">Sees documents labelled</th>
                      <th className="hide-narrow">Created</th>
                      <th className="hide-narrow">Last used</th>
                      <th>Expires</th>
                      <th className="shrink">
                        <span className="sr-only">Revoke</span>
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {items.map((key) => (
                      <KeyRow key={key.id} apiKey={key} onRevoke={() => setRevoking(key)} />
                    ))}
                  </tbody>
                </table>
              </div>
            </Card>
          )
        }
      </Loaded>
      {creating && <CreateKey onClose={() => setCreating(false)} />}
      {revoking && <RevokeKey apiKey={revoking} onClose={() => setRevoking(null)} />}
    </>
  );
}

function KeyRow({ apiKey: key, onRevoke }: { apiKey: ApiKey; onRevoke: () => void }) {
  const { labels } = key;
  const expired = key.expires_at != null && Date.parse(key.expires_at) < Date.now();
  const gone = key.revoked_at != null;
  return (
    <tr className={gone || expired ? "gone" : undefined}>
      <td>
        <span className="strong">{key.name}</span>
        {key.hint && (
          <>
            {" "}
            <code className="muted">{key.hint}</code>
          </>
        )}
      </td>
      <td>
        <Badge tone={key.role === "admin" ? "accent" : "neutral"}>{key.role}</Badge>
      </td>
      <td className="hide-narrow">
        <Sees labels={labels} />
      </td>
      <td className="hide-narrow soft">
        <Time at={key.created_at} />
      </td>
      <td className="hide-narrow soft">
        <Time at={key.last_used_at} />
      </td>
      <td className="soft">{gone ? <Badge tone="bad">revoked</Badge> : key.expires_at ? <Time at={key.expires_at} /> : "never"}</td>
      <td className="shrink">
        {!gone && (
          <Button size="sm" look="danger" onClick={onRevoke}>
            Revoke
          </Button>
        )}
      </td>
    </tr>
  );
}

const LIFETIMES = [
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "1 year" },
  { value: "", label: "Never" },
];

function CreateKey({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("reader");
  const [sight, setSight] = useState({ all: false, text: "" });
  const [days, setDays] = useState("90");
  const [created, setCreated] = useState<CreatedKey | null>(null);
  const create = useMutation({
    mutationFn: () =>
      api.keys.create({
        name: name.trim(),
        role,
        labels: labelsOf(sight),
        expires_at: days ? new Date(Date.now() + Number(days) * 86_400_000).toISOString() : null,
      }),
    onSuccess: (made) => {
      setCreated(made);
      void client.invalidateQueries({ queryKey: ["keys"] });
    },
  });
  if (created) return <ShowKey created={created} onClose={onClose} />;
  const valid = isName(name.trim());
  return (
    <Dialog
      open
      onClose={onClose}
      title="New API key"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" busy={create.isPending} disabled={!valid} onClick={() => create.mutate()}>
            Create key
          </Button>
        </>
      }
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (valid) create.mutate();
        }}
      >
        <Field label="Name" hint="Who or what will use it." error={nameFault(name.trim())}>
          {(ids) => (
            <input
              {...ids}
              className="input"
              data-focus=""
              value={name}
              placeholder="support-bot"
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
        <RoleField role={role} onChange={setRole} />
        <SightField sight={sight} onChange={setSight} />
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
        <button type="submit" hidden />
      </form>
      {create.error && (
        <div className="dialog-error">
          <ErrorNote error={create.error} />
        </div>
      )}
    </Dialog>
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

function RevokeKey({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
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
    <Dialog
      open
      onClose={onClose}
      title={`Revoke ${apiKey.name}?`}
      footer={
        <>
          <Button onClick={onClose} data-focus="">
            Cancel
          </Button>
          <Button look="danger" busy={revoke.isPending} onClick={() => revoke.mutate()}>
            Revoke key
          </Button>
        </>
      }
    >
      <p>Whatever uses it is refused from its next request on. This cannot be undone.</p>
      {apiKey.last_used_at && (
        <p className="soft">
          Last used <Time at={apiKey.last_used_at} />.
        </p>
      )}
      {revoke.error && (
        <div className="dialog-error">
          <ErrorNote error={revoke.error} />
        </div>
      )}
    </Dialog>
  );
}

// ── Models and about ────────────────────────────────────────────────────────

function Models() {
  const models = useQuery(queries.models());
  return (
    <Loaded query={models}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty icon="bolt" title="No models">
            <code>mainspring models pull</code> fetches the defaults by digest.
          </Empty>
        ) : (
          <Card flush>
            <div className="table-scroll">
              <table className="table">
                <thead>
                  <tr>
                    <th>Model</th>
                    <th>Role</th>
                    <th>State</th>
                    <th className="end hide-narrow">Size</th>
                    <th className="end hide-narrow">Dimensions</th>
                    <th className="end hide-narrow">Context</th>
                    <th className="hide-narrow">Licence</th>
                    <th className="hide-narrow">Digest</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((m) => (
                    <tr key={m.name}>
                      <td>
                        <span className="strong">{m.name}</span>
                        {m.detail && <div className="sub">{m.detail}</div>}
                      </td>
                      <td className="soft">{m.role}</td>
                      <td>
                        <Status
                          tone={m.state === "missing" ? "warn" : m.state === "loaded" ? "ok" : m.state === "installed" ? "neutral" : runTone(m.state)}
                        >
                          {m.state}
                        </Status>
                      </td>
                      <td className="end hide-narrow soft">{bytes(m.bytes)}</td>
                      <td className="end hide-narrow soft">{count(m.dimensions)}</td>
                      <td className="end hide-narrow soft">{count(m.context_window)}</td>
                      <td className="hide-narrow soft">{m.licence ?? "–"}</td>
                      <td className="hide-narrow">
                        <Digest value={m.digest} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </Card>
        )
      }
    </Loaded>
  );
}

function About() {
  const overview = useQuery(queries.overview());
  if (!overview.data) return overview.error ? <ErrorNote error={overview.error} /> : <Skeleton rows={4} />;
  const base = location.origin;
  return (
    <div className="stack about">
      <Card title="This server">
        <Facts
          items={[
            ["Version", overview.data.version ?? "–"],
            ["Project", overview.data.project],
            ["Role", overview.data.projects.find((p) => p.name === overview.data.project)?.role ?? "–"],
            ["Address", base],
          ]}
        />
      </Card>
      <Card title="Use it from an OpenAI client">
        <pre className="code-block example">{`from openai import OpenAI

client = OpenAI(base_url="${base}/v1", api_key="msk_…")
answer = client.chat.completions.create(
    model="${overview.data.apps[0]?.name ?? "manual"}",
    messages=[{"role": "user", "content": "What is a lake?"}],
)`}</pre>
      </Card>
      {session.hasKey() && (
        <Button
          onClick={() => {
            session.signOut();
            location.assign("/");
          }}
        >
          Forget the key of this tab
        </Button>
      )}
    </div>
  );
}
