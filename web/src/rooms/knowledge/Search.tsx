import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { api } from "@/api/client";
import type { Passage, Retrieved } from "@/api/types";
import { count, duration, percent, place, plural, score, stageName } from "@/lib/format";
import { useShortcuts } from "@/lib/keys";
import { passagePage } from "@/lib/places";
import { preview, shown } from "@/lib/preview";
import { SearchField, Segmented, Select, Toggle } from "@/ui/fields";
import { Badge, Button, cx, Digest, Empty, ErrorNote, IconButton, Skeleton } from "@/ui/kit";
import { Table } from "@/ui/tables";
import { UnreadNote } from "@/ui/UnreadNote";

const MODES = [
  { value: "hybrid", label: "Hybrid" },
  { value: "vector", label: "Vector" },
  { value: "text", label: "BM25" },
] as const;
const LIMITS = ["5", "10", "20", "50"].map((value) => ({ value, label: value }));

export default function Search({ knowledge }: { knowledge: string }) {
  const [params, setParams] = useSearchParams();
  const asked = params.get("q") ?? "";
  const mode = MODES.find((m) => m.value === params.get("mode"))?.value ?? "hybrid";
  const limit = params.get("limit") ?? "10";
  const rerank = params.get("rerank") === "1";
  const filters = params.getAll("where").map((w): [string, string] => [w.slice(0, w.indexOf("=")), w.slice(w.indexOf("=") + 1)]);
  const [text, setText] = useState(asked);
  const field = useRef<HTMLInputElement>(null);

  const metadata: Record<string, string[]> = {};
  for (const [key, value] of filters) (metadata[key] ??= []).push(value);
  const request = { query: asked, mode, limit: Number(limit), rerank, ...(filters.length ? { metadata } : {}) };
  const found = useQuery({
    queryKey: ["search", knowledge, request],
    queryFn: ({ signal }) => api.knowledge.search(knowledge, request, signal),
    enabled: asked !== "",
    placeholderData: keepPreviousData,
    staleTime: 30_000,
    retry: false,
  });

  const set = (change: (p: URLSearchParams) => void) => setParams((p) => (change(p), p), { replace: true });
  return (
    <>
      <form
        className="toolbar search-bar"
        data-search=""
        onSubmit={(event) => {
          event.preventDefault();
          set((p) => p.set("q", text.trim()));
          if (text.trim() === asked) void found.refetch();
        }}
      >
        <SearchField inputRef={field} label="Search this knowledge" placeholder="Ask as a user would…" value={text} onChange={setText} shortcut="/" />
        <Button look="primary" type="submit" busy={found.isFetching} disabled={text.trim() === ""}>
          Search
        </Button>
        <Segmented label="Mode" value={mode} choices={MODES} onChange={(v) => set((p) => p.set("mode", v))} />
        <Select label="Limit" value={limit} choices={LIMITS} onChange={(v) => set((p) => p.set("limit", v))} />
        <Toggle checked={rerank} onChange={(on) => set((p) => (on ? p.set("rerank", "1") : p.delete("rerank")))}>
          Rerank
        </Toggle>
        <Filters
          filters={filters}
          onAdd={(k, v) => set((p) => p.append("where", `${k}=${v}`))}
          onRemove={(k, v) => set((p) => p.delete("where", `${k}=${v}`))}
        />
      </form>
      {asked === "" ? (
        <Empty icon="search" title="See what a question would find">
          Each hit shows how it ranked by vector and by words, how the two were fused, and where in the document it stands.
        </Empty>
      ) : found.error ? (
        <ErrorNote error={found.error} retry={() => void found.refetch()} />
      ) : !found.data ? (
        <Skeleton rows={8} height={64} />
      ) : (
        <Results retrieved={found.data} knowledge={knowledge} stale={found.isPlaceholderData} />
      )}
    </>
  );
}

function Filters({
  filters,
  onAdd,
  onRemove,
}: {
  filters: [string, string][];
  onAdd: (key: string, value: string) => void;
  onRemove: (key: string, value: string) => void;
}) {
  const [open, setOpen] = useState(false);
  const [text, setText] = useState("");
  const found = /^\s*([\w.-]+)\s*[=:]\s*(.+?)\s*$/.exec(text);
  const add = () => {
    if (!found) return;
    onAdd(found[1]!, found[2]!);
    setText("");
    setOpen(false);
  };
  return (
    <span className="row-flex wrap">
      {filters.map(([key, value]) => (
        <span key={`${key}=${value}`} className="chip">
          {key} = <b className="strong">{value}</b>
          <button type="button" aria-label={`Remove filter ${key} = ${value}`} onClick={() => onRemove(key, value)}>
            ×
          </button>
        </span>
      ))}
      {open ? (
        <span className="filter-add">
          <input
            autoFocus
            className="input"
            value={text}
            placeholder="key=value"
            aria-label="Metadata filter, key=value"
            onChange={(event) => setText(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter") {
                event.preventDefault();
                add();
              }
              if (event.key === "Escape") setOpen(false);
            }}
          />
          <Button size="sm" disabled={!found} onClick={add}>
            Add
          </Button>
        </span>
      ) : (
        <IconButton icon="filter" label="Filter by metadata" onClick={() => setOpen(true)} />
      )}
    </span>
  );
}

