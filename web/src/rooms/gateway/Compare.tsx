// The same prompt to several targets, side by side.

import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useMemo, useRef, useState } from "react";
import { useLocation, useNavigate } from "react-router";
import { queries } from "@/api/queries";
import { useShortcuts } from "@/lib/keys";
import { Field } from "@/ui/fields";
import { Button, copy, IconButton, Keys } from "@/ui/kit";
import { CompareColumn } from "./CompareColumn";
import {
  bestOf,
  EMPTY,
  fromHash,
  IDLE,
  notReady,
  suggested,
  TARGETS_MAX,
  TARGETS_MIN,
  temperatureFault,
  toHash,
  tokensFault,
  type Setup,
} from "./compare";
import { useCompare } from "./useCompare";

interface Draft extends Omit<Setup, "targets"> {
  columns: readonly { key: number; target: string }[];
  next: number;
}

const draftOf = ({ targets, ...rest }: Setup): Draft => ({
  ...rest,
  columns: targets.map((target, key) => ({ key, target })),
  next: targets.length,
});
const setupOf = ({ columns, next: _, ...rest }: Draft): Setup => ({ ...rest, targets: columns.map((column) => column.target) });

export function Compare() {
  const [draft, setDraft] = useAddressed();
  const { answers, running, run, stop, drop } = useCompare();
  const names = useTargets();
  const list = useId();
  const setup = setupOf(draft);
  const fault = notReady(setup);
  const asked = Object.keys(answers).length > 0;
  const set = (more: Partial<Draft>) => setDraft((before) => ({ ...before, ...more }));
  const start = () => {
    if (fault === null)
      run(
        setup,
        draft.columns.map((column) => column.key),
      );
  };
  useShortcuts([
    { keys: "mod+Enter", label: "Ask all targets", group: "Compare", whileTyping: true, run: start },
    { keys: "Escape", label: "Stop the answers", group: "Compare", whileTyping: true, run: () => stop() },
  ]);
  const untouched = draft.columns.every((column) => column.target === "") && draft.prompt === "" && draft.system === "";
  useEffect(() => {
    const first = suggested(names);
    // Nothing is put under the hands of somebody who has begun to type.
    if (untouched && !isTyping() && first.length > 0)
      setDraft((before) => ({ ...before, columns: before.columns.map((column, at) => ({ ...column, target: first[at] ?? "" })) }));
    // Once: whoever empties a field means it.
  }, [names]);
  const best = bestOf(draft.columns.map((column) => answers[column.key] ?? IDLE));

  return (
    <div className="compare">
      <datalist id={list}>
        {names.map(({ name, kind }) => (
          <option key={name} value={name} label={kind} />
        ))}
      </datalist>
      <form
        className="card compare-ask"
        aria-label="What is asked"
        onSubmit={(event) => {
          event.preventDefault();
          start();
        }}
      >
        <Prompts draft={draft} set={set} />
        <div className="compare-side">
          <Settings draft={draft} set={set} />
          <div className="compare-buttons">
            {running ? (
              <Button icon="stop" onClick={() => stop()}>
                Stop <Keys keys="Escape" />
              </Button>
            ) : (
              <Button look="primary" icon={asked ? "refresh" : "play"} type="submit" disabled={fault !== null} title={fault ?? undefined}>
                {asked ? "Ask again" : "Ask all"} <Keys keys="mod+Enter" />
              </Button>
            )}
            <IconButton icon="link" look="plain" label="Copy the link to this comparison" onClick={() => void copy(location.href, "link")} />
          </div>
          {!running && fault && <p className="field-hint compare-fault">{fault}.</p>}
        </div>
      </form>
      <div className="compare-columns">
        {draft.columns.map(({ key, target }, at) => (
          <CompareColumn
            key={key}
            at={at}
            target={target}
            list={list}
            answer={answers[key] ?? IDLE}
            best={{ first: best.first === at, speed: best.speed === at, total: best.total === at, cost: best.cost === at }}
            onTarget={(name) => set({ columns: draft.columns.map((column) => (column.key === key ? { key, target: name } : column)) })}
            onStop={() => stop(key)}
            onRemove={
              draft.columns.length > TARGETS_MIN
                ? () => {
                    drop(key);
                    set({ columns: draft.columns.filter((column) => column.key !== key) });
                  }
                : undefined
            }
          />
        ))}
        {draft.columns.length < TARGETS_MAX && (
          <button
            type="button"
            className="compare-add"
            onClick={() => set({ columns: [...draft.columns, { key: draft.next, target: "" }], next: draft.next + 1 })}
          >
            <span aria-hidden="true">+</span>
            <span>Add a target</span>
          </button>
        )}
      </div>
    </div>
  );
}

