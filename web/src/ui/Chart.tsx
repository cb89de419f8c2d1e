import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { halfStep, heaped, hoursOf, loneAt, meant, rangeOf, spanOf, totalAt, withDay } from "@/lib/chart";
import { cx } from "@/ui/kit";
import { useShownTheme } from "@/lib/theme";

export interface Series {
  label: string;
  /** A colour token, such as `--accent`. */
  color: string;
  shape: "bar" | "line";
  values: (number | null)[];
}

interface Props {
  /** Said to those who cannot see it. */
  summary: string;
  /** Seconds since the epoch. */
  times: number[];
  series: Series[];
  format: (value: number) => string;
  /** Shorter, for the axis. */
  axis?: (value: number) => string;
  /** The distances that lines of the grid may have. */
  steps?: number[];
  height?: number;
  /** Days are UTC's. */
  unit?: "hour" | "day";
  /** Bars stand upon one another, the first of the series at the bottom: they come to a total. */
  stacked?: boolean;
  /** Charts with the same name share their cursor. */
  sync?: string;
  /** What the last of the times is called, while none is pointed at. */
  last?: string;
  /** A stretch of it is to be looked at, in seconds: by dragging over it, or with + and -. */
  onZoom?: (from: number, to: number) => void;
  /** What lies behind one of the times is to be shown, by its place: by a click, which means one of the series, or with Enter. */
  onPick?: (at: number, series?: number) => void;
}

// Days are cut where the server cuts them.
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const dateInWeek = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });

/** As many of them as there is room for, evenly apart, the last among them. */
function some(times: readonly number[], room: number): number[] {
  const every = Math.max(1, Math.ceil(times.length / room));
  return times.filter((_, i) => (times.length - 1 - i) % every === 0);
}

