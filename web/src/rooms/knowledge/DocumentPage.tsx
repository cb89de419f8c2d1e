import { useVirtualizer } from "@tanstack/react-virtual";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { useParams, useSearchParams } from "react-router";
import { queries } from "@/api/queries";
import type { Chunk, Document } from "@/api/types";
import { bytes, capital, count, place, plural } from "@/lib/format";
import { useShortcuts } from "@/lib/keys";
import { Icon } from "@/ui/icons";
import { Toggle } from "@/ui/fields";
import { Badge, cx, Digest, Empty, ErrorNote, Facts, PageHeader, Skeleton, Time, useTitle } from "@/ui/kit";
import { AsItWas, isTextGone } from "./AsItWas";
import { DocumentText } from "./DocumentText";
import { DocumentState, mediaName } from "./Documents";
import "./knowledge.css";

export function Component() {
  const { name = "", id = "" } = useParams();
  const document = useQuery(queries.document(name, id));
  useTitle(document.data?.title ?? "Document");
  return (
    <div className="page fill doc-view">
      <PageHeader
        crumbs={[
          { label: "Knowledge", to: "/knowledge" },
          { label: name, to: `/knowledge/${name}` },
          { label: "Documents", to: `/knowledge/${name}/documents` },
        ]}
        title={document.data?.title ?? (document.isPending ? "…" : "Document")}
        lead={document.data && <SafeUri uri={document.data.uri} />}
        actions={document.data && <DocumentState document={document.data} />}
      />
      {document.error ? (
        <ErrorNote error={document.error} retry={() => void document.refetch()} />
      ) : !document.data ? (
        <Skeleton />
      ) : document.data.status === "failed" ? (
        <Failed document={document.data} />
      ) : (
        <Reader knowledge={name} document={document.data} />
      )}
    </div>
  );
}

function SafeUri({ uri }: { uri: string }) {
  return /^https?:\/\//.test(uri) ? (
    <a className="text-link wrap-any" href={uri} target="_blank" rel="noopener noreferrer">
      {uri}
    </a>
  ) : (
    <span className="wrap-any">{place(uri)}</span>
  );
}

function Failed({ document }: { document: Document }) {
  return (
    <Empty icon="error" title="This document could not be read">
      <p>{capital(document.reason ?? "No reason was recorded.")}</p>
      {document.reason_code && (
        <p>
          <code>{document.reason_code}</code>
        </p>
      )}
      <p className="muted">
        The rest of the run was not affected. <Time at={document.ingested_at} />
      </p>
    </Empty>
  );
}

/** What the source said of the content when it was read. */
function originFacts({ origin }: Document): [string, ReactNode][] {
  const facts: [string, ReactNode][] = [];
  if (origin?.commit) facts.push(["Commit", <Digest key="c" value={origin.commit} />]);
  if (origin?.fetched_at) facts.push(["Fetched", <Time key="f" at={origin.fetched_at} />]);
  if (origin?.last_modified) facts.push(["Last modified", origin.last_modified]);
  return facts;
}