interface Part {
  draft: Draft;
  set: (more: Partial<Draft>) => void;
}

function Prompts({ draft, set }: Part) {
  return (
    <div className="compare-prompts">
      <Field label="System">
        {(ids) => (
          <textarea
            {...ids}
            className="input"
            rows={2}
            value={draft.system}
            placeholder="Nothing; apps have their own"
            onChange={(event) => set({ system: event.target.value })}
          />
        )}
      </Field>
      <Field label="Prompt">
        {(ids) => (
          <textarea
            {...ids}
            className="input"
            rows={4}
            value={draft.prompt}
            placeholder="The same question to every target"
            onChange={(event) => set({ prompt: event.target.value })}
          />
        )}
      </Field>
    </div>
  );
}

function Settings({ draft, set }: Part) {
  return (
    <div className="compare-settings">
      <Field label="Temperature" error={temperatureFault(draft.temperature)}>
        {(ids) => (
          <input
            {...ids}
            className="input"
            inputMode="decimal"
            autoComplete="off"
            value={draft.temperature}
            placeholder="the target's"
            onChange={(event) => set({ temperature: event.target.value.trim() })}
          />
        )}
      </Field>
      <Field label="Max tokens" error={tokensFault(draft.maxTokens)}>
        {(ids) => (
          <input
            {...ids}
            className="input"
            inputMode="numeric"
            autoComplete="off"
            value={draft.maxTokens}
            placeholder="the target's"
            onChange={(event) => set({ maxTokens: event.target.value.trim() })}
          />
        )}
      </Field>
    </div>
  );
}

const isTyping = () => document.activeElement instanceof HTMLInputElement || document.activeElement instanceof HTMLTextAreaElement;

/** What is asked, and the address that says so: each follows the other. */
function useAddressed(): [Draft, (change: (draft: Draft) => Draft) => void] {
  const { hash } = useLocation();
  const navigate = useNavigate();
  const [draft, setDraft] = useState(() => draftOf(fromHash(hash) ?? EMPTY));
  const written = useRef(hash);
  useEffect(() => {
    // Somebody else's link, or the way back.
    if (hash === written.current) return;
    written.current = hash;
    setDraft(draftOf(fromHash(hash) ?? EMPTY));
  }, [hash]);
  const said = toHash(setupOf(draft));
  useEffect(() => {
    if (said === written.current || (written.current === "" && said === toHash(EMPTY))) return;
    const timer = setTimeout(() => {
      // As the router will read it.
      written.current = said;
      void navigate({ hash: said }, { replace: true });
    }, 250);
    return () => clearTimeout(timer);
  }, [said, navigate]);
  return [draft, setDraft];
}

const KINDS: Record<string, string> = { app: "app", prompt: "prompt", route: "route", "provider-model": "provider's model" };

/** Everything that can be asked: apps and prompts, routes, models of providers and of this machine. */
function useTargets(): { name: string; kind: string }[] {
  const served = useQuery({ ...queries.servedModels(), staleTime: 60_000 });
  return useMemo(
    () =>
      (served.data?.data ?? [])
        .filter(({ mainspring }) => mainspring?.kind !== "embedder" && mainspring?.kind !== "reranker")
        .map(({ id, mainspring }) => ({ name: id, kind: KINDS[mainspring?.kind ?? ""] ?? "local model" })),
    [served.data],
  );
}
