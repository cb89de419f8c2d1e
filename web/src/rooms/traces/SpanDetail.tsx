import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode, type Ref } from "react";
import { Link } from "react-router";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { Span, SpanReading } from "@/api/types";
import { asideOf, attributesOf, listOf, type Aside, type Attributes } from "@/lib/attributes";
import { bytes, count, duration, fullTime, money } from "@/lib/format";
import { parseTime, type Row } from "@/lib/waterfall";
import { SearchField } from "@/ui/fields";
import { Badge, Button, Copyable, cx, Empty, ErrorNote, Facts, Skeleton, Status } from "@/ui/kit";
import { VersionLink } from "@/ui/VersionLink";
import { Conversation, messagesOf } from "./Conversation";
import { Documents, foundIn } from "./Documents";

type Tab = "overview" | "messages" | "documents" | "attributes" | "events" | "links" | "versions";

const HIDDEN = new Set(["gen_ai.input.messages", "gen_ai.output.messages", "mainspring.versions", "mainspring.replay", "mainspring.retrieval.hits"]);
/** What is mostly opened for its words. */
const SPEAKS = new Set(["chat", "agent", "tool"]);

interface Props {
  trace: string;
  row: Row;
  /** Of the whole trace, where the span names none. */
  versions: readonly string[];
  /** Whether to fetch its body: not while somebody only walks past. */
  load: boolean;
  critical: boolean;
  ref: Ref<HTMLElement>;
}

export function SpanDetail({ trace, row, versions: ofTrace, load, critical, ref }: Props) {
  const { span } = row;
  const body = useQuery({ ...queries.span(trace, span.span), enabled: load });
  const reading = useQuery({ ...queries.reading(trace, span.span), enabled: load });
  const attributes = body.data ? attributesOf(body.data) : {};
  const found = foundIn(attributes, reading.data);
  const own = listOf(attributes["mainspring.versions"]).filter((v): v is string => typeof v === "string");
  const versions = own.length > 0 ? own : ofTrace;
  const said = reading.data ? messagesOf(reading.data).length + Number(reading.data.tool != null) : 0;
  const awaited = !reading.data && SPEAKS.has(span.kind ?? "");
  const [events, links] = [body.data?.events ?? [], body.data?.links ?? []];
  const tabs: [Tab, string, number | null][] = [
    ["overview", "Overview", null],
    ...(said > 0 || awaited ? [["messages", "Messages", said || null] as [Tab, string, number | null]] : []),
    ...(found.length ? [["documents", "Documents", found.length] as [Tab, string, number]] : []),
    ["attributes", "Attributes", body.data ? Object.keys(attributes).length : null],
    ...(events.length ? [["events", "Events", events.length] as [Tab, string, number]] : []),
    ...(links.length ? [["links", "Links", links.length] as [Tab, string, number]] : []),
    ...(versions.length ? [["versions", "Versions", versions.length] as [Tab, string, number]] : []),
  ];
  const [chosen, setTab] = useState<Tab | null>(null);
  // A log record is opened for what it says, which is its one event.
  const logged = attributes["otel.signal"] === "log" && events.length > 0;
  const usual: Tab = said > 0 || awaited ? "messages" : found.length > 0 ? "documents" : logged ? "events" : "overview";
  const tab = chosen && tabs.some(([key]) => key === chosen) ? chosen : usual;
  return (
    <section className="span-detail" ref={ref} tabIndex={-1} aria-label={`Span ${span.name}`}>
      <header className="span-head">
        <h2 className="wrap-any">{span.name}</h2>
        <span className="span-facts num">
          {span.status === "error" ? <Status tone="bad">Failed</Status> : <Badge>{span.kind ?? "span"}</Badge>}
          {critical && <Badge tone="accent">critical path</Badge>}
          <span className="strong">{duration(row.durationMs)}</span>
          {row.children > 0 && <span title="Time in this span and in none of its children">self {duration(row.selfMs)}</span>}
          <span>at +{duration(row.startMs)}</span>
        </span>
        {span.status === "error" && <p className="span-error">{body.data?.status.message || span.error || "failed"}</p>}
      </header>
      <div className="span-tabs" role="tablist" aria-label="About this span">
        {tabs.map(([key, label, n], i) => (
          <button
            key={key}
            id={`tab-${key}`}
            type="button"
            role="tab"
            aria-selected={key === tab}
            aria-controls="span-tab"
            tabIndex={key === tab ? 0 : -1}
            className={cx("tab", key === tab && "on")}
            onClick={() => setTab(key)}
            onKeyDown={(event) => {
              const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
              if (step === 0) return;
              event.preventDefault();
              event.stopPropagation();
              const next = tabs[(i + step + tabs.length) % tabs.length]![0];
              setTab(next);
              document.getElementById(`tab-${next}`)?.focus();
            }}
          >
            {label}
            {n !== null && <span className="tab-count">{n}</span>}
          </button>
        ))}
      </div>
      <div className="span-body" role="tabpanel" id="span-tab" aria-labelledby={`tab-${tab}`} tabIndex={0}>
        {tab === "overview" && <Overview row={row} attributes={attributes} reading={reading.data} />}
        {tab === "messages" && (
          <Here of={reading}>{(data) => (said > 0 ? <Conversation reading={data} /> : <Empty title="Nothing was said, or it was not kept" />)}</Here>
        )}
        {tab === "documents" && <Documents query={reading.data?.query} found={found} />}
        {tab === "attributes" && <Here of={body}>{() => <AttributeList of={{ trace, span: span.span }} attributes={attributes} />}</Here>}
        {tab === "events" && body.data && <Events span={body.data} />}
        {tab === "links" && body.data && <Links span={body.data} />}
        {tab === "versions" && <Versions versions={versions} />}
        {tab === "overview" && body.error ? <ErrorNote compact error={body.error} retry={() => void body.refetch()} /> : null}
      </div>
    </section>
  );
}

