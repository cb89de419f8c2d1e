import { describe, expect, it } from "vitest";
import { citedNumbers, findSentences, splitCitations } from "./citations";

describe("citations", () => {
  it("cut the text and keep it whole", () => {
    const text = "Lance commits [1][2]. Not [a] or [0], but [3, 12].";
    const pieces = splitCitations(text);
    expect(pieces.map((p) => p.text).join("")).toBe(text);
    expect(pieces.filter((p) => p.kind === "cite").map((p) => p.kind === "cite" && p.numbers)).toEqual([[1], [2], [3, 12]]);
  });

  it("to unknown sources stay text", () => {
    expect(splitCitations("a [9] b", (n) => n < 4)).toEqual([{ kind: "text", text: "a [9] b" }]);
  });

  it("may be ranges, but not backwards or absurd ones", () => {
    expect(splitCitations("[2-4]")).toEqual([{ kind: "cite", numbers: [2, 3, 4], text: "[2-4]" }]);
    expect(splitCitations("[1, 3–4]")[0]).toMatchObject({ numbers: [1, 3, 4] });
    expect(splitCitations("[4-2] [1-99]")).toEqual([{ kind: "text", text: "[4-2] [1-99]" }]);
  });

  it("are listed once, in order", () => {
    expect(citedNumbers("x [3] y [1, 3] z [2]")).toEqual([3, 1, 2]);
  });

  it("do not appear in text without any", () => {
    expect(splitCitations("array[10] is [] here")).toEqual([
      { kind: "text", text: "array" },
      { kind: "cite", numbers: [10], text: "[10]" },
      { kind: "text", text: " is [] here" },
    ]);
  });
});

describe("unsupported sentences", () => {
  it("are found through markup, citations and line breaks", () => {
    const shown = "The lake is durable [1]. It never\nsleeps [2]. Done.";
    const [range] = findSentences(shown, ["It **never** sleeps."]);
    expect(shown.slice(range!.start, range!.end)).toBe("It never\nsleeps [2].");
  });

  it("that are not there mark nothing", () => {
    expect(findSentences("One thing.", ["Another thing."])).toEqual([]);
    expect(findSentences("One thing.", ["", " "])).toEqual([]);
  });
});
