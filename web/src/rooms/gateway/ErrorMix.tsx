// What failed in the last hour, by class and minute.

import { useMemo, useState } from "react";
import type { TargetHistory } from "@/api/types";
import { capital, count, percent } from "@/lib/format";
import { Select } from "@/ui/fields";
import { Card } from "@/ui/kit";
import { Icon } from "@/ui/icons";
import { Stacked } from "@/ui/Stacked";
import { classColor, failedIn, mixOf } from "./history";

const of = ({ route, provider, model }: TargetHistory): string => route ?? `${provider}/${model}`;

export function ErrorMix({ histories, seenAt }: { histories: readonly TargetHistory[]; seenAt: number }) {
  const [chosen, choose] = useState("");
  const names = useMemo(() => [...new Set(histories.map(of))].sort((a, b) => a.localeCompare(b)), [histories]);
  const mix = useMemo(
    () =>
      mixOf(
        histories.filter((history) => chosen === "" || of(history) === chosen),
        seenAt,
      ),
    [histories, chosen, seenAt],
  );
  const attempts = mix.attempts.reduce((a, b) => a + b, 0);
  const failed = mix.times.reduce((n, _, at) => n + failedIn(mix, at), 0);
  return (
    <Card
      title="Failed attempts"
      className="error-mix"
      actions={
        <Select
          label="Route"
          hideLabel
          value={chosen}
          onChange={choose}
          choices={[{ value: "", label: "Every route" }, ...names.map((name) => ({ value: name, label: name }))]}
        />
      }
    >
      {failed === 0 ? (
        <p className="error-mix-none soft">
          <Icon name="check" size={14} />
          {attempts === 0 ? "No attempts in the last hour." : `None of ${count(attempts)} in the last hour.`}
        </p>
      ) : (
        <Stacked
          summary={`${count(failed)} of ${count(attempts)} attempts failed in the last hour, by class`}
          times={mix.times}
          parts={mix.classes.map(({ name, counts }) => ({ label: capital(name.replaceAll("_", " ")), color: classColor(name), counts }))}
          beside={(at) => `${percent(failedIn(mix, at), mix.attempts[at] ?? 0)} of ${count(mix.attempts[at])}`}
        />
      )}
    </Card>
  );
}
