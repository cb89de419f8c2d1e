// What the project keeps of its telemetry, with a box to try it in.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { CaptureView, SetCapture } from "@/api/types";
import { count } from "@/lib/format";
import { Choose, Field, useDebounced } from "@/ui/fields";
import { Badge, Button, Card, Empty, ErrorNote, Facts, Loaded, Skeleton, Time } from "@/ui/kit";
import { toast } from "@/ui/toasts";
import { draftOf, faultsOf, LEVELS, levelsUpTo, policyOf, type Draft } from "./capturing";

export function Capturing() {
  const overview = useQuery(queries.overview());
  if (!overview.data) return overview.error ? <ErrorNote error={overview.error} retry={() => void overview.refetch()} /> : <Skeleton rows={4} />;
  const { project, projects } = overview.data;
  if (projects.find((p) => p.name === project)?.role !== "admin")
    return (
      <Card>
        <Empty icon="key" title="What is kept is the admins' to see and set">
          Prompts and answers of a trace may be redacted or left out before they are stored.
        </Empty>
      </Card>
    );
  return <Shown project={project} />;
}

function Shown({ project }: { project: string }) {
  const capture = useQuery(queries.capture(project));
  return <Loaded query={capture}>{(view) => <Policy key={view.revision} project={project} view={view} />}</Loaded>;
}

function Policy({ project, view }: { project: string; view: CaptureView }) {
  const client = useQueryClient();
  const [draft, setDraft] = useState(() => draftOf(view));
  const faults = faultsOf(draft);
  const valid = Object.values(faults).every((fault) => fault === null);
  const policy = valid ? policyOf(draft, view) : null;
  const save = useMutation({
    mutationFn: () => api.capture.set(project, policyOf(draft, view)),
    onSuccess: (set) => {
      toast(`${set.project} keeps: ${set.effective}`);
      client.setQueryData(queries.capture(project).queryKey, set);
    },
  });
  return (
    <div className="stack">
      <Card
        title="What is kept"
        actions={
          <Button look="primary" busy={save.isPending} disabled={!valid} onClick={() => save.mutate()}>
            Save
          </Button>
        }
      >
        {save.error ? <ErrorNote error={save.error} /> : null}
        <Fields draft={draft} faults={faults} view={view} onChange={setDraft} />
        <p className="soft">
          In force on this server at once, on others within two seconds. What was kept before stays.
          {view.changed_at && (
            <>
              {" "}
              Set by {view.changed_by} <Time at={view.changed_at} />.
            </>
          )}
        </p>
      </Card>
      <Try project={project} policy={policy} />
      <Here view={view} />
    </div>
  );
}

interface FieldsProps {
  draft: Draft;
  faults: ReturnType<typeof faultsOf>;
  view: CaptureView;
  onChange: (draft: Draft) => void;
}

function Fields({ draft, faults, view, onChange }: FieldsProps) {
  const level = (draft.capture || view.server) as keyof typeof LEVELS;
  return (
    <>
      <Field label="Content" hint={LEVELS[level]}>
        {(ids) => (
          <Choose {...ids} value={draft.capture} onChange={(event) => onChange({ ...draft, capture: event.target.value })}>
            <option value="">As the server: {view.server}</option>
            {levelsUpTo(view.server).map((value) => (
              <option key={value} value={value}>
                {value}
              </option>
            ))}
          </Choose>
        )}
      </Field>
      <Field label="Own patterns" error={faults.patterns} hint="A line each, as name=regular expression; what one finds becomes [name].">
        {(ids) => (
          <textarea
            {...ids}
            className="input mono"
            rows={3}
            spellCheck={false}
            value={draft.patterns}
            placeholder="customer=\bC-[0-9]{6}\b"
            onChange={(event) => onChange({ ...draft, patterns: event.target.value })}
          />
        )}
      </Field>
      <Field label="Share of traces, per cent" error={faults.share} hint="Chosen by their ids, the same on every server.">
        {(ids) => (
          <input
            {...ids}
            className="input"
            inputMode="decimal"
            value={draft.share}
            onChange={(event) => onChange({ ...draft, share: event.target.value })}
          />
        )}
      </Field>
      <Field label="Of the others, keep those slower than, in milliseconds" error={faults.slower} hint="Left empty: none are kept for that.">
        {(ids) => (
          <input
            {...ids}
            className="input"
            inputMode="numeric"
            value={draft.slower}
            onChange={(event) => onChange({ ...draft, slower: event.target.value })}
          />
        )}
      </Field>
      <Field label="And those with an error">
        {(ids) => (
          <Choose {...ids} value={draft.errors ? "yes" : "no"} onChange={(event) => onChange({ ...draft, errors: event.target.value === "yes" })}>
            <option value="yes">Kept</option>
            <option value="no">Not kept for that</option>
          </Choose>
        )}
      </Field>
    </>
  );
}

/** What a text becomes under what the form says, saved or not. */
function Try({ project, policy }: { project: string; policy: SetCapture | null }) {
  const [text, setText] = useState("");
  const asked = useDebounced(JSON.stringify({ text, policy }));
  const tried = useQuery({
    queryKey: ["capture", project, "preview", asked],
    queryFn: ({ signal }) => api.capture.preview(project, JSON.parse(asked) as { text: string; policy: SetCapture }, signal),
    enabled: text !== "" && policy !== null,
    retry: false,
    staleTime: Infinity,
    gcTime: 0,
  });
  return (
    <Card title="Try it">
      <Field label="Text" hint="As it may stand in a prompt. Nothing of it is kept.">
        {(ids) => (
          <textarea
            {...ids}
            className="input"
            rows={3}
            spellCheck={false}
            value={text}
            placeholder="Write to ada@example.org"
            onChange={(event) => setText(event.target.value)}
          />
        )}
      </Field>
      <div aria-live="polite">
        {text !== "" && tried.error ? <ErrorNote compact error={tried.error} /> : null}
        {text !== "" && tried.data && (
          <>
            {tried.data.text == null ? (
              <p className="soft">Nothing of it is kept.</p>
            ) : (
              <pre className="code-block capture-tried">{tried.data.text}</pre>
            )}
            <p className="row-flex wrap">
              {tried.data.found.map((found) => (
                <Badge key={found.name}>
                  {found.name} {count(found.count)}
                </Badge>
              ))}
            </p>
          </>
        )}
      </div>
    </Card>
  );
}

function Here({ view }: { view: CaptureView }) {
  const { here } = view;
  return (
    <Card title="Spans on this server since it began">
      <Facts
        items={[
          ["Kept", count(here.kept)],
          ["Left out by share", count(here.left_out_by_share)],
          ["Left out by outcome", count(here.left_out_by_outcome)],
          ["Left out early: no more could be held", count(here.left_out_early)],
          ["Held until the outcome", count(here.held)],
          ["Places redacted", count(here.redacted)],
        ]}
      />
    </Card>
  );
}