/** The canvas needs colours, not names of colours. */
function resolve(within: HTMLElement, token: string, alpha = 1): string {
  const probe = document.createElement("i");
  probe.style.color = alpha === 1 ? `var(${token})` : `color-mix(in oklab, var(${token}) ${alpha * 100}%, transparent)`;
  within.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

/** What is drawn, in the order of drawing: of bars upon one another the tallest first, so that it hides none of the others. */
const inDrawingOrder = <T,>(all: readonly T[], stacked: boolean): T[] => (stacked ? [...all].reverse() : [...all]);

/** How high each of the series is drawn. */
const heights = (series: readonly Series[], stacked: boolean): (number | null)[][] => (stacked ? heaped(series) : series.map((s) => s.values));

export default function Chart({
  summary,
  times,
  series,
  format,
  axis = format,
  steps,
  height = 148,
  unit = "hour",
  stacked = false,
  sync,
  last = unit === "day" ? "today" : "this hour",
  onZoom,
  onPick,
}: Props) {
  const host = useRef<HTMLDivElement>(null);
  const theme = useShownTheme();
  const [at, setAt] = useState<number | null>(null);
  // Of bars upon one another the one that the keyboard is at; null is all of them.
  const [part, setPart] = useState<number | null>(null);
  const isZoomed = onZoom !== undefined;
  const dragged = useRef(false);
  const shape = `${theme}|${height}|${unit}|${sync}|${stacked}|${isZoomed}|${series.map((s) => s.label + s.color + s.shape).join()}`;
  const plot = useRef<uPlot | null>(null);
  const latest = useRef({ times, series, axis, steps, onZoom });
  latest.current = { times, series, axis, steps, onZoom };

  useEffect(() => {
    const element = host.current!;
    const { times, series, steps } = latest.current;
    const muted = resolve(element, "--text-3");
    const line = resolve(element, "--line");
    const axis = { stroke: muted, ticks: { show: false }, font: '11px "Inter Variable", system-ui' };
    const bars = uPlot.paths.bars!({ size: [0.62, 22], radius: stacked ? 0 : 0.18 });
    const spline = uPlot.paths.spline!();
    const chart = new uPlot(
      {
        width: Math.max(120, element.clientWidth),
        height,
        padding: [8, 16, 0, 0],
        legend: { show: false },
        cursor: {
          y: false,
          drag: { x: isZoomed, y: false, setScale: false },
          points: { size: 6, width: 0, fill: (u, i) => u.series[i]!.stroke as unknown as string },
          // What is dragged over is one chart's own.
          ...(sync ? { sync: { key: sync, filters: { pub: (type: string) => type === "mousemove" || type === "mouseleave" } } } : {}),
        },
        scales: {
          // Of a single time uPlot would make three years.
          x: { time: true, range: (_, min, max) => spanOf(latest.current.times) ?? [min, max] },
          y: { range: (_, min, max) => rangeOf(min, max) },
        },
        axes: [
          {
            ...axis,
            grid: { show: false },
            space: 64,
            size: 24,
            gap: 4,
            ...(unit === "day" ? { splits: (u: uPlot) => some(latest.current.times, Math.max(1, Math.floor(u.width / 64))) } : {}),
            values: (_, splits, __, ___, apart) =>
              splits.map((s) => (unit === "day" ? date : hoursOf(latest.current.times, apart)).format(new Date(s * 1000))),
          },
          {
            ...axis,
            grid: { stroke: line, width: 1 },
            space: 34,
            size: 52,
            incrs: steps,
            values: (_, splits) => splits.map((s) => latest.current.axis(s)),
          },
        ],
        series: [
          {},
          ...inDrawingOrder(series, stacked).map((s): uPlot.Series =>
            s.shape === "bar"
              ? {
                  stroke: resolve(element, s.color),
                  // What stands behind it must not shine through.
                  fill: resolve(element, s.color, stacked ? 1 : 0.85),
                  width: 0,
                  paths: bars,
                  fillTo: 0,
                  points: { show: false },
                }
              : {
                  stroke: resolve(element, s.color),
                  width: 1.6,
                  paths: spline,
                  // Where nothing was measured nothing is drawn: a line across it would say that all went on.
                  spanGaps: false,
                  points: { show: true, filter: (u, index) => loneAt(u.data[index] ?? []), size: 6, width: 0, fill: resolve(element, s.color) },
                },
          ),
        ],
        hooks: {
          setCursor: [(u) => setAt(u.cursor.idx ?? null)],
          setSelect: [
            (u) => {
              const { left, width } = u.select;
              // A hand that trembles drags nothing.
              if (width < 4) return;
              dragged.current = true;
              u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              latest.current.onZoom?.(u.posToVal(left, "x"), u.posToVal(left + width, "x"));
            },
          ],
        },
      },
      [times, ...inDrawingOrder(heights(series, stacked), stacked)],
      element,
    );
    plot.current = chart;
    const observer = new ResizeObserver(([entry]) => chart.setSize({ width: Math.max(120, entry!.contentRect.width), height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [shape, height, unit, stacked, sync, isZoomed]);

  useEffect(() => {
    plot.current?.setData([times, ...inDrawingOrder(heights(series, stacked), stacked)]);
  }, [times, series, stacked]);

  const shown = at ?? times.length - 1;
  const chosen = stacked && part !== null && part < series.length ? part : null;
  const point = (index: number) => {
    const to = Math.min(Math.max(index, 0), times.length - 1);
    setAt(to);
    const chart = plot.current;
    chart?.setCursor({ left: chart.valToPos(times[to]!, "x"), top: 0 });
  };
  const zoom = (by: number) => {
    const [first, end] = [times[0]!, times.at(-1)! + 2 * halfStep(times)];
    const middle = by < 1 ? times[shown]! + halfStep(times) : (first + end) / 2;
    onZoom?.(middle - ((end - first) * by) / 2, middle + ((end - first) * by) / 2);
  };
  /** What lies where somebody clicked or tapped. The cursor says it too, but only a moment after the pointer came. */
  const pick = (event: React.MouseEvent) => {
    const chart = plot.current;
    if (!chart) return;
    const plotted = chart.over.getBoundingClientRect();
    const [left, top] = [event.clientX - plotted.left, event.clientY - plotted.top];
    if (left < 0 || top < 0 || left > plotted.width || top > plotted.height) return;
    const index = chart.posToIdx(left);
    const reach = heights(series, stacked).map((values, i) => ({ shape: series[i]!.shape, values }));
    onPick?.(index, meant(reach, index, chart.posToVal(top, "y")));
  };
  const keys: Record<string, (() => void) | undefined> = {
    ArrowLeft: () => point(shown - 1),
    ArrowRight: () => point(shown + 1),
    Home: () => point(0),
    End: () => point(times.length - 1),
    ArrowUp: stacked ? () => setPart(Math.min(series.length - 1, (chosen ?? -1) + 1)) : undefined,
    ArrowDown: stacked ? () => setPart(chosen === null || chosen === 0 ? null : chosen - 1) : undefined,
    Enter: onPick && (() => onPick(shown, chosen ?? undefined)),
    "+": onZoom && (() => zoom(0.5)),
    "=": onZoom && (() => zoom(0.5)),
    "-": onZoom && (() => zoom(2)),
  };
  const total = stacked ? totalAt(series, shown) : null;
  const values = series.map((s) => `${s.label} ${s.values[shown] == null ? "none" : format(s.values[shown]!)}`);
  if (stacked) values.push(`total ${total === null ? "none" : format(total)}`);
  // Of one that was chosen only that is said, and what it is a part of.
  const said = chosen === null ? values : [values[chosen]!, values.at(-1)!];
  const told = times[shown] === undefined ? "" : `${withDay.format(new Date(times[shown]! * 1000))}: ${said.join(", ")}`;
  const asks = Boolean(onZoom || onPick);
  return (
    <figure className="chart">
      <figcaption>
        <span className="chart-legend">
          {series.map((s) => (
            <span key={s.label}>
              <i style={{ background: `var(${s.color})` }} />
              {s.label} <b>{s.values[shown] == null ? "–" : format(s.values[shown]!)}</b>
            </span>
          ))}
          {stacked && (
            <span>
              total <b>{total === null ? "–" : format(total)}</b>
            </span>
          )}
        </span>
        <span className="chart-when">
          {times[shown] === undefined ? "" : at === null ? last : (unit === "day" ? dateInWeek : withDay).format(new Date(times[shown]! * 1000))}
        </span>
        <span className="sr-only">{summary}</span>
      </figcaption>
      <div
        className="chart-stage"
        {...(asks && {
          role: "slider",
          tabIndex: 0,
          className: "chart-stage chart-keys",
          "aria-label": `${summary}. Arrow keys move${stacked ? ", up and down choose a part" : ""}${onPick ? ", Enter shows what is behind a point" : ""}${onZoom ? ", + and - zoom" : ""}.`,
          "aria-valuemin": 0,
          "aria-valuemax": Math.max(0, times.length - 1),
          "aria-valuenow": Math.max(0, shown),
          "aria-valuetext": told,
          onKeyDown: (event: React.KeyboardEvent) => {
            const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
            if (!act || times.length === 0) return;
            event.preventDefault();
            act();
          },
          onClick: (event: React.MouseEvent) => {
            if (dragged.current) dragged.current = false;
            else pick(event);
          },
        })}
      >
        <div ref={host} aria-hidden="true" style={{ height }} />
        {stacked && at !== null && plot.current && times[at] !== undefined && (
          <Tip chart={plot.current} {...{ series, at, chosen, total, format }} time={times[at]!} />
        )}
      </div>
    </figure>
  );
}

/** What the bar that is pointed at consists of, as it stands: the lowest part last. The slider says the same in words. */
function Tip({
  chart,
  series,
  at,
  chosen,
  total,
  time,
  format,
}: {
  chart: uPlot;
  series: readonly Series[];
  at: number;
  chosen: number | null;
  total: number | null;
  time: number;
  format: (value: number) => string;
}) {
  const left = chart.over.offsetLeft + chart.valToPos(time, "x");
  // Towards the middle, where there is room.
  const isLeft = left < chart.width / 2;
  const parts = series.map((s, i) => ({ ...s, i, value: s.values[at] })).filter(({ i, value }) => i === chosen || (value != null && value !== 0));
  return (
    <div className="chart-tip num" aria-hidden="true" style={isLeft ? { left: left + 14 } : { right: chart.width - left + 14 }}>
      {parts.reverse().map(({ i, label, color, value }) => (
        <span key={label} className={cx(i === chosen && "chart-tip-chosen")}>
          <i style={{ background: `var(${color})` }} />
          <span className="clip">{label}</span>
          <b>{value == null ? "–" : format(value)}</b>
        </span>
      ))}
      <span className="chart-tip-total">
        <i />
        <span>total</span>
        <b>{total === null ? "–" : format(total)}</b>
      </span>
    </div>
  );
}
