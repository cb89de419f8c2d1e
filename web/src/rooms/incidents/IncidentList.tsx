import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearchParams } from "react-router";
import { queries } from "@/api/queries";
import type { IncidentState } from "@/api/types";
import { capital } from "@/lib/format";
import { Segmented } from "@/ui/fields";
import { Badge, Card, Empty, Skeleton, Status, Time } from "@/ui/kit";
import { Rows } from "@/ui/rows";
import { LoadedPages, RowsEnd } from "@/ui/tables";
import { severityTone, STATES, stateTone } from "./incidents";

export function IncidentList() {
  const navigate = useNavigate();
  const [params, setParams] = useSearchParams();
  const state = STATES.find((s) => s.value === params.get("state"))?.value;
  const incidents = useInfiniteQuery(queries.incidents(state));
  const choose = (to: IncidentState | "all") => setParams(to === "all" ? {} : { state: to }, { replace: true });
  return (
    <>
      <div className="list-lead">
        <Segmented label="State" value={state ?? "all"} onChange={choose} choices={[{ value: "all", label: "All" }, ...STATES]} />
      </div>
      <LoadedPages query={incidents} skeleton={<Skeleton rows={8} height={46} />} empty={<None state={state} />}>
        {(items) => (
          <Rows
            label="Incidents"
            items={items}
            idOf={(incident) => incident.id}
            rowHeight={46}
            onOpen={(incident) => void navigate(`/incidents/${incident.id}`)}
            columns={[
              {
                key: "title",
                head: "Incident",
                width: "minmax(0, 3fr)",
                cell: (incident) => (
                  <>
                    <div className="clip strong">{incident.title}</div>
                    <div className="sub clip">{incident.group || "everything"}</div>
                  </>
                ),
              },
              {
                key: "severity",
                head: "Severity",
                width: "96px",
                wide: true,
                cell: (incident) => <Badge tone={severityTone(incident.severity)}>{incident.severity}</Badge>,
              },
              {
                key: "state",
                head: "State",
                width: "132px",
                cell: (incident) => (
                  <>
                    <Status tone={stateTone(incident.state)}>{capital(incident.state)}</Status>
                    {incident.silence && <div className="sub">silenced</div>}
                  </>
                ),
              },
              {
                key: "opened",
                head: "Opened",
                width: "100px",
                align: "end",
                cell: (incident) => (
                  <span className="soft">
                    <Time at={incident.opened_at} />
                  </span>
                ),
              },
              {
                key: "updated",
                head: "Changed",
                width: "100px",
                align: "end",
                large: true,
                cell: (incident) => (
                  <span className="soft">
                    <Time at={incident.updated_at} />
                  </span>
                ),
              },
            ]}
            footer={<RowsEnd query={incidents} shown={items.length} />}
          />
        )}
      </LoadedPages>
    </>
  );
}

function None({ state }: { state: IncidentState | undefined }) {
  return (
    <Card>
      <Empty icon="bell" title={state ? `No incident is ${state}` : "No incidents"}>
        An incident opens when a monitor fires. Receivers are told of it; one that nobody is told of is shown here all the same.
      </Empty>
    </Card>
  );
}
