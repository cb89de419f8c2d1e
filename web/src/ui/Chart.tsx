import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
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
  /** Charts with the same name share their cursor. */
  sync?: string;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });

// Days are cut where the server cuts them.
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const dateInWeek = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });

/** Half a step at both ends, so that the first and last bars are whole. */
const gap = (times: readonly number[]): number => (times.length > 1 ? (times[1]! - times[0]!) / 2 : 1800);

/** As many of them as there is room for, evenly apart, the last among them. */
function some(times: readonly number[], room: number): number[] {
  const every = Math.max(1, Math.ceil(times.length / room));
  return times.filter((_, i) => (times.length - 1 - i) % every === 0);
}

/** A line of one value has no length: it is shown as a point. */
const isLone = (chart: uPlot, index: number): boolean =>
  Array.from(chart.data[index] ?? []).filter((value) => value !== null && value !== undefined).length === 1;

/** The canvas needs colours, not names of colours. */
function resolve(within: HTMLElement, token: string, alpha = 1): string {
  const probe = document.createElement("i");
  probe.style.color = alpha === 1 ? `var(${token})` : `color-mix(in oklab, var(${token}) ${alpha * 100}%, transparent)`;
  within.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

export default function Chart({ summary, times, series, format, axis = format, steps, height = 148, unit = "hour", sync }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const theme = useShownTheme();
  const [at, setAt] = useState<number | null>(null);
  const shape = `${theme}|${height}|${unit}|${sync}|${series.map((s) => s.label + s.color + s.shape).join()}`;
  const plot = useRef<uPlot | null>(null);
  const latest = useRef({ times, series, axis, steps });
  latest.current = { times, series, axis, steps };

  useEffect(() => {
    const element = host.current!;
    const { times, series, steps } = latest.current;
    const muted = resolve(element, "--text-3");
    const line = resolve(element, "--line");
    const axis = { stroke: muted, ticks: { show: false }, font: '11px "Inter Variable", system-ui' };
    const bars = uPlot.paths.bars!({ size: [0.62, 22], radius: 0.18 });
    const spline = uPlot.paths.spline!();
    const chart = new uPlot(
      {
        width: Math.max(120, element.clientWidth),
        height,
        padding: [8, 16, 0, 0],
        legend: { show: false },
        cursor: {
          y: false,
          drag: { x: false, y: false },
          points: { size: 6, width: 0, fill: (u, i) => u.series[i]!.stroke as unknown as string },
          ...(sync ? { sync: { key: sync } } : {}),
        },
        scales: {
          x: { time: true, range: (_, min, max) => [min - gap(latest.current.times), max + gap(latest.current.times)] },
          y: { range: (_, _min, max) => [0, max > 0 ? max * 1.12 : 1] },
        },
        axes: [
          {
            ...axis,
            grid: { show: false },
            space: 64,
            size: 24,
            gap: 4,
            ...(unit === "day" ? { splits: (u: uPlot) => some(latest.current.times, Math.max(1, Math.floor(u.width / 64))) } : {}),
            values: (_, splits) => splits.map((s) => (unit === "day" ? date : clock).format(new Date(s * 1000))),
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
          ...series.map((s): uPlot.Series =>
            s.shape === "bar"
              ? { stroke: resolve(element, s.color), fill: resolve(element, s.color, 0.85), width: 0, paths: bars, points: { show: false } }
              : {
                  stroke: resolve(element, s.color),
                  width: 1.6,
                  paths: spline,
                  points: { show: isLone, size: 6, width: 0, fill: resolve(element, s.color) },
                  spanGaps: true,
                },
          ),
        ],
        hooks: { setCursor: [(u) => setAt(u.cursor.idx ?? null)] },
      },
      [times, ...series.map((s) => s.values)],
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
  }, [shape, height, unit, sync]);

  useEffect(() => {
    plot.current?.setData([times, ...series.map((s) => s.values)]);
  }, [times, series]);

  const shown = at ?? times.length - 1;
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
        </span>
        <span className="chart-when">
          {times[shown] === undefined
            ? ""
            : at === null
              ? unit === "day"
                ? "today"
                : "this hour"
              : (unit === "day" ? dateInWeek : day).format(new Date(times[shown]! * 1000))}
        </span>
        <span className="sr-only">{summary}</span>
      </figcaption>
      <div ref={host} aria-hidden="true" style={{ height }} />
    </figure>
  );
}
