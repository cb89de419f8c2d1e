import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { useNavigate, useParams } from "react-router";
import { queries } from "@/api/queries";
import type { KnowledgeDetail } from "@/api/types";
import { count, short } from "@/lib/format";
import { useShortcuts } from "@/lib/keys";
import { Freshness } from "./Freshness";
import { useIngest } from "./ingest";
import { Badge, Button, cx, ErrorNote, LinkButton, PageHeader, Skeleton, Tabs, useTitle } from "@/ui/kit";
import { Documents } from "./Documents";
import { Runs } from "./Runs";
import { Sources } from "./Sources";
import "./knowledge.css";

const Search = lazy(() => import("./Search"));

const TABS = ["sources", "documents", "search", "runs"] as const;
type TabName = (typeof TABS)[number];
const LABELS: Record<TabName, string> = { sources: "Overview", documents: "Documents", search: "Search", runs: "Runs" };

export function Component() {
  const { name = "", tab = "sources" } = useParams();
  const navigate = useNavigate();
  const knowledge = useQuery({ ...queries.knowledge(name), refetchInterval: (q) => (isRunning(q.state.data) ? 2_000 : 30_000) });
  const current = TABS.find((t) => t === tab) ?? "sources";
  useTitle(`${name} · ${LABELS[current]}`);
  const ingest = useIngest(name);
  const go = (to: TabName) => () => void navigate(path(name, to));
  useShortcuts(TABS.map((t, i) => ({ keys: String(i + 1), label: `${LABELS[t]} tab`, group: "Knowledge", run: go(t) })));

  const data = knowledge.data;
  const running = isRunning(data);
  return (
    <div className={cx("page", (current === "documents" || current === "search") && "fill")}>
      <PageHeader
        crumbs={[{ label: "Knowledge", to: "/knowledge" }, { label: name }]}
        title={
          <>
            {name} {data && <span className="title-note num">v{data.version}</span>}
          </>
        }
        lead={data?.description}
        actions={
          data && (
            <>
              <Freshness knowledge={data} />
              {data.failed > 0 && (
                <a
                  href={`/knowledge/${name}/documents?status=failed`}
                  onClick={(event) => {
                    event.preventDefault();
                    void navigate(`/knowledge/${name}/documents?status=failed`);
                  }}
                >
                  <Badge tone="bad" dot>{`${count(data.failed)} failed`}</Badge>
                </a>
              )}
              {running && data.last_run ? (
                <LinkButton to={`/knowledge/${name}/runs/${data.last_run.id}`} icon="clock">
                  Watch run
                </LinkButton>
              ) : (
                <Button look="primary" icon="refresh" busy={ingest.isPending} onClick={() => ingest.mutate({})}>
                  Ingest
                </Button>
              )}
            </>
          )
        }
      >
        <Tabs
          label="Knowledge"
          tabs={TABS.map((t) => ({
            to: path(name, t),
            label: LABELS[t],
            active: t === current,
            count: data && t === "documents" ? short(data.documents) : undefined,
          }))}
        />
      </PageHeader>
      {knowledge.error && !data ? (
        <ErrorNote error={knowledge.error} retry={() => void knowledge.refetch()} />
      ) : !data ? (
        <Skeleton />
      ) : (
        <Body tab={current} data={data} />
      )}
    </div>
  );
}

function Body({ tab, data }: { tab: TabName; data: KnowledgeDetail }) {
  if (tab === "documents") return <Documents knowledge={data.name} total={data.documents} failed={data.failed} />;
  if (tab === "runs") return <Runs knowledge={data.name} />;
  if (tab === "search") {
    return (
      <Suspense fallback={<Skeleton />}>
        <Search knowledge={data.name} />
      </Suspense>
    );
  }
  return <Sources data={data} />;
}

const path = (name: string, tab: TabName): string => (tab === "sources" ? `/knowledge/${name}` : `/knowledge/${name}/${tab}`);
const isRunning = (data: KnowledgeDetail | undefined): boolean => data?.last_run?.status === "running" || data?.last_run?.status === "queued";
