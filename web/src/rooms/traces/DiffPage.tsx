// Two traces beside each other: what was added, what is gone, what took longer, cost more, or was said otherwise.

import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { queries } from "@/api/queries";
import type { TraceTotals } from "@/api/types";
import { diffLines, diffWords } from "@/lib/diff";
import { count, duration, fullTime, money } from "@/lib/format";
import { align, changeOf, type Fate, type Pair } from "@/lib/traceDiff";
import { transcript } from "@/lib/turns";
import { Segmented } from "@/ui/fields";
import { Badge, cx, Empty, ErrorNote, IconButton, PageHeader, Skeleton, useTitle, type Tone } from "@/ui/kit";
import { Rows, type Column } from "@/ui/rows";
import { useTree, type Tree } from "./useTree";
import "./traces.css";

const TONES: Record<Fate, Tone> = { same: "neutral", changed: "warn", added: "ok", removed: "bad" };
const FATES: readonly Fate[] = ["changed", "added", "removed"];
/** Longer texts are compared line by line. */
const WORDS_MAX = 20_000;

type Only = Fate | "all" | "different";

export function Component() {
  useTitle("Compare traces");
  const [params] = useSearchParams();
  const [a, b] = [params.get("a") ?? "", params.get("b") ?? ""];
  return (
    <div className="page fill trace-page">
      <PageHeader crumbs={[{ label: "Traces", to: "/traces" }, { label: "Compare" }]} title="Two traces compared" />
      {a && b ? (
        <Both key={`${a}/${b}`} a={a} b={b} />
      ) : (
        <Empty icon="diff" title="Two traces are needed">
          Mark two in the <Link to="/traces">list of traces</Link> and compare them.
        </Empty>
      )}
    </div>
  );
}

const idOf = (pair: Pair): string => `${pair.before?.span.span ?? ""}/${pair.after?.span.span ?? ""}`;

function Both({ a, b }: { a: string; b: string }) {
  const [before, after] = [useTree(a), useTree(b)];
  const navigate = useNavigate();
  const [only, setOnly] = useState<Only>("all");
  const [open, setOpen] = useState<string | null>(null);
  const ready = before.isWhole && after.isWhole;
  const pairs = useMemo(() => {
    if (!ready) return [];
    const spans = (tree: Tree) => tree.fall.rows.map((row) => row.span);
    return align(spans(before), spans(after));
  }, [ready, before.fall, after.fall]);
  const shown = useMemo(() => pairs.filter(({ fate }) => only === "all" || (only === "different" ? fate !== "same" : fate === only)), [pairs, only]);
  const error = before.error ?? after.error;
  if (error) return <ErrorNote error={error} retry={() => void Promise.all([before.refetch(), after.refetch()])} />;
  if (!ready || !before.totals || !after.totals)
    return (
      <>
        <p className="soft num" role="status">{`${count(before.loaded + after.loaded)} spans read…`}</p>
        <Skeleton rows={10} />
      </>
    );
  const chosen = pairs.find((pair) => idOf(pair) === open);
  const many = (fate: Fate) => pairs.filter((pair) => pair.fate === fate).length;
  return (
    <>
      <div className="diff-totals">
        <Side label="Before" id={a} totals={before.totals} name={before.fall.rows[0]?.span.name} />
        <Side label="After" id={b} totals={after.totals} name={after.fall.rows[0]?.span.name} />
        <Differences before={before.totals} after={after.totals} />
        <IconButton icon="swap" label="Swap the two" onClick={() => void navigate(`/traces/diff?a=${b}&b=${a}`, { replace: true })} />
      </div>
      <div className="toolbar">
        <Segmented
          label="Spans"
          value={only}
          onChange={setOnly}
          choices={[
            { value: "all", label: "All", count: pairs.length },
            { value: "different", label: "Different", count: pairs.length - many("same") },
            ...FATES.map((fate) => ({ value: fate, label: fate.charAt(0).toUpperCase() + fate.slice(1), count: many(fate) })),
          ]}
        />
      </div>
      <div className={cx("diff-body", chosen && "with-words")}>
        {shown.length === 0 ? (
          <Empty icon="check" title="No such span">
            {only === "different" ? "The two did the same, and it took them about as long." : "No span of the two is like this."}
          </Empty>
        ) : (
          <Rows
            label="Compared spans"
            items={shown}
            idOf={idOf}
            rowHeight={34}
            selected={open}
            onOpen={(pair) => setOpen(idOf(pair) === open ? null : idOf(pair))}
            columns={COLUMNS}
          />
        )}
        {chosen && <Said key={open} pair={chosen} a={a} b={b} onClose={() => setOpen(null)} />}
      </div>
    </>
  );
}

function Side({ label, id, totals, name }: { label: string; id: string; totals: TraceTotals; name: string | undefined }) {
  return (
    <div className="diff-side num">
      <span className="muted">{label}</span>
      <Link className="strong text-link clip" to={`/traces/${id}`}>
        {name ?? id.slice(0, 12)}
      </Link>
      <span className="soft">{fullTime(totals.start)}</span>
      <span className="soft">{`${duration(totals.duration_ms)}, ${count(totals.spans)} spans, ${count(totals.errors)} failed`}</span>
    </div>
  );
}

