// What somebody may do and see, shown and chosen: for keys and for members.

import { Choose, Field, Segmented } from "@/ui/fields";
import { Badge } from "@/ui/kit";

export const ROLES = {
  reader: "Asks, searches, looks.",
  editor: "Also changes assets and ingests.",
  admin: "Also keys, members and deletion.",
} as const;
export type Role = keyof typeof ROLES;

/** `all`, or labels as they are typed. */
export interface Sight {
  all: boolean;
  text: string;
}

export const labelsOf = ({ all, text }: Sight): "all" | string[] => (all ? "all" : text.split(/[\s,]+/).filter(Boolean));

export function Sees({ labels }: { labels: "all" | string[] }) {
  if (labels === "all") return <>anything</>;
  if (labels.length === 0) return <span className="muted">only those without labels</span>;
  return (
    <span className="row-flex wrap">
      {labels.map((l) => (
        <Badge key={l}>{l}</Badge>
      ))}
    </span>
  );
}

export function RoleField({ role, onChange }: { role: Role; onChange: (role: Role) => void }) {
  return (
    <Field label="Role" hint={ROLES[role]}>
      {(ids) => (
        <Choose {...ids} value={role} onChange={(event) => onChange(event.target.value as Role)}>
          <option value="reader">Reader</option>
          <option value="editor">Editor</option>
          <option value="admin">Admin</option>
        </Choose>
      )}
    </Field>
  );
}

export function SightField({ sight, onChange }: { sight: Sight; onChange: (sight: Sight) => void }) {
  return (
    <Field
      label="Documents"
      hint={
        sight.all ? "Sees every document in the project, whatever its labels." : "Sees documents without labels, and those carrying one of these."
      }
    >
      {(ids) => (
        <div className="key-labels">
          <Segmented
            label="Documents"
            value={sight.all ? "all" : "some"}
            onChange={(v) => onChange({ ...sight, all: v === "all" })}
            choices={[
              { value: "some", label: "By label" },
              { value: "all", label: "All" },
            ]}
          />
          {!sight.all && (
            <input
              {...ids}
              className="input"
              aria-label="Access labels"
              value={sight.text}
              placeholder="hr, finance"
              onChange={(event) => onChange({ ...sight, text: event.target.value })}
            />
          )}
        </div>
      )}
    </Field>
  );
}
