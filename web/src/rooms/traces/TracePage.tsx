import { useMemo, useRef, useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import type { TraceTotals } from "@/api/types";
import { count, duration, fullTime, money, score } from "@/lib/format";
import { useShortcuts } from "@/lib/keys";
import { criticalPath, foldable, matching, nextOf, slowest, visible, type Row } from "@/lib/waterfall";
import { SearchField, Segmented, useDebounced } from "@/ui/fields";
import { Badge, Button, Copyable, ErrorNote, IconButton, PageHeader, Skeleton, Status, useTitle } from "@/ui/kit";
import { Replay } from "./Replay";
import { Scores, Thumbs } from "./Scores";
import { SpanDetail } from "./SpanDetail";
import { useTree, type Tree } from "./useTree";
import { Waterfall, type View } from "./Waterfall";
import "./traces.css";

export function Component() {
  const { id = "" } = useParams();
  const tree = useTree(id);
  const [replay, setReplay] = useState(false);
  const [scores, setScores] = useState(false);
  const root = tree.fall.rows[0];
  useTitle(root?.span.name ?? "Trace");
  // Only what kept its question can be asked again.
  const replayable = tree.totals?.replayable ?? false;
  useShortcuts(replayable ? [{ keys: "p", label: "Replay this trace", group: "Trace", run: () => setReplay(true) }] : []);
  return (
    <div className="page fill trace-page">
      <PageHeader
        crumbs={[{ label: "Traces", to: "/traces" }, { label: id.slice(0, 8) }]}
        title={root?.span.name ?? "Trace"}
        lead={tree.totals && root ? <Summary totals={tree.totals} root={root} id={id} /> : <Copyable text={id} label="trace id" />}
        actions={
          <>
            {root && <Thumbs trace={id} />}
            {root && (
              <Button icon="check" onClick={() => setScores(true)}>
                Scores
              </Button>
            )}
            {replayable && (
              <Button icon="refresh" onClick={() => setReplay(true)}>
                Replay
              </Button>
            )}
          </>
        }
      />
      {root ? (
        <>
          {tree.error ? <ErrorNote compact error={tree.error} retry={() => void tree.refetch()} /> : null}
          <Body tree={tree} trace={id} />
        </>
      ) : tree.error ? (
        <ErrorNote error={tree.error} retry={() => void tree.refetch()} />
      ) : (
        <Skeleton rows={8} />
      )}
      <Scores trace={id} open={scores} onClose={() => setScores(false)} />
      <Replay
        open={replay}
        onClose={() => setReplay(false)}
        trace={id}
        versions={tree.totals?.versions ?? []}
        more={tree.totals?.more_versions ?? false}
      />
    </div>
  );
}

function Summary({ totals, root, id }: { totals: TraceTotals; root: Row; id: string }) {
  const { span } = root;
  const failed = span.status === "error";
  return (
    <span className="trace-facts num">
      <Status tone={failed ? "bad" : totals.errors > 0 ? "warn" : "ok"}>
        {failed ? "Failed" : totals.errors > 0 ? "Ok, with errors inside" : "Ok"}
      </Status>
      <span className="strong">{duration(totals.duration_ms)}</span>
      <span>{fullTime(span.start)}</span>
      <span>{count(totals.spans)} spans</span>
      {totals.errors > 0 && <span>{count(totals.errors)} failed</span>}
      {span.app && <span>app {span.app}</span>}
      {(totals.input_tokens != null || totals.output_tokens != null) && (
        <span>{`${count(totals.input_tokens ?? 0)} → ${count(totals.output_tokens ?? 0)} tokens`}</span>
      )}
      {totals.cost != null && <span>{money(totals.cost)}</span>}
      {totals.scores?.map((one) => (
        <Badge key={one.name} title={`${count(one.count)} ${one.count === 1 ? "score" : "scores"}`}>
          {`${one.name} ${one.mean != null ? score(one.mean, 2) : (one.label ?? "")}`}
        </Badge>
      ))}
      {span.session && (
        <Link className="text-link" to={`/sessions/${encodeURIComponent(span.session)}?trace=${id}`}>
          Session
        </Link>
      )}
      <Copyable text={id} label="trace id">
        {id.slice(0, 12)}…
      </Copyable>
    </span>
  );
}

function Body({ tree, trace }: { tree: Tree; trace: string }) {
  const { rows: all, durationMs } = tree.fall;
  const [params, setParams] = useSearchParams();
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const [text, setText] = useState("");
  const [view, setView] = useState<View>("time");
  const wanted = useDebounced(text, 120);
  const rows = useMemo(() => visible(all, folded), [all, folded]);
  const places = useMemo(() => new Map(all.map((row, i) => [row.span.span, i])), [all]);
  const path = useMemo(() => criticalPath(all), [all]);
  const failed = useMemo(() => all.flatMap((row, i) => (row.span.status === "error" ? [i] : [])), [all]);
  const logs = useMemo(() => all.some((row) => row.span.kind === "event"), [all]);
  const found = useMemo(() => matching(all, wanted), [all, wanted]);
  const hits = useMemo(() => (wanted.trim() ? new Set(found.map((i) => all[i]!.span.span)) : null), [found, all, wanted]);

  const asked = places.get(params.get("span") ?? "");
  const usual = useMemo(() => failed.find((i) => all[i]!.children === 0) ?? 0, [failed, all]);
  const at = asked ?? usual;
  const selected = all[at];
  const detail = useRef<HTMLElement>(null);
  // Whoever walks through does not open everything on the way.
  const opened = useDebounced(selected?.span.span, 90);

  const select = (id: string) => setParams((p) => (p.set("span", id), p), { replace: true });
  const fold = (id: string, closed: boolean) =>
    setFolded((before) => {
      const next = new Set(before);
      if (closed) next.add(id);
      else next.delete(id);
      return next;
    });
  /** Goes to a row, wherever it hides. */
  const reveal = (place: number | undefined) => {
    const row = place === undefined ? undefined : all[place];
    if (!row) return;
    setFolded((before) => {
      if (before.size === 0) return before;
      const next = new Set(before);
      for (let above = row.parent; above !== null; above = all[places.get(above)!]!.parent) next.delete(above);
      return next;
    });
    select(row.span.span);
  };
  /** Whoever presses Enter does not wait until the search has caught up with what was typed. */
  const toFound = (back: boolean) => reveal(nextOf(text === wanted ? found : matching(all, text), at, back ? -1 : 1));
  const toSlowest = () => {
    const row = slowest(all, path);
    if (row) reveal(places.get(row.span.span));
  };
  useShortcuts([
    { keys: "e", label: "Next error", group: "Trace", run: () => reveal(nextOf(failed, at, 1)) },
    { keys: "n", label: "Next match", group: "Trace", run: () => reveal(nextOf(found, at, 1)) },
    { keys: "b", label: "Match before", group: "Trace", run: () => reveal(nextOf(found, at, -1)) },
    { keys: "s", label: "Slowest step of the critical path", group: "Trace", run: toSlowest },
  ]);

  return (
    <>
      <div className="toolbar trace-tools">
        <SearchField label="Search in this trace" value={text} onChange={setText} shortcut="/" onEnter={toFound} />
        {hits && (
          <span className="trace-found num" role="status">
            {found.length === 0 ? "Nothing" : `${found.includes(at) ? `${count(found.indexOf(at) + 1)} of ` : ""}${count(found.length)}`}
            <IconButton size="sm" icon="left" label="Match before (b)" disabled={found.length === 0} onClick={() => reveal(nextOf(found, at, -1))} />
            <IconButton size="sm" icon="right" label="Next match (n)" disabled={found.length === 0} onClick={() => reveal(nextOf(found, at, 1))} />
          </span>
        )}
        {failed.length > 0 && (
          <Button size="sm" icon="error" title="Next error (e)" onClick={() => reveal(nextOf(failed, at, 1))}>
            {`${count(failed.length)} ${failed.length === 1 ? "error" : "errors"}`}
          </Button>
        )}
        <Button size="sm" icon="clock" title="Slowest step of the critical path (s)" onClick={toSlowest}>
          Slowest step
        </Button>
        <span className="trace-legend" title="Spans that the trace waited for">
          <i /> critical path
        </span>
        {logs && (
          <Link className="text-link quiet" to={`/traces/logs?${new URLSearchParams({ in: "all", filter: `trace = ${trace}` })}`}>
            Its logs
          </Link>
        )}
        <span className="grow" />
        {!tree.isWhole && (
          <span className="soft num" role="status">
            {`${count(tree.loaded)} of ${count(tree.totals?.spans)} spans`}
          </span>
        )}
        <IconButton size="sm" icon="down" label="Unfold everything" disabled={folded.size === 0} onClick={() => setFolded(new Set())} />
        <IconButton size="sm" icon="right" label="Fold everything" onClick={() => setFolded(foldable(all))} />
        <Segmented
          label="Show"
          value={view}
          onChange={setView}
          choices={[
            { value: "time", label: "Waterfall" },
            { value: "words", label: "Tree" },
          ]}
        />
      </div>
      <div className="trace-body">
        <Waterfall
          rows={rows}
          durationMs={durationMs}
          folded={folded}
          selected={selected?.span.span ?? null}
          path={path}
          hits={hits}
          view={view}
          onSelect={select}
          onFold={fold}
          onOpen={() => detail.current?.focus()}
        />
        {selected && (
          <SpanDetail
            ref={detail}
            key={selected.span.span}
            trace={trace}
            row={selected}
            versions={tree.totals?.versions ?? []}
            load={opened === selected.span.span}
            critical={path.has(selected.span.span)}
          />
        )}
      </div>
    </>
  );
}
