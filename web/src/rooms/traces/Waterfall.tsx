import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";
import { duration, money, short } from "@/lib/format";
import { useShortcuts } from "@/lib/keys";
import { indentOf, roleOf, ticks, type Row } from "@/lib/waterfall";
import { Icon } from "@/ui/icons";
import { cx } from "@/ui/kit";

/** Bars over time, or words and numbers. */
export type View = "time" | "words";

interface Props {
  rows: readonly Row[];
  durationMs: number;
  folded: ReadonlySet<string>;
  selected: string | null;
  /** Spans that the trace waited for. */
  path: ReadonlySet<string>;
  /** Spans that are searched for; null where nothing is. */
  hits: ReadonlySet<string> | null;
  view: View;
  onSelect: (id: string) => void;
  onFold: (id: string, closed: boolean) => void;
  onOpen: () => void;
}

const HEIGHT = 30;
/** The head is part of what scrolls and stays at the top of it, so rows stand lower than the virtualizer reckons by its height. */
const HEAD = 30;

export function Waterfall({ rows, durationMs, folded, selected, path, hits, view, onSelect, onFold, onOpen }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const at = useMemo(() => rows.findIndex((r) => r.span.span === selected), [rows, selected]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => HEIGHT,
    scrollPaddingEnd: HEAD,
    overscan: 15,
  });
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: "auto" });
  }, [at, virtual]);

  const go = (to: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, to))];
    if (row) onSelect(row.span.span);
  };
  const left = () => {
    const row = rows[at];
    if (!row) return;
    if (row.children > 0 && !folded.has(row.span.span)) onFold(row.span.span, true);
    else if (row.parent) onSelect(row.parent);
  };
  const right = () => {
    const row = rows[at];
    if (!row || row.children === 0) return;
    if (folded.has(row.span.span)) onFold(row.span.span, false);
    else go(at + 1);
  };
  useShortcuts([
    { keys: "j", label: "Next span", group: "Trace", run: () => go(at + 1) },
    { keys: "k", label: "Previous span", group: "Trace", run: () => go(at - 1) },
    { keys: "h", label: "Fold, or to the parent", group: "Trace", run: left },
    { keys: "l", label: "Unfold, or to the first child", group: "Trace", run: right },
  ]);
  const moves: Record<string, () => void> = {
    ArrowDown: () => go(at + 1),
    ArrowUp: () => go(at - 1),
    ArrowLeft: left,
    ArrowRight: right,
    Home: () => go(0),
    End: () => go(rows.length - 1),
    PageDown: () => go(at + 20),
    PageUp: () => go(at - 20),
    Enter: onOpen,
  };

  // Of all rows, and not of those in sight: they would move while somebody scrolls.
  const deepest = useMemo(() => rows.reduce((most, row) => Math.max(most, row.depth), 0), [rows]);
  const marks = ticks(durationMs, window.innerWidth < 760 ? 2 : 5);
  return (
    <div
      ref={scroller}
      className={cx("fall", `fall-${view}`)}
      role="tree"
      aria-label="Spans"
      tabIndex={0}
      aria-activedescendant={selected ? `span-${selected}` : undefined}
      onKeyDown={(event) => {
        const move = moves[event.key];
        if (!move || event.target !== event.currentTarget) return;
        event.preventDefault();
        move();
      }}
    >
      <div className="fall-head" aria-hidden="true" style={{ height: HEAD }}>
        <span>Span</span>
        {view === "time" ? (
          <span className="fall-axis">
            {marks.map((ms) => (
              <span key={ms} className="num" style={{ left: `${durationMs > 0 ? (100 * ms) / durationMs : 0}%` }}>
                {duration(ms)}
              </span>
            ))}
          </span>
        ) : (
          <>
            <span>Asked</span>
            <span className="end">Tokens</span>
            <span className="end">Cost</span>
          </>
        )}
        <span />
      </div>
      <div className="fall-body" style={{ height: virtual.getTotalSize() }}>
        {view === "time" && (
          <div className="fall-grid" aria-hidden="true">
            {marks.map((ms) => (
              <i key={ms} style={{ left: `${durationMs > 0 ? (100 * ms) / durationMs : 0}%` }} />
            ))}
          </div>
        )}
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index]!;
          const id = row.span.span;
          return (
            <FallRow
              key={id}
              row={row}
              top={item.start}
              indent={indentOf(row.depth, deepest)}
              closed={folded.has(id)}
              selected={id === selected}
              critical={path.has(id)}
              aside={hits !== null && !hits.has(id)}
              view={view}
              onSelect={() => {
                onSelect(id);
                scroller.current?.focus({ preventScroll: true });
              }}
              onFold={() => onFold(id, !folded.has(id))}
            />
          );
        })}
      </div>
    </div>
  );
}

interface RowProps {
  row: Row;
  top: number;
  indent: number;
  closed: boolean;
  selected: boolean;
  critical: boolean;
  /** Something else is searched for. */
  aside: boolean;
  view: View;
  onSelect: () => void;
  onFold: () => void;
}

function FallRow({ row, top, indent, closed, selected, critical, aside, view, onSelect, onFold }: RowProps) {
  const { span } = row;
  const failed = span.status === "error";
  const said = [span.name, duration(row.durationMs), failed && "failed", critical && "on the critical path"].filter(Boolean).join(", ");
  return (
    <div
      id={`span-${span.span}`}
      role="treeitem"
      aria-level={row.depth + 1}
      aria-selected={selected}
      aria-expanded={row.children > 0 ? !closed : undefined}
      aria-label={said}
      className={cx("fall-row", `role-${roleOf(span)}`, selected && "on", failed && "failed", critical && "critical", aside && "aside")}
      style={{ height: HEIGHT, transform: `translateY(${top}px)` }}
      onClick={onSelect}
    >
      <span className="fall-name" style={{ paddingLeft: 8 + indent }}>
        {row.children > 0 ? (
          <button
            type="button"
            tabIndex={-1}
            aria-hidden="true"
            className={cx("fall-fold", closed && row.failedBelow > 0 && "bad")}
            onClick={(event) => {
              event.stopPropagation();
              onFold();
            }}
          >
            <Icon name={closed ? "right" : "down"} size={11} />
          </button>
        ) : (
          <span className="fall-fold" />
        )}
        <i className="fall-dot" />
        <span className="clip">{span.name}</span>
        {closed && <span className="muted num">+{short(row.below)}</span>}
        {failed && <Icon name="error" size={13} className="bad" />}
      </span>
      {view === "time" ? (
        <span className="fall-track">
          <i className="fall-bar" style={{ left: `${row.left * 100}%`, width: `max(2px, ${row.width * 100}%)` }} />
        </span>
      ) : (
        <>
          <span className={cx("clip", span.error ? "bad" : "soft")}>{span.error ?? span.preview ?? span.model ?? ""}</span>
          <span className="num soft end">
            {span.input_tokens != null || span.output_tokens != null ? `${short(span.input_tokens)} → ${short(span.output_tokens)}` : ""}
          </span>
          <span className="num soft end">{span.cost != null ? money(span.cost) : ""}</span>
        </>
      )}
      <span className="fall-time num">{duration(row.durationMs)}</span>
    </div>
  );
}
