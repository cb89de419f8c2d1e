import { useId } from "react";
import { Link } from "react-router";
import { ApiError } from "@/api/client";
import { count, duration, money } from "@/lib/format";
import { Icon } from "@/ui/icons";
import { copy, cx, ErrorNote, IconButton, Status, type Tone } from "@/ui/kit";
import { Markdown } from "@/ui/markdown";
import { Thinking } from "@/ui/Thinking";
import { isRunning, speedOf, type Answer } from "./compare";

const STATES: Record<Answer["state"], { tone: Tone; label: string }> = {
  idle: { tone: "neutral", label: "not asked" },
  waiting: { tone: "accent", label: "waiting" },
  streaming: { tone: "accent", label: "answering" },
  done: { tone: "ok", label: "done" },
  stopped: { tone: "warn", label: "stopped" },
  failed: { tone: "bad", label: "failed" },
};

interface Props {
  at: number;
  target: string;
  /** The id of the list of names. */
  list: string;
  answer: Answer;
  /** What it does better than the others. */
  best: { first: boolean; speed: boolean; total: boolean; cost: boolean };
  onTarget: (name: string) => void;
  onStop: () => void;
  onRemove?: () => void;
}

export function CompareColumn({ at, target, list, answer, best, onTarget, onStop, onRemove }: Props) {
  const id = useId();
  const state = STATES[answer.state];
  const { via } = answer;
  const answers = via?.provider ? `${via.provider}/${via.target ?? ""}` : null;
  return (
    <section className="card compare-column" aria-labelledby={id}>
      <h2 id={id} className="sr-only">{`Answer ${at + 1}${target ? `, ${target}` : ""}`}</h2>
      <header className="compare-head">
        <input
          className="input"
          aria-label={`Target ${at + 1}`}
          list={list}
          value={target}
          title={target || undefined}
          placeholder="route, provider/model, app…"
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => onTarget(event.target.value)}
        />
        {isRunning(answer) ? (
          <IconButton icon="stop" label={`Stop answer ${at + 1}`} onClick={onStop} />
        ) : (
          onRemove && <IconButton icon="close" label={`Remove target ${at + 1}`} onClick={onRemove} />
        )}
      </header>
      <div className="compare-state">
        <Status tone={state.tone} pulse={isRunning(answer)}>
          {state.label}
        </Status>
        {answers && answers !== target && (
          <span className="muted clip" title={answers}>
            {answers}
          </span>
        )}
        {via && (via.attempts ?? 1) > 1 && <span className="muted nowrap">{`${count(via.attempts)} attempts`}</span>}
      </div>
      <div className="compare-answer" aria-busy={isRunning(answer)} tabIndex={0} aria-label={`Text of answer ${at + 1}`}>
        {answer.thought && (
          <details className="compare-thought">
            <summary>{answer.text ? "Thought before answering" : "Thinking…"}</summary>
            <p>{answer.thought}</p>
          </details>
        )}
        {answer.state === "waiting" && !answer.thought && <Thinking>Waiting for the first token</Thinking>}
        {answer.text && (
          <div className={cx("answer-text", answer.state === "streaming" && "streaming")}>
            <Markdown text={answer.text} />
          </div>
        )}
        {answer.problem && <ErrorNote error={new ApiError(answer.problem)} />}
        {answer.state === "idle" && <p className="muted">The answer comes here.</p>}
      </div>
      <Numbers answer={answer} best={best} />
    </section>
  );
}

function Numbers({ answer, best }: Pick<Props, "answer" | "best">) {
  const speed = speedOf(answer);
  const { tokens, cost, finish, trace, text } = answer;
  return (
    <footer className="compare-foot">
      <dl className="compare-numbers">
        <Fact label="First token" value={duration(answer.firstMs)} best={best.first} />
        <Fact label="Tokens/s" value={speed === null ? "–" : speed.toFixed(speed < 10 ? 1 : 0)} best={best.speed} />
        <Fact label="Whole" value={duration(answer.totalMs)} best={best.total} />
        <Fact label="Tokens" value={tokens ? `${count(tokens.input)} → ${count(tokens.output)}` : "–"} />
        <Fact
          label="Cost"
          value={
            cost == null
              ? "–"
              : cost.cached
                ? "cached"
                : cost.unpriced
                  ? cost.sum > 0
                    ? `${money(cost.sum)} + unpriced`
                    : "unpriced"
                  : money(cost.sum)
          }
          best={best.cost}
        />
        <Fact label="Finish" value={finish?.replaceAll("_", " ") ?? "–"} warn={finish === "length" || finish === "content_filter"} />
      </dl>
      <div className="compare-links">
        {trace ? (
          <Link className="foot-link" to={`/traces/${trace}`}>
            <Icon name="trace" size={13} /> Trace
          </Link>
        ) : (
          <span />
        )}
        {text && <IconButton icon="copy" size="sm" label="Copy the answer" onClick={() => void copy(text, "answer")} />}
      </div>
    </footer>
  );
}

function Fact({ label, value, best, warn }: { label: string; value: string; best?: boolean; warn?: boolean }) {
  return (
    <div className={cx(best && "best")}>
      <dt>{label}</dt>
      <dd className={cx(warn && "warn")} title={best ? `The best ${label.toLowerCase()} of these` : undefined}>
        {value}
        {best && <span className="sr-only"> (best)</span>}
      </dd>
    </div>
  );
}
