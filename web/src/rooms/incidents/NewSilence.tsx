import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { FormDialog } from "@/ui/act";
import { Choose, Field } from "@/ui/fields";
import { toast } from "@/ui/toasts";
import { readMatchers } from "./incidents";

const LASTS = { "30m": "30 minutes", "2h": "2 hours", "8h": "8 hours", "1d": "a day", "7d": "a week" } as const;

export function NewSilence({ matchers, onClose }: { matchers: readonly string[]; onClose: () => void }) {
  const client = useQueryClient();
  const [text, setText] = useState(matchers.join("\n"));
  const [lasts, setLasts] = useState<string>("2h");
  const [comment, setComment] = useState("");
  const wanted = readMatchers(text);
  const silence = useMutation({
    mutationFn: () => api.silences.create({ matchers: wanted, for: lasts, comment: comment.trim() }),
    onSuccess: () => {
      toast("Silenced");
      void client.invalidateQueries({ queryKey: ["silences"] });
      void client.invalidateQueries({ queryKey: ["incidents"] });
      onClose();
    },
  });
  return (
    <FormDialog title="New silence" does="Silence" doing={silence} valid={wanted.length > 0} onClose={onClose}>
      <Field label="Alerts" hint="One a line, all of them hold: app=desk, severity!=critical, name=drift-*">
        {(ids) => (
          <textarea {...ids} className="input mono" rows={4} value={text} spellCheck={false} onChange={(event) => setText(event.target.value)} />
        )}
      </Field>
      <Field label="For">
        {(ids) => (
          <Choose {...ids} value={lasts} onChange={(event) => setLasts(event.target.value)}>
            {Object.entries(LASTS).map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </Choose>
        )}
      </Field>
      <Field label="Why">
        {(ids) => <input {...ids} className="input" value={comment} autoComplete="off" onChange={(event) => setComment(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}
