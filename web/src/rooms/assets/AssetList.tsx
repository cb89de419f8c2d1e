import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { queries } from "@/api/queries";
import { SearchField } from "@/ui/fields";
import { Badge, cx, Digest, Empty, ErrorNote, PageHeader, Skeleton, Time, useTitle } from "@/ui/kit";
import { Rows } from "@/ui/rows";
import { RowsEnd } from "@/ui/tables";
import "./assets.css";

const KINDS = ["app", "chain", "prompt", "knowledge", "model", "policy", "dataset", "suite", "pipeline", "recipe"];

export function Component() {
  const { kind } = useParams();
  useTitle(kind ? `${kind} · Assets` : "Assets");
  const navigate = useNavigate();
  const [filter, setFilter] = useState("");
  const assets = useInfiniteQuery(queries.assets(kind));
  const all = assets.data?.pages.flatMap((p) => p.items) ?? [];
  const items = all.filter((a) => `${a.kind} ${a.name} ${a.description ?? ""}`.toLowerCase().includes(filter.toLowerCase()));
  return (
    <div className="page fill">
      <PageHeader title="Assets" lead="Named things under versions. A version never changes; aliases move.">
        <nav className="kinds" aria-label="Kinds">
          {[undefined, ...KINDS].map((k) => (
            <Link
              key={k ?? "all"}
              to={k ? `/assets/${k}` : "/assets"}
              className={cx("kind", k === kind && "on")}
              aria-current={k === kind ? "page" : undefined}
            >
              {k ?? "All"}
            </Link>
          ))}
        </nav>
      </PageHeader>
      <div className="toolbar">
        <SearchField label="Filter by name" value={filter} onChange={setFilter} shortcut="/" />
      </div>
      {assets.error && all.length === 0 ? (
        <ErrorNote error={assets.error} retry={() => void assets.refetch()} />
      ) : assets.isPending ? (
        <Skeleton rows={10} />
      ) : items.length === 0 ? (
        <Empty icon="layers" title={filter ? "Nothing by that name" : kind ? `No ${kind} yet` : "No assets yet"}>
          {!filter && (
            <>
              Write a spec with <code>{`kind: ${kind ?? "prompt"}`}</code> and run <code>mainspring apply</code>.
            </>
          )}
        </Empty>
      ) : (
        <Rows
          label="Assets"
          items={items}
          idOf={(a) => `${a.kind}/${a.name}`}
          rowHeight={46}
          onOpen={(a) => void navigate(`/assets/${a.kind}/${a.name}`)}
          columns={[
            {
              key: "name",
              head: "Name",
              width: "minmax(150px, 2.4fr)",
              cell: (a) => (
                <>
                  <span className="strong">{a.name}</span>
                  {a.description && <div className="sub clip">{a.description}</div>}
                </>
              ),
            },
            { key: "kind", head: "Kind", width: "90px", cell: (a) => <Badge>{a.kind}</Badge> },
            { key: "version", head: "Version", width: "62px", align: "end", cell: (a) => <span className="num">v{a.version}</span> },
            {
              key: "aliases",
              head: "Aliases",
              width: "minmax(100px, 1.2fr)",
              wide: true,
              cell: (a) =>
                a.aliases.length ? (
                  <span className="row-flex">
                    {a.aliases.slice(0, 3).map((alias) => (
                      <Badge key={alias.alias} tone={alias.alias === "production" ? "accent" : "neutral"}>
                        {alias.alias} v{alias.version}
                      </Badge>
                    ))}
                    {a.aliases.length > 3 && <span className="muted">+{a.aliases.length - 3}</span>}
                  </span>
                ) : (
                  <span className="muted">–</span>
                ),
            },
            { key: "digest", head: "Digest", width: "110px", wide: true, cell: (a) => <Digest value={a.digest} /> },
            {
              key: "at",
              head: "Changed",
              width: "92px",
              wide: true,
              cell: (a) => (
                <span className="soft">
                  <Time at={a.updated_at} />
                </span>
              ),
            },
          ]}
          footer={<RowsEnd query={assets} shown={items.length} />}
        />
      )}
    </div>
  );
}
