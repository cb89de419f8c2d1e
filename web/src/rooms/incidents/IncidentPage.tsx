import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Link, useParams } from "react-router";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { IncidentAlert, IncidentDetail, Incident } from "@/api/types";
import { capital } from "@/lib/format";
import { person } from "@/lib/names";
import { FormDialog } from "@/ui/act";
import { Field } from "@/ui/fields";
import { Badge, Button, Card, Copyable, Facts, Loaded, PageHeader, Skeleton, Status, Time, useTitle } from "@/ui/kit";
import { toast } from "@/ui/toasts";
import { VersionLink } from "@/ui/VersionLink";
import { Changes } from "./Changes";
import { Happened } from "./Happened";
import { NewSilence } from "./NewSilence";
import { examples, firstExamples, firstRelease, matchersOf, releaseFilter, severityTone, stateTone } from "./incidents";
import "./incidents.css";

const EXAMPLES = 20;
type Doing = "acknowledge" | "resolve" | "silence";

export function Component() {
  const { id = "" } = useParams();
  const incident = useQuery(queries.incident(id));
  const [doing, setDoing] = useState<Doing | null>(null);
  const found = incident.data?.incident;
  useTitle(found?.title ?? "Incident");
  return (
    <div className="page">
      <PageHeader
        crumbs={[{ label: "Incidents", to: "/incidents" }, { label: id.slice(0, 12) }]}
        title={found?.title ?? "Incident"}
        lead={found ? <Summary incident={found} /> : <Copyable text={id} label="incident id" />}
        actions={
          found &&
          found.state !== "resolved" && (
            <>
              {found.state === "open" && (
                <Button look="primary" icon="check" onClick={() => setDoing("acknowledge")}>
                  Acknowledge
                </Button>
              )}
              <Button onClick={() => setDoing("silence")}>Silence</Button>
              <Button onClick={() => setDoing("resolve")}>Resolve</Button>
            </>
          )
        }
      />
      <Loaded query={incident} skeleton={<Skeleton rows={8} />}>
        {(detail) => <Body detail={detail} />}
      </Loaded>
      {(doing === "acknowledge" || doing === "resolve") && <Note id={id} verb={doing} onClose={() => setDoing(null)} />}
      {doing === "silence" && incident.data && (
        <NewSilence matchers={matchersOf(incident.data.alerts, incident.data.incident.labels)} onClose={() => setDoing(null)} />
      )}
    </div>
  );
}

function Summary({ incident }: { incident: Incident }) {
  const by = person(incident.state === "resolved" ? incident.resolved_by : incident.acknowledged_by);
  const at = incident.resolved_at ?? incident.acknowledged_at;
  return (
    <span className="incident-facts">
      <Status tone={stateTone(incident.state)}>{capital(incident.state)}</Status>
      <Badge tone={severityTone(incident.severity)}>{incident.severity}</Badge>
      <span>
        opened <Time at={incident.opened_at} />
      </span>
      {at && incident.state !== "open" && (
        <span>
          {incident.state} <Time at={at} />
          {by ? ` by ${by}` : incident.state === "resolved" ? " by itself" : ""}
        </span>
      )}
      {incident.silence && (
        <Link className="text-link" to="/incidents/silences">
          silenced
        </Link>
      )}
    </span>
  );
}

function Body({ detail }: { detail: IncidentDetail }) {
  const { incident, alerts, changes, changes_left_out: leftOut } = detail;
  const traces = useMemo(() => examples(alerts, EXAMPLES), [alerts]);
  const first = useMemo(() => firstExamples(alerts, EXAMPLES), [alerts]);
  return (
    <div className="incident-grid">
      <div className="incident-main">
        <Card title="What fired, and why" flush>
          <ul className="alerts">
            {alerts.map((alert) => (
              <Fired key={alert.fingerprint} alert={alert} />
            ))}
          </ul>
        </Card>
        <Changes changes={changes} leftOut={leftOut} />
        <Happened detail={detail} />
      </div>
      <div className="incident-side">
        <Card title="About">
          <Facts
            items={[
              ["Group", incident.group || "everything"],
              ...Object.entries(incident.labels).map(([label, value]): [string, string] => [label, value]),
              ["Told", incident.receivers ? incident.receivers.join(", ") || "nobody" : "every receiver that matches"],
            ]}
          />
          <FirstSeen traces={first} />
        </Card>
        <Card title="Example traces" flush>
          {traces.length === 0 ? (
            <p className="card-body muted">No trace shows it.</p>
          ) : (
            <ul className="example-traces">
              {traces.map((trace) => (
                <li key={trace}>
                  <Link className="text-link mono" to={`/traces/${trace}`}>
                    {trace}
                  </Link>
                </li>
              ))}
            </ul>
          )}
        </Card>
      </div>
    </div>
  );
}

function Fired({ alert }: { alert: IncidentAlert }) {
  return (
    <li>
      <div className="alert-head">
        <Status tone={alert.firing ? severityTone(alert.severity) : "ok"} pulse={alert.firing}>
          {alert.firing ? "Firing" : "Over"}
        </Status>
        <span className="strong">{alert.name}</span>
        <span className="sub">
          since <Time at={alert.began_at} />
          {alert.ended_at && (
            <>
              , over <Time at={alert.ended_at} />
            </>
          )}
        </span>
      </div>
      <p>{alert.summary}</p>
      {alert.measured.length > 0 && (
        <dl className="alert-facts">
          {alert.measured.map(({ name, value }) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {alert.versions.length > 0 && (
        <p className="sub alert-versions">
          {"About "}
          {alert.versions.map((version) => (
            <VersionLink key={version} version={version} />
          ))}
        </p>
      )}
    </li>
  );
}

/** Nothing where no example names a release. */
function FirstSeen({ traces }: { traces: readonly string[] }) {
  const filter = releaseFilter(traces);
  const spans = useQuery({ ...queries.incidentExamples(filter), enabled: traces.length > 0 });
  const release = firstRelease(spans.data?.items ?? []);
  if (!release) return null;
  return (
    <p className="first-seen">
      {"First seen in release "}
      <span className="strong">{release}</span>
      <span className="sub">, that of the earliest example of when it fired</span>
    </p>
  );
}

const VERBS = {
  acknowledge: {
    title: "Acknowledge this incident",
    does: "Acknowledge",
    words: "Nobody is reminded of it any more. It stays until it is over.",
    done: "Acknowledged",
  },
  resolve: {
    title: "Resolve this incident",
    does: "Resolve",
    words: "It opens again when one of its alerts is raised again within the hour.",
    done: "Resolved",
  },
} as const;

function Note({ id, verb, onClose }: { id: string; verb: keyof typeof VERBS; onClose: () => void }) {
  const client = useQueryClient();
  const [note, setNote] = useState("");
  const words = VERBS[verb];
  const doing = useMutation({
    mutationFn: () => api.incidents[verb](id, note.trim()),
    onSuccess: () => {
      toast(words.done);
      void client.invalidateQueries({ queryKey: ["incidents"] });
      onClose();
    },
  });
  return (
    <FormDialog title={words.title} does={words.does} doing={doing} valid onClose={onClose}>
      <p>{words.words}</p>
      <Field label="Note" hint="Stands in the timeline; may stay empty.">
        {(ids) => <input {...ids} className="input" value={note} autoComplete="off" onChange={(event) => setNote(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}
