import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { queries } from "@/api/queries";
import { count } from "@/lib/format";
import { Freshness } from "./Freshness";
import { SearchField } from "@/ui/fields";
import { Empty, ErrorNote, PageHeader, Skeleton, useTitle } from "@/ui/kit";
import { Rows } from "@/ui/rows";
import "./knowledge.css";

export function Component() {
  useTitle("Knowledge");
  const list = useQuery(queries.knowledgeList());
  const navigate = useNavigate();
  const [filter, setFilter] = useState("");
  const items = (list.data?.items ?? []).filter((k) => `${k.name} ${k.description ?? ""}`.toLowerCase().includes(filter.toLowerCase()));
  return (
    <div className="page fill">
      <PageHeader title="Knowledge" lead="What apps can look up: documents, cut into chunks, embedded and indexed." />
      {list.data && list.data.items.length > 6 && (
        <div className="toolbar">
          <SearchField label="Filter by name" value={filter} onChange={setFilter} shortcut="/" />
        </div>
      )}
      {list.error && !list.data ? (
        <ErrorNote error={list.error} retry={() => void list.refetch()} />
      ) : !list.data ? (
        <Skeleton />
      ) : items.length === 0 ? (
        <Empty icon="book" title={filter ? "Nothing by that name" : "No knowledge yet"}>
          {!filter && (
            <>
              Describe sources in a <code>kind: knowledge</code> spec, run <code>mainspring apply</code>, then <code>mainspring ingest</code>.
            </>
          )}
        </Empty>
      ) : (
        <Rows
          label="Knowledge"
          items={items}
          idOf={(k) => k.name}
          onOpen={(k) => void navigate(`/knowledge/${k.name}`)}
          rowHeight={48}
          columns={[
            {
              key: "name",
              head: "Name",
              width: "minmax(160px, 2.4fr)",
              cell: (k) => (
                <>
                  <span className="strong">{k.name}</span> <span className="muted num">v{k.version}</span>
                  {k.description && <div className="sub clip">{k.description}</div>}
                </>
              ),
            },
            { key: "docs", head: "Documents", width: "90px", align: "end", cell: (k) => count(k.documents) },
            {
              key: "failed",
              head: "Failed",
              width: "70px",
              align: "end",
              wide: true,
              cell: (k) => <span className={k.failed ? "bad" : "muted"}>{count(k.failed)}</span>,
            },
            { key: "chunks", head: "Chunks", width: "90px", align: "end", wide: true, cell: (k) => count(k.chunks) },
            {
              key: "embedder",
              head: "Embedding model",
              width: "minmax(120px, 1fr)",
              wide: true,
              cell: (k) => <span className="soft">{k.embedder ?? "–"}</span>,
            },
            { key: "fresh", head: "Freshness", width: "minmax(110px, 160px)", cell: (k) => <Freshness knowledge={k} /> },
          ]}
        />
      )}
    </div>
  );
}
