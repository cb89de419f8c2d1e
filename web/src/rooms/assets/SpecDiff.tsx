import { useQuery } from "@tanstack/react-query";
import { Fragment, useMemo } from "react";
import { queries } from "@/api/queries";
import type { AssetDiff } from "@/api/types";
import { diffLines, hunks } from "@/lib/diff";
import { plural } from "@/lib/format";
import { toYaml } from "@/lib/yaml";
import { Badge, Card, Empty, ErrorNote, Skeleton, type Tone } from "@/ui/kit";

const SIGN = { same: " ", add: "+", del: "−" } as const;

/** What changed in the spec, field by field as the server sees it and line by line as people wrote it. */
export function SpecDiff({ kind, name, from, to }: { kind: string; name: string; from: number; to: number }) {
  const before = useQuery(queries.asset(kind, name, `v${from}`));
  const after = useQuery(queries.asset(kind, name, `v${to}`));
  const changes = useQuery(queries.assetDiff(kind, name, from, to));
  const lines = useMemo(() => {
    if (!before.data || !after.data) return null;
    return hunks(diffLines(toYaml(before.data.spec), toYaml(after.data.spec)));
  }, [before.data, after.data]);

  const error = before.error ?? after.error;
  if (error)
    return (
      <ErrorNote
        error={error}
        retry={() => {
          void before.refetch();
          void after.refetch();
        }}
      />
    );
  if (!lines) return <Skeleton rows={8} height={22} />;
  if (lines.hunks.length === 0) return <Empty icon="check" title="No difference">{`v${from} and v${to} have the same spec.`}</Empty>;
  return (
    <div className="stack">
      {changes.data && changes.data.changes.length > 0 && <Changes diff={changes.data} />}
      <Card flush>
        <div className="diff" role="region" aria-label={`Lines changed from v${from} to v${to}`} tabIndex={0}>
          {lines.hunks.map((hunk, i) => (
            <Fragment key={i}>
              {hunk.skipped > 0 && <div className="diff-skip">{plural(hunk.skipped, "line")} the same</div>}
              {hunk.lines.map((line, j) => (
                <div key={j} className={`diff-line diff-${line.op}`}>
                  <span className="diff-number num">{line.before ?? ""}</span>
                  <span className="diff-number num">{line.after ?? ""}</span>
                  <span className="diff-sign">{SIGN[line.op]}</span>
                  <span className="diff-text">{line.text}</span>
                </div>
              ))}
            </Fragment>
          ))}
          {lines.skipped > 0 && <div className="diff-skip">{plural(lines.skipped, "line")} the same</div>}
        </div>
      </Card>
    </div>
  );
}

function Changes({ diff }: { diff: AssetDiff }) {
  const tones: Record<string, Tone> = { added: "ok", removed: "bad", changed: "accent" };
  return (
    <ul className="changes">
      {diff.changes.map((c) => (
        <li key={c.path}>
          <Badge tone={tones[c.op] ?? "neutral"}>{c.op}</Badge>
          <code>{c.path}</code>
        </li>
      ))}
    </ul>
  );
}
