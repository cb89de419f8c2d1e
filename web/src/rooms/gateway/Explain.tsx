// Which target a call would take now, and why: asked of the server, which makes no call.

import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import type { RouteExplanation } from "@/api/types";
import { duration, money, plural } from "@/lib/format";
import { Button, Card, cx, ErrorNote } from "@/ui/kit";
import { Breaker } from "./Breaker";
import { Unpriced } from "./Spend";

export function Explain({ suggestion }: { suggestion?: string }) {
  const [model, setModel] = useState("");
  const explain = useMutation({ mutationFn: (name: string) => api.gateway.explain(name) });
  const asked = model.trim() || (suggestion ?? "");
  return (
    <Card title="Where would a call go?" className="explain">
      <form
        className="explain-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (asked) explain.mutate(asked);
        }}
      >
        <input
          className="input"
          aria-label="Model, as a client would name it"
          value={model}
          placeholder={suggestion ?? "openai/gpt-4o"}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => setModel(event.target.value)}
        />
        <Button type="submit" busy={explain.isPending} disabled={!asked}>
          Explain
        </Button>
      </form>
      {explain.error ? (
        <div className="explain-answer">
          <ErrorNote error={explain.error} />
        </div>
      ) : explain.data ? (
        <Answer explanation={explain.data} />
      ) : (
        <p className="field-hint">A route, an alias of one, or provider/model. No call is made.</p>
      )}
    </Card>
  );
}

const CHOICES: Record<string, string> = {
  weight: "drawn by weight",
  order: "in order",
  latency: "the quickest first",
  cost: "the cheapest first",
};

/** The server counts in milliseconds, whatever their number. */
const inWords = (why: string): string => why.replace(/\b(\d+) ms\b/g, (_, ms: string) => duration(Number(ms)));

function Answer({ explanation }: { explanation: RouteExplanation }) {
  const { route, choose, retries, hedged, cache, targets } = explanation;
  const facts = [
    CHOICES[choose] ?? choose,
    retries === 0 ? "never tried again" : `tried again ${retries === 1 ? "once" : `up to ${plural(retries, "time")}`}`,
    ...(hedged ? ["hedged when late"] : []),
  ];
  return (
    <div className="explain-answer" aria-live="polite">
      <p className="explain-facts">
        <span className="strong">{route}</span>
        {facts.map((fact) => (
          <span key={fact}>{fact}</span>
        ))}
      </p>
      {cache ? <p className="field-hint">{cache}</p> : null}
      <ol className="explain-targets">
        {targets.map((target) => (
          <li key={`${target.provider}/${target.model}/${target.tier}`} className={cx(target.place == null && "out")}>
            <span className="explain-place" aria-label={target.place == null ? "not asked" : `place ${target.place}`}>
              {target.place ?? "–"}
            </span>
            <span className="explain-what">
              <span className="strong clip">
                {target.provider}/{target.model}
              </span>
              <span className="sub">{inWords(target.why)}</span>
            </span>
            <span className="explain-more">
              <Breaker state={target.breaker} />
              <span className="hide-narrow" title="Time to begin, as the last calls had it">
                {target.begin_ms == null ? "" : `begins in ${duration(target.begin_ms)}`}
              </span>
              <span className="hide-narrow end" title="As far as anyone can tell before the call">
                {target.cost == null ? <Unpriced /> : `about ${money(target.cost)}`}
              </span>
            </span>
          </li>
        ))}
      </ol>
    </div>
  );
}
