// A document's text cut where blocks, chunks and the passage of interest begin and end.

import type { Block, Chunk, DocumentLink } from "@/api/types";
import { byteRanges, type Range } from "./bytes";

export interface Piece {
  text: string;
  /** Ordinals (places in the list) of the chunks this piece belongs to; two where chunks overlap. */
  chunks: number[];
  /** Chunks that begin here. */
  opens: number[];
  marked: boolean;
  /** Where the link leads that it is of, as the document says it. */
  target: string | null;
}

export interface TextBlock {
  kind: string;
  level: number | null;
  page: number | null;
  language: string | null;
  /** The page differs from the one before. */
  turns: boolean;
  pieces: Piece[];
}

interface Cover extends Range {
  block: Block | null;
}

/** Blocks may be nested or leave gaps; the outermost win and gaps become plain text, so that nothing is lost or said twice. */
function cover(length: number, blocks: readonly Block[]): Cover[] {
  const found: Cover[] = [];
  let at = 0;
  for (const block of [...blocks].sort((a, b) => a.start - b.start || b.end - a.end)) {
    if (block.start < at || block.end <= block.start) continue;
    if (block.start > at) found.push({ start: at, end: block.start, block: null });
    found.push({ start: block.start, end: block.end, block });
    at = block.end;
  }
  if (at < length) found.push({ start: at, end: length, block: null });
  return found;
}

/** Without blocks, paragraphs are what blank lines separate. */
function paragraphs(text: string): Cover[] {
  const found: Cover[] = [];
  let at = 0;
  for (const match of text.matchAll(/\n[ \t]*\n\s*/g)) {
    const end = match.index + match[0].length;
    found.push({ start: at, end, block: null });
    at = end;
  }
  if (at < text.length) found.push({ start: at, end: text.length, block: null });
  return found;
}

/** Links whose place is known, apart and in order. */
function placed(text: string, links: readonly DocumentLink[]): (Range & { target: string })[] {
  const known = links.flatMap(({ target, start, end }) => (start != null && end != null ? [{ target, start, end }] : []));
  const found: (Range & { target: string })[] = [];
  for (const link of byteRanges(text, known).sort((a, b) => a.start - b.start)) {
    if (link.start >= (found.at(-1)?.end ?? 0) && link.end > link.start) found.push(link);
  }
  return found;
}

export function cut(
  text: string,
  blocks: readonly Block[],
  chunks: readonly Pick<Chunk, "start" | "end">[],
  passage: Range | null,
  links: readonly DocumentLink[] = [],
): TextBlock[] {
  const inBlocks = byteRanges(text, blocks);
  const inChunks = byteRanges(
    text,
    chunks.map(({ start, end }) => ({ start, end })),
  );
  const mark = passage ? byteRanges(text, [{ start: passage.start, end: passage.end }])[0]! : null;
  const covers = blocks.length > 0 ? cover(text.length, inBlocks) : paragraphs(text);

  const leads = placed(text, links);
  const edges = [...inChunks, ...(mark ? [mark] : []), ...leads].flatMap((r) => [r.start, r.end]).sort((a, b) => a - b);
  const order = inChunks.map((_, i) => i).sort((a, b) => inChunks[a]!.start - inChunks[b]!.start);
  let edge = 0;
  let next = 0;
  let lead = 0;
  let open: number[] = [];
  let page: number | null = null;

  return covers.map(({ start, end, block }) => {
    const pieces: Piece[] = [];
    let at = start;
    while (at < end) {
      while (edge < edges.length && edges[edge]! <= at) edge++;
      const to = Math.min(end, edges[edge] ?? end);
      const opens: number[] = [];
      while (next < order.length && inChunks[order[next]!]!.start <= at) opens.push(order[next++]!);
      open = [...open, ...opens].filter((c) => inChunks[c]!.end > at);
      while (lead < leads.length && leads[lead]!.end <= at) lead++;
      const link = leads[lead];
      pieces.push({
        text: text.slice(at, to),
        chunks: open,
        opens: opens.filter((c) => open.includes(c)),
        marked: mark !== null && mark.start < to && mark.end > at,
        target: link && link.start <= at ? link.target : null,
      });
      at = to;
    }
    const own = block?.page ?? page;
    const turns = own !== page;
    page = own;
    return { kind: block?.kind ?? "text", level: block?.level ?? null, language: block?.language ?? null, page: own, turns, pieces };
  });
}
