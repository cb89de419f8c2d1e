// What moved between two stretches of time: fields by how much they did, both distributions, and the topics that grew.

import { useQuery } from "@tanstack/react-query";
import { useMemo, useRef } from "react";
import { Link, useSearchParams } from "react-router";
import { ApiError } from "@/api/client";
import { queries } from "@/api/queries";
import type { Drift, FieldDrift, TopicDrift } from "@/api/types";
import { count, fullTime, plural } from "@/lib/format";
import { Segmented, Select } from "@/ui/fields";
import { Badge, Button, Card, cx, Empty, ErrorNote, Loaded, PageHeader, Skeleton, Time, useTitle } from "@/ui/kit";
import { Table } from "@/ui/tables";
import { because, binName, isoOf, localOf, moved, nextTopics, OWN, serviceChoices, servicesOf, share, STRETCHES, stretchesOf } from "./drift";
import "./drift.css";

const AGAINST = [
  { value: "previous", label: "Time before" },
  { value: "range", label: "Another time" },
  { value: "release", label: "Another release" },
] as const;

/** The refusal to compare a release of one service with one of another. */
const SEVERAL = "drift-several-services";

export function Component() {
  useTitle("Drift");
  const [params, setParams] = useSearchParams();
  const set = (key: string, value: string) =>
    setParams(
      (p) => {
        if (value) p.set(key, value);
        else p.delete(key);
        return p;
      },
      { replace: true },
    );
  const against = AGAINST.find((a) => a.value === params.get("against")) ?? AGAINST[0];
  const choices = [...STRETCHES, OWN];
  const stretch = choices.find((s) => s.value === params.get("in")) ?? STRETCHES[1];
  // Fixed while one looks, so that a comparison holds still.
  const times = ["in", "against", "from", "to", "reference_from", "reference_to"].map((key) => [key, params.get(key) ?? ""]);
  const compared = JSON.stringify(times);
  const [{ from, to, reference_from, reference_to }, now] = useMemo(() => {
    const now = Date.now();
    return [stretchesOf(new URLSearchParams(JSON.parse(compared) as string[][]), now), now] as const;
  }, [compared]);
  const ends = Date.parse(to ?? "") || now;
  const before = reference_from ?? new Date(2 * Date.parse(from) - ends).toISOString();
  /** What is chosen stays as it is seen, until somebody changes it. */
  const chooseStretch = (value: string) =>
    setParams(
      (p) => {
        p.set("in", value);
        for (const [key, moment] of [
          ["from", from],
          ["to", new Date(ends).toISOString()],
        ] as const) {
          if (value === OWN.value) p.set(key, isoOf(localOf(moment)));
          else p.delete(key);
        }
        return p;
      },
      { replace: true },
    );
  const named = (key: string) => (against.value === "release" ? params.get(key) || undefined : undefined);
  const [release, reference] = [named("release"), named("reference_release")];
  const service = params.get("service") ?? "";
  const services = useQuery({ ...queries.traceMetrics({ by: "service,app", measures: "count", from: before, limit: 200 }), staleTime: 60_000 });
  const only = params.get("only") ?? "";
  const asked = {
    from,
    to,
    against: against.value,
    reference_from,
    reference_to,
    release,
    reference_release: reference,
    service: service || undefined,
    field: only || undefined,
  };
  const drift = useQuery(queries.drift(asked));
  const several = drift.error instanceof ApiError && drift.error.problem.code === SEVERAL;
  const picker = useRef<HTMLDivElement>(null);
  /** Releases are those of a service: another one has others. */
  const choose = (name: string) =>
    setParams(
      (p) => {
        for (const key of ["service", "release", "reference_release"]) p.delete(key);
        if (name) p.set("service", name);
        return p;
      },
      { replace: true },
    );
  return (
    <div className="page">
      <PageHeader title="Drift" lead="What moved in the traffic, by how much, and whether chance does that." />
      <div className="toolbar">
        <Select label="Time" hideLabel value={stretch.value} choices={choices} onChange={chooseStretch} />
        {stretch.value === OWN.value && (
          <>
            <Moment label="From" value={from} onChange={(v) => set("from", v)} />
            <Moment label="To" value={to ?? new Date(ends).toISOString()} onChange={(v) => set("to", v)} />
          </>
        )}
        <div ref={picker}>
          <Select label="Service" value={service} choices={serviceChoices(servicesOf(services.data), service)} onChange={choose} />
        </div>
        <Segmented label="Compare with" value={against.value} choices={AGAINST} onChange={(v) => set("against", v)} />
        {reference_from && reference_to && (
          <>
            <Moment label="Beside, from" value={reference_from} onChange={(v) => set("reference_from", v)} />
            <Moment label="Beside, to" value={reference_to} onChange={(v) => set("reference_to", v)} />
          </>
        )}
        {against.value === "release" && (
          <>
            <Release label="Release" value={release} usual="the newest" onChange={(v) => set("release", v)} />
            <Release label="Beside" value={reference} usual="the one before" onChange={(v) => set("reference_release", v)} />
          </>
        )}
        <Written label="Fields" value={only} usual={'all, or attributes["tier"]'} onChange={(v) => set("only", v)} />
      </div>
      {several ? (
        <Whose
          from={from}
          onChoose={(name) => {
            choose(name);
            // The buttons go: whoever pressed one goes on where the choice is shown.
            picker.current?.querySelector("select")?.focus();
          }}
        />
      ) : (
        <Loaded query={drift} skeleton={<Skeleton rows={10} />}>
          {(found) => <Found drift={found} selected={params.get("field")} onSelect={(field) => set("field", field)} />}
        </Loaded>
      )}
    </div>
  );
}

