// The box in which a filter is written: it proposes what may come next, and shows a fault where it stands.

import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState } from "react";
import { ApiError } from "@/api/client";
import { queries } from "@/api/queries";
import { faultAt, quoted, suggest, type Suggestion } from "@/lib/filterText";
import { short } from "@/lib/format";
import { Icon } from "@/ui/icons";
import { useDebounced } from "@/ui/fields";
import { cx, IconButton, inCode } from "@/ui/kit";

interface Props {
  value: string;
  /** Told when the filter is to be used: on Enter, and when it is cleared. */
  onChange: (filter: string) => void;
  /** What asking with it came to. */
  error?: unknown;
  /** Letters that were put before the filter when it was asked. */
  shift?: number;
}

export const isFilterFault = (error: unknown): error is ApiError => error instanceof ApiError && error.problem.code === "trace-filter-invalid";

export function FilterBox({ value, onChange, error, shift = 0 }: Props) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(value);
  const [caret, setCaret] = useState(value.length);
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  useEffect(() => setText(value), [value]);

  const fields = useQuery(queries.filterFields());
  const found = suggest(text, caret, fields.data?.fields ?? []);
  const values = useValues(open ? found.valuesOf : undefined, text.slice(found.from, caret));
  const items = found.valuesOf ? values : found.items;
  const shown = open && items.length > 0;
  const current = Math.min(at, items.length - 1);

  const use = (filter: string) => {
    setOpen(false);
    setAt(-1);
    onChange(filter.trim());
  };
  const take = (item: Suggestion) => {
    const space = item.text.endsWith("(") || item.text.endsWith('["') ? "" : " ";
    const before = `${text.slice(0, found.from)}${item.text}${space}`;
    setText(before + text.slice(caret).trimStart());
    setCaret(before.length);
    setAt(-1);
    // The caret is set when React has written the text.
    requestAnimationFrame(() => input.current?.setSelectionRange(before.length, before.length));
  };
  const told = isFilterFault(error) && text.trim() === value ? faultAt(error.problem.detail ?? "") : null;
  const fault = told && { ...told, at: Math.max(0, told.at - shift) };

  return (
    <div className="filter-box" onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && setOpen(false)}>
      <div className={cx("search-field filter-field", fault && "wrong")}>
        <Icon name="filter" size={14} />
        <input
          ref={input}
          className="mono"
          value={text}
          placeholder="Filter: error and duration > 2s"
          aria-label="Filter"
          role="combobox"
          aria-autocomplete="list"
          aria-expanded={shown}
          aria-controls={`${id}-list`}
          aria-activedescendant={shown && current >= 0 ? `${id}-${current}` : undefined}
          aria-invalid={fault ? true : undefined}
          aria-describedby={fault ? `${id}-fault` : undefined}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          onFocus={() => setOpen(true)}
          onClick={() => setOpen(true)}
          onSelect={(event) => setCaret(event.currentTarget.selectionStart ?? text.length)}
          onChange={(event) => {
            setText(event.target.value);
            setCaret(event.target.selectionStart ?? event.target.value.length);
            setOpen(true);
            setAt(-1);
          }}
          onKeyDown={(event) => {
            const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
            if (step !== 0 && items.length > 0) {
              event.preventDefault();
              setOpen(true);
              setAt((current + step + items.length) % items.length);
            } else if ((event.key === "Enter" || event.key === "Tab") && shown && current >= 0) {
              event.preventDefault();
              take(items[current]!);
            } else if (event.key === "Enter") {
              event.preventDefault();
              use(text);
            } else if (event.key === "Escape") {
              if (shown) setOpen(false);
              else if (text) {
                setText("");
                use("");
              } else event.currentTarget.blur();
            }
          }}
        />
        {text.trim() !== value && <kbd aria-hidden="true">↵</kbd>}
        {text && (
          <IconButton
            icon="close"
            size="sm"
            label="Clear the filter"
            onClick={() => {
              setText("");
              use("");
            }}
          />
        )}
      </div>
      {shown && (
        <ul id={`${id}-list`} className="filter-list" role="listbox" aria-label="What may come next">
          {items.map((item, i) => (
            <li
              key={item.text}
              id={`${id}-${i}`}
              role="option"
              aria-selected={i === current}
              className={cx(i === current && "on")}
              onMouseDown={(event) => {
                event.preventDefault();
                take(item);
              }}
            >
              <code>{item.text}</code>
              <span className="muted clip">{item.says}</span>
            </li>
          ))}
        </ul>
      )}
      {fault && isFilterFault(error) && (
        <div id={`${id}-fault`} className="filter-fault" role="alert">
          <code className="filter-place">
            {value.slice(0, fault.at)}
            <mark>{value.slice(fault.at).match(/^(\w+|.)/su)?.[0] ?? " "}</mark>
            {value.slice(fault.at + (value.slice(fault.at).match(/^(\w+|.)/su)?.[0].length ?? 0))}
          </code>
          <p>
            {inCode(fault.what)}
            {error.problem.hint && <span className="soft">: {inCode(error.problem.hint)}</span>}
          </p>
        </div>
      )}
    </div>
  );
}

/** The values of a field that were seen most in the last day. */
function useValues(field: string | undefined, typed: string): Suggestion[] {
  const wanted = useDebounced(field, 150);
  const found = useQuery({
    ...queries.traceMetrics({ by: wanted ?? "", measures: "count", limit: 50 }),
    enabled: wanted !== undefined && wanted === field,
    staleTime: 60_000,
  });
  if (!field || wanted !== field) return [];
  const plain = typed.replace(/^["']/, "").toLowerCase();
  return (found.data?.by[0] === field ? found.data.rows : [])
    .flatMap((row) => {
      const value = row.keys[field];
      return value ? [{ value, count: row.values.count ?? 0 }] : [];
    })
    .filter(({ value }) => value.toLowerCase().includes(plain) && value.toLowerCase() !== plain)
    .sort((a, b) => b.count - a.count)
    .slice(0, 10)
    .map(({ value, count }) => ({ text: quoted(value), says: `${short(count)} spans in the last day` }));
}
