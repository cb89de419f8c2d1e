// The rows of an answer in SQL.

import type { SqlAnswer } from "@/api/types";
import { Table } from "@/ui/tables";

const shown = (value: unknown): string => (value === null || value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value));

export function SqlTable({ answer }: { answer: SqlAnswer }) {
  const head = answer.columns.map((column, i) => (
    <th key={i} title={column.type}>
      {column.name}
    </th>
  ));
  return (
    <Table className="sql-table" head={<>{head}</>}>
      {answer.rows.map((row, i) => (
        <tr key={i}>
          {row.map((value, j) => (
            <td key={j} className={typeof value === "number" ? "num end" : undefined}>
              {shown(value)}
            </td>
          ))}
        </tr>
      ))}
    </Table>
  );
}