function Results({ retrieved, knowledge, stale }: { retrieved: Retrieved; knowledge: string; stale: boolean }) {
  const { passages, timings } = retrieved;
  const [at, setAt] = useState(0);
  const navigate = useNavigate();
  const current = Math.min(at, passages.length - 1);
  const list = useRef<HTMLOListElement>(null);
  const move = (to: number) => {
    const next = Math.max(0, Math.min(passages.length - 1, to));
    setAt(next);
    list.current?.children[next]?.scrollIntoView({ block: "nearest" });
  };
  const href = (p: Passage) => passagePage(knowledge, p);
  useShortcuts([
    { keys: "j", label: "Next hit", group: "Search", run: () => move(current + 1) },
    { keys: "k", label: "Previous hit", group: "Search", run: () => move(current - 1) },
    {
      keys: "Enter",
      label: "Open hit",
      group: "Search",
      run: (event) => {
        const button = (event.target as HTMLElement).closest?.("a, button");
        if (button instanceof HTMLElement) button.click();
        else if (passages[current]) void navigate(href(passages[current]));
      },
    },
  ]);

  const total = timings.reduce((n, [, ms]) => n + ms, 0);
  return (
    <div className={cx("results", stale && "stale")}>
      <div className="results-head">
        <span className="strong num" role="status">
          {plural(passages.length, "hit")} in {duration(total)}
        </span>
        <Stages timings={timings} total={total} />
        <span className="grow" />
        <span className="muted num row-flex">
          {retrieved.best_similarity != null && (
            <span className="hide-narrow" title="Cosine similarity of the nearest chunk, whether or not it came back">
              nearest {score(retrieved.best_similarity)}
            </span>
          )}
          <span>{retrieved.knowledge}</span>
          <Digest value={retrieved.knowledge_digest} length={8} />
          <span className="hide-narrow">table version {retrieved.pin.version}</span>
        </span>
      </div>
      {retrieved.unread && <UnreadNote unread={retrieved.unread} />}
      {passages.length === 0 ? (
        <Nothing retrieved={retrieved} />
      ) : (
        <ol className="hits" ref={list}>
          {passages.map((p, i) => (
            <Hit key={p.chunk} passage={p} rank={i + 1} current={i === current} retrieved={retrieved} href={href(p)} onFocus={() => setAt(i)} />
          ))}
        </ol>
      )}
      <LeftOut retrieved={retrieved} knowledge={knowledge} />
    </div>
  );
}

/** Why there is no hit: nothing was near enough, or nothing was found at all. */
function Nothing({ retrieved }: { retrieved: Retrieved }) {
  const { evidence, threshold = 0, left_out = [], unread } = retrieved;
  if (left_out.length > 0 && left_out.every((one) => one.reason === "irrelevant")) {
    return (
      <Empty icon="search" title="Nothing near enough">
        {evidence?.similarity != null ? `The nearest chunk has a similarity of ${score(evidence.similarity)}` : "No chunk is similar"}, the threshold
        is {score(threshold)}; {percent(evidence?.coverage ?? 0, 1)} of the question's words stand in one of the best. An app says here{" "}
        {unread ? "how far the documents are read" : "that it is not in the documents"}.
      </Empty>
    );
  }
  return (
    <Empty icon="search" title="Nothing found">
      Nothing {unread ? "that was read so far and" : "in this knowledge"} that you may see matches. Try another mode, or fewer filters.
    </Empty>
  );
}

const WHY_LEFT_OUT: Record<string, string> = {
  copy: "a better hit says the same",
  score: "below the spec's min_score",
  room: "no room within the limit",
  irrelevant: "not near enough to the question",
};

