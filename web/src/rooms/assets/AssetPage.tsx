import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearchParams } from "react-router";
import { queries } from "@/api/queries";
import type { Asset, AssetReference, AssetVersion } from "@/api/types";
import { person } from "@/lib/names";
import { toYaml } from "@/lib/yaml";
import { Select } from "@/ui/fields";
import {
  Badge,
  Button,
  Card,
  Copyable,
  copy,
  cx,
  Digest,
  Empty,
  ErrorNote,
  LinkButton,
  Loaded,
  PageHeader,
  Skeleton,
  Tabs,
  Time,
  useTitle,
} from "@/ui/kit";
import { Table } from "@/ui/tables";
import { Aliases } from "./Aliases";
import { SpecDiff } from "./SpecDiff";
import { YamlView } from "./YamlView";
import "./assets.css";

const TABS = [
  ["spec", "Spec"],
  ["diff", "Compare"],
  ["references", "References"],
] as const;

export function Component() {
  const { kind = "", name = "", tab = "spec" } = useParams();
  const [params, setParams] = useSearchParams();
  const asked = params.get("version");
  const asset = useQuery(queries.asset(kind, name, asked ? `v${asked}` : undefined));
  const versions = useInfiniteQuery(queries.assetVersions(kind, name));
  const list = versions.data?.pages.flatMap((p) => p.items) ?? [];
  useTitle(`${name} · ${kind}`);
  const base = `/assets/${kind}/${name}`;
  const suffix = asked ? `?version=${asked}` : "";
  const shown = asset.data?.version;

  return (
    <div className="page">
      <PageHeader
        crumbs={[{ label: "Assets", to: "/assets" }, { label: kind, to: `/assets/${kind}` }, { label: name }]}
        title={
          <>
            {name} {shown && <span className="title-note num">v{shown}</span>}
          </>
        }
        lead={asset.data?.description}
        actions={
          <>
            {kind === "app" && (
              <LinkButton icon="chat" to={`/playground/${name}`}>
                Ask
              </LinkButton>
            )}
            {kind === "knowledge" && (
              <LinkButton icon="book" to={`/knowledge/${name}`}>
                Open
              </LinkButton>
            )}
          </>
        }
      >
        <Tabs
          label="Asset"
          tabs={TABS.map(([key, label]) => ({ to: (key === "spec" ? base : `${base}/${key}`) + suffix, label, active: key === tab }))}
        />
      </PageHeader>
      {asset.error && !asset.data ? (
        <ErrorNote error={asset.error} retry={() => void asset.refetch()} />
      ) : !asset.data ? (
        <Skeleton />
      ) : (
        <div className="asset-grid">
          <div className="asset-main">
            {tab === "diff" ? (
              <Compare kind={kind} name={name} asset={asset.data} versions={list} />
            ) : tab === "references" ? (
              <References asset={asset.data} />
            ) : (
              <Spec asset={asset.data} />
            )}
          </div>
          <aside className="asset-side" aria-label="Versions and aliases">
            <Aliases kind={kind} name={name} aliases={asset.data.aliases} versions={list} />
            <Card title="Versions" flush>
              <Loaded query={{ ...versions, refetch: versions.refetch }} skeleton={<Skeleton rows={3} />}>
                {() => (
                  <ol className="versions-list">
                    {list.map((v) => (
                      <VersionRow
                        key={v.version}
                        version={v}
                        on={v.version === shown}
                        aliases={asset.data.aliases.filter((a) => a.version === v.version).map((a) => a.alias)}
                        onPick={() => setParams((p) => (p.set("version", String(v.version)), p))}
                      />
                    ))}
                    {versions.hasNextPage && (
                      <li className="rows-foot">
                        <Button size="sm" busy={versions.isFetchingNextPage} onClick={() => void versions.fetchNextPage()}>
                          Older
                        </Button>
                      </li>
                    )}
                  </ol>
                )}
              </Loaded>
            </Card>
          </aside>
        </div>
      )}
    </div>
  );
}

