// The rows of an answer in SQL.

import type { SqlAnswer } from "@/api/types";
import { Table } from "@/ui/tables";

const shown = (value: unknown): string => (value === null || value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value));

/** What is a number stands at the right, its head with it. */
const isNumber = (answer: SqlAnswer, i: number): boolean => answer.rows.some((row) => typeof row[i] === "number");

interface Props {
  answer: SqlAnswer;
  /** How numbers are written that have fractions: whole ones count something. */
  format?: (value: number) => string;
}

export function SqlTable({ answer, format }: Props) {
  const numbers = answer.columns.map((_, i) => isNumber(answer, i));
  const inUnit = (value: unknown, i: number): string =>
    format && typeof value === "number" && answer.columns[i]?.type === "DOUBLE" ? format(value) : shown(value);
  const head = answer.columns.map((column, i) => (
    <th key={i} title={column.type} className={numbers[i] ? "end" : undefined}>
      {column.name}
    </th>
  ));
  return (
    <Table className="sql-table" head={<>{head}</>}>
      {answer.rows.map((row, i) => (
        <tr key={i}>
          {row.map((value, j) => (
            <td key={j} className={numbers[j] ? "num end" : undefined}>
              {inUnit(value, j)}
            </td>
          ))}
        </tr>
      ))}
    </Table>
  );
}
