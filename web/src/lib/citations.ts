// `[1]`, `[2, 5]`, `[2-4]` and `[1][3]` in an answer point to numbered sources.

export type Piece = { kind: "text"; text: string } | { kind: "cite"; numbers: number[]; text: string };

const ITEM = String.raw`\d{1,3}(?:\s*[-–]\s*\d{1,3})?`;
const CITE = new RegExp(String.raw`\[(${ITEM}(?:\s*[,;]\s*${ITEM})*)\]`, "g");

function numbersIn(inside: string): number[] {
  return inside.split(/[,;]/).flatMap((part) => {
    const [first, last] = part.split(/[-–]/).map(Number);
    if (last === undefined) return [first!];
    return first! > last || last - first! > 20 ? [0] : Array.from({ length: last - first! + 1 }, (_, i) => first! + i);
  });
}

/** Cuts text at its citations. `known` (when given) decides which numbers are sources; others stay text. */
export function splitCitations(text: string, known?: (n: number) => boolean): Piece[] {
  const pieces: Piece[] = [];
  const addText = (part: string) => {
    const last = pieces.at(-1);
    if (part === "") return;
    if (last?.kind === "text") last.text += part;
    else pieces.push({ kind: "text", text: part });
  };
  let at = 0;
  for (const match of text.matchAll(CITE)) {
    addText(text.slice(at, match.index));
    at = match.index + match[0].length;
    const numbers = numbersIn(match[1]!);
    if (numbers.every((n) => n > 0 && (known?.(n) ?? true))) pieces.push({ kind: "cite", numbers, text: match[0] });
    else addText(match[0]);
  }
  addText(text.slice(at));
  return pieces;
}

/** Every number cited, in order of first appearance. */
export function citedNumbers(text: string): number[] {
  return [...new Set(splitCitations(text).flatMap((piece) => (piece.kind === "cite" ? piece.numbers : [])))];
}

/** Text with markup and citations taken out and white space folded, with each character's place in the original. */
function fold(text: string): { folded: string; places: number[] } {
  let folded = "";
  const places: number[] = [];
  const skip = new Set<number>();
  for (const match of text.matchAll(CITE)) for (let i = 0; i < match[0].length; i++) skip.add(match.index + i);
  for (let i = 0; i < text.length; i++) {
    if (skip.has(i)) continue;
    const char = text[i]!;
    if (/[*_`#>]/.test(char)) continue;
    const blank = /\s/.test(char);
    if (blank && (folded === "" || folded.endsWith(" "))) continue;
    if (/[.,;:!?]/.test(char) && folded.endsWith(" ")) {
      folded = folded.slice(0, -1);
      places.pop();
    }
    folded += blank ? " " : char;
    places.push(i);
  }
  return { folded, places };
}

/** A slice by characters (Unicode scalar values), which is how the server counts in an answer. */
export const sliceChars = (text: string, start: number, end: number): string => Array.from(text).slice(start, end).join("");

/** Where the given sentences stand in rendered text, whatever markup or citations either side carries. */
export function findSentences(text: string, sentences: readonly string[]): { start: number; end: number; sentence: number }[] {
  const { folded, places } = fold(text);
  const found: { start: number; end: number; sentence: number }[] = [];
  for (const [index, sentence] of sentences.entries()) {
    const needle = fold(sentence).folded.trim();
    if (needle.length < 2) continue;
    const at = folded.indexOf(needle);
    if (at < 0) continue;
    found.push({ start: places[at]!, end: places[at + needle.length - 1]! + 1, sentence: index });
  }
  return found.sort((a, b) => a.start - b.start);
}
