// Server-sent events over fetch: `EventSource` can neither POST nor send an Authorization header.

export interface SseEvent {
  event: string;
  data: string;
  id: string | null;
}

/** Takes text in pieces cut anywhere and gives out whole events. */
export class SseParser {
  #rest = "";
  #data: string[] = [];
  #event = "";
  #id: string | null = null;
  #started = false;

  push(text: string): SseEvent[] {
    if (!this.#started && text.length > 0) {
      this.#started = true;
      if (text.startsWith("\ufeff")) text = text.slice(1);
    }
    this.#rest += text;
    const events: SseEvent[] = [];
    let from = 0;
    for (;;) {
      const end = this.#lineEnd(from);
      if (end === null) break;
      const event = this.#line(this.#rest.slice(from, end.at));
      if (event) events.push(event);
      from = end.next;
    }
    this.#rest = this.#rest.slice(from);
    return events;
  }

  /** A carriage return at the very end may be half of CRLF: wait for what follows. */
  #lineEnd(from: number): { at: number; next: number } | null {
    for (let at = from; at < this.#rest.length; at++) {
      const char = this.#rest.charCodeAt(at);
      if (char === 10) return { at, next: at + 1 };
      if (char === 13) {
        if (at + 1 === this.#rest.length) return null;
        return { at, next: this.#rest.charCodeAt(at + 1) === 10 ? at + 2 : at + 1 };
      }
    }
    return null;
  }

  #line(line: string): SseEvent | null {
    if (line === "") {
      if (this.#data.length === 0) {
        this.#event = "";
        return null;
      }
      const event = { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id };
      this.#data = [];
      this.#event = "";
      return event;
    }
    if (line.startsWith(":")) return null;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }
}

/** Reads a response body as events until it ends; leaving the loop closes the connection. */
export async function* readSse(body: ReadableStream<Uint8Array>): AsyncGenerator<SseEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new SseParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      yield* parser.push(done ? decoder.decode() + "\n\n" : decoder.decode(value, { stream: true }));
      if (done) return;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
