// A long list with a keyboard: only the rows in sight exist, `j`/`k` move, Enter opens.

import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { useShortcuts } from "@/lib/keys";
import { cx } from "./kit";

export interface Column<T> {
  key: string;
  head: ReactNode;
  /** A CSS grid track. */
  width: string;
  align?: "end";
  /** Left out on narrow screens. */
  wide?: boolean;
  /** Left out on all but large screens. */
  large?: boolean;
  cell: (item: T) => ReactNode;
}

interface Props<T> {
  label: string;
  items: readonly T[];
  columns: readonly Column<T>[];
  idOf: (item: T) => string;
  onOpen: (item: T) => void;
  rowHeight?: number;
  /** Under the last row: “load more”, or the end. */
  footer?: ReactNode;
  selected?: string | null;
  tone?: (item: T) => string | undefined;
  /** Off where another list on the page has the keys. */
  keyboard?: boolean;
  /** Keys that do something to the row the keyboard is on. */
  keys?: readonly { keys: string; label: string; group: string; run: (item: T) => void }[];
  /** Told which rows are in sight. */
  onSeen?: (first: number, last: number) => void;
}

/** The head is part of what scrolls and stays at the top of it, so rows stand lower than the virtualizer reckons by its height. */
const HEAD = 32;

export function Rows<T>(props: Props<T>) {
  const { label, items, columns, idOf, onOpen, rowHeight = 38, footer, selected, tone, keyboard = true, keys = [], onSeen } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const grid = useRef<HTMLDivElement>(null);
  // The row the keyboard is on, by its id: it stays on it when rows come before it.
  const [at, setAt] = useState<{ id: string; index: number } | null>(null);
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    scrollPaddingEnd: HEAD,
    overscan: 12,
  });
  const inSight = virtual.getVirtualItems();
  const [firstSeen, lastSeen] = [inSight[0]?.index ?? 0, inSight.at(-1)?.index ?? 0];
  useEffect(() => onSeen?.(firstSeen, lastSeen), [onSeen, firstSeen, lastSeen, items.length]);
  const current = indexNow(items, idOf, at);
  // What is read stays in its place when rows come before it; at the top the new ones are seen.
  const top = useRef<{ id: string; index: number; offset: number } | null>(null);
  const remember = () => {
    const scrolled = scroller.current?.scrollTop ?? 0;
    const index = Math.floor(scrolled / rowHeight);
    const item = scrolled > 0 ? items[index] : undefined;
    top.current = item ? { id: idOf(item), index, offset: scrolled - index * rowHeight } : null;
  };
  useLayoutEffect(() => {
    const { current: place } = top;
    if (!place || !scroller.current) return;
    const index = indexNow(items, idOf, place);
    if (index >= 0 && index !== place.index) scroller.current.scrollTop = index * rowHeight + place.offset;
    remember();
  }, [items]);

  const move = (to: number) => {
    if (items.length === 0) return;
    const next = Math.max(0, Math.min(items.length - 1, to));
    setAt({ id: idOf(items[next]!), index: next });
    virtual.scrollToIndex(next, { align: "auto" });
    grid.current?.focus({ preventScroll: true });
  };
  const open = () => {
    const item = items[current];
    if (item) onOpen(item);
  };

  useShortcuts(
    keyboard
      ? [
          { keys: "j", label: "Next row", group: "Lists", run: () => move(current + 1) },
          { keys: "k", label: "Previous row", group: "Lists", run: () => move(current - 1) },
          { keys: "Enter", label: "Open row", group: "Lists", run: (event) => (isButton(event) ? press(event) : open()) },
          ...keys.map((key) => ({ ...key, run: () => items[current] && key.run(items[current]) })),
        ]
      : [],
  );

  const tracksOf = (shown: readonly Column<T>[]) => shown.map((c) => c.width).join(" ");
  const tracks = {
    "--tracks": tracksOf(columns),
    "--tracks-medium": tracksOf(columns.filter((c) => !c.large)),
    "--tracks-narrow": tracksOf(columns.filter((c) => !c.wide && !c.large)),
  } as React.CSSProperties;
  const list = `list-${label.replace(/\W+/g, "-").toLowerCase()}`;
  return (
    <div className="rows" style={tracks}>
      <div ref={scroller} className="rows-scroll" onScroll={remember}>
        <div
          ref={grid}
          className="rows-grid"
          tabIndex={0}
          role="grid"
          aria-label={label}
          aria-rowcount={items.length + 1}
          aria-activedescendant={current >= 0 ? `${list}-${current}` : undefined}
          onFocus={(event) => {
            // Whoever comes by keyboard sees where they are.
            const [first] = items;
            if (first && event.target === event.currentTarget && event.currentTarget.matches(":focus-visible"))
              setAt((place) => place ?? { id: idOf(first), index: 0 });
          }}
          onKeyDown={(event) => {
            if (event.target !== event.currentTarget) return;
            const steps: Record<string, number> = {
              ArrowDown: current + 1,
              ArrowUp: current - 1,
              Home: 0,
              End: items.length - 1,
              PageDown: current + 15,
              PageUp: current - 15,
            };
            const to = steps[event.key];
            if (to === undefined) return;
            event.preventDefault();
            move(to);
          }}
        >
          <div className="rows-head" role="row" aria-rowindex={1} style={{ height: HEAD }}>
            {columns.map((c) => (
              <div key={c.key} role="columnheader" className={cx(c.align === "end" && "end", c.wide && "wide-only", c.large && "large-only")}>
                {c.head}
              </div>
            ))}
          </div>
          <div className="rows-body" role="rowgroup" style={{ height: virtual.getTotalSize() }}>
            {inSight.map((row) => {
              const item = items[row.index]!;
              const id = idOf(item);
              return (
                <div
                  key={row.key}
                  id={`${list}-${row.index}`}
                  role="row"
                  aria-rowindex={row.index + 2}
                  aria-selected={row.index === current || id === selected}
                  className={cx("row", row.index === current && "current", id === selected && "selected", tone?.(item))}
                  style={{ height: rowHeight, transform: `translateY(${row.start}px)` }}
                  onClick={(event) => {
                    setAt({ id, index: row.index });
                    if (!(event.target as HTMLElement).closest("a, button")) onOpen(item);
                  }}
                >
                  {columns.map((c) => (
                    <div key={c.key} role="gridcell" className={cx(c.align === "end" && "end", c.wide && "wide-only", c.large && "large-only")}>
                      {c.cell(item)}
                    </div>
                  ))}
                </div>
              );
            })}
          </div>
        </div>
        {footer && <div className="rows-foot">{footer}</div>}
      </div>
    </div>
  );
}

/** Where a row is now; where it was, if it is there no longer. */
function indexNow<T>(items: readonly T[], idOf: (item: T) => string, at: { id: string; index: number } | null): number {
  if (!at) return -1;
  const there = items[at.index];
  if (there && idOf(there) === at.id) return at.index;
  const index = items.findIndex((item) => idOf(item) === at.id);
  return index >= 0 ? index : Math.min(at.index, items.length - 1);
}

const isButton = (event: KeyboardEvent): boolean => event.target instanceof HTMLElement && event.target.closest("a, button, summary") !== null;
const press = (event: KeyboardEvent): void => (event.target as HTMLElement).click();
