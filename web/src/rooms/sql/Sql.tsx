// A question in SQL, what can be asked about, and the answer.

import { useMutation, useQuery } from "@tanstack/react-query";
import { useRef } from "react";
import { useSearchParams } from "react-router";
import { api, ApiError } from "@/api/client";
import { queries } from "@/api/queries";
import { count, plural } from "@/lib/format";
import { Button, Card, Empty, ErrorNote, Loaded, PageHeader, useTitle } from "@/ui/kit";
import { offsetOf, placeOf } from "./place";
import { SqlTable } from "./SqlTable";
import "./sql.css";

const FIRST = "select model, count(*) as calls, sum(cost) / 1e9 as dollars\nfrom spans\nwhere model is not null\ngroup by model\norder by calls desc";

export function Component() {
  useTitle("SQL");
  const [params, setParams] = useSearchParams();
  const box = useRef<HTMLTextAreaElement>(null);
  const asked = useMutation({
    mutationFn: (query: string) => api.sql.ask(query),
    onError: (error) => {
      const place = error instanceof ApiError ? placeOf(error.problem.detail) : null;
      if (!place || !box.current) return;
      const at = offsetOf(box.current.value, place);
      box.current.focus();
      box.current.setSelectionRange(at, at + 1);
    },
  });
  const ask = () => {
    const query = box.current?.value.trim() ?? "";
    if (!query) return;
    setParams({ query }, { replace: true });
    asked.mutate(query);
  };
  return (
    <div className="page">
      <PageHeader
        crumbs={[{ label: "Dashboards", to: "/dashboards" }, { label: "SQL" }]}
        title="SQL"
        lead="One SELECT over what this project sent; it can write nothing."
      />
      <div className="sql-room">
        <div className="sql-main">
          <label className="sr-only" htmlFor="sql-query">
            Question in SQL
          </label>
          <textarea
            id="sql-query"
            ref={box}
            className="input sql-query"
            rows={8}
            spellCheck={false}
            defaultValue={params.get("query") ?? FIRST}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
              event.preventDefault();
              ask();
            }}
          />
          <div className="row-flex sql-act">
            <Button look="primary" icon="play" busy={asked.isPending} onClick={ask}>
              Ask
            </Button>
            <span className="sub">Ctrl Enter asks too</span>
            <span className="grow" />
            <span role="status" className="soft">
              {asked.data && `${plural(asked.data.rows.length, "row")}${asked.data.more ? "; there are more" : ""}`}
            </span>
          </div>
          {asked.error && <ErrorNote error={asked.error} />}
          {asked.data && <Card flush>{asked.data.rows.length === 0 ? <Empty title="No rows" /> : <SqlTable answer={asked.data} />}</Card>}
        </div>
        <Schema />
      </div>
    </div>
  );
}

function Schema() {
  const schema = useQuery(queries.sqlSchema());
  return (
    <aside className="sql-schema" aria-label="Tables">
      <Loaded query={schema}>
        {({ tables }) => (
          <>
            {tables.map((table) => (
              <details key={table.name} open={table.name === "spans"}>
                <summary>
                  <b>{table.name}</b> <span className="muted">{count(table.columns.length)}</span>
                </summary>
                <p className="sub">{table.description}</p>
                <ul>
                  {table.columns.map((column) => (
                    <li key={column.name}>
                      <code>{column.name}</code> <span className="muted">{column.type.toLowerCase()}</span>
                    </li>
                  ))}
                </ul>
              </details>
            ))}
          </>
        )}
      </Loaded>
    </aside>
  );
}
