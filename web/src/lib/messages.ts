// Messages in span attributes: an array, or JSON text of one; content as text, or in parts.

export interface ShownMessage {
  role: string;
  text: string;
}

export function readMessages(value: unknown, fallbackRole: string): ShownMessage[] | null {
  const parsed = typeof value === "string" ? parse(value) : value;
  if (typeof parsed === "string") return parsed === "" ? null : [{ role: fallbackRole, text: parsed }];
  const list = Array.isArray(parsed) ? parsed : typeof parsed === "object" && parsed !== null ? [parsed] : [];
  const messages = list.flatMap((item): ShownMessage[] => {
    if (typeof item === "string") return [{ role: fallbackRole, text: item }];
    if (typeof item !== "object" || item === null) return [];
    const { role, content, parts, text } = item as Record<string, unknown>;
    return [{ role: typeof role === "string" ? role : fallbackRole, text: textOf(content ?? parts ?? text) }];
  });
  return messages.length > 0 ? messages : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (Array.isArray(content)) return content.map(textOf).filter(Boolean).join("\n");
  if (typeof content !== "object" || content === null) return content == null ? "" : String(content);
  const part = content as Record<string, unknown>;
  for (const key of ["text", "content"]) if (typeof part[key] === "string") return part[key];
  return JSON.stringify(content, null, 2);
}
