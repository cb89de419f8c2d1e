import { useState, type Ref } from "react";
import { Link } from "react-router";
import type { Span } from "@/api/types";
import { attributesOf, listOf, type Attributes } from "@/lib/attributes";
import { count, duration, fullTime } from "@/lib/format";
import { readMessages, type ShownMessage } from "@/lib/messages";
import { parseTime, type Row } from "@/lib/waterfall";
import { Badge, Copyable, cx, Empty, Facts, SearchField, Status } from "@/ui/kit";
import { VersionLink } from "@/ui/VersionLink";

type Tab = "overview" | "messages" | "attributes" | "events" | "versions";

const HIDDEN = new Set(["gen_ai.input.messages", "gen_ai.output.messages", "mainspring.versions", "mainspring.replay", "mainspring.retrieval.hits"]);

export function SpanDetail({ row, spans, ref }: { row: Row; spans: readonly Span[]; ref: Ref<HTMLElement> }) {
  const { span } = row;
  const attributes = attributesOf(span);
  const messages = [
    ...(readMessages(attributes["gen_ai.input.messages"], "user") ?? []),
    ...(readMessages(attributes["gen_ai.output.messages"], "assistant") ?? []),
  ];
  const hits = listOf(attributes["mainspring.retrieval.hits"]);
  const versions = versionsOf(attributes["mainspring.versions"] !== undefined ? [span] : spans);
  const tabs: [Tab, string, number | null][] = [
    ["overview", "Overview", null],
    ...(messages.length ? [["messages", "Messages", messages.length] as [Tab, string, number]] : []),
    ["attributes", "Attributes", Object.keys(attributes).length],
    ...(span.events.length ? [["events", "Events", span.events.length] as [Tab, string, number]] : []),
    ...(versions.length ? [["versions", "Versions", versions.length] as [Tab, string, number]] : []),
  ];
  const [tab, setTab] = useState<Tab>(messages.length ? "messages" : "overview");
  return (
    <section className="span-detail" ref={ref} tabIndex={-1} aria-label={`Span ${span.name}`}>
      <header className="span-head">
        <h2 className="wrap-any">{span.name}</h2>
        <span className="span-facts num">
          {span.status.code === "error" ? <Status tone="bad">Failed</Status> : <Badge>{span.kind}</Badge>}
          <span className="strong">{duration(row.durationMs)}</span>
          {row.children > 0 && <span title="Time in this span and in none of its children">self {duration(row.selfMs)}</span>}
          <span>at +{duration(row.startMs)}</span>
        </span>
        {span.status.code === "error" && <p className="span-error">{span.status.message || "failed"}</p>}
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
        {tab === "overview" && <Overview span={span} hits={hits} />}
        {tab === "messages" && <Messages messages={messages} />}
        {tab === "attributes" && <AttributeList attributes={attributes} />}
        {tab === "events" && <Events span={span} />}
        {tab === "versions" && <Versions versions={versions} />}
      </div>
    </section>
  );
}

export function versionsOf(spans: readonly Span[]): string[] {
  return [...new Set(spans.flatMap((s) => listOf(attributesOf(s)["mainspring.versions"])).filter((v): v is string => typeof v === "string"))];
}

const KNOWN: [key: string, label: string][] = [
  ["mainspring.app", "App"],
  ["gen_ai.request.model", "Model asked"],
  ["gen_ai.response.model", "Model answered"],
  ["gen_ai.usage.input_tokens", "Input tokens"],
  ["gen_ai.usage.cache_read.input_tokens", "of which cached"],
  ["gen_ai.usage.output_tokens", "Output tokens"],
  ["mainspring.first_token_ms", "First token"],
  ["gen_ai.request.temperature", "Temperature"],
  ["gen_ai.request.max_tokens", "Token limit"],
  ["gen_ai.request.seed", "Seed"],
  ["gen_ai.response.finish_reasons", "Ended by"],
  ["mainspring.retrieval.query", "Query"],
  ["gen_ai.data_source.id", "Knowledge"],
  ["mainspring.lake.table", "Lake table"],
  ["mainspring.lake.version", "Table version"],
  ["error.type", "Error code"],
  ["user.id", "User"],
  ["mainspring.request", "Request"],
];

