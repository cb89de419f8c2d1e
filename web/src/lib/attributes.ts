// Span attributes are any JSON at all, whoever sent them.

export type Attributes = Readonly<Record<string, unknown>>;

const NONE: Attributes = {};

export const attributesOf = (of: { attributes?: unknown }): Attributes =>
  typeof of.attributes === "object" && of.attributes !== null && !Array.isArray(of.attributes) ? (of.attributes as Attributes) : NONE;

/** What stands in the place of a value that is too large for its span. */
export interface Aside {
  digest: string;
  /** Of the whole value. */
  bytes: number;
  beginning: string;
}

export function asideOf(value: unknown): Aside | null {
  if (typeof value !== "object" || value === null) return null;
  const within = (value as Record<string, unknown>)["mainspring.value"];
  if (Object.keys(value).length !== 1 || typeof within !== "object" || within === null) return null;
  const { digest, bytes, beginning } = within as Record<string, unknown>;
  return typeof digest === "string" && typeof bytes === "number" && typeof beginning === "string" ? { digest, bytes, beginning } : null;
}

/** A list, or the JSON text of one. */
export function listOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  if (typeof value !== "string") return [];
  try {
    const parsed: unknown = JSON.parse(value);
    return Array.isArray(parsed) ? parsed : [];
  } catch {
    return [];
  }
}
