import { useMemo } from "react";
import { Link } from "react-router";
import type { Outcome } from "@/api/types";
import { citedNumbers, sliceChars } from "@/lib/citations";
import { count, duration, plural } from "@/lib/format";
import { Icon } from "@/ui/icons";
import { cx, ErrorNote, IconButton, copy } from "@/ui/kit";
import { Markdown, type SentenceMark } from "@/ui/markdown";
import { Thinking } from "@/ui/Thinking";
import { UnreadNote } from "@/ui/UnreadNote";
import { ApiError } from "@/api/client";
import { Thumbs } from "@/rooms/traces/Scores";
import { ask, isLive, type Turn } from "./store";

interface Props {
  turn: Turn;
  app: string;
  last: boolean;
  focusedSource: number | null;
  onSource: (turn: string, source: number | null) => void;
}

export function Answer({ turn, app, last, focusedSource, onSource }: Props) {
  const { outcome, answer } = turn;
  const marks = useMemo(() => marksOf(answer, outcome), [answer, outcome]);
  const live = isLive(turn);
  const numbers = new Set(outcome?.sources.map((s) => s.number));

  const cite = (cited: number[], origin: "cited" | "attributed", key: string) => (
    <span key={key} className="cites">
      {"\u2060"}
      {cited.map((n) => (
        <Cite
          key={n}
          number={n}
          origin={origin}
          pending={!outcome}
          known={numbers.has(n)}
          on={focusedSource === n}
          title={outcome?.sources.find((s) => s.number === n)?.title}
          onClick={() => onSource(turn.id, n)}
        />
      ))}
    </span>
  );

  return (
    <div className="answer" aria-busy={live}>
      {turn.state === "asking" && <Thinking>Looking for an answer</Thinking>}
      {outcome?.unread?.map((unread) => (
        <UnreadNote key={unread.knowledge} unread={unread} />
      ))}
      {outcome?.abstained && !outcome.unread?.length && (
        <p className="answer-note">
          <Icon name="info" size={14} /> Nothing relevant was found in the documents, so nothing was guessed.
        </p>
      )}
      {answer && (
        <div className={cx("answer-text", turn.state === "streaming" && "streaming")}>
          <Markdown text={answer} marks={marks} cite={cite} />
        </div>
      )}
      {turn.problem && <ErrorNote error={new ApiError(turn.problem)} retry={last ? () => void ask(app, turn.question) : undefined} />}
      {turn.state === "stopped" && <p className="answer-note">Stopped.</p>}
      {turn.finish === "length" && (
        <p className="answer-note">
          <Icon name="warn" size={14} /> Cut off at the token limit.
        </p>
      )}
      {!live && outcome && <Support outcome={outcome} />}
      {!live && (answer || outcome || turn.trace) && <Foot turn={turn} onSources={() => onSource(turn.id, null)} />}
      <span className="sr-only" role="status">
        {turn.state === "done" ? "Answer complete" : ""}
      </span>
    </div>
  );
}

interface CiteProps {
  number: number;
  origin: "cited" | "attributed";
  pending: boolean;
  known: boolean;
  on: boolean;
  title: string | undefined;
  onClick: () => void;
}

function Cite({ number, origin, pending, known, on, title, onClick }: CiteProps) {
  if (pending) return <span className="cite pending">{number}</span>;
  if (!known) {
    return (
      <span className="cite invented" title={`There is no source ${number}`}>
        {number}
      </span>
    );
  }
  const how = origin === "attributed" ? "Found to support this sentence" : "Cited";
  return (
    <button
      type="button"
      className={cx("cite", origin, on && "on")}
      title={`${how}: ${title}`}
      aria-label={`Source ${number}: ${title}`}
      onClick={onClick}
    >
      {number}
    </button>
  );
}

/** Offsets in the answer become sentences, which are found again in the text as it is shown. */
function marksOf(answer: string, outcome: Outcome | undefined): SentenceMark[] {
  if (!outcome) return [];
  const unsupported = (outcome.unsupported ?? []).map((u): SentenceMark => ({
    text: u.text || sliceChars(answer, u.start, u.end),
    kind: "unsupported",
  }));
  const attributed = (outcome.citations ?? [])
    .filter((c) => c.origin === "attributed")
    .map((c): SentenceMark => ({ text: sliceChars(answer, c.start, c.end), kind: "attributed", source: c.source }));
  return [...unsupported, ...attributed];
}

function Support({ outcome }: { outcome: Outcome }) {
  const unsupported = outcome.unsupported ?? [];
  const invented = outcome.invented_citations ?? [];
  const dropped = outcome.dropped_sources ?? 0;
  if (unsupported.length === 0 && invented.length === 0 && dropped === 0) return null;
  return (
    <ul className="support">
      {unsupported.length > 0 && (
        <li>
          <Icon name="warn" size={14} />
          <span>
            {plural(unsupported.length, "sentence")} <mark className="unsupported-sample">underlined</mark>{" "}
            {unsupported.length === 1 ? "has" : "have"} no support in the sources.
          </span>
        </li>
      )}
      {invented.length > 0 && (
        <li>
          <Icon name="warn" size={14} />
          <span>
            Cites {invented.map((n) => `[${n}]`).join(", ")}, which {invented.length === 1 ? "is no source" : "are no sources"}.
          </span>
        </li>
      )}
      {dropped > 0 && (
        <li>
          <Icon name="info" size={14} />
          <span>{plural(dropped, "found passage")} did not fit the prompt.</span>
        </li>
      )}
    </ul>
  );
}

function Foot({ turn, onSources }: { turn: Turn; onSources: () => void }) {
  const { outcome, usage } = turn;
  const trace = outcome?.trace_id ?? turn.trace;
  const cited = outcome ? new Set([...citedNumbers(turn.answer), ...outcome.sources.filter((s) => s.cited).map((s) => s.number)]).size : 0;
  return (
    <footer className="answer-foot">
      {outcome && outcome.sources.length > 0 && (
        <button type="button" className="foot-link" onClick={onSources}>
          <Icon name="book" size={13} />
          {cited > 0 ? `${cited} of ${plural(outcome.sources.length, "source")} cited` : plural(outcome.sources.length, "source")}
        </button>
      )}
      {trace && (
        <Link className="foot-link" to={`/traces/${trace}`}>
          <Icon name="trace" size={13} /> Trace
        </Link>
      )}
      <span className="foot-facts num">
        {turn.firstTokenMs !== undefined && <span title="Time to the first token">first token {duration(turn.firstTokenMs)}</span>}
        {turn.totalMs !== undefined && <span title="Time to the whole answer">total {duration(turn.totalMs)}</span>}
        {usage && <span title="Tokens in and out">{`${count(usage.prompt_tokens)} → ${count(usage.completion_tokens)} tokens`}</span>}
      </span>
      <span className="grow" />
      {trace && <Thumbs trace={trace} />}
      {turn.answer && <IconButton icon="copy" size="sm" label="Copy the answer" onClick={() => void copy(turn.answer, "answer")} />}
    </footer>
  );
}
