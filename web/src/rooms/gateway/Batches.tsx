// Batches that clients handed in: how far each is, what failed, and their files.

import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { Batch } from "@/api/types";
import { ago, count, duration, fullTime, percent, plural } from "@/lib/format";
import { Button, Card, Dialog, Empty, ErrorNote, Meter, Skeleton, Status } from "@/ui/kit";
import { toast } from "@/ui/toasts";
import { isOver, progressOf, restOf, tookOf, toneOf } from "./batches";

export function Batches() {
  const batches = useInfiniteQuery(queries.batches());
  const [cancelling, setCancelling] = useState<Batch | null>(null);
  const items = batches.data?.pages.flatMap((page) => page.items) ?? [];
  if (batches.error && items.length === 0) return <ErrorNote error={batches.error} retry={() => void batches.refetch()} />;
  if (batches.isPending) return <Skeleton rows={6} height={46} />;
  if (items.length === 0)
    return (
      <Card>
        <Empty icon="layers" title="No batches">
          OpenAI's clients upload a file of requests and make a batch of it: <code>client.batches.create(…)</code>. It runs through the same routes,
          at the prices of batches.
        </Empty>
      </Card>
    );
  return (
    <>
      <Card flush>
        <div className="table-scroll">
          <table className="table batches">
            <thead>
              <tr>
                <th>Batch</th>
                <th>Status</th>
                <th className="batch-progress">Progress</th>
                <th className="end hide-narrow">Took</th>
                <th className="hide-narrow">Made</th>
                <th className="shrink">
                  <span className="sr-only">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {items.map((batch) => (
                <Row key={batch.id} batch={batch} onCancel={() => setCancelling(batch)} />
              ))}
            </tbody>
          </table>
        </div>
        {batches.hasNextPage && (
          <div className="batch-more">
            <Button size="sm" busy={batches.isFetchingNextPage} onClick={() => void batches.fetchNextPage()}>
              Load more
            </Button>
          </div>
        )}
      </Card>
      {cancelling && <Cancel batch={cancelling} onClose={() => setCancelling(null)} />}
    </>
  );
}

function Row({ batch, onCancel }: { batch: Batch; onCancel: () => void }) {
  const [first] = batch.errors ?? [];
  const made = batch.created_at;
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
      <td className="end hide-narrow soft">{duration(tookOf(batch, Date.now()))}</td>
      <td className="hide-narrow soft nowrap">
        <time dateTime={made} title={fullTime(made)}>
          {ago(made)}
        </time>
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
    <Dialog
      open
      onClose={onClose}
      title="Cancel this batch?"
      footer={
        <>
          <Button onClick={onClose} data-focus="">
            Let it run
          </Button>
          <Button look="danger" busy={cancel.isPending} onClick={() => cancel.mutate()}>
            Cancel batch
          </Button>
        </>
      }
    >
      <p>What has been answered stays and is paid; nothing more is asked.</p>
      {cancel.error && (
        <div className="dialog-error">
          <ErrorNote error={cancel.error} />
        </div>
      )}
    </Dialog>
  );
}
