// The boundaries of ownership and access.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import { isName, nameFault } from "@/lib/names";
import { Badge, Button, Card, Dialog, ErrorNote, Field, Loaded, Time } from "@/ui/kit";
import { toast } from "@/ui/toasts";

export function Projects() {
  const projects = useQuery(queries.projects());
  const [creating, setCreating] = useState(false);
  return (
    <>
      <div className="settings-lead">
        <p className="soft">
          A project has assets, members, keys and traces of its own. Where there are several, the corner below chooses among them.
        </p>
        <Button look="primary" icon="plus" onClick={() => setCreating(true)}>
          New project
        </Button>
      </div>
      <Loaded query={projects}>
        {({ items }) => (
          <Card flush>
            <div className="table-scroll">
              <table className="table">
                <thead>
                  <tr>
                    <th>Name</th>
                    <th>Your role</th>
                    <th className="hide-narrow">Created</th>
                  </tr>
                </thead>
                <tbody>
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
                </tbody>
              </table>
            </div>
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
  const valid = isName(name.trim());
  return (
    <Dialog
      open
      onClose={onClose}
      title="New project"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" busy={create.isPending} disabled={!valid} onClick={() => create.mutate()}>
            Create project
          </Button>
        </>
      }
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (valid) create.mutate();
        }}
      >
        <Field label="Name" error={nameFault(name.trim())}>
          {(ids) => (
            <input {...ids} className="input" data-focus="" value={name} placeholder="support" onChange={(event) => setName(event.target.value)} />
          )}
        </Field>
        <Field label="Description">
          {(ids) => <input {...ids} className="input" value={description} onChange={(event) => setDescription(event.target.value)} />}
        </Field>
        <button type="submit" hidden />
      </form>
      {create.error && (
        <div className="dialog-error">
          <ErrorNote error={create.error} />
        </div>
      )}
    </Dialog>
  );
}
