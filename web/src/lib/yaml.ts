// Specs are stored as JSON and read as YAML, as people wrote them.

const PLAIN = /^[A-Za-z_/][A-Za-z0-9_ ./@+()-]*$/;
const WORDS = /^(true|false|null|yes|no|on|off|y|n|~)$/i;

function scalarText(text: string): string {
  if (text !== "" && PLAIN.test(text) && !WORDS.test(text) && !text.endsWith(" ")) return text;
  return JSON.stringify(text);
}

/** A multi-line string reads best as a block; a block cannot hold every string. */
function block(text: string, indent: string): string | null {
  if (!text.includes("\n") || /[\0-\x08\x0b-\x1f\x7f\u0085\u2028\u2029\ufeff]/.test(text)) return null;
  const body = text.replace(/\n+$/, "");
  if (body === "" || /^[ \t\n]/.test(body)) return null;
  const trailing = text.length - body.length;
  const sign = trailing === 0 ? "-" : trailing === 1 ? "" : "+";
  const lines = (sign === "+" ? text.slice(0, -1) : body).split("\n").map((line) => (line === "" ? "" : indent + line));
  return `|${sign}\n${lines.join("\n")}`;
}

function scalar(value: unknown, indent: string): string {
  if (typeof value === "string") return block(value, indent) ?? scalarText(value);
  if (value === undefined) return "null";
  return JSON.stringify(value);
}

const isMap = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** The server keeps keys in the order of the alphabet; people say first what a thing is. */
const FIRST = ["kind", "type", "name", "role"];
const rank = (key: string): number => (FIRST.includes(key) ? FIRST.indexOf(key) : FIRST.length);
const inOrder = (map: Record<string, unknown>): [string, unknown][] => Object.entries(map).toSorted(([a], [b]) => rank(a) - rank(b));

function write(value: unknown, indent: string): string[] {
  if (Array.isArray(value)) {
    return value.flatMap((item) => {
      const inner = write(item, indent + "  ");
      if (isNested(item)) return [`${indent}- ${inner[0]!.slice(indent.length + 2)}`, ...inner.slice(1)];
      return [`${indent}- ${scalar(item, indent + "  ")}`];
    });
  }
  if (isMap(value)) {
    return inOrder(value).flatMap(([key, item]) => {
      if (isNested(item)) return [`${indent}${scalarText(key)}:`, ...write(item, indent + "  ")];
      return [`${indent}${scalarText(key)}: ${scalar(item, indent + "  ")}`];
    });
  }
  return [indent + scalar(value, indent)];
}

const isNested = (value: unknown): boolean => (Array.isArray(value) && value.length > 0) || (isMap(value) && Object.keys(value).length > 0);

export function toYaml(value: unknown): string {
  return isNested(value) ? write(value, "").join("\n") : scalar(value, "  ");
}