function Overview({ span, hits }: { span: Span; hits: unknown[] }) {
  const attributes = attributesOf(span);
  const known = KNOWN.filter(([key]) => attributes[key] !== undefined).map(([key, label]): [string, React.ReactNode] => [
    label,
    show(key, attributes[key]),
  ]);
  return (
    <>
      <Facts
        className="list"
        items={[...known, ["Started", fullTime(span.start)], ["Span id", <Copyable key="s" text={span.span} label="span id" />]]}
      />
      {hits.length > 0 && (
        <>
          <h3 className="span-sub">Passages found</h3>
          <ol className="span-hits">
            {hits.map((hit, i) => (
              <HitLine key={i} hit={hit} rank={i + 1} knowledge={attributes["gen_ai.data_source.id"]} />
            ))}
          </ol>
        </>
      )}
    </>
  );
}

function HitLine({ hit, rank, knowledge }: { hit: unknown; rank: number; knowledge: unknown }) {
  if (typeof hit !== "object" || hit === null) {
    return (
      <li>
        <span className="muted num">{rank}</span> <code className="wrap-any">{String(hit)}</code>
      </li>
    );
  }
  const h = hit as Record<string, unknown>;
  const title = String(h.title ?? h.uri ?? h.document ?? h.chunk ?? "passage");
  const value = typeof h.score === "number" ? h.score : (h.scores as { score?: number } | undefined)?.score;
  return (
    <li>
      <span className="muted num">{rank}</span>
      {typeof knowledge === "string" && typeof h.document === "string" ? (
        <Link
          className="row-link clip"
          to={`/knowledge/${encodeURIComponent(knowledge)}/documents/${encodeURIComponent(h.document)}?start=${Number(h.start)}&end=${Number(h.end)}`}
        >
          {title}
        </Link>
      ) : (
        <span className="clip">{title}</span>
      )}
      {value !== undefined && <span className="muted num">{value.toFixed(3)}</span>}
    </li>
  );
}

function show(key: string, value: unknown): React.ReactNode {
  if (key === "mainspring.first_token_ms") return duration(Number(value));
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

function Messages({ messages }: { messages: ShownMessage[] }) {
  return (
    <ol className="messages">
      {messages.map((m, i) => (
        <Message key={i} message={m} />
      ))}
    </ol>
  );
}

const LONG = 1200;

function Message({ message }: { message: ShownMessage }) {
  const long = message.text.length > LONG;
  const [open, setOpen] = useState(false);
  return (
    <li className={`message from-${message.role}`}>
      <div className="message-head">
        <span className="message-role">{message.role}</span>
        <span className="muted num">{count(message.text.length)} characters</span>
      </div>
      <div className="message-text">{open || !long ? message.text : `${message.text.slice(0, LONG)}…`}</div>
      {long && (
        <button type="button" className="text-link" onClick={() => setOpen(!open)}>
          {open ? "Show less" : "Show all"}
        </button>
      )}
    </li>
  );
}

function AttributeList({ attributes }: { attributes: Attributes }) {
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
              {typeof value === "string" ? (
                <pre>{value}</pre>
              ) : (
                <pre>{JSON.stringify(value, null, Array.isArray(value) && value.length < 2 ? 0 : 2)}</pre>
              )}
            </dd>
          </div>
        ))}
      </dl>
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
          {Object.keys(attributesOf(event)).length > 0 && (
            <dl className="attrs">
              {Object.entries(attributesOf(event)).map(([key, value]) => (
                <div key={key}>
                  <dt>{key}</dt>
                  <dd>
                    <pre>{typeof value === "string" ? value : JSON.stringify(value, null, 2)}</pre>
                  </dd>
                </div>
              ))}
            </dl>
          )}
        </li>
      ))}
    </ol>
  );
}

function Versions({ versions }: { versions: string[] }) {
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
