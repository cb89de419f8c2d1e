import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useNavigate, useParams } from "react-router";
import { queries } from "@/api/queries";
import type { AppSummary } from "@/api/types";
import { useShortcuts } from "@/lib/keys";
import { Icon } from "@/ui/icons";
import { Button, cx, Empty, ErrorNote, IconButton, Skeleton, useTitle } from "@/ui/kit";
import { Answer } from "./Answer";
import { SourcesPanel, type Focus } from "./SourcesPanel";
import { ask, clear, isLive, stop, useConversation, type Turn } from "./store";
import "./playground.css";

export function Component() {
  const { app } = useParams();
  const apps = useQuery(queries.apps());
  const navigate = useNavigate();
  const first = apps.data?.items[0]?.name;
  useTitle(app ? `${app} · Playground` : "Playground");
  useEffect(() => {
    if (!app && first) void navigate(`/playground/${first}`, { replace: true });
  }, [app, first, navigate]);

  if (app) return <Playground key={app} app={app} known={apps.data?.items ?? []} />;
  if (apps.error) {
    return (
      <div className="page">
        <ErrorNote error={apps.error} retry={() => void apps.refetch()} />
      </div>
    );
  }
  if (apps.data && !first) {
    return (
      <div className="page">
        <Empty icon="chat" title="No app to talk to yet">
          An app is a chain over knowledge, a prompt and a model. Run <code>mainspring apply examples/manual</code> to get one.
        </Empty>
      </div>
    );
  }
  return (
    <div className="page">
      <Skeleton rows={5} />
    </div>
  );
}

function Playground({ app, known }: { app: string; known: AppSummary[] }) {
  const { turns } = useConversation(app);
  const [focus, setFocus] = useState<Focus | null>(null);
  const [panel, setPanel] = useState(() => window.innerWidth > 1000);
  const composer = useRef<HTMLTextAreaElement>(null);
  const last = turns.at(-1);
  const live = isLive(last);
  const about = known.find((a) => a.name === app);
  const shownTurn = turns.find((t) => t.id === focus?.turn) ?? turns.findLast((t) => t.outcome) ?? last;

  const fresh = useCallback(() => {
    clear(app);
    setFocus(null);
    composer.current?.focus();
  }, [app]);
  const open = useCallback((turn: string, source: number | null) => {
    setFocus({ turn, source });
    setPanel(true);
  }, []);

  useShortcuts([
    { keys: "n", label: "New conversation", group: "Playground", run: fresh },
    { keys: "s", label: "Show or hide sources", group: "Playground", run: () => setPanel((shown) => !shown) },
    { keys: "Escape", label: "Stop the answer", group: "Playground", whileTyping: true, run: () => (live ? stop(app) : composer.current?.blur()) },
  ]);

  return (
    <div className={cx("play", panel && "with-panel")}>
      <section className="play-main" aria-label="Conversation">
        <header className="play-head">
          <h1 tabIndex={-1} className="sr-only">
            Playground: {app}
          </h1>
          <AppSelect app={app} known={known} />
          <span className="grow" />
          <Button size="sm" look="ghost" icon="plus" onClick={fresh} disabled={turns.length === 0}>
            New conversation
          </Button>
          <IconButton
            icon="panel"
            label={panel ? "Hide sources (s)" : "Show sources (s)"}
            size="sm"
            aria-pressed={panel}
            onClick={() => setPanel(!panel)}
          />
        </header>
        <Transcript turns={turns} app={app} about={about} onSource={open} focused={focus} />
        <Composer ref={composer} app={app} live={live} />
      </section>
      {panel && <SourcesPanel turn={shownTurn} focus={focus} onFocus={setFocus} onClose={() => setPanel(false)} />}
    </div>
  );
}

