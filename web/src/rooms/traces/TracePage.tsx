import { useQuery } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { useParams, useSearchParams } from "react-router";
import { queries } from "@/api/queries";
import type { Span, Trace } from "@/api/types";
import { attributesOf } from "@/lib/attributes";
import { count, duration, fullTime } from "@/lib/format";
import { useShortcuts } from "@/lib/keys";
import { layout, visible } from "@/lib/waterfall";
import { Button, Copyable, ErrorNote, PageHeader, Skeleton, Status, useTitle } from "@/ui/kit";
import { Replay } from "./Replay";
import { SpanDetail } from "./SpanDetail";
import { Waterfall } from "./Waterfall";
import "./traces.css";

export function Component() {
  const { id = "" } = useParams();
  const trace = useQuery(queries.trace(id));
  const [replay, setReplay] = useState(false);
  const root = trace.data && layout(trace.data.spans).rows[0]?.span;
  useTitle(root?.name ?? "Trace");
  // Only what kept its question can be asked again.
  const replayable = trace.data?.spans.some((s) => attributesOf(s)["mainspring.replay"] !== undefined) ?? false;
  useShortcuts(replayable ? [{ keys: "p", label: "Replay this trace", group: "Trace", run: () => setReplay(true) }] : []);
  return (
    <div className="page fill trace-page">
      <PageHeader
        crumbs={[{ label: "Traces", to: "/traces" }, { label: id.slice(0, 8) }]}
        title={root?.name ?? "Trace"}
        lead={trace.data && root ? <Summary trace={trace.data} root={root} id={id} /> : <Copyable text={id} label="trace id" />}
        actions={
          replayable && (
            <Button icon="refresh" onClick={() => setReplay(true)}>
              Replay
            </Button>
          )
        }
      />
      {trace.data ? (
        <Body trace={trace.data} />
      ) : trace.error ? (
        <ErrorNote error={trace.error} retry={() => void trace.refetch()} />
      ) : (
        <Skeleton rows={8} />
      )}
      <Replay open={replay} onClose={() => setReplay(false)} trace={id} spans={trace.data?.spans ?? []} />
    </div>
  );
}

const sum = (spans: readonly Span[], key: string): number => spans.reduce((n, s) => n + (Number(attributesOf(s)[key]) || 0), 0);

function Summary({ trace, root, id }: { trace: Trace; root: Span; id: string }) {
  const { durationMs } = useMemo(() => layout(trace.spans), [trace]);
  const failed = trace.spans.find((s) => s.status.code === "error");
  const app = attributesOf(root)["mainspring.app"];
  const models = trace.spans.filter((s) => attributesOf(s)["gen_ai.operation.name"] === "chat");
  const input = sum(models, "gen_ai.usage.input_tokens");
  const output = sum(models, "gen_ai.usage.output_tokens");
  return (
    <span className="trace-facts num">
      <Status tone={root.status.code === "error" ? "bad" : failed ? "warn" : "ok"}>
        {root.status.code === "error" ? "Failed" : failed ? "Ok, with errors inside" : "Ok"}
      </Status>
      <span className="strong">{duration(durationMs)}</span>
      <span>{fullTime(root.start)}</span>
      <span>{count(trace.spans.length)} spans</span>
      {typeof app === "string" && <span>app {app}</span>}
      {input + output > 0 && <span>{`${count(input)} → ${count(output)} tokens`}</span>}
      <Copyable text={id} label="trace id">
        {id.slice(0, 12)}…
      </Copyable>
    </span>
  );
}

function Body({ trace }: { trace: Trace }) {
  const [params, setParams] = useSearchParams();
  const fall = useMemo(() => layout(trace.spans), [trace]);
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => visible(fall.rows, folded), [fall, folded]);
  const asked = params.get("span");
  const selected =
    fall.rows.find((r) => r.span.span === asked) ?? fall.rows.find((r) => r.span.status.code === "error" && r.children === 0) ?? fall.rows[0];
  const detail = useRef<HTMLElement>(null);

  const select = (id: string) => setParams((p) => (p.set("span", id), p), { replace: true });
  const fold = (id: string, closed: boolean) =>
    setFolded((before) => {
      const next = new Set(before);
      if (closed) next.add(id);
      else next.delete(id);
      return next;
    });

  return (
    <div className="trace-body">
      <Waterfall
        rows={rows}
        durationMs={fall.durationMs}
        folded={folded}
        selected={selected?.span.span ?? null}
        onSelect={select}
        onFold={fold}
        onOpen={() => detail.current?.focus()}
      />
      {selected && <SpanDetail ref={detail} key={selected.span.span} row={selected} spans={trace.spans} />}
    </div>
  );
}
