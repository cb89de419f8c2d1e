// What programs send: which conventions and versions each service speaks, and names that nobody here understands.

import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { queries } from "@/api/queries";
import type { ConventionReport, ServiceConventions, UnknownAttribute } from "@/api/types";
import { quoted } from "@/lib/filterText";
import { count, plural } from "@/lib/format";
import { useShortcuts } from "@/lib/keys";
import { Badge, Button, Card, copy, Copyable, Empty, IconButton, Loaded, PageHeader, Skeleton, Time, useTitle } from "@/ui/kit";
import { Table } from "@/ui/tables";
import { conventionName, settingsFor, spoken } from "./conventions";
import "./conventions.css";

/** The server tells of so many services, and of so many names. */
const TOLD = 100;

export function Component() {
  useTitle("What programs send");
  const report = useQuery(queries.conventions());
  const refresh = () => void report.refetch();
  useShortcuts([{ keys: "r", label: "Refresh", group: "What programs send", run: refresh }]);
  return (
    <div className="page">
      <PageHeader
        crumbs={[{ label: "Traces", to: "/traces" }]}
        title="What programs send"
        lead="Which conventions and versions each service speaks, and which names are not understood."
        actions={<IconButton icon="refresh" label="Refresh (r)" onClick={refresh} />}
      />
      <Loaded query={report} skeleton={<Skeleton rows={10} />}>
        {(found) => (found.services.length > 0 ? <Found report={found} /> : <Nothing />)}
      </Loaded>
    </div>
  );
}

function Nothing() {
  const settings = settingsFor(window.location.origin);
  return (
    <Card>
      <Empty
        icon="trace"
        title="No service has sent spans yet"
        action={
          <Button icon="copy" onClick={() => void copy(settings, "settings")}>
            Copy settings
          </Button>
        }
      >
        Any program that speaks OpenTelemetry's protocol can, with these variables and a <code>service.name</code>. The guide,{" "}
        <code>docs/guides/traces-in.md</code>, tells of every SDK.
        <pre className="sent-settings">{settings}</pre>
      </Empty>
    </Card>
  );
}

function Found({ report }: { report: ConventionReport }) {
  const { services, unknown } = report;
  return (
    <div className="stack">
      <p className="muted">{`Read from the newest spans of each service, ${plural(report.spans, "span")} in all`}</p>
      <Card title="Services" flush actions={<Most shown={services.length} />}>
        <Services services={services} />
      </Card>
      <Card title="Names that are not understood" flush={unknown.length > 0} actions={<Most shown={unknown.length} />}>
        {unknown.length > 0 ? (
          <Unknown names={unknown} />
        ) : (
          <p className="muted">
            Every name under <code>gen_ai.</code> is understood.
          </p>
        )}
      </Card>
      {unknown.length > 0 && (
        <p className="muted">
          What they say is kept among the attributes of its span, and in no column. Only names under <code>gen_ai.</code> are looked at.
        </p>
      )}
    </div>
  );
}

function Most({ shown }: { shown: number }) {
  return shown < TOLD ? null : <span className="muted">{`The ${TOLD} most frequent`}</span>;
}

function Services({ services }: { services: ServiceConventions[] }) {
  return (
    <Table
      head={
        <>
          <th>Service</th>
          <th>Conventions</th>
          <th title="Of OpenTelemetry's conventions, where its spans name one">Version</th>
          <th className="hide-narrow">Instrumentation</th>
          <th className="end">Spans</th>
          <th className="end">Last span</th>
        </>
      }
    >
      {services.map((one) => (
        <tr key={one.service}>
          <td className="sent-name">
            <Link className="row-link" to={`/traces?${new URLSearchParams({ filter: `service = ${quoted(one.service)}`, in: "all" }).toString()}`}>
              {one.service}
            </Link>
          </td>
          <td>
            <span className="sent-words">
              {spoken(one).map(([convention, spans]) => (
                <Badge key={convention} title={`In ${count(spans)} of ${plural(one.spans, "span")}`}>
                  {conventionName(convention)} {count(spans)}
                </Badge>
              ))}
              {Object.keys(one.conventions).length === 0 && <span className="muted">none that is known</span>}
            </span>
          </td>
          <td className="nowrap">{one.versions.length > 0 ? one.versions.join(", ") : <span className="muted">not said</span>}</td>
          <td className="hide-narrow soft sent-name">
            {one.instrumentations.length > 0 ? (
              one.instrumentations.map((name) => <div key={name}>{name}</div>)
            ) : (
              <span className="muted">not said</span>
            )}
          </td>
          <td className="end">{count(one.spans)}</td>
          <td className="end soft">
            <Time at={one.last} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Unknown({ names }: { names: UnknownAttribute[] }) {
  return (
    <Table
      head={
        <>
          <th>Name</th>
          <th>Perhaps meant</th>
          <th className="hide-narrow">Sent by</th>
          <th className="end">Spans</th>
        </>
      }
    >
      {names.map((one) => (
        <tr key={one.name}>
          <td className="sent-name">
            <Copyable text={one.name} label="name" />
          </td>
          <td className="sent-name">{one.like ? <code>{one.like}</code> : <span className="muted">–</span>}</td>
          <td className="hide-narrow soft sent-name">{one.services.join(", ")}</td>
          <td className="end">{count(one.spans)}</td>
        </tr>
      ))}
    </Table>
  );
}
