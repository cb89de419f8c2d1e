import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { queries } from "@/api/queries";
import type { Document } from "@/api/types";
import { bytes, count, place } from "@/lib/format";
import { SearchField, Segmented, useDebounced } from "@/ui/fields";
import { Badge, Empty, ErrorNote, Skeleton, Status, Time, type Tone } from "@/ui/kit";
import { Rows } from "@/ui/rows";
import { RowsEnd } from "@/ui/tables";

const STATES: Record<string, { tone: Tone; word: string }> = {
  ready: { tone: "ok", word: "Ready" },
  failed: { tone: "bad", word: "Failed" },
  pending: { tone: "accent", word: "Pending" },
  skipped: { tone: "neutral", word: "Skipped" },
  forgotten: { tone: "neutral", word: "Forgotten" },
};

export function DocumentState({ document }: { document: Document }) {
  // Read in full, and nothing in it can be searched: pictures of pages, an empty file.
  if (document.status === "ready" && document.reason_code === "parse-no-text") return <Status tone="neutral">No text</Status>;
  // Searchable, but the source holds something newer that could not be read.
  if (document.status === "ready" && document.reason) return <Status tone="warn">Outdated</Status>;
  const state = STATES[document.status] ?? { tone: "neutral" as const, word: document.status };
  return <Status tone={state.tone}>{state.word}</Status>;
}

export function mediaName(type: string): string {
  const names: Record<string, string> = {
    "text/markdown": "Markdown",
    "text/html": "HTML",
    "application/pdf": "PDF",
    "text/plain": "Text",
    "text/csv": "CSV",
    "application/json": "JSON",
    "message/rfc822": "E-mail",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "DOCX",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "PPTX",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "XLSX",
  };
  return names[type] ?? type.replace(/^(text|application)\/(x-)?/, "");
}

export function Documents({ knowledge, total, failed }: { knowledge: string; total: number; failed: number }) {
  const [params, setParams] = useSearchParams();
  const navigate = useNavigate();
  const status = params.get("status") ?? "";
  const [q, setQ] = useState(params.get("q") ?? "");
  const settled = useDebounced(q.trim());
  const documents = useInfiniteQuery(queries.documents(knowledge, { status: status || undefined, q: settled || undefined }));
  const items = documents.data?.pages.flatMap((p) => p.items) ?? [];

  return (
    <>
      <div className="toolbar">
        <SearchField label="Filter by title or path" value={q} onChange={setQ} shortcut="/" />
        <Segmented
          label="Status"
          value={status}
          choices={[
            { value: "", label: "All", count: total },
            { value: "ready", label: "Ready" },
            { value: "failed", label: "Failed", count: failed || null },
            { value: "forgotten", label: "Forgotten" },
          ]}
          onChange={(value) => setParams((p) => (value ? p.set("status", value) : p.delete("status"), p), { replace: true })}
        />
      </div>
      {documents.error && items.length === 0 ? (
        <ErrorNote error={documents.error} retry={() => void documents.refetch()} />
      ) : documents.isPending ? (
        <Skeleton rows={12} />
      ) : items.length === 0 ? (
        <Empty icon="file" title={status || settled ? "No document matches" : "No documents yet"}>
          {status || settled ? "Try another filter." : "Start an ingestion to read the sources."}
        </Empty>
      ) : (
        <Rows
          label="Documents"
          items={items}
          idOf={(d) => d.id}
          rowHeight={46}
          onOpen={(d) => void navigate(`/knowledge/${knowledge}/documents/${encodeURIComponent(d.id)}`)}
          columns={[
            {
              key: "title",
              head: "Title",
              width: "minmax(160px, 3fr)",
              cell: (d) => (
                <>
                  <div className="clip strong">{d.title || place(d.uri)}</div>
                  <div className={d.status === "failed" ? "sub clip bad" : "sub clip"} title={d.reason ?? place(d.uri)}>
                    {d.reason ?? place(d.uri)}
                  </div>
                </>
              ),
            },
            { key: "status", head: "Status", width: "86px", cell: (d) => <DocumentState document={d} /> },
            { key: "type", head: "Type", width: "86px", wide: true, cell: (d) => <span className="soft">{mediaName(d.media_type) || "–"}</span> },
            {
              key: "labels",
              head: "Labels",
              width: "minmax(70px, 0.6fr)",
              wide: true,
              cell: (d) => (d.labels.length ? d.labels.map((l) => <Badge key={l}>{l}</Badge>) : <span className="muted">everyone</span>),
            },
            { key: "bytes", head: "Size", width: "72px", align: "end", wide: true, cell: (d) => <span className="soft">{bytes(d.bytes)}</span> },
            {
              key: "chunks",
              head: "Chunks",
              width: "64px",
              align: "end",
              cell: (d) => (d.status === "failed" ? <span className="muted">–</span> : count(d.chunks)),
            },
            {
              key: "at",
              head: "Ingested",
              width: "92px",
              wide: true,
              cell: (d) => (
                <span className="soft">
                  <Time at={d.ingested_at} />
                </span>
              ),
            },
          ]}
          footer={<RowsEnd query={documents} shown={items.length} />}
        />
      )}
    </>
  );
}