function VersionRow({ version: v, on, aliases, onPick }: { version: AssetVersion; on: boolean; aliases: string[]; onPick: () => void }) {
  return (
    <li>
      <button type="button" className={cx("version-row", on && "on")} aria-current={on || undefined} onClick={onPick}>
        <span className="row-flex wrap">
          <span className="strong num">v{v.version}</span>
          {aliases.map((a) => (
            <Badge key={a} tone={a === "production" ? "accent" : "neutral"}>
              {a}
            </Badge>
          ))}
          <span className="grow" />
          <span className="muted sub">
            <Time at={v.created_at} />
          </span>
        </span>
        <span className="sub clip">
          {[v.message, person(v.author) && `by ${person(v.author)}`].filter(Boolean).join(" · ") || v.digest.replace("sha256:", "").slice(0, 16)}
        </span>
      </button>
    </li>
  );
}

function Spec({ asset }: { asset: Asset }) {
  const yaml = toYaml(asset.spec);
  return (
    <Card
      flush
      title={
        <span className="row-flex">
          <Copyable text={asset.digest} label="digest">
            {asset.digest.replace("sha256:", "").slice(0, 16)}
          </Copyable>
        </span>
      }
      actions={
        <Button size="sm" look="ghost" icon="copy" onClick={() => void copy(yaml, "spec")}>
          Copy YAML
        </Button>
      }
    >
      <YamlView text={yaml} />
    </Card>
  );
}

function Compare({ kind, name, asset, versions }: { kind: string; name: string; asset: Asset; versions: AssetVersion[] }) {
  const [params, setParams] = useSearchParams();
  const numbers = versions.map((v) => v.version);
  const newest = numbers[0] ?? asset.version;
  const to = Number(params.get("to") ?? params.get("version") ?? newest);
  const before = numbers.find((n) => n < to);
  const from = Number(params.get("from") ?? before ?? to);
  if (numbers.length < 2)
    return (
      <Empty icon="diff" title="Nothing to compare with">
        There is only one version.
      </Empty>
    );
  const choices = versions.map((v) => ({ value: String(v.version), label: `v${v.version}` }));
  const set = (key: string, value: string) => setParams((p) => (p.set(key, value), p), { replace: true });
  return (
    <>
      <div className="toolbar">
        <Select label="From" value={String(from)} choices={choices} onChange={(v) => set("from", v)} />
        <Select label="to" value={String(to)} choices={choices} onChange={(v) => set("to", v)} />
      </div>
      <SpecDiff kind={kind} name={name} from={from} to={to} />
    </>
  );
}

function References({ asset }: { asset: Asset }) {
  return (
    <div className="stack">
      <ReferenceCard title="Uses" references={asset.references} none="This version refers to nothing else." />
      <ReferenceCard title="Used by" references={asset.referenced_by} none="Nothing refers to this version." />
    </div>
  );
}

function ReferenceCard({ title, references, none }: { title: string; references: AssetReference[]; none: string }) {
  return (
    <Card title={title} flush>
      {references.length === 0 ? (
        <p className="card-body muted">{none}</p>
      ) : (
        <Table
          head={
            <>
              <th>Asset</th>
              <th>As written</th>
              <th className="hide-narrow">At</th>
              <th className="hide-narrow">Digest</th>
            </>
          }
        >
          {references.map((r, i) => (
            <tr key={i}>
              <td>
                <Badge>{r.kind}</Badge>{" "}
                <Link className="row-link" to={`/assets/${r.kind}/${r.name}${r.version ? `?version=${r.version}` : ""}`}>
                  {r.name}
                </Link>{" "}
                {r.version != null && <span className="muted num">v{r.version}</span>}
              </td>
              <td>{r.given ? <code className="soft">{r.given}</code> : <span className="muted">–</span>}</td>
              <td className="hide-narrow">{r.path ? <code className="soft">{r.path}</code> : <span className="muted">–</span>}</td>
              <td className="hide-narrow">
                <Digest value={r.digest} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Card>
  );
}
