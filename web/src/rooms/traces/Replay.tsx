import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api } from "@/api/client";
import type { Replay as Result } from "@/api/types";
import { diffWords } from "@/lib/diff";
import { capital, plural } from "@/lib/format";
import { Choose } from "@/ui/fields";
import { Badge, Button, Dialog, ErrorNote, IconButton } from "@/ui/kit";
import { VersionLink } from "@/ui/VersionLink";

interface Swap {
  kind: string;
  by: string;
}

const KINDS = ["prompt", "model", "knowledge", "chain", "app"];

function nextSwap(swaps: readonly Swap[], used: ReadonlyMap<string, string>): Swap {
  const kind = KINDS.find((k) => used.has(k) && !swaps.some((s) => s.kind === k)) ?? "prompt";
  return { kind, by: used.has(kind) ? `${used.get(kind)}@` : "" };
}

/** Answers again with the exact versions of then, or with some of them swapped, and shows what changed. */
export function Replay({
  open,
  onClose,
  trace,
  versions,
  more,
}: {
  open: boolean;
  onClose: () => void;
  trace: string;
  versions: readonly string[];
  /** There may be others that were used. */
  more: boolean;
}) {
  const [swaps, setSwaps] = useState<Swap[]>([]);
  const used = new Map(versions.map((v) => [v.split("/")[0]!, v.split("/")[1]?.split(/[@#]/)[0] ?? ""]));
  const replay = useMutation({
    mutationFn: () => api.traces.replay(trace, Object.fromEntries(swaps.filter((s) => s.by.trim()).map((s) => [s.kind, s.by.trim()]))),
  });
  const change = (at: number, by: Partial<Swap>) => setSwaps((all) => all.map((s, i) => (i === at ? { ...s, ...by } : s)));
  return (
    <Dialog
      open={open}
      onClose={onClose}
      wide
      title="Replay"
      footer={
        <>
          <Button onClick={onClose}>Close</Button>
          <Button look="primary" icon="play" data-focus="" busy={replay.isPending} onClick={() => replay.mutate()}>
            {replay.data ? "Replay again" : "Replay"}
          </Button>
        </>
      }
    >
      <p className="soft">
        Answers the same question again with the versions used then, lake tables included.
        {more && " This trace is entered by many spans: it may have used more versions than are named here."}
        {used.size > 0 && " Swap one to see what it would have changed."}
      </p>
      <ul className="swaps">
        {swaps.map((swap, i) => (
          <li key={i}>
            <Choose
              aria-label="What to swap"
              value={swap.kind}
              onChange={(event) =>
                change(i, { kind: event.target.value, by: used.has(event.target.value) ? `${used.get(event.target.value)}@` : "" })
              }
            >
              {KINDS.map((k) => (
                <option key={k} value={k}>
                  {used.has(k) ? `${k} ${used.get(k)}` : k}
                </option>
              ))}
            </Choose>
            <span className="muted">by</span>
            <input
              className="input"
              aria-label="Version to use instead"
              placeholder="answer@candidate"
              value={swap.by}
              onChange={(event) => change(i, { by: event.target.value })}
            />
            <IconButton icon="close" size="sm" label="Remove swap" onClick={() => setSwaps((all) => all.filter((_, j) => j !== i))} />
          </li>
        ))}
      </ul>
      <Button size="sm" look="ghost" icon="plus" onClick={() => setSwaps((all) => [...all, nextSwap(all, used)])}>
        Swap a version
      </Button>
      {replay.error && (
        <div className="replay-out">
          <ErrorNote error={replay.error} />
        </div>
      )}
      {replay.data && <Outcome result={replay.data} />}
    </Dialog>
  );
}

function Passages({ what, items }: { what: string; items: NonNullable<Result["sources"]["gone"]> }) {
  if (items.length === 0) return null;
  return (
    <section className="replay-passages">
      <h3>{what}</h3>
      <ul>
        {items.map((one) => (
          <li key={one.chunk}>
            {one.title || one.chunk}
            {one.heading_path && one.heading_path.length > 0 && <span className="muted"> {one.heading_path.join(" › ")}</span>}
            {one.page != null && <span className="muted num"> page {one.page}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Outcome({ result }: { result: Result }) {
  const edits = diffWords(result.original, result.replayed);
  const samePassages = result.sources.original.join() === result.sources.replayed.join();
  const changed = edits.filter((e) => e.op !== "same").length;
  return (
    <div className="replay-out" role="status">
      <div className="row-flex wrap">
        {result.same ? (
          <Badge tone="ok" dot>
            Same answer
          </Badge>
        ) : (
          <Badge tone="warn" dot>
            {plural(changed, "difference")}
          </Badge>
        )}
        {result.sources.original.length > 0 && <span className="soft">{samePassages ? "from the same passages" : "from other passages"}</span>}
        <span className="grow" />
        <Link className="text-link" to={`/traces/${result.replay_trace_id}`}>
          Trace of the replay
        </Link>
      </div>
      {result.notes.map((note) => (
        <p key={note} className="soft">
          {capital(note)}.
        </p>
      ))}
      <div className="word-diff" aria-label="Difference between the answers">
        {edits.map((e, i) =>
          e.op === "same" ? <span key={i}>{e.item}</span> : e.op === "del" ? <del key={i}>{e.item}</del> : <ins key={i}>{e.item}</ins>,
        )}
      </div>
      <Passages what="No longer found" items={result.sources.gone ?? []} />
      <Passages what="Found now" items={result.sources.new ?? []} />
      {result.versions.some((v) => v.original !== v.replayed) && (
        <ul className="replay-versions">
          {result.versions
            .filter((v) => v.original !== v.replayed)
            .map((v) => (
              <li key={v.what}>
                <del>{v.original ? <VersionLink version={v.original} /> : "nothing"}</del> →{" "}
                <ins>{v.replayed ? <VersionLink version={v.replayed} /> : "nothing"}</ins>
              </li>
            ))}
        </ul>
      )}
    </div>
  );
}