/** Several services have releases, and it is for the reader to say whose are meant. */
function Whose({ from, onChoose }: { from: string; onChoose: (service: string) => void }) {
  const found = useQuery({
    ...queries.traceMetrics({ by: "service,app", measures: "count", filter: "release exists", from, limit: 50 }),
    staleTime: 60_000,
  });
  const names = servicesOf(found.data);
  return (
    <Card>
      <Empty
        icon="diff"
        title="Whose releases?"
        action={
          names.length > 0 && (
            <div className="drift-services" role="group" aria-label="Services that have releases">
              {names.map((name) => (
                <Button key={name} onClick={() => onChoose(name)}>
                  {name}
                </Button>
              ))}
            </div>
          )
        }
      >
        Several services have releases in this time. Each counts its versions by itself, so a release is compared with one of the same service.
      </Empty>
      {found.error && <ErrorNote compact error={found.error} retry={() => void found.refetch()} />}
    </Card>
  );
}

/** The name of a release. */
function Release({ value, ...rest }: { label: string; value: string | undefined; usual: string; onChange: (value: string) => void }) {
  return <Written value={value ?? ""} {...rest} />;
}

/** What is taken when it is whole, not letter by letter. */
function Written({ label, value, usual, onChange }: { label: string; value: string; usual: string; onChange: (value: string) => void }) {
  return (
    <label className="select">
      <span className="select-label">{label}</span>
      <input
        key={value}
        className="input"
        // Room for what stands there while nothing is written.
        style={{ width: `max(11em, ${usual.length}ch + 24px)` }}
        defaultValue={value}
        placeholder={usual}
        autoComplete="off"
        spellCheck={false}
        onBlur={(event) => event.target.value.trim() !== value && onChange(event.target.value.trim())}
        onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
      />
    </label>
  );
}

