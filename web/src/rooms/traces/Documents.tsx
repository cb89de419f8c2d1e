// What a search found, as cards: where it is from, how well it fits, and how it begins.

import { Link } from "react-router";
import type { SpanReading } from "@/api/types";
import { listOf, type Attributes } from "@/lib/attributes";
import { score } from "@/lib/format";
import { passagePage } from "@/lib/places";
import { shown } from "@/lib/preview";
import { Icon } from "@/ui/icons";
import { Long } from "./Conversation";

export interface Found {
  title: string;
  score?: number;
  text?: string;
  /** Where it stands in a document of ours. */
  to?: string;
}

const number = (value: unknown): number | undefined => (typeof value === "number" && Number.isFinite(value) ? value : undefined);
const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

/** Ours know their documents; those of others have what they were given. */
export function foundIn(attributes: Attributes, reading: SpanReading | undefined): Found[] {
  const hits = listOf(attributes["mainspring.retrieval.hits"]);
  const knowledge = text(attributes["gen_ai.data_source.id"]);
  if (hits.length > 0) return hits.map((hit) => ofHit(hit, knowledge));
  return (reading?.documents ?? []).map((document, i) => ({
    title: document.id ?? `document ${i + 1}`,
    score: document.score ?? undefined,
    text: document.content ?? undefined,
  }));
}

function ofHit(hit: unknown, knowledge: string | undefined): Found {
  if (typeof hit !== "object" || hit === null) return { title: String(hit) };
  const h = hit as Record<string, unknown>;
  const document = text(h.document);
  const place = { start: Number(h.start), end: Number(h.end), document_digest: text(h.document_digest) };
  return {
    title: text(h.title) ?? text(h.uri) ?? document ?? text(h.chunk) ?? "passage",
    score: number(h.score) ?? number((h.scores as { score?: unknown } | undefined)?.score),
    text: shown({ text: text(h.text) ?? "", table_head: text(h.table_head) }) || undefined,
    to: knowledge && document ? passagePage(knowledge, { document, ...place }) : undefined,
  };
}

export function Documents({ query, found }: { query?: string | null; found: readonly Found[] }) {
  return (
    <>
      {query && (
        <p className="asked-for">
          <Icon name="search" size={13} /> {query}
        </p>
      )}
      <ol className="span-hits">
        {found.map((one, i) => (
          <li key={i} className="found-card">
            <div className="row-flex">
              <span className="muted num">{i + 1}</span>
              {one.to ? (
                <Link className="row-link clip strong" to={one.to}>
                  {one.title}
                </Link>
              ) : (
                <span className="clip strong">{one.title}</span>
              )}
              <span className="grow" />
              {one.score !== undefined && <span className="muted num">{score(one.score)}</span>}
            </div>
            {one.text && <Long className="soft" text={one.text} />}
          </li>
        ))}
      </ol>
    </>
  );
}
