// How long telemetry is kept, what there is of it, and erasing it before its time.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { Erasure, Retention } from "@/api/types";
import { bytes, capital, count, percent, plural } from "@/lib/format";
import { FormDialog } from "@/ui/act";
import { Choose, Field } from "@/ui/fields";
import { Button, Card, Empty, Loaded, Status, Time, type Tone } from "@/ui/kit";
import { ListLead, Table } from "@/ui/tables";

const TONES: Record<string, Tone> = { waiting: "neutral", running: "accent", done: "ok", failed: "bad" };
const GB = 1_000_000_000;

export function Keeping() {
  const retention = useQuery(queries.retention());
  const [changing, setChanging] = useState<Retention | null>(null);
  return (
    <div className="stack">
      <Loaded query={retention}>
        {({ items }) => (
          <Card title="Kept" flush>
            <Table
              head={
                <>
                  <th>Kind</th>
                  <th className="end">Rows</th>
                  <th className="end">Bytes</th>
                  <th className="hide-narrow">Oldest</th>
                  <th>Kept for</th>
                  <th className="end hide-narrow">At most</th>
                  <th className="hide-narrow">Last removal</th>
                  <th className="shrink">
                    <span className="sr-only">Change</span>
                  </th>
                </>
              }
            >
              {items.map((held) => (
                <tr key={held.kind}>
                  <td className="strong">{capital(held.kind)}</td>
                  <td className="end num">{count(held.rows)}</td>
                  <td className="end num">{bytes(held.bytes)}</td>
                  <td className="hide-narrow soft">{held.oldest ? <Time at={held.oldest} /> : "–"}</td>
                  <td>
                    {held.keep_for} {held.by_default && <span className="muted">default</span>}
                  </td>
                  <td className="end hide-narrow soft">{bytes(held.max_bytes)}</td>
                  <td className="hide-narrow soft">
                    {held.last ? (
                      <>
                        <Time at={held.last.at} />: {count(held.last.rows)} rows, {bytes(held.last.bytes)}
                      </>
                    ) : (
                      "–"
                    )}
                  </td>
                  <td className="shrink">
                    <Button size="sm" onClick={() => setChanging(held)}>
                      Change
                    </Button>
                  </td>
                </tr>
              ))}
            </Table>
          </Card>
        )}
      </Loaded>
      <Erasures />
      {changing && <Change held={changing} onClose={() => setChanging(null)} />}
    </div>
  );
}

function Change({ held, onClose }: { held: Retention; onClose: () => void }) {
  const client = useQueryClient();
  const [time, setTime] = useState(held.by_default ? "" : held.keep_for);
  const [most, setMost] = useState(held.max_bytes == null ? "" : String(held.max_bytes / GB));
  const set = useMutation({
    mutationFn: () =>
      api.keeping.setRetention(held.kind, {
        keep_for: time.trim() || null,
        max_bytes: most.trim() === "" ? null : Math.round(Number(most) * GB),
      }),
    onSuccess: (found) => {
      client.setQueryData(queries.retention().queryKey, found);
      onClose();
    },
  });
  const valid = /^(\d+(ms|s|m|h|d))?$/.test(time.trim()) && (most.trim() === "" || Number(most) > 0);
  return (
    <FormDialog title={`How long ${held.kind} are kept`} does="Keep so" doing={set} valid={valid} onClose={onClose}>
      <Field label="Kept for" hint="12h, 30d. Left empty: as the settings have it.">
        {(ids) => (
          <input {...ids} className="input" autoComplete="off" value={time} placeholder="30d" onChange={(event) => setTime(event.target.value)} />
        )}
      </Field>
      <Field label="Gigabytes at most" hint="The oldest go first. Left empty: no limit.">
        {(ids) => (
          <input {...ids} className="input" inputMode="decimal" autoComplete="off" value={most} onChange={(event) => setMost(event.target.value)} />
        )}
      </Field>
    </FormDialog>
  );
}

