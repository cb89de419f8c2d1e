// A session turn by turn: what was newly said in each of its traces, what it cost and how long it took. It can be played again.

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { SessionSummary, SpanReading, TraceSummary, TreeSpan } from "@/api/types";
import { count, duration, fullTime, listTime, money, plural, short } from "@/lib/format";
import { useShortcuts } from "@/lib/keys";
import { newIn, pauseAfter, saysNothing } from "@/lib/turns";
import { Icon } from "@/ui/icons";
import { Select } from "@/ui/fields";
import { Button, cx, ErrorNote, IconButton, PageHeader, Skeleton, Status, useTitle } from "@/ui/kit";
import { Messages } from "./Conversation";
import "./traces.css";

const SPEEDS = [
  { value: "1", label: "1×" },
  { value: "4", label: "4×" },
  { value: "16", label: "16×" },
  { value: "60", label: "60×" },
];

export function Component() {
  const { id = "" } = useParams();
  useTitle(`Session ${id}`);
  const session = useInfiniteQuery(queries.session(id));
  const turns = useMemo(() => session.data?.pages.flatMap((page) => page.items) ?? [], [session.data]);
  const summary = session.data?.pages[0]?.session;
  return (
    <div className="page session-page">
      <PageHeader
        crumbs={[{ label: "Sessions", to: "/sessions" }, { label: id.length > 24 ? `${id.slice(0, 24)}…` : id }]}
        title={<span className="wrap-any">{id}</span>}
        lead={summary && <Used session={summary} />}
      />
      {summary ? (
        <Turns turns={turns} more={session.hasNextPage ? () => session.fetchNextPage() : undefined} busy={session.isFetchingNextPage} />
      ) : session.error ? (
        <ErrorNote error={session.error} retry={() => void session.refetch()} />
      ) : (
        <Skeleton rows={8} />
      )}
    </div>
  );
}

function Used({ session }: { session: SessionSummary }) {
  return (
    <span className="trace-facts num">
      <Status tone={session.errors > 0 ? "warn" : "ok"}>{session.errors > 0 ? `${plural(session.errors, "span")} failed` : "No errors"}</Status>
      <span className="strong">{plural(session.traces, "turn")}</span>
      {session.user && <span>{session.user}</span>}
      <span>{`${listTime(session.first)} – ${listTime(session.last)}`}</span>
      <span>{duration(session.duration_ms)} at work</span>
      <span>{`${count(session.input_tokens)} → ${count(session.output_tokens)} tokens`}</span>
      {session.cost != null && <span>{money(session.cost)}</span>}
      {!session.whole && <span>and more than this</span>}
    </span>
  );
}

function Turns({ turns, more, busy }: { turns: readonly TraceSummary[]; more?: () => unknown; busy: boolean }) {
  const [params] = useSearchParams();
  const asked = turns.findIndex((turn) => turn.trace_id === params.get("trace"));
  /** The last turn that is shown; null where all are. */
  const [at, setAt] = useState<number | null>(null);
  const [plays, setPlays] = useState(false);
  const [speed, setSpeed] = useState("16");
  const list = useRef<HTMLOListElement>(null);
  const last = turns.length - 1;
  const here = at ?? last;
  const step = (by: number) => {
    setPlays(false);
    setAt(Math.max(0, Math.min(last, (at ?? (by > 0 ? -1 : last)) + by)));
  };
  const play = () => {
    if (!plays && (at === null || at >= last)) setAt(0);
    setPlays(!plays);
  };
  useEffect(() => {
    if (!plays || at === null) return;
    if (at >= last) {
      if (more) void more();
      else setPlays(false);
      return;
    }
    const timer = setTimeout(
      () => setAt(at + 1),
      pauseAfter(
        turns.map((turn) => turn.start),
        at,
        Number(speed),
      ),
    );
    return () => clearTimeout(timer);
    // `more` is another function each time; what it brings changes `last`.
  }, [plays, at, last, speed, turns]);
  useEffect(() => {
    const place = at ?? (asked >= 0 ? asked : null);
    if (place !== null) list.current?.children[place]?.scrollIntoView({ block: "nearest" });
  }, [at, asked]);
  useShortcuts([
    { keys: "p", label: plays ? "Pause" : "Play the session", group: "Session", run: play },
    { keys: "j", label: "Next turn", group: "Session", run: () => step(1) },
    { keys: "k", label: "Turn before", group: "Session", run: () => step(-1) },
    {
      keys: "Escape",
      label: "Show all turns",
      group: "Session",
      run: () => {
        setPlays(false);
        setAt(null);
      },
    },
  ]);
  return (
    <>
      <div className="toolbar player" role="group" aria-label="Play the session">
        <Button icon={plays ? "pause" : "play"} look={plays ? "primary" : "plain"} onClick={play}>
          {plays ? "Pause" : "Play"}
        </Button>
        <IconButton icon="left" label="Turn before (k)" disabled={here <= 0} onClick={() => step(-1)} />
        <IconButton icon="right" label="Next turn (j)" disabled={at !== null && at >= last} onClick={() => step(1)} />
        <input
          type="range"
          className="player-place"
          aria-label="Turn"
          aria-valuetext={`Turn ${here + 1} of ${turns.length}`}
          min={0}
          max={Math.max(0, last)}
          value={here}
          onChange={(event) => {
            setPlays(false);
            setAt(Number(event.target.value));
          }}
        />
        <span className="num soft">{`${count(here + 1)} / ${count(turns.length)}${more ? "+" : ""}`}</span>
        <Select label="Speed" hideLabel value={speed} choices={SPEEDS} onChange={setSpeed} />
        {at !== null && (
          <Button size="sm" look="ghost" onClick={() => (setPlays(false), setAt(null))}>
            Show all
          </Button>
        )}
      </div>
      <ol ref={list} className="turns" aria-label="Turns">
        {turns.slice(0, here + 1).map((turn, i) => (
          <Turn key={turn.trace_id} turn={turn} number={i + 1} current={at === null ? i === asked : i === at} />
        ))}
      </ol>
      {at === null && more && (
        <div className="table-more">
          <Button size="sm" busy={busy} onClick={() => void more()}>
            Load more
          </Button>
        </div>
      )}
    </>
  );
}

