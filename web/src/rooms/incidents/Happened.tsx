// What happened to an incident and who was told of it, newest first.

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { api } from "@/api/client";
import type { IncidentDelivery, IncidentDetail, IncidentEvent } from "@/api/types";
import { count, fullTime, plural } from "@/lib/format";
import { person } from "@/lib/names";
import { Button, Card, Status, Time } from "@/ui/kit";
import { toast } from "@/ui/toasts";
import { deliveryTone, deliveryWords, eventWords, timeline } from "./incidents";

export function Happened({ detail }: { detail: IncidentDetail }) {
  const { incident, alerts, events, deliveries } = detail;
  const all = useMemo(() => timeline(events, deliveries), [events, deliveries]);
  const failed = deliveries.filter((delivery) => delivery.state === "failed").length;
  const nameOf = (fingerprint: string) => alerts.find((alert) => alert.fingerprint === fingerprint)?.name ?? null;
  return (
    <Card title="Timeline" flush actions={failed > 0 && <Retry id={incident.id} failed={failed} />}>
      <ol className="timeline">
        {all.map((one) => (
          <li key={one.kind === "event" ? one.event.seq : one.delivery.id}>
            <span className="sub timeline-at" title={fullTime(one.at)}>
              <Time at={one.at} />
            </span>
            {one.kind === "event" ? <Event event={one.event} nameOf={nameOf} /> : <Told delivery={one.delivery} />}
          </li>
        ))}
      </ol>
    </Card>
  );
}

function Event({ event, nameOf }: { event: IncidentEvent; nameOf: (fingerprint: string) => string | null }) {
  const { what, why } = eventWords(event, nameOf);
  const by = person(event.by);
  return (
    <div>
      <div className="strong">{by ? `${what} by ${by}` : what}</div>
      {why && <div className="sub">{why}</div>}
    </div>
  );
}

function Told({ delivery }: { delivery: IncidentDelivery }) {
  return (
    <div>
      <Status tone={deliveryTone(delivery.state)}>{deliveryWords(delivery)}</Status>
      {delivery.error && (
        <div className={delivery.state === "skipped" ? "sub" : "sub bad"}>
          {delivery.status == null ? delivery.error : `${delivery.error} (answered ${count(delivery.status)})`}
        </div>
      )}
      {delivery.state === "pending" && delivery.attempts > 0 && <div className="sub">{`next try ${fullTime(delivery.due_at)}`}</div>}
    </div>
  );
}

function Retry({ id, failed }: { id: string; failed: number }) {
  const client = useQueryClient();
  const retry = useMutation({
    mutationFn: () => api.incidents.retry(id),
    onSuccess: ({ deliveries }) => {
      toast(`${plural(deliveries, "delivery", "deliveries")} tried again`);
      void client.invalidateQueries({ queryKey: ["incidents"] });
      void client.invalidateQueries({ queryKey: ["receivers"] });
    },
    onError: (error) => toast(error.message, "bad"),
  });
  return (
    <Button size="sm" icon="refresh" busy={retry.isPending} onClick={() => retry.mutate()}>
      {`Retry ${plural(failed, "failed delivery", "failed deliveries")}`}
    </Button>
  );
}
