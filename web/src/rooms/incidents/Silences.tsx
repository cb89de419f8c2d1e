// Of what nobody is told for a while.

import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { Silence } from "@/api/types";
import { capital, fullTime } from "@/lib/format";
import { person } from "@/lib/names";
import { ActDialog } from "@/ui/act";
import { Toggle } from "@/ui/fields";
import { Button, Card, Empty, Status, Time } from "@/ui/kit";
import { ListLead, LoadedPages, Table, TableEnd } from "@/ui/tables";
import { toast } from "@/ui/toasts";
import { NewSilence } from "./NewSilence";
import { silenceState } from "./incidents";

export function Silences() {
  const [ended, setEnded] = useState(false);
  const [making, setMaking] = useState(false);
  const [ending, setEnding] = useState<Silence | null>(null);
  const silences = useInfiniteQuery(queries.silences(ended));
  return (
    <>
      <ListLead
        action={
          <Button look="primary" icon="plus" onClick={() => setMaking(true)}>
            New silence
          </Button>
        }
      >
        Alerts for which all of a silence's matchers hold are kept and shown, and nobody is told of them.
      </ListLead>
      <p className="list-lead">
        <Toggle checked={ended} onChange={setEnded}>
          Also those that have ended
        </Toggle>
      </p>
      <LoadedPages
        query={silences}
        empty={
          <Card>
            <Empty icon="bell" title="No silences">
              Before planned work, a silence keeps receivers quiet about what is known.
            </Empty>
          </Card>
        }
      >
        {(items) => (
          <Card flush>
            <Table
              head={
                <>
                  <th>Alerts</th>
                  <th>State</th>
                  <th className="hide-narrow">Ends</th>
                  <th className="shrink">
                    <span className="sr-only">Actions</span>
                  </th>
                </>
              }
            >
              {items.map((silence) => (
                <Row key={silence.id} silence={silence} onEnd={() => setEnding(silence)} />
              ))}
            </Table>
            <TableEnd query={silences} />
          </Card>
        )}
      </LoadedPages>
      {making && <NewSilence matchers={[]} onClose={() => setMaking(false)} />}
      {ending && <End silence={ending} onClose={() => setEnding(null)} />}
    </>
  );
}

function Row({ silence, onEnd }: { silence: Silence; onEnd: () => void }) {
  const state = silenceState(silence, Date.now());
  const by = person(silence.created_by);
  return (
    <tr>
      <td className="lead">
        <div className="mono matchers">{silence.matchers.join(" ")}</div>
        <div className="sub">{[by && `by ${by}`, silence.comment].filter(Boolean).join(": ")}</div>
      </td>
      <td className="nowrap">
        <Status tone={silence.active ? "accent" : "neutral"}>{capital(state)}</Status>
      </td>
      <td className="hide-narrow soft nowrap" title={fullTime(silence.ends_at)}>
        {state === "ended" ? <Time at={silence.ends_at} /> : fullTime(silence.ends_at)}
      </td>
      <td className="shrink">
        {state !== "ended" && (
          <Button size="sm" onClick={onEnd}>
            End
          </Button>
        )}
      </td>
    </tr>
  );
}

function End({ silence, onClose }: { silence: Silence; onClose: () => void }) {
  const client = useQueryClient();
  const end = useMutation({
    mutationFn: () => api.silences.end(silence.id),
    onSuccess: () => {
      toast("The silence has ended");
      void client.invalidateQueries({ queryKey: ["silences"] });
      void client.invalidateQueries({ queryKey: ["incidents"] });
      onClose();
    },
  });
  return (
    <ActDialog title="End this silence?" does="End silence" leave="Leave it" doing={end} onClose={onClose}>
      <p>What it has hidden and still goes on is told of within seconds.</p>
      <p className="mono matchers">{silence.matchers.join(" ")}</p>
    </ActDialog>
  );
}