interface Coming<D> {
  data: D | undefined;
  error: unknown;
  refetch: () => unknown;
}

function Here<D>({ of, children }: { of: Coming<D>; children: (data: D) => ReactNode }) {
  if (of.data !== undefined) return <>{children(of.data)}</>;
  return of.error ? <ErrorNote error={of.error} retry={() => void of.refetch()} /> : <Skeleton rows={4} />;
}

const KNOWN: [key: string, label: string][] = [
  ["mainspring.app", "App"],
  ["gen_ai.request.model", "Model asked"],
  ["gen_ai.response.model", "Model answered"],
  ["gen_ai.request.temperature", "Temperature"],
  ["gen_ai.request.max_tokens", "Token limit"],
  ["gen_ai.request.seed", "Seed"],
  ["gen_ai.response.finish_reasons", "Ended by"],
  ["mainspring.retrieval.query", "Query"],
  ["gen_ai.data_source.id", "Knowledge"],
  ["mainspring.lake.table", "Lake table"],
  ["mainspring.lake.version", "Table version"],
  ["otel.log.severity", "Severity"],
  ["error.type", "Error code"],
  ["mainspring.request", "Request"],
];

const MARKS: Record<string, string> = {
  skew: "Its times stick out of its parent's: another clock, or work in the background",
  "far-off": "Its time is far from that of this server",
  "ends-before-start": "It was said to end before it began",
};

function Overview({ row, attributes, reading }: { row: Row; attributes: Attributes; reading: SpanReading | undefined }) {
  const { span } = row;
  const known = KNOWN.filter(([key]) => attributes[key] !== undefined).map(([key, label]): [string, ReactNode] => [
    label,
    show(key, attributes[key]),
  ]);
  const told: [string, ReactNode][] = [];
  const tell = (label: string, value: ReactNode) => value != null && value !== "" && told.push([label, value]);
  if (attributes["gen_ai.request.model"] === undefined) tell("Model", span.model);
  tell("Provider", reading?.provider);
  tell("Input tokens", span.input_tokens != null ? count(span.input_tokens) : null);
  tell("of which cached", reading?.cache_read_tokens != null ? count(reading.cache_read_tokens) : null);
  tell("Output tokens", span.output_tokens != null ? count(span.output_tokens) : null);
  tell("of which reasoning", reading?.reasoning_tokens != null ? count(reading.reasoning_tokens) : null);
  tell("Cost", span.cost != null ? money(span.cost) : null);
  tell("First token", span.first_token_ms != null ? duration(span.first_token_ms) : null);
  tell("Service", span.service);
  tell("Environment", reading?.environment);
  tell("Release", reading?.release);
  tell("User", reading?.user);
  tell(
    "Session",
    span.session && (
      <Link className="text-link wrap-any" to={`/sessions/${encodeURIComponent(span.session)}`}>
        {span.session}
      </Link>
    ),
  );
  tell("Tags", reading?.tags?.join(", "));
  return (
    <>
      {reading?.marks?.map((mark) => (
        <p key={mark} className="span-doubt">
          {MARKS[mark] ?? mark}.
        </p>
      ))}
      <Facts
        className="list"
        items={[
          ...known,
          ...told,
          ["Started", fullTime(span.start)],
          ...(row.below > 0 ? ([["Spans below", count(row.below)]] as [string, ReactNode][]) : []),
          ["Span id", <Copyable key="s" text={span.span} label="span id" />],
        ]}
      />
    </>
  );
}

