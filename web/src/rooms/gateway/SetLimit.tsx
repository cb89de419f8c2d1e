import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { ApiKey } from "@/api/types";
import { FormDialog } from "@/ui/act";
import { Choose, Field } from "@/ui/fields";
import { toast } from "@/ui/toasts";
import { amountFault, isBudget, KINDS, METRICS } from "./limits";

const PLACEHOLDERS: Record<string, string> = { principal: "ada@example.org", user: "customer-17", model: "assistant" };

/** For whatever is chosen, or for one key. */
export function SetLimit({ ofKey, onClose }: { ofKey?: ApiKey; onClose: () => void }) {
  const client = useQueryClient();
  const [kind, setKind] = useState(ofKey ? "key" : "project");
  const [subject, setSubject] = useState(ofKey?.id ?? "");
  const [metric, setMetric] = useState("usd_per_month");
  const [amount, setAmount] = useState("");
  const set = useMutation({
    mutationFn: () => api.limits.set({ kind, subject: kind === "project" ? null : subject.trim() || null, metric, amount: amount.trim() }),
    onSuccess: () => {
      toast("Set the limit");
      void client.invalidateQueries({ queryKey: ["limits"] });
      onClose();
    },
  });
  const fault = amountFault(metric, amount.trim());
  return (
    <FormDialog
      title={ofKey ? `Set a limit for ${ofKey.name}` : "Set a limit"}
      does="Set limit"
      doing={set}
      valid={amount.trim() !== "" && fault === null}
      onClose={onClose}
    >
      {!ofKey && (
        <Field label="For">
          {(ids) => (
            <Choose
              {...ids}
              value={kind}
              onChange={(event) => {
                setKind(event.target.value);
                setSubject("");
              }}
            >
              {Object.entries(KINDS).map(([value, { label }]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </Choose>
          )}
        </Field>
      )}
      {!ofKey && kind !== "project" && <Subject kind={kind} subject={subject} onChange={setSubject} />}
      <Field label="What">
        {(ids) => (
          <Choose {...ids} value={metric} onChange={(event) => setMetric(event.target.value)}>
            {Object.entries(METRICS).map(([value, { label }]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </Choose>
        )}
      </Field>
      <Field label="Amount" error={fault} hint="Takes the place of a limit on the same.">
        {(ids) => (
          <input
            {...ids}
            className="input"
            inputMode={isBudget(metric) ? "decimal" : "numeric"}
            data-focus={ofKey && ""}
            autoComplete="off"
            value={amount}
            placeholder={isBudget(metric) ? "50.00" : "60"}
            onChange={(event) => setAmount(event.target.value)}
          />
        )}
      </Field>
    </FormDialog>
  );
}

/** A key is chosen, since nobody knows its id; the others are named. */
function Subject({ kind, subject, onChange }: { kind: string; subject: string; onChange: (subject: string) => void }) {
  const keys = useQuery({ ...queries.keys(), enabled: kind === "key" });
  const words = KINDS[kind]!;
  const each = `${words.each}, counted for itself`;
  if (kind === "key")
    return (
      <Field label="Which">
        {(ids) => (
          <Choose {...ids} value={subject} onChange={(event) => onChange(event.target.value)}>
            <option value="">{each}</option>
            {keys.data?.items
              .filter((key) => !key.revoked_at)
              .map((key) => (
                <option key={key.id} value={key.id}>
                  {key.name}
                </option>
              ))}
          </Choose>
        )}
      </Field>
    );
  return (
    <Field label="Which" hint={`Left empty: ${each.toLowerCase()}.`}>
      {(ids) => (
        <input {...ids} className="input" value={subject} placeholder={PLACEHOLDERS[kind]} onChange={(event) => onChange(event.target.value)} />
      )}
    </Field>
  );
}
