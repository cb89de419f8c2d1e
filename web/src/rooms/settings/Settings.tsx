import { useQuery } from "@tanstack/react-query";
import { useParams } from "react-router";
import { session } from "@/api/client";
import { queries } from "@/api/queries";
import { bytes, count } from "@/lib/format";
import { Button, Card, Digest, Empty, ErrorNote, Facts, Loaded, PageHeader, runTone, Skeleton, Status, Tabs, useTitle } from "@/ui/kit";
import { Table } from "@/ui/tables";
import { Capturing } from "./Capturing";
import { Jobs } from "./Jobs";
import { Keeping } from "./Keeping";
import { Keys } from "./Keys";
import { Members } from "./Members";
import { Projects } from "./Projects";
import "./settings.css";

export function Component() {
  const { tab = "keys" } = useParams();
  useTitle("Settings");
  return (
    <div className="page">
      <PageHeader title="Settings">
        <Tabs
          label="Settings"
          tabs={[
            { to: "/settings", label: "API keys", active: tab === "keys" },
            { to: "/settings/members", label: "Members", active: tab === "members" },
            { to: "/settings/projects", label: "Projects", active: tab === "projects" },
            { to: "/settings/keeping", label: "Keeping", active: tab === "keeping" },
            { to: "/settings/privacy", label: "Privacy", active: tab === "privacy" },
            { to: "/settings/jobs", label: "Jobs", active: tab === "jobs" },
            { to: "/settings/models", label: "Models", active: tab === "models" },
            { to: "/settings/about", label: "About", active: tab === "about" },
          ]}
        />
      </PageHeader>
      <Shown tab={tab} />
    </div>
  );
}

function Shown({ tab }: { tab: string }) {
  switch (tab) {
    case "members":
      return <Members />;
    case "projects":
      return <Projects />;
    case "keeping":
      return <Keeping />;
    case "privacy":
      return <Capturing />;
    case "jobs":
      return <Jobs />;
    case "models":
      return <Models />;
    case "about":
      return <About />;
    default:
      return <Keys />;
  }
}

// ── Models and about ────────────────────────────────────────────────────────

function Models() {
  const models = useQuery(queries.models());
  return (
    <Loaded query={models}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty icon="bolt" title="No models">
            <code>mainspring models pull</code> fetches the defaults by digest.
          </Empty>
        ) : (
          <Card flush>
            <Table
              head={
                <>
                  <th>Model</th>
                  <th>Role</th>
                  <th>State</th>
                  <th className="end hide-narrow">Size</th>
                  <th className="end hide-narrow">Dimensions</th>
                  <th className="end hide-narrow">Context</th>
                  <th className="hide-narrow">Licence</th>
                  <th className="hide-narrow">Digest</th>
                </>
              }
            >
              {items.map((m) => (
                <tr key={m.name}>
                  <td>
                    <span className="strong">{m.name}</span>
                    {m.detail && <div className="sub">{m.detail}</div>}
                  </td>
                  <td className="soft">{m.role}</td>
                  <td>
                    <Status
                      tone={m.state === "missing" ? "warn" : m.state === "loaded" ? "ok" : m.state === "installed" ? "neutral" : runTone(m.state)}
                    >
                      {m.state}
                    </Status>
                  </td>
                  <td className="end hide-narrow soft">{bytes(m.bytes)}</td>
                  <td className="end hide-narrow soft">{count(m.dimensions)}</td>
                  <td className="end hide-narrow soft">{count(m.context_window)}</td>
                  <td className="hide-narrow soft">{m.licence ?? "–"}</td>
                  <td className="hide-narrow">
                    <Digest value={m.digest} />
                  </td>
                </tr>
              ))}
            </Table>
          </Card>
        )
      }
    </Loaded>
  );
}

function About() {
  const overview = useQuery(queries.overview());
  if (!overview.data) return overview.error ? <ErrorNote error={overview.error} /> : <Skeleton rows={4} />;
  const base = location.origin;
  return (
    <div className="stack about">
      <Card title="This server">
        <Facts
          items={[
            ["Version", overview.data.version ?? "–"],
            ["Project", overview.data.project],
            ["Role", overview.data.projects.find((p) => p.name === overview.data.project)?.role ?? "–"],
            ["Address", base],
          ]}
        />
      </Card>
      <Card title="Use it from an OpenAI client">
        <pre className="code-block example">{`from openai import OpenAI

client = OpenAI(base_url="${base}/v1", api_key="msk_…")
answer = client.chat.completions.create(
    model="${overview.data.apps[0]?.name ?? "manual"}",
    messages=[{"role": "user", "content": "What is a lake?"}],
)`}</pre>
      </Card>
      {session.hasKey() && (
        <Button
          onClick={() => {
            session.signOut();
            location.assign("/");
          }}
        >
          Forget the key of this tab
        </Button>
      )}
    </div>
  );
}
