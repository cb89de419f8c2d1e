import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { queries } from "@/api/queries";
import type { Monitor } from "@/api/types";
import { capital } from "@/lib/format";
import { Badge, Empty, PageHeader, Skeleton, Status, Time, useTitle } from "@/ui/kit";
import { Rows } from "@/ui/rows";
import { LoadedPages, RowsEnd } from "@/ui/tables";
import { slicesInWords, stateMeans, stateTone } from "./monitors";

export function Component() {
  useTitle("Monitors");
  const navigate = useNavigate();
  const monitors = useInfiniteQuery(queries.monitors());
  return (
    <div className="page fill">
      <PageHeader title="Monitors" lead="What is watched, and whether it is well." />
      <LoadedPages query={monitors} skeleton={<Skeleton rows={8} height={48} />} empty={<None />}>
        {(items) => (
          <Rows
            label="Monitors"
            items={items}
            idOf={(monitor) => monitor.name}
            rowHeight={48}
            onOpen={(monitor) => void navigate(`/monitors/${monitor.name}`)}
            columns={[
              {
                key: "name",
                head: "Monitor",
                width: "minmax(0, 2fr)",
                cell: (monitor) => (
                  <>
                    <div className="clip strong">{monitor.name}</div>
                    {monitor.description && <div className="sub clip">{monitor.description}</div>}
                  </>
                ),
              },
              { key: "state", head: "State", width: "150px", cell: (monitor) => <Stands monitor={monitor} /> },
              { key: "says", head: "What it says", width: "minmax(0, 3fr)", wide: true, cell: (monitor) => <Says monitor={monitor} /> },
              {
                key: "looked",
                head: "Looked at",
                width: "100px",
                align: "end",
                cell: (monitor) => (
                  <span className="soft">
                    <Time at={monitor.looked_at} />
                  </span>
                ),
              },
            ]}
            footer={<RowsEnd query={monitors} shown={items.length} />}
          />
        )}
      </LoadedPages>
    </div>
  );
}

export function Stands({ monitor }: { monitor: Monitor }) {
  if (!monitor.enabled) return <Badge>off</Badge>;
  if (monitor.hidden) return <Badge>hidden</Badge>;
  const slices = slicesInWords(monitor.slices);
  return (
    <>
      <span title={stateMeans(monitor.state)}>
        <Status tone={stateTone(monitor.state)}>{monitor.state ? capital(monitor.state) : "Not looked at yet"}</Status>
      </span>
      {slices && <div className="sub clip">{slices}</div>}
    </>
  );
}

function Says({ monitor }: { monitor: Monitor }) {
  if (monitor.trouble) return <div className="clip bad">{monitor.trouble}</div>;
  return <div className="clip soft">{monitor.says ?? "–"}</div>;
}

function None() {
  return (
    <Empty icon="target" title="No monitors yet">
      Describe what is watched in a <code>kind: monitor</code> spec and run <code>mainspring apply</code>.
    </Empty>
  );
}
