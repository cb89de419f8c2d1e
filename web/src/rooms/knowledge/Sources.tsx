import type { KnowledgeDetail, Source } from "@/api/types";
import { count, short } from "@/lib/format";
import { toYaml } from "@/lib/yaml";
import { Icon, type IconName } from "@/ui/icons";
import { Badge, Card, Digest, Empty, Facts, Time } from "@/ui/kit";
import { Table } from "@/ui/tables";
import { Link } from "react-router";
import { Forgotten } from "./Forgotten";

const ICONS: Record<string, IconName> = {
  folder: "folder",
  file: "file",
  http: "globe",
  https: "globe",
  url: "globe",
  web: "globe",
  site: "globe",
  sitemap: "globe",
  git: "git",
  s3: "bucket",
};

export function Sources({ data }: { data: KnowledgeDetail }) {
  return (
    <div className="stack">
      <Card>
        <Facts
          items={[
            ["Documents", count(data.documents)],
            [
              "Failed",
              data.failed ? (
                <Link className="bad" to={`/knowledge/${data.name}/documents?status=failed`}>
                  {count(data.failed)}
                </Link>
              ) : (
                "0"
              ),
            ],
            ["Chunks", count(data.chunks)],
            ["Tokens", short(data.tokens)],
            ["Embedding model", data.embedder ?? "–"],
            ["Last complete ingest", <Time key="t" at={data.fresh_at} />],
            ["Ingests by itself", byItself(data)],
            ["Version", <Link key="v" className="text-link" to={`/assets/knowledge/${data.name}`}>{`v${data.version}`}</Link>],
            ["Digest", <Digest key="d" value={data.digest} />],
            ...(data.unindexed_rows
              ? ([["Not yet in the indexes", `${count(data.unindexed_rows)} rows, found all the same`]] as [string, string][])
              : []),
            ...(data.table ? ([["Lake table", `${data.table.table} · version ${data.table.version}`]] as [string, string][]) : []),
          ]}
        />
      </Card>
      <Card title="Sources" flush>
        {data.sources.length === 0 ? (
          <Empty icon="folder" title="No sources">
            The spec names nothing to read.
          </Empty>
        ) : (
          <Table
            head={
              <>
                <th>Location</th>
                <th className="hide-narrow">Only</th>
                <th className="hide-narrow">Labels</th>
                <th className="end">Documents</th>
                <th>Synced</th>
              </>
            }
          >
            {data.sources.map((source, i) => (
              <SourceRow key={i} source={source} />
            ))}
          </Table>
        )}
      </Card>
      <Forgotten knowledge={data.name} />
      {data.chunking != null || data.retrieval != null ? (
        <div className="two-cards">
          {data.chunking != null ? <Settings title="Chunking" value={data.chunking} /> : null}
          {data.retrieval != null ? <Settings title="Retrieval" value={data.retrieval} /> : null}
        </div>
      ) : null}
    </div>
  );
}

const byItself = (data: KnowledgeDetail): string =>
  [data.watch && "when local files change", data.schedule && `every ${data.schedule}`].filter(Boolean).join(", and ") || "no";

function Settings({ title, value }: { title: string; value: unknown }) {
  return (
    <Card title={title} flush>
      <pre className="code-block" tabIndex={0} aria-label={title}>
        {toYaml(value)}
      </pre>
    </Card>
  );
}

function SourceRow({ source }: { source: Source }) {
  const globs = [...source.include, ...source.exclude.map((g) => `not ${g}`)];
  return (
    <tr>
      <td>
        <span className="row-flex">
          <Icon name={ICONS[source.kind] ?? "file"} className="muted" />
          <span className="wrap-any">{source.location}</span>
        </span>
      </td>
      <td className="soft hide-narrow">{globs.length ? <code>{globs.join(" ")}</code> : <span className="muted">everything</span>}</td>
      <td className="hide-narrow">
        {source.labels.length ? source.labels.map((l) => <Badge key={l}>{l}</Badge>) : <span className="muted">everyone</span>}
      </td>
      <td className="end">
        {count(source.documents)}
        {source.failed ? <span className="bad"> +{source.failed} failed</span> : null}
      </td>
      <td>
        <Time at={source.synced_at} />
      </td>
    </tr>
  );
}