function Reader({ knowledge, document }: { knowledge: string; document: Document }) {
  const [params] = useSearchParams();
  const warnings = document.warnings ?? [];
  const digest = params.get("digest") ?? undefined;
  const text = useQuery(queries.documentText(knowledge, document.id, digest));
  // Chunks are of the document as it is now; their offsets say nothing about another text.
  const then = digest !== undefined && text.data?.current !== true;
  const now = `/knowledge/${encodeURIComponent(knowledge)}/documents/${encodeURIComponent(document.id)}`;
  const chunks = useQuery(queries.documentChunks(knowledge, document.id));
  const [outlined, setOutlined] = useState(true);
  const [selected, setSelected] = useState<number | null>(null);
  const passage = useMemo(() => {
    const [start, end] = [Number(params.get("start") ?? NaN), Number(params.get("end") ?? NaN)];
    return Number.isFinite(start) && end > start ? { start, end } : null;
  }, [params]);
  const list = useMemo(() => (then ? [] : (chunks.data?.toSorted((a, b) => a.start - b.start) ?? [])), [chunks.data, then]);

  const wanted = params.get("chunk");
  useEffect(() => {
    const at = list.findIndex((c) => c.id === wanted);
    if (at >= 0) setSelected(at);
  }, [list, wanted]);

  const step = (by: number) => list.length && setSelected((at) => Math.max(0, Math.min(list.length - 1, (at ?? (by > 0 ? -1 : list.length)) + by)));
  useShortcuts([
    { keys: "j", label: "Next chunk", group: "Document", run: () => step(1) },
    { keys: "k", label: "Previous chunk", group: "Document", run: () => step(-1) },
    { keys: "c", label: "Outline chunks", group: "Document", run: () => setOutlined((on) => !on) },
    { keys: "Escape", label: "Clear selection", group: "Document", run: () => setSelected(null) },
  ]);

  return (
    <div className="reader">
      <div className="reader-text" tabIndex={0} aria-label="Text of the document">
        {text.data ? (
          <>
            {!text.data.current && <AsItWas now={now} />}
            <DocumentText
              text={text.data}
              uri={document.uri}
              chunks={outlined ? list : undefined}
              passage={passage}
              selected={outlined ? selected : null}
              onSelect={setSelected}
            />
          </>
        ) : isTextGone(text.error) && digest ? (
          <AsItWas gone now={now} />
        ) : text.error ? (
          <ErrorNote error={text.error} retry={() => void text.refetch()} />
        ) : (
          <Skeleton rows={14} />
        )}
      </div>
      <aside className="reader-side" aria-label="Chunks">
        <div className="reader-facts">
          <Facts
            className="list"
            items={[
              ["Type", mediaName(document.media_type) || "–"],
              [
                "Size",
                [
                  bytes(document.bytes),
                  document.pages ? plural(document.pages, "page") : null,
                  document.tokens ? `${count(document.tokens)} tokens` : null,
                ]
                  .filter(Boolean)
                  .join(" · "),
              ],
              ["Seen by", document.labels.length ? document.labels.map((l) => <Badge key={l}>{l}</Badge>) : "everyone in the project"],
              ["Digest", <Digest key="d" value={document.digest ?? text.data?.digest} />],
              ["Ingested", <Time key="t" at={document.ingested_at} />],
              ...originFacts(document),
              ...Object.entries(document.metadata ?? {}),
            ]}
          />
        </div>
        {warnings.length > 0 && (
          <ul className="reader-warnings" aria-label="Warnings">
            {warnings.map((warning, i) => (
              <li key={i}>
                <Icon name="info" size={14} />
                <span>
                  {capital(warning.detail)} <code className="soft">{warning.code}</code>
                </span>
              </li>
            ))}
          </ul>
        )}
        <div className="reader-chunks-head">
          <h2>Chunks</h2>
          <span className="muted num">{chunks.data && !then ? count(list.length) : ""}</span>
          <span className="grow" />
          <Toggle checked={outlined} onChange={setOutlined}>
            Outline
          </Toggle>
        </div>
        {chunks.error ? (
          <ErrorNote compact error={chunks.error} retry={() => void chunks.refetch()} />
        ) : (
          <ChunkList chunks={list} selected={selected} onSelect={setSelected} />
        )}
      </aside>
    </div>
  );
}

function ChunkList({ chunks, selected, onSelect }: { chunks: readonly Chunk[]; selected: number | null; onSelect: (at: number) => void }) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: chunks.length, getScrollElement: () => scroller.current, estimateSize: () => 50, overscan: 10 });
  useEffect(() => {
    if (selected !== null) virtual.scrollToIndex(selected, { align: "auto" });
  }, [selected, virtual]);
  return (
    <div ref={scroller} className="chunk-scroll">
      <ol style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((row) => {
          const chunk = chunks[row.index]!;
          return (
            <li key={chunk.id} style={{ transform: `translateY(${row.start}px)`, height: row.size }}>
              <button
                type="button"
                className={cx("chunk", row.index === selected && "on")}
                aria-pressed={row.index === selected}
                onClick={() => onSelect(row.index)}
              >
                <span className="chunk-number num">{row.index + 1}</span>
                <span className="chunk-body">
                  <span className="clip">{chunk.heading_path.at(-1) ?? "Text"}</span>
                  <span className="sub num clip">
                    {plural(chunk.tokens, "token")} · bytes {count(chunk.start)}–{count(chunk.end)}
                    {chunk.page != null && ` · p. ${chunk.page}`}
                  </span>
                </span>
              </button>
            </li>
          );
        })}
      </ol>
    </div>
  );
}
