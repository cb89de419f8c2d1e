import { describe, expect, it } from "vitest";
import { readSse, SseParser, type SseEvent } from "./sse";

const all = (text: string): SseEvent[] => new SseParser().push(text);

function streamOf(bytes: Uint8Array, size: number, onCancel?: () => void): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, (at += size)));
    },
    cancel: onCancel,
  });
}

describe("server-sent events", () => {
  it("give data, event name and id", () => {
    expect(all("event: progress\nid: 7\ndata: {}\n\n")).toEqual([{ event: "progress", data: "{}", id: "7" }]);
  });

  it("join several data lines and keep all but one leading space", () => {
    expect(all("data: a\ndata:  b\ndata:c\n\n")[0]?.data).toBe("a\n b\nc");
  });

  it("skip comments and events without data", () => {
    expect(all(": keep-alive\n\nevent: ping\n\ndata: x\n\n")).toEqual([{ event: "message", data: "x", id: null }]);
  });

  it("accept LF, CRLF and CR", () => {
    for (const end of ["\n", "\r\n", "\r"]) {
      expect(all(`data: x${end}${end}data: y${end}${end}.`).map((e) => e.data)).toEqual(["x", "y"]);
    }
  });

  it("are the same wherever the stream is cut", async () => {
    const text = "data: héllo 文書 🧭\r\n\r\nevent: done\r\ndata: [DONE]\r\n\r\n";
    const bytes = new TextEncoder().encode(text);
    for (let size = 1; size <= bytes.length; size++) {
      const seen: string[] = [];
      for await (const event of readSse(streamOf(bytes, size))) seen.push(`${event.event}=${event.data}`);
      expect(seen).toEqual(["message=héllo 文書 🧭", "done=[DONE]"]);
    }
  });

  it("give a last event even when the final blank line is missing", async () => {
    const seen: string[] = [];
    for await (const event of readSse(streamOf(new TextEncoder().encode("data: last"), 4))) seen.push(event.data);
    expect(seen).toEqual(["last"]);
  });

  it("close the connection when the reader leaves early", async () => {
    let cancelled = false;
    const body = streamOf(new TextEncoder().encode("data: 1\n\ndata: 2\n\ndata: 3\n\n"), 9, () => (cancelled = true));
    for await (const _ of readSse(body)) break;
    expect(cancelled).toBe(true);
  });
});
