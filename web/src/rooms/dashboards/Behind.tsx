// What a point of a chart is made of: its spans, each with the way to its trace.

import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { queries } from "@/api/queries";
import type { PanelData } from "@/api/types";
import { both } from "@/lib/filterText";
import { duration, fullTime, listTime, money } from "@/lib/format";
import { Button, Dialog, Empty, ErrorNote, LinkButton, Skeleton, Status } from "@/ui/kit";
import { Table } from "@/ui/tables";

export interface Picked {
  panel: PanelData;
  from: string;
  to: string;
}

export function Behind({ picked: { panel, from, to }, within, onClose }: { picked: Picked; within: string; onClose: () => void }) {
  // Of a chart of failures only the failures are of interest.
  const failed = panel.measures.every((measure) => measure.startsWith("error")) ? "error" : "";
  const filter = both(both(panel.filter, failed), within);
  const spans = useQuery(queries.behind({ filter: filter || undefined, from, to }));
  const items = spans.data?.items ?? [];
  const search = new URLSearchParams({ from, to });
  if (filter) search.set("filter", filter);
  return (
    <Dialog
      open
      onClose={onClose}
      wide
      title={`${panel.title}, ${fullTime(from)}`}
      footer={
        <>
          <Button onClick={onClose}>Close</Button>
          <LinkButton to={`/traces?${search.toString()}`} icon="trace">
            Look in traces
          </LinkButton>
        </>
      }
    >
      {spans.error ? (
        <ErrorNote error={spans.error} retry={() => void spans.refetch()} />
      ) : spans.isPending ? (
        <Skeleton rows={6} />
      ) : items.length === 0 ? (
        <Empty title="Nothing began in this time" />
      ) : (
        <Table
          head={
            <>
              <th>Began</th>
              <th>Span</th>
              <th>Status</th>
              <th className="end">Took</th>
              <th className="end">Cost</th>
            </>
          }
        >
          {items.map((span) => (
            <tr key={span.span}>
              <td className="nowrap soft">{listTime(span.start)}</td>
              <td className="lead">
                <Link className="text-link" to={`/traces/${span.trace_id}`}>
                  {span.name}
                </Link>
                <div className="sub clip">{[span.app, span.model, span.user].filter(Boolean).join(" · ")}</div>
              </td>
              <td>
                {span.status === "error" ? <Status tone="bad">{span.error_type ?? "error"}</Status> : <span className="soft">{span.status}</span>}
              </td>
              <td className="end num">{duration(span.duration_ms)}</td>
              <td className="end num">{span.cost == null ? "–" : money(span.cost)}</td>
            </tr>
          ))}
        </Table>
      )}
      {spans.data?.next && <p className="sub">The latest 50 of them.</p>}
    </Dialog>
  );
}
