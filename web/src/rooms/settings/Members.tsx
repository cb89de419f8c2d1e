// Who is in the project, and what they may do and see.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { Member } from "@/api/types";
import { FormDialog } from "@/ui/act";
import { Field, Segmented } from "@/ui/fields";
import { Badge, Button, Card, Loaded, Time } from "@/ui/kit";
import { ListLead, Table } from "@/ui/tables";
import { toast } from "@/ui/toasts";
import { labelsOf, RoleField, Sees, SightField, type Role } from "./rights";

export function Members() {
  const members = useQuery(queries.members());
  const [adding, setAdding] = useState(false);
  const [changing, setChanging] = useState<Member | null>(null);
  return (
    <>
      <ListLead
        action={
          <Button look="primary" icon="plus" onClick={() => setAdding(true)}>
            Add member
          </Button>
        }
      >
        A key acts for a member and never allows more than the member may. Who leaves takes their keys along.
      </ListLead>
      <Loaded query={members}>
        {({ items }) => (
          <Card flush>
            <Table
              head={
                <>
                  <th>Name</th>
                  <th>Role</th>
                  <th className="hide-narrow">Sees documents labelled</th>
                  <th className="hide-narrow">Since</th>
                  <th className="shrink">
                    <span className="sr-only">Change</span>
                  </th>
                </>
              }
            >
              {items.map((member) => (
                <tr key={member.id}>
                  <td>
                    <span className="strong">{member.name}</span> {member.kind !== "person" && <span className="muted">{member.kind}</span>}
                  </td>
                  <td>
                    <Badge tone={member.role === "admin" ? "accent" : "neutral"}>{member.role}</Badge>
                  </td>
                  <td className="hide-narrow">
                    <Sees labels={member.labels} />
                  </td>
                  <td className="hide-narrow soft">
                    <Time at={member.since} />
                  </td>
                  <td className="shrink">
                    <Button size="sm" onClick={() => setChanging(member)}>
                      Change
                    </Button>
                  </td>
                </tr>
              ))}
            </Table>
          </Card>
        )}
      </Loaded>
      {adding && <Edit onClose={() => setAdding(false)} />}
      {changing && <Edit member={changing} onClose={() => setChanging(null)} />}
    </>
  );
}

/** Adds a member, or changes one. */
function Edit({ member, onClose }: { member?: Member; onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState(member?.name ?? "");
  const [kind, setKind] = useState<"person" | "service">("person");
  const [role, setRole] = useState<Role>((member?.role as Role) ?? "reader");
  const [sight, setSight] = useState(member && member.labels !== "all" ? { all: false, text: member.labels.join(", ") } : { all: true, text: "" });
  const done = (what: string) => {
    toast(what);
    void client.invalidateQueries({ queryKey: ["members"] });
    onClose();
  };
  const labels = labelsOf(sight);
  const save = useMutation({
    mutationFn: () => (member ? api.members.change(member.id, { role, labels }) : api.members.add({ name: name.trim(), kind, role, labels })),
    onSuccess: () => done(member ? `Changed ${member.name}` : `Added ${name.trim()}`),
  });
  const remove = useMutation({ mutationFn: () => api.members.remove(member!.id), onSuccess: () => done(`Removed ${member!.name}`) });
  return (
    <FormDialog
      title={member ? member.name : "Add a member"}
      does={member ? "Save" : "Add"}
      doing={{ ...save, error: save.error ?? remove.error }}
      valid={name.trim() !== ""}
      onClose={onClose}
      aside={
        member && (
          <>
            <Button look="danger" busy={remove.isPending} onClick={() => remove.mutate()}>
              Remove from project
            </Button>
            <span className="grow" />
          </>
        )
      }
    >
      {!member && (
        <>
          <Field label="Name" hint="A user name or an address; one for the whole installation.">
            {(ids) => (
              <input
                {...ids}
                className="input"
                data-focus=""
                value={name}
                placeholder="ines@example.org"
                onChange={(event) => setName(event.target.value)}
              />
            )}
          </Field>
          <Field label="Kind">
            {() => (
              <Segmented
                label="Kind"
                value={kind}
                onChange={setKind}
                choices={[
                  { value: "person", label: "Person" },
                  { value: "service", label: "Service" },
                ]}
              />
            )}
          </Field>
        </>
      )}
      <RoleField role={role} onChange={setRole} />
      <SightField sight={sight} onChange={setSight} />
    </FormDialog>
  );
}
