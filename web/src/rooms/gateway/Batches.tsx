// Batches that clients handed in: how far each is, what failed, and their files.

import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { Batch } from "@/api/types";
import { count, duration, percent, plural } from "@/lib/format";
import { ActDialog } from "@/ui/act";
import { Button, Card, Empty, Meter, Skeleton, Status, Time } from "@/ui/kit";
import { LoadedPages, Table, TableEnd } from "@/ui/tables";
import { toast } from "@/ui/toasts";
import { isOver, progressOf, restOf, tookOf, toneOf } from "./batches";

export function Batches() {
  const batches = useInfiniteQuery(queries.batches());
  const [cancelling, setCancelling] = useState<Batch | null>(null);
  return (
    <>
      <LoadedPages query={batches} skeleton={<Skeleton rows={6} height={46} />} empty={<NoBatches />}>
        {(items) => (
          <Card flush>
            <Table
              className="batches"
              head={
                <>
                  <th>Batch</th>
                  <th>Status</th>
                  <th className="batch-progress">Progress</th>
                  <th className="end large-only">Took</th>
                  <th className="hide-narrow">Made</th>
                  <th className="shrink">
                    <span className="sr-only">Actions</span>
                  </th>
                </>
              }
            >
              {items.map((batch) => (
                <Row key={batch.id} batch={batch} onCancel={() => setCancelling(batch)} />
              ))}
            </Table>

            <TableEnd query={batches} />
          </Card>
        )}
      </LoadedPages>
      {cancelling && <Cancel batch={cancelling} onClose={() => setCancelling(null)} />}
    </>
  );
}

function NoBatches() {
  return (
    <Card>
      <Empty icon="layers" title="No batches">
        OpenAI's clients upload a file of requests and make a batch of it: <code>client.batches.create(…)</code>. It runs through the same routes, at
        the prices of other calls unless <code>gateway.batch_prices</code> says otherwise.
      </Empty>
    </Card>
  );
}

function Row({ batch, onCancel }: { batch: Batch; onCancel: () => void }) {
  const [first] = batch.errors ?? [];
  return (
    <tr>
      <td className="lead">
        <div className="strong clip" title={batch.id}>
          {batch.metadata?.name ?? batch.metadata?.description ?? batch.id}
        </div>
        <div className="sub clip">{`${batch.endpoint} · by ${batch.created_by}`}</div>
      </td>
      <td className="nowrap">
        <Status tone={toneOf(batch)} pulse={!isOver(batch)}>
          {batch.status.replaceAll("_", " ")}
        </Status>
        {first && (
          <div className="sub bad batch-error" title={first.message}>
            {first.line == null ? first.message : `line ${count(first.line)}: ${first.message}`}
          </div>
        )}
      </td>
      <td className="batch-progress">
        <Progress batch={batch} />
      </td>
      <td className="end large-only soft">{duration(tookOf(batch, Date.now()))}</td>
      <td className="hide-narrow soft nowrap">
        <Time at={batch.created_at} />
      </td>
      <td className="shrink">
        <span className="row-flex batch-actions">
          {batch.output_file && <Download id={batch.output_file} name={`${batch.id}.jsonl`} label="Answers" />}
          {batch.error_file && <Download id={batch.error_file} name={`${batch.id}-errors.jsonl`} label="Errors" />}
          {!isOver(batch) && batch.status !== "cancelling" && (
            <Button size="sm" look="danger" onClick={onCancel}>
              Cancel
            </Button>
          )}
        </span>
      </td>
    </tr>
  );
}

function Progress({ batch }: { batch: Batch }) {
  const progress = progressOf(batch);
  if (!progress) return <span className="muted">{batch.status === "validating" ? "its lines are being read" : "–"}</span>;
  const { share, done, failed, total } = progress;
  const rest = restOf(batch, Date.now());
  return (
    <div className="budget">
      <div className="budget-words">
        <span>
          <span className="strong">{count(done)}</span> <span className="muted">of {plural(total, "line")}</span>
          {failed > 0 && <span className="bad">{` · ${count(failed)} failed`}</span>}
        </span>
        <span className="muted">{rest === null ? percent(done, total) : `about ${duration(rest)} left`}</span>
      </div>
      <Meter value={share} label={`Answered of ${plural(total, "line")}`} tone={isOver(batch) ? toneOf(batch) : "accent"} />
    </div>
  );
}

/** The server wants the key of this tab, which a plain link would not send. */
function Download({ id, name, label }: { id: string; name: string; label: string }) {
  const fetched = useMutation({
    mutationFn: () => api.batches.file(id),
    onSuccess: (blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = name;
      link.click();
      // The browser is still reading it.
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    },
    onError: (error) => toast(error.message, "bad"),
  });
  return (
    <Button size="sm" busy={fetched.isPending} onClick={() => fetched.mutate()}>
      {label}
    </Button>
  );
}

function Cancel({ batch, onClose }: { batch: Batch; onClose: () => void }) {
  const client = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => api.batches.cancel(batch.id),
    onSuccess: () => {
      toast("The batch is being cancelled");
      void client.invalidateQueries({ queryKey: ["batches"] });
      onClose();
    },
  });
  return (
    <ActDialog title="Cancel this batch?" does="Cancel batch" leave="Let it run" look="danger" doing={cancel} onClose={onClose}>
      <p>What has been answered stays and is paid; nothing more is asked.</p>
    </ActDialog>
  );
}
