// What may be written next in a filter, and where one that cannot be read is wrong. The server reads filters; this only helps to write them.

import type { FilterField } from "@/api/types";

export interface Suggestion {
  /** What is put in. */
  text: string;
  says: string;
}

export interface Suggestions {
  /** What is replaced: from here to the caret. */
  from: number;
  items: Suggestion[];
  /** The field whose values belong here. */
  valuesOf?: string;
}

interface Token {
  kind: "word" | "text" | "comparison" | "other";
  text: string;
  from: number;
  to: number;
}

const TOKEN = /"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|[=!<>]=?|[()[\],]|[^\s"'()[\],=!<>]+/g;

function tokens(text: string): Token[] {
  return [...text.matchAll(TOKEN)].map(({ 0: found, index }) => ({
    kind: /^["']/.test(found) ? "text" : /^[=!<>]/.test(found) ? "comparison" : /^[()[\],]/.test(found) ? "other" : "word",
    text: found,
    from: index,
    to: index + found.length,
  }));
}

const COMPARISONS: Record<string, Suggestion[]> = {
  text: [
    { text: "=", says: "is" },
    { text: "!=", says: "is not" },
    { text: "in (", says: "one of" },
    { text: "contains", says: "holds this, in either case" },
    { text: "starts_with", says: "begins with" },
    { text: "exists", says: "has one" },
  ],
  list: [
    { text: "=", says: "one of them is" },
    { text: "exists", says: "has one" },
  ],
  flag: [],
};
const ORDERED: Suggestion[] = [
  { text: ">", says: "more than" },
  { text: ">=", says: "at least" },
  { text: "<", says: "less than" },
  { text: "<=", says: "at most" },
  { text: "=", says: "is" },
];
const EXAMPLES: Record<string, Suggestion[]> = {
  duration: ["100ms", "1s", "5s", "1m"].map((text) => ({ text, says: "a length of time" })),
  money: ["0.001", "0.01", "0.1", "1"].map((text) => ({ text, says: "dollars" })),
  time: ["-15m", "-1h", "-1d", "-7d"].map((text) => ({ text, says: "ago" })),
  number: ["100", "1000", "10000"].map((text) => ({ text, says: "a number" })),
};
const FIXED: Record<string, string[]> = {
  status: ["ok", "error", "unset"],
  kind: ["internal", "server", "client", "producer", "consumer"],
  severity: ["trace", "debug", "info", "warn", "error", "fatal"],
};
const WORDS = new Set(["and", "or", "not", "in", "contains", "starts_with", "words", "exists"]);

/** What may stand at the caret. */
export function suggest(text: string, caret: number, fields: readonly FilterField[]): Suggestions {
  const before = tokens(text.slice(0, caret));
  const last = before.at(-1);
  const typing = last && last.to === caret && (last.kind === "word" || last.kind === "text") ? last : undefined;
  const done = typing ? before.slice(0, -1) : before;
  const from = typing?.from ?? caret;
  const typed = (typing?.text ?? "").replace(/^["']/, "").toLowerCase();
  const fitting = (items: Suggestion[]) => {
    const starts = items.filter((item) => item.text.toLowerCase().startsWith(typed));
    const holds = items.filter((item) => !item.text.toLowerCase().startsWith(typed) && item.text.toLowerCase().includes(typed));
    return [...starts, ...holds].filter((item) => item.text.toLowerCase() !== typed).slice(0, 12);
  };
  const fieldOf = (token: Token | undefined) => fields.find((field) => token?.kind === "word" && field.name === token.text);
  const prior = done.at(-1);

  const comparing = comparedField(done);
  if (comparing) {
    const field = fields.find((one) => one.name === comparing);
    const kind = field?.kind ?? "text";
    const fixed = FIXED[comparing]?.map((value) => ({ text: value, says: "" }));
    if (fixed) return { from, items: fitting(fixed) };
    if (kind === "text" && comparing !== "content") return { from, items: [], valuesOf: comparing };
    return { from, items: fitting(EXAMPLES[kind] ?? []) };
  }
  const field = fieldOf(prior);
  if (field && field.kind !== "flag") return { from, items: fitting(COMPARISONS[field.kind] ?? ORDERED) };
  if (!prior || (prior.kind === "word" && ["and", "or", "not"].includes(prior.text.toLowerCase())) || prior.text === "(") {
    const named = fields.map((one): Suggestion => ({ text: one.name, says: one.says.replaceAll("`", "") }));
    const negated = prior?.text.toLowerCase() === "not" ? [] : [{ text: "not", says: "the opposite" }];
    return { from, items: fitting([...named, { text: 'attributes["', says: "any attribute by its name" }, ...negated]) };
  }
  return {
    from,
    items: fitting([
      { text: "and", says: "both must hold" },
      { text: "or", says: "one must hold" },
    ]),
  };
}

/** The field that a value is about to be written for. */
function comparedField(done: readonly Token[]): string | undefined {
  const prior = done.at(-1);
  if (!prior) return undefined;
  const word = prior.text.toLowerCase();
  if (prior.kind === "comparison" || (prior.kind === "word" && ["contains", "starts_with", "words"].includes(word))) {
    const field = done.at(-2);
    return field?.kind === "word" && !WORDS.has(field.text.toLowerCase()) ? field.text : undefined;
  }
  // Within `field in (…`.
  const open = done.findLastIndex((token) => token.text === "(");
  if (open < 2 || (prior.text !== "(" && prior.text !== ",") || done.slice(open).some((token) => token.text === ")")) return undefined;
  if (done[open - 1]!.text.toLowerCase() !== "in") return undefined;
  const named = done[open - 2]!.text.toLowerCase() === "not" ? done[open - 3] : done[open - 2];
  return named?.text;
}

const ESCAPED: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A text as the language takes every text. */
export const inQuotes = (text: string): string => `"${text.replace(/["\\\n\r\t]/g, (letter) => ESCAPED[letter] ?? `\\${letter}`)}"`;

/** A value as the language takes it: bare where that is the same. */
export const quoted = (value: string): string =>
  /^[^\s"'()[\],=!<>&|]+$/.test(value) && !WORDS.has(value.toLowerCase()) && !/^(true|false|now)$/i.test(value) && !/^[-\d]/.test(value)
    ? value
    : inQuotes(value);

/** Where a filter is wrong, and why, in the server's words. */
export function faultAt(detail: string): { at: number; what: string } | null {
  const found = /at character (\d+): (.*)$/s.exec(detail);
  return found ? { at: Number(found[1]) - 1, what: found[2]! } : null;
}

/** Adds what must hold as well. */
export const both = (...parts: (string | undefined)[]): string => {
  const said = parts.map((part) => part?.trim() ?? "").filter((part) => part !== "");
  return said.length < 2 ? (said[0] ?? "") : said.map((part) => `(${part})`).join(" and ");
};
