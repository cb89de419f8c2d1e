import { memo, useEffect, useMemo, useRef, type ReactNode } from "react";
import type { Chunk, DocumentText as Text } from "@/api/types";
import type { Range } from "@/lib/bytes";
import { cut, type Piece, type TextBlock } from "@/lib/passages";
import { webAddress } from "@/lib/places";
import { cx, Empty } from "@/ui/kit";
import "./document.css";

interface Props {
  text: Text;
  /** The document's own address: links may lead on from it. */
  uri?: string;
  chunks?: readonly Chunk[];
  /** The passage to bring into sight. */
  passage?: Range | null;
  selected?: number | null;
  onSelect?: (chunk: number) => void;
}

const NO_CHUNKS: readonly Chunk[] = [];

export function DocumentText({ text, uri, chunks = NO_CHUNKS, passage = null, selected = null, onSelect }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const chosen = selected !== null ? chunks[selected] : undefined;
  const start = passage?.start ?? null;
  const end = passage?.end ?? null;
  const blocks = useMemo(
    () => cut(text.text, text.blocks ?? [], chunks, start !== null && end !== null ? { start, end } : null, text.links),
    [text, chunks, start, end],
  );

  useEffect(() => bringIntoSight(host.current, "[data-passage]"), [blocks]);
  useEffect(() => {
    if (selected !== null) return bringIntoSight(host.current, `[data-opens~="${selected}"]`, "nearest");
  }, [selected, chosen]);

  if (text.text === "")
    return (
      <Empty icon="file" title="No text">
        The document was read, and nothing in it is text.
      </Empty>
    );
  let passageSeen = false;
  return (
    <div
      ref={host}
      className={cx("doc", chunks.length > 0 && "doc-chunked")}
      onClick={(event) => {
        const piece = (event.target as HTMLElement).closest<HTMLElement>("[data-chunk]");
        if (piece && onSelect && window.getSelection()?.isCollapsed !== false) onSelect(Number(piece.dataset.chunk));
      }}
    >
      {blocks.map((block, i) => {
        const first = !passageSeen && block.pieces.some((p) => p.marked);
        passageSeen ||= first;
        const touched = selected !== null && block.pieces.some((p) => p.chunks.includes(selected));
        return <DocumentBlock key={i} block={block} uri={uri} first={first} selected={touched ? selected : null} />;
      })}
    </div>
  );
}

interface BlockProps {
  block: TextBlock;
  uri?: string;
  first: boolean;
  selected: number | null;
}

const DocumentBlock = memo(function DocumentBlock({ block, uri, first, selected }: BlockProps) {
  let passageSeen = !first;
  return (
    <>
      {block.turns && block.page !== null && (
        <div className="doc-page" aria-label={`Page ${block.page}`}>
          <span>Page {block.page}</span>
        </div>
      )}
      <div className={cx("doc-block", `doc-${block.kind.replace(/[^a-z]/gi, "").toLowerCase()}`)} data-level={block.level ?? undefined}>
        {shown(block).map((piece, i) => {
          const target = piece.marked && !passageSeen;
          passageSeen ||= target;
          const own = piece.chunks.at(-1);
          return (
            <span
              key={i}
              data-chunk={own}
              data-opens={piece.opens.length ? piece.opens.join(" ") : undefined}
              data-passage={target || undefined}
              className={cx(
                own !== undefined && `in-chunk parity-${own % 2}`,
                piece.chunks.length > 1 && "overlap",
                selected !== null && piece.chunks.includes(selected) && "chosen",
              )}
            >
              {piece.opens.map((c) => (
                <span key={c} className="chunk-tag" data-number={c + 1} />
              ))}
              <Linked target={piece.target} uri={uri}>
                {block.kind === "heading" && i === 0 ? (
                  <Heading text={piece.text} marked={piece.marked} />
                ) : (
                  <Words text={piece.text} marked={piece.marked} />
                )}
              </Linked>
            </span>
          );
        })}
      </div>
    </>
  );
});

/** A link that leads nowhere on the web says where it leads. */
function Linked({ target, uri, children }: { target: string | null; uri?: string; children: ReactNode }) {
  if (target === null) return children;
  const address = webAddress(target, uri);
  if (address === null) return <span title={target}>{children}</span>;
  return (
    <a className="text-link" href={address} title={address} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  );
}

/** White space at a block's end is a margin on the screen. */
function shown(block: TextBlock): Piece[] {
  const pieces = [...block.pieces];
  for (let i = pieces.length - 1; i >= 0; i--) {
    const piece = pieces[i]!;
    const text = piece.text.trimEnd();
    if (text === "" && piece.opens.length === 0) pieces.pop();
    else {
      pieces[i] = { ...piece, text };
      if (text !== "") break;
    }
  }
  return pieces;
}

/** Empty lines inside a passage are not highlighted. */
function Words({ text, marked }: { text: string; marked: boolean }) {
  if (!marked) return text;
  return text.split(/(\n\s*)/).map((part, i) => (part.trim() === "" ? part : <mark key={i}>{part}</mark>));
}

/** Markdown's number signs are there, but quietly. */
function Heading({ text, marked }: { text: string; marked: boolean }) {
  const sign = /^#{1,6}\s+/.exec(text)?.[0] ?? "";
  return (
    <>
      {sign && <span className="doc-sign">{sign}</span>}
      <Words text={text.slice(sign.length)} marked={marked} />
    </>
  );
}

/** Blocks out of sight have only an estimated height, so the way there is corrected as it becomes known. */
function bringIntoSight(host: HTMLElement | null, selector: string, block: ScrollLogicalPosition = "center"): (() => void) | undefined {
  const target = host?.querySelector<HTMLElement>(selector);
  if (!target) return;
  let frame = 0;
  let tries = 0;
  let last = NaN;
  const go = () => {
    target.scrollIntoView({ block, inline: "nearest" });
    const top = target.getBoundingClientRect().top;
    if (++tries < 12 && Math.abs(top - last) > 1) frame = requestAnimationFrame(go);
    last = top;
  };
  frame = requestAnimationFrame(go);
  return () => cancelAnimationFrame(frame);
}