/** The first span of a trace may be a program's own: then the conversation is that of an agent below, or of the last call of a model. */
async function readTurn(trace: string, signal: AbortSignal): Promise<SpanReading> {
  const first = await api.traces.reading(trace, undefined, signal);
  if (first.output.length > 0) return first;
  let agent: TreeSpan | undefined;
  let call: TreeSpan | undefined;
  let cursor: string | null | undefined;
  do {
    const { spans, next } = await api.traces.tree(trace, { limit: cursor ? 4_000 : 500, cursor }, signal);
    const others = spans.filter((span) => span.span !== first.span);
    agent = others.find((span) => span.kind === "agent");
    call = others.findLast((span) => span.kind === "chat") ?? call;
    cursor = agent ? null : next;
  } while (cursor);
  const ofAgent = agent && (await api.traces.reading(trace, agent.span, signal));
  // Some agents keep to themselves what their calls say.
  if (!call || ofAgent?.output.length) return ofAgent ?? first;
  const ofCall = await api.traces.reading(trace, call.span, signal);
  return ofCall.output.length > 0 ? ofCall : (ofAgent ?? ofCall);
}

function Turn({ turn, number, current }: { turn: TraceSummary; number: number; current: boolean }) {
  const place = useRef<HTMLLIElement>(null);
  const near = useNear(place);
  const reading = useQuery({
    queryKey: ["trace", turn.trace_id, "turn"],
    queryFn: ({ signal }) => readTurn(turn.trace_id, signal),
    enabled: near,
    staleTime: 60_000,
  });
  const said = reading.data && newIn(reading.data);
  const failed = turn.status === "error";
  return (
    <li ref={place} className={cx("turn", current && "on", failed && "failed")} aria-current={current ? "step" : undefined}>
      <div className="turn-facts num">
        <Link className="strong text-link" to={`/traces/${turn.trace_id}`}>{`Turn ${number}`}</Link>
        <time dateTime={turn.start} title={fullTime(turn.start)}>
          {listTime(turn.start)}
        </time>
        <span>{duration(turn.duration_ms)}</span>
        {(turn.input_tokens != null || turn.output_tokens != null) && (
          <span>{`${short(turn.input_tokens)} → ${short(turn.output_tokens)} tokens`}</span>
        )}
        {turn.cost != null && <span>{money(turn.cost)}</span>}
        {turn.model && <span className="clip">{turn.model}</span>}
        {!!turn.errors && (
          <span className="bad">
            <Icon name="error" size={12} /> {plural(turn.errors, "error")}
          </span>
        )}
      </div>
      <div className="turn-said">
        {failed && <p className="span-error">{turn.error || "failed"}</p>}
        {said && !saysNothing(said) ? (
          <Messages label={`What was said in turn ${number}`} messages={[...said.asked, ...said.answered]} />
        ) : reading.error ? (
          <ErrorNote compact error={reading.error} retry={() => void reading.refetch()} />
        ) : said ? (
          <p className="soft">{turn.preview || `${turn.name}: nothing was said, or it was not kept.`}</p>
        ) : (
          <Skeleton rows={2} />
        )}
      </div>
    </li>
  );
}

/** Whether it is in sight, or was: what is far below is not fetched. */
function useNear(place: React.RefObject<HTMLElement | null>): boolean {
  const [near, setNear] = useState(false);
  useEffect(() => {
    const element = place.current;
    if (!element || near) return;
    const observer = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && setNear(true), { rootMargin: "600px" });
    observer.observe(element);
    return () => observer.disconnect();
  }, [place, near]);
  return near;
}
