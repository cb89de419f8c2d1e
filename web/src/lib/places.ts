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
