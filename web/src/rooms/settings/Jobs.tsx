// What the server does by itself.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { Job } from "@/api/types";
import { Button, Card, Empty, Loaded, Status, Time, type Tone } from "@/ui/kit";
import { Table } from "@/ui/tables";
import { toast } from "@/ui/toasts";

const TONES: Record<string, Tone> = { queued: "neutral", running: "accent", done: "ok", failed: "bad", cancelled: "warn" };

export function Jobs() {
  const jobs = useQuery(queries.jobs());
  return (
    <Loaded query={jobs}>
      {({ items }) =>
        items.length === 0 ? (
          <Card>
            <Empty icon="clock" title="Nothing done by itself yet">
              Ingestions by schedule or by watch, and those that go on after a server was stopped, stand here.
            </Empty>
          </Card>
        ) : (
          <Card flush>
            <Table
              head={
                <>
                  <th>Job</th>
                  <th>State</th>
                  <th className="end hide-narrow">Attempt</th>
                  <th className="hide-narrow">Created</th>
                  <th className="hide-narrow">Ended</th>
                  <th className="shrink">
                    <span className="sr-only">Cancel</span>
                  </th>
                </>
              }
            >
              {items.map((job) => (
                <JobRow key={job.id} job={job} />
              ))}
            </Table>
          </Card>
        )
      }
    </Loaded>
  );
}

function JobRow({ job }: { job: Job }) {
  const client = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => api.jobs.cancel(job.id),
    onSuccess: () => client.invalidateQueries({ queryKey: ["jobs"] }),
    onError: (error) => toast(error.message, "bad"),
  });
  const knowledge = job.payload.knowledge;
  return (
    <tr>
      <td className="lead">
        <span className="strong">{job.kind}</span>{" "}
        {typeof knowledge === "string" && (
          <Link className="text-link" to={`/knowledge/${knowledge}/runs`}>
            {knowledge}
          </Link>
        )}
        {job.error && <div className="sub bad">{job.error}</div>}
      </td>
      <td>
        <Status tone={TONES[job.state] ?? "neutral"} pulse={job.state === "running"}>
          {job.state}
        </Status>
      </td>
      <td className="end hide-narrow num">{`${job.attempt} of ${job.max_attempts}`}</td>
      <td className="hide-narrow soft">
        <Time at={job.created_at} />
      </td>
      <td className="hide-narrow soft">{job.ended_at ? <Time at={job.ended_at} /> : job.state === "queued" ? <Time at={job.due_at} /> : "–"}</td>
      <td className="shrink">
        {(job.state === "queued" || job.state === "running") && (
          <Button size="sm" busy={cancel.isPending} onClick={() => cancel.mutate()}>
            Cancel
          </Button>
        )}
      </td>
    </tr>
  );
}