function show(key: string, value: unknown): ReactNode {
  if (key === "mainspring.app")
    return (
      <Link className="text-link" to={`/assets/app/${String(value)}`}>
        {String(value)}
      </Link>
    );
  if (typeof value === "number") return count(value);
  if (Array.isArray(value)) return value.map(String).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Where a value is from: what is too large to stand here is fetched from there. */
interface From {
  trace: string;
  span: string;
}

function AttributeList({ of, attributes }: { of: From; attributes: Attributes }) {
  const [filter, setFilter] = useState("");
  const entries = Object.entries(attributes)
    .filter(([key, value]) => `${key} ${String(value)}`.toLowerCase().includes(filter.toLowerCase()))
    .sort(([a], [b]) => Number(HIDDEN.has(a)) - Number(HIDDEN.has(b)) || a.localeCompare(b));
  return (
    <>
      {Object.keys(attributes).length > 8 && <SearchField label="Filter attributes" value={filter} onChange={setFilter} />}
      {entries.length === 0 && <Empty title={filter ? "No attribute matches" : "No attributes"} />}
      <dl className="attrs">
        {entries.map(([key, value]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>
              <Value of={of} value={value} />
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function Value({ of, value }: { of: From; value: unknown }) {
  const aside = asideOf(value);
  if (aside) return <Large of={of} aside={aside} />;
  return <pre>{typeof value === "string" ? value : JSON.stringify(value, null, Array.isArray(value) && value.length < 2 ? 0 : 2)}</pre>;
}

function Large({ of, aside }: { of: From; aside: Aside }) {
  const [open, setOpen] = useState(false);
  const whole = useQuery({
    queryKey: ["trace", of.trace, "span", of.span, "value", aside.digest],
    queryFn: ({ signal }) => api.traces.value(of.trace, of.span, aside.digest, signal),
    enabled: open,
    staleTime: Infinity,
  });
  return (
    <>
      <pre>{whole.data?.text ?? `${aside.beginning}…`}</pre>
      {whole.error ? <ErrorNote compact error={whole.error} retry={() => void whole.refetch()} /> : null}
      {!whole.data && (
        <Button size="sm" look="ghost" busy={whole.isFetching} onClick={() => setOpen(true)}>
          {`Show all ${bytes(aside.bytes)}`}
        </Button>
      )}
    </>
  );
}

function Events({ span }: { span: Span }) {
  const start = parseTime(span.start);
  return (
    <ol className="span-events">
      {span.events.map((event, i) => (
        <li key={i}>
          <div className="row-flex">
            <span className="strong">{event.name}</span>
            <span className="grow" />
            <span className="muted num">+{duration(parseTime(event.at) - start)}</span>
          </div>
          <Pairs of={event} />
        </li>
      ))}
    </ol>
  );
}

function Links({ span }: { span: Span }) {
  return (
    <ul className="span-events">
      {(span.links ?? []).map((link, i) => (
        <li key={i}>
          <Link className="text-link mono wrap-any" to={`/traces/${link.trace}?span=${link.span}`}>
            {`${link.trace.slice(0, 12)}… / ${link.span}`}
          </Link>
          <Pairs of={link} />
        </li>
      ))}
    </ul>
  );
}

function Pairs({ of }: { of: { attributes?: unknown } }) {
  const entries = Object.entries(attributesOf(of));
  if (entries.length === 0) return null;
  return (
    <dl className="attrs">
      {entries.map(([key, value]) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd>
            <pre>{typeof value === "string" ? value : JSON.stringify(value, null, 2)}</pre>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Versions({ versions }: { versions: readonly string[] }) {
  return (
    <ul className="span-versions">
      {versions.map((v) => (
        <li key={v}>
          <VersionLink version={v} />
        </li>
      ))}
    </ul>
  );
}