function Erasures() {
  const erasures = useQuery(queries.erasures());
  const [asking, setAsking] = useState(false);
  return (
    <>
      <ListLead
        action={
          <Button look="danger" onClick={() => setAsking(true)}>
            Erase…
          </Button>
        }
      >
        An erasure is done when no file holds any of it, on any server. Then nothing says any longer whose it was.
      </ListLead>
      <Loaded query={erasures}>
        {({ items }) =>
          items.length === 0 ? (
            <Card>
              <Empty icon="clock" title="Nothing was erased yet">
                What is known of a user, a session, a trace or a document goes when it is asked for.
              </Empty>
            </Card>
          ) : (
            <Card title="Erasures" flush>
              <Table
                head={
                  <>
                    <th>Of</th>
                    <th>State</th>
                    <th className="end">Spans</th>
                    <th className="end hide-narrow">Points</th>
                    <th className="end hide-narrow">Bytes</th>
                    <th className="hide-narrow">Asked</th>
                    <th className="hide-narrow">Ended</th>
                  </>
                }
              >
                {items.map((erasure) => (
                  <Row key={erasure.id} erasure={erasure} />
                ))}
              </Table>
            </Card>
          )
        }
      </Loaded>
      {asking && <Erase onClose={() => setAsking(false)} />}
    </>
  );
}

const STEPS: Record<string, string> = {
  asking: "Asks servers for what they hold",
  looking: "Looks for whose rows are",
  deleting: "Deletes",
  rewriting: "Rewrites files",
  sweeping: "Takes out large values that nothing names",
};

/** What an erasure is at, and how far. */
function stepOf({ step, looked }: Erasure): string | null {
  if (!step) return null;
  const said = STEPS[step] ?? step;
  return step === "looking" && looked != null ? `${said}: ${percent(looked, 1)} of the time` : said;
}

function Row({ erasure }: { erasure: Erasure }) {
  return (
    <tr>
      <td className="lead">
        <span className="strong">{erasure.kind}</span> {erasure.subject ?? <code className="muted">{erasure.id}</code>}
        {stepOf(erasure) && <div className="sub">{stepOf(erasure)}</div>}
        {erasure.trouble && <div className={erasure.state === "failed" ? "sub bad" : "sub"}>{erasure.trouble}</div>}
        {(erasure.waiting_for ?? []).map((server) => (
          <div key={server.server} className="sub">
            Waits for server {server.name}
            {!server.alive && (
              <>
                , heard of last <Time at={server.seen_at} />
              </>
            )}
          </div>
        ))}
        {(erasure.without ?? []).map((server) => (
          <div key={server.server} className="sub">
            Done without server {server.name}, which carries it out when it is back
          </div>
        ))}
      </td>
      <td>
        <Status tone={TONES[erasure.state] ?? "neutral"} pulse={erasure.state === "running"}>
          {erasure.state}
        </Status>
      </td>
      <td className="end num">{count(erasure.spans)}</td>
      <td className="end hide-narrow num">{count(erasure.points)}</td>
      <td className="end hide-narrow num">
        {bytes(erasure.bytes)}
        {erasure.values > 0 && <div className="sub">{plural(erasure.values, "large value")}</div>}
      </td>
      <td className="hide-narrow soft">
        <Time at={erasure.asked_at} />
      </td>
      <td className="hide-narrow soft">{erasure.ended_at ? <Time at={erasure.ended_at} /> : "–"}</td>
    </tr>
  );
}

const WHOSE = {
  user: "Every trace in which the user is named goes, and points of metrics that name them.",
  session: "Every trace of the session goes, and points of metrics that name it.",
  trace: "The trace goes, with its log records.",
  document: "knowledge/id: it is forgotten, and traces that used it lose what was written and read.",
} as const;

function Erase({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [kind, setKind] = useState<keyof typeof WHOSE>("user");
  const [whose, setWhose] = useState("");
  const erase = useMutation({
    mutationFn: () => api.keeping.erase({ [kind]: whose.trim() }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["erasures"] });
      onClose();
    },
  });
  return (
    <FormDialog title="Erase" does="Erase for good" look="danger" doing={erase} valid={whose.trim() !== ""} onClose={onClose}>
      <Field label="What is known of a">
        {(ids) => (
          <Choose {...ids} value={kind} onChange={(event) => setKind(event.target.value as keyof typeof WHOSE)}>
            {Object.keys(WHOSE).map((word) => (
              <option key={word} value={word}>
                {word}
              </option>
            ))}
          </Choose>
        )}
      </Field>
      <Field label={kind === "user" ? "Who" : "Which"} hint={WHOSE[kind]}>
        {(ids) => (
          <input {...ids} className="input" autoComplete="off" spellCheck={false} value={whose} onChange={(event) => setWhose(event.target.value)} />
        )}
      </Field>
      <p>This cannot be undone.</p>
    </FormDialog>
  );
}
