import { describe, expect, it } from "vitest";
import { cut } from "./passages";

const encoder = new TextEncoder();
/** The byte range of a part of a text, as the server would give it. */
const bytesOf = (text: string, part: string) => {
  const at = text.indexOf(part);
  const start = encoder.encode(text.slice(0, at)).length;
  return { start, end: start + encoder.encode(part).length };
};
const block = (text: string, part: string, kind: string, page?: number) => ({ ...bytesOf(text, part), kind, page });

describe("a document cut for reading", () => {
  const text = "Überschrift\n\nErster Absatz – mit 文書.\n\nZweiter 🧭 Absatz.";
  const whole = (found: ReturnType<typeof cut>) => found.map((b) => b.pieces.map((p) => p.text).join("")).join("");

  it("keeps every character once, with or without blocks", () => {
    const blocks = [block(text, "Überschrift", "heading"), block(text, "Zweiter 🧭 Absatz.", "paragraph")];
    expect(whole(cut(text, [], [], null))).toBe(text);
    expect(whole(cut(text, blocks, [bytesOf(text, "mit 文書.\n\nZweiter")], bytesOf(text, "🧭")))).toBe(text);
  });

  it("marks exactly the passage, across blocks", () => {
    const found = cut(text, [], [], bytesOf(text, "文書.\n\nZweiter 🧭"));
    expect(
      found
        .flatMap((b) => b.pieces)
        .filter((p) => p.marked)
        .map((p) => p.text)
        .join(""),
    ).toBe("文書.\n\nZweiter 🧭");
  });

  it("knows both chunks where they overlap, and where each begins", () => {
    const pieces = cut(
      "abcdefgh",
      [],
      [
        { start: 0, end: 5 },
        { start: 3, end: 8 },
      ],
      null,
    ).flatMap((b) => b.pieces);
    expect(pieces.map((p) => [p.text, p.chunks, p.opens])).toEqual([
      ["abc", [0], [0]],
      ["de", [0, 1], [1]],
      ["fgh", [1], []],
    ]);
  });

  it("does not repeat nested blocks or lose the gaps between them", () => {
    const blocks = [
      { kind: "list", start: 2, end: 6 },
      { kind: "paragraph", start: 3, end: 4 },
      { kind: "paragraph", start: 7, end: 99 },
    ];
    const found = cut("0123456789", blocks, [], null);
    expect(found.map((b) => [b.kind, b.pieces.map((p) => p.text).join("")])).toEqual([
      ["text", "01"],
      ["list", "2345"],
      ["text", "6"],
      ["paragraph", "789"],
    ]);
  });

  it("knows which words are links, also across the ends of chunks, and passes over those without a place", () => {
    const links = [
      { text: "mit 文書", target: "b.html", ...bytesOf(text, "mit 文書") },
      { text: "nowhere", target: "c.html" },
      { text: "文書", target: "inner.html", ...bytesOf(text, "文書") },
    ];
    const pieces = cut(text, [], [bytesOf(text, "Erster Absatz – mit")], null, links).flatMap((b) => b.pieces);
    expect(pieces.filter((p) => p.target).map((p) => [p.text, p.target])).toEqual([
      ["mit", "b.html"],
      [" 文書", "b.html"],
    ]);
    expect(pieces.map((p) => p.text).join("")).toBe(text);
  });

  it("says where pages turn", () => {
    const blocks = [
      { kind: "p", start: 0, end: 1, page: 1 },
      { kind: "p", start: 1, end: 2, page: 1 },
      { kind: "p", start: 2, end: 3, page: 2 },
    ];
    expect(cut("abc", blocks, [], null).map((b) => b.turns)).toEqual([true, false, true]);
  });

  it("is empty for an empty document and calm about ranges outside it", () => {
    expect(cut("", [], [], { start: 3, end: 9 })).toEqual([]);
    expect(whole(cut("ab", [], [{ start: 50, end: 60 }], { start: 1, end: 900 }))).toBe("ab");
  });
});
