// Span attributes are any JSON at all, whoever sent them.

export type Attributes = Readonly<Record<string, unknown>>;

const NONE: Attributes = {};

export const attributesOf = (of: { attributes?: unknown }): Attributes =>
  typeof of.attributes === "object" && of.attributes !== null && !Array.isArray(of.attributes) ? (of.attributes as Attributes) : NONE;

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
