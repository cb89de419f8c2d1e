import { count, percent } from "@/lib/format";
import { Badge } from "@/ui/kit";

/** Of the attempts that are still remembered one by one. */
export function Failures({ recent, failed }: { recent: number; failed: Readonly<Record<string, number>> }) {
  const classes = Object.entries(failed).sort(([, a], [, b]) => b - a);
  const all = classes.reduce((n, [, times]) => n + times, 0);
  if (recent === 0) return <span className="muted">not asked yet</span>;
  if (all === 0) return <span className="soft">none of {count(recent)}</span>;
  return (
    <span className="row-flex wrap failures" title={`${count(all)} of the last ${count(recent)}: ${percent(all, recent)}`}>
      {classes.map(([name, times]) => (
        <Badge key={name} tone="bad">
          {name.replaceAll("_", " ")} {count(times)}
        </Badge>
      ))}
      <span className="muted num">of {count(recent)}</span>
    </span>
  );
}
