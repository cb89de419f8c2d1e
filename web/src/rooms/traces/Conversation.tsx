// What was said in a span, as a conversation: whoever wrote it down, and in whichever convention.

import { useState, type ReactNode } from "react";
import type { MessagePart, SpanMessage, SpanReading } from "@/api/types";
import { bytes, count } from "@/lib/format";
import { isMarkdown } from "@/lib/markdown";
import { Icon } from "@/ui/icons";
import { Badge, cx } from "@/ui/kit";
import { Markdown } from "@/ui/markdown";

const LONG = 1200;

/** Text of which a long one is shown by its beginning. */
export function Long({ text, className, formatted = false }: { text: string; className?: string; formatted?: boolean }) {
  const long = text.length > LONG * 1.2;
  const [open, setOpen] = useState(false);
  const shown = open || !long ? text : `${text.slice(0, LONG)}…`;
  return (
    <>
      {formatted ? (
        <div className="message-formatted">
          <Markdown text={shown} breaks />
        </div>
      ) : (
        <div className={cx("message-text", className)}>{shown}</div>
      )}
      {long && (
        <button type="button" className="text-link" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "Show less" : `Show all ${count(text.length)} characters`}
        </button>
      )}
    </>
  );
}

const isNothing = (value: unknown): boolean =>
  value === null || value === undefined || value === "" || (typeof value === "object" && Object.keys(value).length === 0);

export function Json({ value }: { value: unknown }) {
  if (isNothing(value)) return <span className="muted">nothing</span>;
  return <Long className="mono" text={typeof value === "string" ? value : JSON.stringify(value, null, 2)} />;
}

/** The answers of tools, by the calls they answer. */
function answersIn(messages: readonly SpanMessage[]): Map<string, unknown> {
  const found = new Map<string, unknown>();
  for (const { parts } of messages) for (const part of parts) if (part.type === "tool_call_response" && part.id) found.set(part.id, part.result);
  return found;
}

function Tool({ name, args, result, answered }: { name: string; args: unknown; result?: unknown; answered: boolean }) {
  return (
    <div className="tool-card">
      <p className="tool-name">
        <Icon name="bolt" size={13} />
        <span className="strong wrap-any">{name}</span>
      </p>
      <Json value={args} />
      {answered && (
        <div className="tool-result">
          <span className="muted">gave</span>
          <Json value={result} />
        </div>
      )}
    </div>
  );
}

/** Pictures of other places are not fetched: whoever looks at a trace is nobody that its author may know of. */
function Shown({ part, answers, formatted }: { part: MessagePart; answers: ReadonlyMap<string, unknown>; formatted: boolean }): ReactNode {
  switch (part.type) {
    case "text":
      return <Long text={part.content} formatted={formatted && isMarkdown(part.content)} />;
    case "reasoning":
      return (
        <details className="reasoning">
          <summary>Reasoning, {count(part.content.length)} characters</summary>
          <Long text={part.content} />
        </details>
      );
    case "tool_call":
      return (
        <Tool
          name={part.name}
          args={part.arguments}
          answered={part.id != null && answers.has(part.id)}
          result={part.id ? answers.get(part.id) : undefined}
        />
      );
    case "tool_call_response":
      return (
        <div className="tool-card">
          <Json value={part.result} />
        </div>
      );
    case "uri":
      return (
        <p className="by-reference">
          <Icon name="link" size={13} />
          {/^https?:\/\//.test(part.uri) ? (
            <a className="text-link wrap-any" href={part.uri} target="_blank" rel="noreferrer noopener">
              {part.uri}
            </a>
          ) : (
            <code className="wrap-any">{part.uri}</code>
          )}
          {part.mime_type && <Badge>{part.mime_type}</Badge>}
        </p>
      );
    case "blob":
      return part.mime_type && /^image\/(png|jpeg|gif|webp)$/.test(part.mime_type) ? (
        <img className="message-image" alt={`A picture that was sent, ${part.mime_type}`} src={`data:${part.mime_type};base64,${part.content}`} />
      ) : (
        <p className="by-reference">
          <Icon name="file" size={13} /> {part.mime_type ?? "data"}, {bytes(Math.floor(part.content.length * 0.75))}
        </p>
      );
    case "file":
      return (
        <p className="by-reference">
          <Icon name="file" size={13} /> <code className="wrap-any">{part.file_id}</code>
        </p>
      );
    case "other":
      return <Json value={part.value} />;
  }
}

export function Message({ message, answers = new Map() }: { message: SpanMessage; answers?: ReadonlyMap<string, unknown> }) {
  const [asWritten, setAsWritten] = useState(false);
  // What a tool gave stands with its call where both are there.
  const parts = message.parts.filter((part) => part.type !== "tool_call_response" || !part.id || answers.get(part.id) !== part.result);
  if (parts.length === 0) return null;
  // Models answer in Markdown; what they were told matters to the letter.
  const isFormatted = message.role === "assistant" && parts.some((part) => part.type === "text" && isMarkdown(part.content));
  return (
    <li className={`message from-${message.role}`}>
      <div className="message-head">
        <span className="message-role">
          {message.role}
          {message.name && <span className="soft"> {message.name}</span>}
        </span>
        <span className="message-tools">
          {message.finish_reason && <span className="muted">{message.finish_reason.replaceAll("_", " ")}</span>}
          {isFormatted && (
            <button type="button" className="text-link" aria-pressed={asWritten} onClick={() => setAsWritten(!asWritten)}>
              As written
            </button>
          )}
        </span>
      </div>
      {parts.map((part, i) => (
        <Shown key={i} part={part} answers={answers} formatted={isFormatted && !asWritten} />
      ))}
    </li>
  );
}

/** Messages one after the other, each tool's answer beside its call. */
export function Messages({ messages, label }: { messages: readonly SpanMessage[]; label: string }) {
  // Only calls that are shown take their answers in.
  const called = new Set(messages.flatMap(({ parts }) => parts.flatMap((part) => (part.type === "tool_call" && part.id ? [part.id] : []))));
  const answers = new Map([...answersIn(messages)].filter(([id]) => called.has(id)));
  return (
    <ol className="messages" aria-label={label}>
      {messages.map((message, i) => (
        <Message key={i} message={message} answers={answers} />
      ))}
    </ol>
  );
}

export const messagesOf = (reading: SpanReading): SpanMessage[] => [
  ...(reading.system?.length ? [{ role: "system", parts: reading.system }] : []),
  ...reading.input,
  ...reading.output,
];

export function Conversation({ reading }: { reading: SpanReading }) {
  const { tool, tools } = reading;
  return (
    <>
      {tool && (
        <section className="tool-span" aria-label="The tool that was called">
          <Tool name={tool.name ?? "tool"} args={tool.arguments} result={tool.result} answered={!isNothing(tool.result)} />
        </section>
      )}
      <Messages label="Messages" messages={messagesOf(reading)} />
      {tools && tools.length > 0 && (
        <details className="reasoning">
          <summary>{count(tools.length)} tools the model was told of</summary>
          <Json value={tools} />
        </details>
      )}
    </>
  );
}
