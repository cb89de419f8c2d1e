// Addresses of what others point to.

export interface PassagePlace {
  document: string;
  start: number;
  end: number;
  /** Of the text the offsets count in; what was kept before sources carried it has none. */
  document_digest?: string;
  chunk?: string;
}

/** The page of a document at a passage. It shows the text the passage was cut from, also after the document changed. */
export function passagePage(knowledge: string, passage: PassagePlace): string {
  const query = new URLSearchParams({ start: String(passage.start), end: String(passage.end) });
  if (passage.document_digest) query.set("digest", passage.document_digest);
  if (passage.chunk) query.set("chunk", passage.chunk);
  return `/knowledge/${encodeURIComponent(knowledge)}/documents/${encodeURIComponent(passage.document)}?${query}`;
}

/**
 * The address that a link of a document leads to, where it is one of the web: relative ones lead on from the document's own.
 * Null for all else, so that no document gets a browser to run something.
 */
export function webAddress(target: string, uri?: string): string | null {
  const own = uri && /^https?:\/\//i.test(uri) ? uri : undefined;
  if (!URL.canParse(target, own)) return null;
  const url = new URL(target, own);
  return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
}