function AppSelect({ app, known }: { app: string; known: AppSummary[] }) {
  const navigate = useNavigate();
  const served = useQuery({ ...queries.servedModels(), staleTime: 60_000 });
  const others = (served.data?.data ?? []).filter((m) => m.mainspring?.kind !== "embedder" && !known.some((a) => a.name === m.id)).map((m) => m.id);
  const listed = known.some((a) => a.name === app) || others.includes(app);
  return (
    <label className="select play-select">
      <span className="sr-only">Who answers</span>
      <select value={app} onChange={(event) => void navigate(`/playground/${encodeURIComponent(event.target.value)}`)}>
        {!listed && <option value={app}>{app}</option>}
        <optgroup label="Apps">
          {known.map((a) => (
            <option key={a.name} value={a.name}>
              {a.name}
            </option>
          ))}
        </optgroup>
        {others.length > 0 && (
          <optgroup label="Prompts and models">
            {others.map((id) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
          </optgroup>
        )}
      </select>
      <Icon name="down" size={12} />
    </label>
  );
}

interface TranscriptProps {
  turns: readonly Turn[];
  app: string;
  about: AppSummary | undefined;
  focused: Focus | null;
  onSource: (turn: string, source: number | null) => void;
}

function Transcript({ turns, app, about, onSource, focused }: TranscriptProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const pinned = useRef(true);
  const last = turns.at(-1);
  // Follow the answer, unless the reader has scrolled up.
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element && pinned.current) element.scrollTop = element.scrollHeight;
  }, [turns]);
  useLayoutEffect(() => {
    pinned.current = true;
  }, [last?.id]);

  return (
    <div
      ref={scroller}
      className="play-scroll"
      tabIndex={0}
      aria-label="Messages"
      onScroll={(event) => {
        const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
        pinned.current = scrollHeight - scrollTop - clientHeight < 60;
      }}
    >
      <div className="play-column">
        {turns.length === 0 && <Start app={app} about={about} />}
        {turns.map((turn) => (
          <article key={turn.id} className="turn">
            <div className="question">
              <p>{turn.question}</p>
            </div>
            <Answer
              turn={turn}
              app={app}
              onSource={onSource}
              focusedSource={focused?.turn === turn.id ? focused.source : null}
              last={turn === last}
            />
          </article>
        ))}
      </div>
    </div>
  );
}

function Start({ app, about }: { app: string; about: AppSummary | undefined }) {
  const examples = about?.examples ?? [];
  return (
    <div className="play-start">
      <h2>{about?.title || app}</h2>
      <p>{about?.description ?? "Ask something."}</p>
      {about && (
        <p className="play-parts">
          {[about.model, ...about.knowledge].filter(Boolean).map((part) => (
            <span key={part} className="chip">
              {part}
            </span>
          ))}
        </p>
      )}
      {examples.length > 0 && (
        <ul className="examples">
          {examples.slice(0, 6).map((example) => (
            <li key={example}>
              <button type="button" onClick={() => void ask(app, example)}>
                <span>{example}</span>
                <Icon name="arrow" size={14} />
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Composer({ app, live, ref }: { app: string; live: boolean; ref: React.RefObject<HTMLTextAreaElement | null> }) {
  const [text, setText] = useState("");
  const rows = useMemo(() => Math.min(8, Math.max(1, text.split("\n").length)), [text]);
  const send = () => {
    const question = text.trim();
    if (question === "" || live) return;
    setText("");
    void ask(app, question);
  };
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div className="composer-box">
        <textarea
          ref={ref}
          autoFocus
          rows={rows}
          value={text}
          placeholder={`Ask ${app}…`}
          aria-label="Your question"
          enterKeyHint="send"
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
              event.preventDefault();
              send();
            }
          }}
        />
        {live ? (
          <IconButton icon="stop" label="Stop (Esc)" look="plain" onClick={() => stop(app)} />
        ) : (
          <IconButton icon="send" label="Send (Enter)" look="primary" type="submit" disabled={text.trim() === ""} />
        )}
      </div>
    </form>
  );
}