/** An hour, in the reader's own time. */
function Moment({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  const shown = localOf(value);
  return (
    <label className="select">
      <span className="select-label">{label}</span>
      <input
        key={shown}
        type="datetime-local"
        step={3600}
        className="input"
        defaultValue={shown}
        onBlur={(event) => {
          const chosen = isoOf(event.target.value);
          if (chosen && event.target.value !== shown) onChange(chosen);
        }}
        onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
      />
    </label>
  );
}

function Found({ drift, selected, onSelect }: { drift: Drift; selected: string | null; onSelect: (field: string) => void }) {
  const field = drift.fields.find((f) => f.field === selected) ?? drift.fields[0];
  if (drift.against === "release" && !drift.release) {
    return (
      <Card>
        <Empty icon="diff" title="There are no two releases in this time">
          A release is the <code>service.version</code> that a program sends, or the version of an app.
        </Empty>
      </Card>
    );
  }
  return (
    <div className="stack">
      <p className="muted">
        {drift.release ? (
          <>
            Release {drift.release} beside {drift.reference_release}
            {drift.service && ` of ${drift.service}`}
          </>
        ) : (
          <>
            {fullTime(drift.from)} to {fullTime(drift.to)} beside {fullTime(drift.reference_from)} to {fullTime(drift.reference_to)}
          </>
        )}
        {drift.waiting_hours > 0 && ` · ${plural(drift.waiting_hours, "hour")} not made yet: look again in a while`}
      </p>
      <div className="drift-grid">
        <Card title="Fields" flush>
          <Fields fields={drift.fields} open={field?.field} onSelect={onSelect} />
        </Card>
        {field && (
          <Card title={field.field} actions={<span className="muted">{`${count(field.reference)} before, ${count(field.current)} after`}</span>}>
            <Distributions field={field} />
          </Card>
        )}
      </div>
      <Card title="Asked about" flush={Boolean(drift.topics?.topics.length)}>
        {drift.topics ? <Topics topics={drift.topics} of="questions" /> : <p className="muted">{drift.no_topics}.</p>}
      </Card>
      <Card title="Answered about" flush={Boolean(drift.output_topics?.topics.length)}>
        {drift.output_topics ? <Topics topics={drift.output_topics} of="answers" /> : <p className="muted">{drift.no_output_topics}.</p>}
      </Card>
    </div>
  );
}

function Fields({ fields, open, onSelect }: { fields: FieldDrift[]; open: string | undefined; onSelect: (field: string) => void }) {
  return (
    <Table
      head={
        <>
          <th>Field</th>
          <th className="end" title="Population stability index: above 0.2 much moved">
            PSI
          </th>
          <th className="hide-narrow">What moved</th>
        </>
      }
    >
      {fields.map((f) => (
        <tr key={f.field} className={cx(f.field === open && "drift-open")}>
          <td className="lead">
            <button type="button" className="drift-field" aria-pressed={f.field === open} onClick={() => onSelect(f.field)}>
              {f.field}
            </button>{" "}
            {f.drifted && <Badge tone="warn">drifted</Badge>}
          </td>
          <td className="end">{f.figures ? f.figures.psi.toFixed(3) : <span className="muted">–</span>}</td>
          <td className="hide-narrow soft clip">{moved(f)}</td>
        </tr>
      ))}
    </Table>
  );
}

function Distributions({ field }: { field: FieldDrift }) {
  const most = field.bins.reduce((top, bin) => Math.max(top, bin.before, bin.after), 0);
  const { figures } = field;
  if (field.bins.length === 0) return <p className="muted">Nobody sent a value of this field in this time.</p>;
  return (
    <>
      <p className="drift-legend" aria-hidden="true">
        <i className="drift-before" /> before <i className="drift-after" /> after
      </p>
      <table className="drift-bins">
        <thead className="sr-only">
          <tr>
            <th>Value</th>
            <th>Shares</th>
            <th>Before</th>
            <th>After</th>
          </tr>
        </thead>
        <tbody>
          {field.bins.map((bin, at) => (
            <tr key={at}>
              <th scope="row" className="clip">
                {binName(field, bin)}
              </th>
              <td className="drift-track" aria-hidden="true">
                <i className="drift-before" style={{ width: `${most > 0 ? (100 * bin.before) / most : 0}%` }} />
                <i className="drift-after" style={{ width: `${most > 0 ? (100 * bin.after) / most : 0}%` }} />
              </td>
              <td className="end muted">{share(bin.before)}</td>
              <td className="end">{share(bin.after)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {figures ? (
        <p className="muted">
          {`PSI ${figures.psi.toFixed(3)} (chance alone: ${figures.psi_by_chance.toFixed(3)}), Jensen–Shannon ${figures.jensen_shannon.toFixed(3)} bits`}
          {figures.ks != null && `, Kolmogorov–Smirnov ${figures.ks.toFixed(3)}`}
          {`, p ${figures.p < 0.001 ? "< 0.001" : figures.p.toFixed(3)}`}
          {figures.unseen != null && figures.unseen > 0 && `; ${share(figures.unseen)} in values nobody had seen before`}
        </p>
      ) : (
        <p className="muted">{moved(field)}: that is not the same as no drift.</p>
      )}
    </>
  );
}

function Topics({ topics, of }: { topics: TopicDrift; of: string }) {
  const { version } = topics;
  const which = (
    <p className="muted drift-version">
      Topics {version.number} <code>{version.digest.slice(0, 8)}</code>
      {version.learnt_at && (
        <>
          , learnt <Time at={version.learnt_at} />
        </>
      )}
      : {because(version.why)}. {nextTopics(version)}
    </p>
  );
  if (topics.topics.length === 0) {
    return (
      <>
        <p className="muted">{topics.state === "missing" ? `No ${of} on one side.` : `Too few ${of} to say.`}</p>
        {which}
      </>
    );
  }
  return (
    <>
      <Table
        head={
          <>
            <th>Topic</th>
            <th className="end">Before</th>
            <th className="end">After</th>
            <th className="hide-narrow">Examples</th>
          </>
        }
      >
        {topics.topics.map((topic, at) => (
          <tr key={at}>
            <td className="lead">
              {topic.words.length > 0 ? topic.words.join(", ") : <span className="muted">unlike anything before</span>}{" "}
              {topic.grew && <Badge tone="warn">grew</Badge>}
            </td>
            <td className="end">{share(topic.before)}</td>
            <td className="end">{share(topic.after)}</td>
            <td className="hide-narrow">
              {topic.traces.map((trace) => (
                <Link key={trace} className="row-link drift-example" to={`/traces/${trace}`}>
                  {trace.slice(0, 8)}
                </Link>
              ))}
            </td>
          </tr>
        ))}
      </Table>
      {which}
    </>
  );
}
