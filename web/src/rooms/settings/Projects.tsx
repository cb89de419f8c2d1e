// The boundaries of ownership and access.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import { isName } from "@/lib/names";
import { FormDialog } from "@/ui/act";
import { Field } from "@/ui/fields";
import { Badge, Button, Card, Loaded, Time } from "@/ui/kit";
import { NameField } from "@/ui/NameField";
import { ListLead, Table } from "@/ui/tables";
import { toast } from "@/ui/toasts";

export function Projects() {
  const projects = useQuery(queries.projects());
  const [creating, setCreating] = useState(false);
  return (
    <>
      <ListLead
        action={
          <Button look="primary" icon="plus" onClick={() => setCreating(true)}>
            New project
          </Button>
        }
      >
        A project has assets, members, keys and traces of its own. Where there are several, the corner below chooses among them.
      </ListLead>
      <Loaded query={projects}>
        {({ items }) => (
          <Card flush>
            <Table
              head={
                <>
                  <th>Name</th>
                  <th>Your role</th>
                  <th className="hide-narrow">Created</th>
                </>
              }
            >
              {items.map((project) => (
                <tr key={project.id}>
                  <td>
                    <span className="strong">{project.name}</span>
                    {project.description && <div className="sub">{project.description}</div>}
                  </td>
                  <td>
                    <Badge tone={project.role === "admin" ? "accent" : "neutral"}>{project.role}</Badge>
                  </td>
                  <td className="hide-narrow soft">
                    <Time at={project.created_at} />
                  </td>
                </tr>
              ))}
            </Table>
          </Card>
        )}
      </Loaded>
      {creating && <CreateProject onClose={() => setCreating(false)} />}
    </>
  );
}

function CreateProject({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const create = useMutation({
    mutationFn: () => api.projects.create({ name: name.trim(), description: description.trim() || null }),
    onSuccess: (made) => {
      toast(`Made ${made.name}`);
      for (const key of ["projects", "overview"]) void client.invalidateQueries({ queryKey: [key] });
      onClose();
    },
  });
  return (
    <FormDialog title="New project" does="Create project" doing={create} valid={isName(name.trim())} onClose={onClose}>
      <NameField name={name} onChange={setName} placeholder="support" />
      <Field label="Description">
        {(ids) => <input {...ids} className="input" value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}
