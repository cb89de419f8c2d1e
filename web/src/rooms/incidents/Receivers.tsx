// Who is told, and whether it arrives.

import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { Link } from "react-router";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { Receiver } from "@/api/types";
import { count, duration } from "@/lib/format";
import { Button, Card, Empty, ErrorNote, Status, Time } from "@/ui/kit";
import { ListLead, LoadedPages, Table, TableEnd } from "@/ui/tables";

export function Receivers() {
  const receivers = useInfiniteQuery(queries.receivers());
  return (
    <>
      <ListLead action={null}>
        A receiver is an asset: apply a spec of kind <code>receiver</code>. A test sends one notice that says it is a test.
      </ListLead>
      <LoadedPages
        query={receivers}
        empty={
          <Card>
            <Empty icon="bell" title="Nobody is told">
              Webhooks, Slack, e-mail and PagerDuty are receivers. Until there is one, incidents stand here only.
            </Empty>
          </Card>
        }
      >
        {(items) => (
          <Card flush>
            <Table
              head={
                <>
                  <th>Receiver</th>
                  <th>Deliveries</th>
                  <th className="hide-narrow">Last arrived</th>
                  <th className="shrink">
                    <span className="sr-only">Test</span>
                  </th>
                </>
              }
            >
              {items.map((receiver) => (
                <Row key={receiver.name} receiver={receiver} />
              ))}
            </Table>
            <TableEnd query={receivers} />
          </Card>
        )}
      </LoadedPages>
    </>
  );
}

function Row({ receiver }: { receiver: Receiver }) {
  const { name, version, way, pending, failed, delivered_at, error } = receiver;
  const test = useMutation({ mutationFn: () => api.receivers.test(name) });
  return (
    <tr>
      <td className="lead">
        <Link className="text-link strong" to={`/assets/receiver/${name}`}>
          {name}
        </Link>{" "}
        <span className="soft">{way ?? "its spec cannot be read"}</span> <span className="num muted">{`v${version}`}</span>
        {error && <div className="sub bad">{error}</div>}
        <div aria-live="polite">{test.error ? <ErrorNote compact error={test.error} /> : test.data && <Outcome {...test.data} />}</div>
      </td>
      <td className="nowrap">
        <Status tone={failed > 0 ? "bad" : pending > 0 ? "accent" : "ok"}>
          {failed > 0 ? `${count(failed)} given up` : pending > 0 ? `${count(pending)} on their way` : "All arrived"}
        </Status>
      </td>
      <td className="hide-narrow soft nowrap">
        <Time at={delivered_at} />
      </td>
      <td className="shrink">
        <Button size="sm" icon="send" busy={test.isPending} onClick={() => test.mutate()} aria-label={`Test ${name}`}>
          Test
        </Button>
      </td>
    </tr>
  );
}

function Outcome({ arrived, status, message, took_ms }: { arrived: boolean; status?: number | null; message?: string | null; took_ms: number }) {
  const answered = status == null ? "" : `, answered ${count(status)}`;
  return (
    <div className="sub">
      <Status tone={arrived ? "ok" : "bad"}>{`${arrived ? "The test arrived" : "The test did not arrive"} (${duration(took_ms)}${answered})`}</Status>
      {message && <div>{message}</div>}
    </div>
  );
}
