import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { queries } from "@/api/queries";
import type { AnswerSource } from "@/api/types";
import { count, duration, place, score, stageName } from "@/lib/format";
import { passagePage } from "@/lib/places";
import { preview, shown } from "@/lib/preview";
import { AsItWas, isTextGone } from "@/rooms/knowledge/AsItWas";
import { DocumentText } from "@/rooms/knowledge/DocumentText";
import { VersionLink } from "@/ui/VersionLink";
import { Badge, cx, Empty, ErrorNote, IconButton, LinkButton, Skeleton } from "@/ui/kit";
import type { Turn } from "./store";

export interface Focus {
  turn: string;
  /** The source opened, or null for the list. */
  source: number | null;
}

interface Props {
  turn: Turn | undefined;
  focus: Focus | null;
  onFocus: (focus: Focus | null) => void;
  onClose: () => void;
}

export function SourcesPanel({ turn, focus, onFocus, onClose }: Props) {
  const sources = turn?.outcome?.sources ?? [];
  const open = focus && focus.turn === turn?.id && focus.source !== null ? sources.find((s) => s.number === focus.source) : undefined;
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    if (open) panel.current?.querySelector<HTMLElement>("[data-back]")?.focus();
  }, [open]);
  return (
    <aside ref={panel} className="play-panel" aria-label="Sources">
      {open && turn ? (
        <OpenSource
          source={open}
          count={sources.length}
          onBack={() => onFocus({ turn: turn.id, source: null })}
          onStep={(n) => onFocus({ turn: turn.id, source: n })}
          onClose={onClose}
          numbers={sources.map((s) => s.number)}
        />
      ) : (
        <SourceList
          turn={turn}
          sources={sources}
          settled={turn?.outcome?.trace_id !== undefined}
          onOpen={(n) => turn && onFocus({ turn: turn.id, source: n })}
          onClose={onClose}
        />
      )}
    </aside>
  );
}

function SourceList({
  turn,
  sources,
  settled,
  onOpen,
  onClose,
}: {
  turn: Turn | undefined;
  sources: AnswerSource[];
  /** Which sources are cited is known only at the answer's end. */
  settled: boolean;
  onOpen: (n: number) => void;
  onClose: () => void;
}) {
  return (
    <>
      <header className="panel-head">
        <h2>Sources</h2>
        {sources.length > 0 && <span className="muted num">{sources.length}</span>}
        <span className="grow" />
        <IconButton icon="close" size="sm" label="Hide sources" onClick={onClose} />
      </header>
      <div className="panel-body">
        {sources.length === 0 ? (
          <Empty
            icon="book"
            title={
              !turn
                ? "Sources appear here"
                : turn.outcome
                  ? "No sources"
                  : turn.state === "asking" || turn.state === "streaming"
                    ? "Waiting for the answer"
                    : "No sources"
            }
          >
            {!turn
              ? "Every answer lists the passages it was given; a citation opens its document at the passage."
              : turn.outcome?.abstained
                ? turn.outcome.unread?.length
                  ? "Nothing that was read so far was close enough to the question."
                  : "Nothing in the documents was close enough to the question."
                : turn.outcome
                  ? "This answer used no knowledge."
                  : null}
          </Empty>
        ) : (
          <ol className="source-list">
            {sources.map((source) => (
              <li key={source.number}>
                <button type="button" className={cx("source", settled && !source.cited && "uncited")} onClick={() => onOpen(source.number)}>
                  <span className="source-head">
                    <span className="cite as-label">{source.number}</span>
                    <span className="source-title clip">{source.title}</span>
                    {source.page != null && <Badge>p. {source.page}</Badge>}
                    {settled && !source.cited && <span className="muted source-uncited">not cited</span>}
                  </span>
                  <Path source={source} />
                  <span className="source-text">{preview(shown(source), [source.title, ...source.heading_path])}</span>
                </button>
              </li>
            ))}
          </ol>
        )}
        {turn?.outcome && <Under turn={turn} />}
      </div>
    </>
  );
}

function Path({ source }: { source: AnswerSource }) {
  const path = source.heading_path.filter((h) => h !== source.title);
  if (path.length === 0) return null;
  return <span className="source-path clip">{path.join(" › ")}</span>;
}

function Under({ turn }: { turn: Turn }) {
  const { timings = [], versions = [] } = turn.outcome!;
  if (timings.length === 0 && versions.length === 0) return null;
  return (
    <details className="panel-details">
      <summary>How this was answered</summary>
      {timings.length > 0 && (
        <dl className="timings">
          {timings.map(([stage, ms], i) => (
            <div key={i}>
              <dt>{stageName(stage)}</dt>
              <dd className="num">{duration(ms)}</dd>
            </div>
          ))}
        </dl>
      )}
      {versions.length > 0 && (
        <ul className="versions">
          {versions.map((v) => (
            <li key={v}>
              <VersionLink version={v} />
            </li>
          ))}
        </ul>
      )}
    </details>
  );
}

interface OpenProps {
  source: AnswerSource;
  count: number;
  numbers: number[];
  onBack: () => void;
  onStep: (n: number) => void;
  onClose: () => void;
}

function OpenSource({ source, numbers, onBack, onStep, onClose }: OpenProps) {
  const knowledge = source.knowledge.split("@")[0]!;
  const text = useQuery(queries.documentText(knowledge, source.document, source.document_digest));
  const now = `/knowledge/${encodeURIComponent(knowledge)}/documents/${encodeURIComponent(source.document)}`;
  const at = numbers.indexOf(source.number);
  return (
    <>
      <header className="panel-head">
        <IconButton icon="left" size="sm" label="Back to the list" onClick={onBack} data-back="" />
        <span className="cite as-label">{source.number}</span>
        <h2 className="clip" title={source.title}>
          {source.title}
        </h2>
        <span className="grow" />
        <IconButton icon="left" size="sm" label="Source before" disabled={at <= 0} onClick={() => onStep(numbers[at - 1]!)} />
        <IconButton icon="right" size="sm" label="Source after" disabled={at >= numbers.length - 1} onClick={() => onStep(numbers[at + 1]!)} />
        <IconButton icon="close" size="sm" label="Hide sources" onClick={onClose} />
      </header>
      <div className="panel-sub">
        <span className="clip soft" title={place(source.uri)}>
          {place(source.uri).split("/").slice(-2).join("/")}
        </span>
        <span className="muted num">
          {[
            source.page != null && `page ${source.page}`,
            `bytes ${count(source.start)}–${count(source.end)}`,
            source.scores && `score ${score(source.scores.score)}`,
          ]
            .filter(Boolean)
            .join(" · ")}
        </span>
        {source.table_head && <span className="soft clip">columns {preview(source.table_head, [])}</span>}
        <LinkButton size="sm" look="ghost" icon="external" to={passagePage(knowledge, { ...source, chunk: undefined })}>
          Open
        </LinkButton>
      </div>
      <div className="panel-body doc-panel" tabIndex={0} aria-label={`Text of ${source.title}`}>
        {text.data ? (
          <>
            {!text.data.current && <AsItWas now={now} />}
            <DocumentText text={text.data} uri={source.uri} passage={source} />
          </>
        ) : text.error ? (
          <>
            {isTextGone(text.error) ? <AsItWas gone now={now} /> : <ErrorNote error={text.error} retry={() => void text.refetch()} />}
            <p className="panel-fallback-lead">The passage as the model saw it:</p>
            <div className="doc">
              <div className="doc-block">
                <mark>{shown(source)}</mark>
              </div>
            </div>
          </>
        ) : (
          <Skeleton rows={8} />
        )}
      </div>
    </>
  );
}
