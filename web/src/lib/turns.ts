// A session as people live it: of each trace what was newly said, not the whole conversation that every call repeats.

import type { MessagePart, SpanMessage, SpanReading } from "@/api/types";

export interface Said {
  asked: SpanMessage[];
  answered: SpanMessage[];
}

/** From the last words of the person on; what was said before is the turn before. */
export function newIn({ input, output, query }: SpanReading): Said {
  let from = input.findLastIndex((message) => message.role === "user");
  while (from > 0 && input[from - 1]!.role === "user") from--;
  const asked = from < 0 ? input.filter((message) => message.role !== "system") : input.slice(from);
  if (asked.length === 0 && query) return { asked: [{ role: "user", parts: [{ type: "text", content: query }] }], answered: output };
  return { asked, answered: output };
}

export const saysNothing = ({ asked, answered }: Said): boolean => asked.length === 0 && answered.length === 0;

const json = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? ""));

export function partText(part: MessagePart): string {
  switch (part.type) {
    case "text":
    case "reasoning":
      return part.content;
    case "tool_call":
      return `${part.name}(${json(part.arguments)})`;
    case "tool_call_response":
      return json(part.result);
    case "uri":
      return part.uri;
    case "blob":
      return `[${part.mime_type ?? "data"}]`;
    case "file":
      return part.file_id;
    case "other":
      return json(part.value);
  }
}

/** Everything that was said in a span, to be compared with another. */
export function transcript(reading: SpanReading): string {
  const line = (role: string, parts: readonly MessagePart[]) => `${role}: ${parts.map(partText).join("\n")}`;
  const lines = [
    ...(reading.system?.length ? [line("system", reading.system)] : []),
    ...(reading.query ? [`query: ${reading.query}`] : []),
    ...[...reading.input, ...reading.output].map((message) => line(message.role, message.parts)),
  ];
  if (reading.tool) lines.push(`${reading.tool.name ?? "tool"}(${json(reading.tool.arguments)})`, json(reading.tool.result));
  for (const document of reading.documents ?? []) lines.push(`document ${document.id ?? ""}: ${document.content ?? ""}`);
  return lines.join("\n\n");
}

const LEAST = 500;
const MOST = 4_000;

/** How long to wait before the turn after this one, at a speed; nobody waits for minutes, or sees nothing pass. */
export function pauseAfter(starts: readonly string[], at: number, speed: number): number {
  const [here, then] = [starts[at], starts[at + 1]];
  const gap = here === undefined || then === undefined ? 0 : Date.parse(then) - Date.parse(here);
  return Math.min(MOST, Math.max(LEAST, gap / speed));
}