function LeftOut({ retrieved, knowledge }: { retrieved: Retrieved; knowledge: string }) {
  const { left_out: items = [] } = retrieved;
  if (items.length === 0) return null;
  return (
    <details className="left-out">
      <summary>
        {plural(items.length, "more chunk")} {items.length === 1 ? "was" : "were"} found and not given
      </summary>
      <Table
        head={
          <>
            <th>Chunk of</th>
            <th>Why it was left out</th>
            <th className="end">Vector</th>
            <th className="end">BM25</th>
            <th className="end hide-narrow">Score</th>
          </>
        }
      >
        {items.map((one) => (
          <tr key={one.chunk}>
            <td className="wrap-any">
              <Link
                className="row-link"
                to={`/knowledge/${knowledge}/documents/${encodeURIComponent(one.document)}?chunk=${encodeURIComponent(one.chunk)}`}
              >
                {one.title}
              </Link>
            </td>
            <td className="soft">{WHY_LEFT_OUT[one.reason] ?? one.reason}</td>
            <td className="end num">{leg(one.scores.vector_rank, one.scores.vector_score)}</td>
            <td className="end num">{leg(one.scores.text_rank, one.scores.text_score)}</td>
            <td className="end num hide-narrow">{score(one.scores.score, 4)}</td>
          </tr>
        ))}
      </Table>
    </details>
  );
}

function Stages({ timings, total }: { timings: [string, number][]; total: number }) {
  if (timings.length === 0) return null;
  return (
    <span className="stages" title={timings.map(([s, ms]) => `${stageName(s)} ${duration(ms)}`).join(" · ")}>
      <span className="stage-bar" aria-hidden="true">
        {timings.map(([stage, ms], i) => (
          <i key={stage} className={`stage-${i % 6}`} style={{ flexGrow: ms / Math.max(total, 1e-6) }} />
        ))}
      </span>
      {timings.map(([stage, ms], i) => (
        <span key={stage} className="stage num">
          <i className={`stage-${i % 6}`} aria-hidden="true" />
          {stageName(stage)} {duration(ms)}
        </span>
      ))}
    </span>
  );
}

interface HitProps {
  passage: Passage;
  rank: number;
  current: boolean;
  retrieved: Retrieved;
  href: string;
  onFocus: () => void;
}

function Hit({ passage: p, rank, current, retrieved, href, onFocus }: HitProps) {
  const path = p.heading_path.filter((h) => h !== p.title);
  const s = p.scores;
  return (
    <li className={cx("hit", current && "current")} onMouseDown={onFocus}>
      <div className="hit-rank num">{rank}</div>
      <div className="hit-main">
        <div className="hit-title">
          <Link to={href} className="row-link clip" onFocus={onFocus}>
            {p.title}
          </Link>
          {path.length > 0 && <span className="muted clip">{path.join(" › ")}</span>}
          {p.labels.map((l) => (
            <Badge key={l}>{l}</Badge>
          ))}
        </div>
        <p className="hit-text">{preview(shown(p), [p.title, ...p.heading_path])}</p>
        <p className="hit-where num">
          <span className="clip">{place(p.uri)}</span>
          <span>
            {[p.page != null && `page ${p.page}`, `bytes ${count(p.start)}–${count(p.end)}`, plural(p.tokens, "token")].filter(Boolean).join(" · ")}
          </span>
        </p>
      </div>
      <dl className="why" aria-label="Why it ranked here">
        <Leg label="Vector" rank={s.vector_rank} value={s.vector_score} most={1} unused={retrieved.mode === "text"} />
        <Leg
          label="BM25"
          rank={s.text_rank}
          value={s.text_score}
          most={Math.max(...retrieved.passages.map((x) => x.scores.text_score ?? 0))}
          unused={retrieved.mode === "vector"}
        />
        {s.fused_score != null && (
          <Leg label="Fused" value={s.fused_score} most={Math.max(...retrieved.passages.map((x) => x.scores.fused_score ?? 0))} digits={4} />
        )}
        {s.rerank_score != null && (
          <Leg label="Rerank" value={s.rerank_score} most={Math.max(...retrieved.passages.map((x) => x.scores.rerank_score ?? 0))} />
        )}
      </dl>
    </li>
  );
}

/** Readers whose labels hide documents from them are told ranks and no scores of words. */
function leg(rank?: number | null, value?: number | null): string {
  if (rank == null) return "–";
  return value == null ? `#${rank}` : `#${rank} · ${score(value)}`;
}

function Leg({
  label,
  rank,
  value,
  most,
  digits = 3,
  unused,
}: {
  label: string;
  rank?: number | null;
  value?: number | null;
  most: number;
  digits?: number;
  unused?: boolean;
}) {
  if (unused) return null;
  return (
    <div className={cx("leg", value == null && rank == null && "absent")}>
      <dt>{label}</dt>
      <dd>
        <span className="leg-rank num">{rank != null ? `#${rank}` : ""}</span>
        <span className="leg-bar" aria-hidden="true">
          <i style={{ width: `${value == null || most <= 0 ? 0 : Math.max(2, Math.min(100, (100 * value) / most))}%` }} />
        </span>
        <span className="leg-value num">{value != null ? score(value, digits) : rank == null ? "not found" : ""}</span>
      </dd>
    </div>
  );
}
