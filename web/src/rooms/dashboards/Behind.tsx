// What a point of a chart is made of: its spans, each with the way to its trace.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { queries } from "@/api/queries";
import type { PanelData } from "@/api/types";
import { duration, fullTime, listTime, money } from "@/lib/format";
import { Select } from "@/ui/fields";
import { Button, Dialog, Empty, ErrorNote, LinkButton, Skeleton, Status } from "@/ui/kit";
import { Table } from "@/ui/tables";
import { behindFilter, keyLabel, tracesBehind, type Key } from "./panels";

export interface Picked {
  panel: PanelData;
  from: string;
  to: string;
  /** Of values that are told apart the one that was clicked on. */
  key?: Key;
}

export function Behind({ picked, within, onClose }: { picked: Picked; within: string; onClose: () => void }) {
  const { panel, from, to } = picked;
  const [key, setKey] = useState<Key>(picked.key);
  const filter = behindFilter(panel, key, within);
  const spans = useQuery(queries.behind({ filter: filter || undefined, from, to }));
  const items = spans.data?.items ?? [];
  return (
    <Dialog
      open
      onClose={onClose}
      wide
      title={`${panel.title}, ${fullTime(from)}`}
      footer={
        <>
          <Button onClick={onClose}>Close</Button>
          <LinkButton to={tracesBehind(panel, key, within, { from, to })} icon="trace">
            Look in traces
          </LinkButton>
        </>
      }
    >
      {panel.by && <Which panel={panel} value={key} onChange={setKey} />}
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

/** Which of the values that are told apart. */
function Which({ panel, value, onChange }: { panel: PanelData; value: Key; onChange: (key: Key) => void }) {
  const by = panel.by ?? "";
  const keys = [...new Set(panel.rows.map((row) => row.keys[by] ?? null))];
  const choices = keys.map((key, i) => ({ value: String(i), label: keyLabel(key) }));
  const at = keys.findIndex((key) => key === value);
  return (
    <p>
      <Select
        label={by}
        value={at < 0 ? "" : String(at)}
        choices={[{ value: "", label: "All of them" }, ...choices]}
        onChange={(chosen) => onChange(chosen === "" ? undefined : keys[Number(chosen)])}
      />
    </p>
  );
}