function Differences({ before, after }: { before: TraceTotals; after: TraceTotals }) {
  const tokens = (of: TraceTotals) => (of.input_tokens ?? 0) + (of.output_tokens ?? 0);
  return (
    <dl className="diff-changes num">
      <Delta label="Duration" by={after.duration_ms - before.duration_ms} of={before.duration_ms} format={duration} />
      <Delta label="Tokens" by={tokens(after) - tokens(before)} of={tokens(before)} format={count} />
      <Delta label="Cost" by={Number(after.cost ?? 0) - Number(before.cost ?? 0)} of={Number(before.cost ?? 0)} format={money} />
      <Delta label="Errors" by={after.errors - before.errors} of={before.errors} format={count} />
    </dl>
  );
}

function Delta({ label, by, of, format }: { label: string; by: number; of: number; format: (n: number) => string }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        <By by={by} format={format} />
        {of > 0 && by !== 0 && <span className="muted">{` ${by > 0 ? "+" : "−"}${Math.abs((100 * by) / of).toFixed(0)}%`}</span>}
      </dd>
    </div>
  );
}

/** More is worse: of time, tokens, money and errors. */
function By({ by, format }: { by: number | null; format: (n: number) => string }) {
  if (by === null) return <span className="muted">–</span>;
  if (by === 0) return <span className="muted">0</span>;
  return <span className={by > 0 ? "more" : "less"}>{`${by > 0 ? "+" : "−"}${format(Math.abs(by))}`}</span>;
}

const COLUMNS: readonly Column<Pair>[] = [
  {
    key: "fate",
    head: "Is",
    width: "92px",
    cell: ({ fate }) => (fate === "same" ? <span className="muted">same</span> : <Badge tone={TONES[fate]}>{fate}</Badge>),
  },
  {
    key: "name",
    head: "Span",
    width: "minmax(180px, 3fr)",
    cell: ({ before, after, depth }) => {
      const [was, is] = [before?.span.name, after?.span.name];
      return (
        <span className="clip" style={{ paddingLeft: Math.min(depth, 14) * 14 }}>
          {was !== undefined && is !== undefined && was !== is ? (
            <>
              <del>{was}</del> → {is}
            </>
          ) : (
            (is ?? was)
          )}
        </span>
      );
    },
  },
  {
    key: "before",
    head: "Before",
    width: "84px",
    align: "end",
    wide: true,
    cell: ({ before }) => <span className="soft">{before ? duration(before.durationMs) : "–"}</span>,
  },
  {
    key: "after",
    head: "After",
    width: "84px",
    align: "end",
    wide: true,
    cell: ({ after }) => <span className="soft">{after ? duration(after.durationMs) : "–"}</span>,
  },
  { key: "time", head: "Δ time", width: "92px", align: "end", cell: (pair) => <By by={changeOf(pair).duration} format={duration} /> },
  { key: "tokens", head: "Δ tokens", width: "92px", align: "end", cell: (pair) => <By by={changeOf(pair).tokens} format={count} /> },
  { key: "cost", head: "Δ cost", width: "100px", align: "end", wide: true, cell: (pair) => <By by={changeOf(pair).cost} format={money} /> },
];

/** What was said in the two. */
function Said({ pair, a, b, onClose }: { pair: Pair; a: string; b: string; onClose: () => void }) {
  const { before, after } = pair;
  const old = useQuery({ ...queries.reading(a, before?.span.span), enabled: before !== null });
  const now = useQuery({ ...queries.reading(b, after?.span.span), enabled: after !== null });
  const [was, is] = [before === null ? "" : old.data && transcript(old.data), after === null ? "" : now.data && transcript(now.data)];
  const edits = useMemo(() => {
    if (was === undefined || is === undefined) return null;
    if (was.length + is.length <= WORDS_MAX) return diffWords(was, is);
    return diffLines(was, is).map(({ op, item }) => ({ op, item: `${item}\n` }));
  }, [was, is]);
  const error = old.error ?? now.error;
  return (
    <section className="diff-words" aria-label="What was said in the two">
      <header className="row-flex">
        <h2 className="grow clip">{(after ?? before)?.span.name}</h2>
        {before && (
          <Link className="text-link" to={`/traces/${a}?span=${before.span.span}`}>
            Before
          </Link>
        )}
        {after && (
          <Link className="text-link" to={`/traces/${b}?span=${after.span.span}`}>
            After
          </Link>
        )}
        <IconButton size="sm" icon="close" label="Close" onClick={onClose} />
      </header>
      {before?.span.error !== after?.span.error && (
        <p>
          {before?.span.error && <del>{before.span.error}</del>} {after?.span.error && <ins>{after.span.error}</ins>}
        </p>
      )}
      {error ? (
        <ErrorNote error={error} />
      ) : edits === null ? (
        <Skeleton rows={4} />
      ) : edits.length === 0 ? (
        <p className="soft">Nothing was said in either, or it was not kept.</p>
      ) : (
        <div className="word-diff" tabIndex={0} role="group" aria-label="Difference between the two">
          {edits.map((e, i) =>
            e.op === "same" ? <span key={i}>{e.item}</span> : e.op === "del" ? <del key={i}>{e.item}</del> : <ins key={i}>{e.item}</ins>,
          )}
        </div>
      )}
    </section>
  );
}
