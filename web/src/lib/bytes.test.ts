import { describe, expect, it } from "vitest";
import { byteLength, byteRanges, bytesToIndices } from "./bytes";

const encoder = new TextEncoder();

describe("byte offsets", () => {
  it("are string offsets in plain ASCII", () => {
    expect(bytesToIndices("hello", [0, 2, 5])).toEqual([0, 2, 5]);
  });

  it("find the same substring as slicing the encoded bytes", () => {
    const text = "naïve — 文書 🧭 end\r\nمرحبا e\u0301";
    const bytes = encoder.encode(text);
    const boundaries = [...text].reduce<number[]>((at, char) => [...at, at.at(-1)! + encoder.encode(char).length], [0]);
    for (const start of boundaries) {
      for (const end of boundaries.filter((b) => b >= start)) {
        const [range] = byteRanges(text, [{ start, end }]);
        expect(text.slice(range!.start, range!.end)).toBe(new TextDecoder().decode(bytes.slice(start, end)));
      }
    }
  });

  it("never cut a surrogate pair in half", () => {
    for (let offset = 0; offset <= 4; offset++) {
      expect([0, 2]).toContain(bytesToIndices("🧭", [offset])[0]);
    }
  });

  it("past the end stop at the end, before the start at the start", () => {
    expect(bytesToIndices("ab", [99, -3])).toEqual([2, 0]);
  });

  it("come back in the order asked", () => {
    expect(bytesToIndices("äöü", [6, 0, 4, 2])).toEqual([3, 0, 2, 1]);
  });

  it("turned round give an empty range instead of a negative one", () => {
    expect(byteRanges("abcdef", [{ start: 4, end: 2 }])).toEqual([{ start: 4, end: 4 }]);
  });

  it("count lengths as the encoder does, lone surrogates included", () => {
    for (const text of ["", "a", "é", "文", "🧭", "x\ud800y"]) {
      expect(byteLength(text)).toBe(encoder.encode(text).length);
    }
  });
});
