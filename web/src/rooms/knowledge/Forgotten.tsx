// What was forgotten and is kept out, for those who may let it come back. Nothing of a document is left but its id.

import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { Tombstone } from "@/api/types";
import { ActDialog } from "@/ui/act";
import { Button, Card, Time } from "@/ui/kit";
import { LoadedPages, Table, TableEnd } from "@/ui/tables";
import { toast } from "@/ui/toasts";

export function Forgotten({ knowledge }: { knowledge: string }) {
  const overview = useQuery(queries.overview());
  const of = overview.data?.projects.find((p) => p.name === overview.data.project);
  return of?.role === "admin" ? <Stones knowledge={knowledge} /> : null;
}

function Stones({ knowledge }: { knowledge: string }) {
  const stones = useInfiniteQuery(queries.tombstones(knowledge));
  const [lifting, setLifting] = useState<Tombstone | null>(null);
  return (
    <>
      <LoadedPages query={stones} skeleton={<></>} empty={null}>
        {(items) => (
          <Card title="Forgotten" flush>
            <Table
              head={
                <>
                  <th>Document</th>
                  <th className="hide-narrow">Source</th>
                  <th>Forgotten</th>
                  <th className="shrink">
                    <span className="sr-only">Actions</span>
                  </th>
                </>
              }
            >
              {items.map((stone) => (
                <tr key={stone.document}>
                  <td>
                    <code>{stone.document}</code>
                  </td>
                  <td className="soft hide-narrow wrap-any">{stone.source}</td>
                  <td className="soft nowrap">
                    <Time at={stone.forgotten_at} />
                  </td>
                  <td className="shrink">
                    <Button size="sm" onClick={() => setLifting(stone)}>
                      Let back in
                    </Button>
                  </td>
                </tr>
              ))}
            </Table>
            <TableEnd query={stones} />
          </Card>
        )}
      </LoadedPages>
      {lifting && <Lift knowledge={knowledge} stone={lifting} onClose={() => setLifting(null)} />}
    </>
  );
}

function Lift({ knowledge, stone, onClose }: { knowledge: string; stone: Tombstone; onClose: () => void }) {
  const client = useQueryClient();
  const lift = useMutation({
    mutationFn: () => api.knowledge.readmit(knowledge, stone.document),
    onSuccess: () => {
      toast("The next ingestion may take it in");
      void client.invalidateQueries({ queryKey: ["knowledge", knowledge, "tombstones"] });
      onClose();
    },
  });
  return (
    <ActDialog title="Let this document back in?" does="Let back in" leave="Keep it out" doing={lift} onClose={onClose}>
      <p>
        The next ingestion takes <code>{stone.document}</code> in again, if <span className="strong">{stone.source}</span> still has it.
      </p>
    </ActDialog>
  );
}
