// How many traces there were over time, and how many failed. A stretch of it is chosen with the pointer or the keyboard.

import { useMemo, useRef, useState } from "react";
import { about, count, plural } from "@/lib/format";
import type { Bar } from "@/lib/histogram";
import { roof } from "@/ui/Stacked";

interface Props {
  bars: readonly Bar[];
  /** Of some traces only a sample was kept. */
  estimated?: boolean;
  /** The stretch that was chosen, in milliseconds since the epoch. */
  onChoose: (from: number, to: number) => void;
  /** Back to the time before. */
  onBack?: () => void;
}

const HEIGHT = 56;
const minute = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const second = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

const when = (bar: Bar): string => {
  const form = bar.end - bar.start < 60_000 ? second : minute;
  return `${form.format(bar.start)} – ${form.format(bar.end)}`;
};

/** What stands for others may come to parts of one. */
const sum = (bars: readonly Bar[], of: "count" | "errors"): number => Math.round(bars.reduce((n, bar) => n + bar[of], 0));
const traces = (bars: readonly Bar[]): string => plural(sum(bars, "count"), "trace");

export function Histogram({ bars, estimated, onChoose, onBack }: Props) {
  const plot = useRef<SVGSVGElement>(null);
  const [at, setAt] = useState<number | null>(null);
  /** Where a choice began; it ends at `at`. */
  const [from, setFrom] = useState<number | null>(null);
  const [drags, setDrags] = useState(false);
  const top = useMemo(() => roof(Math.max(0, ...bars.map((bar) => bar.count))), [bars]);
  if (bars.length === 0) return null;
  const here = at === null ? null : Math.min(at, bars.length - 1);
  const stretch = here === null ? null : { low: Math.min(from ?? here, here), high: Math.max(from ?? here, here) };
  const chosen = stretch ? bars.slice(stretch.low, stretch.high + 1) : undefined;

  const placeOf = (x: number): number => {
    const box = plot.current!.getBoundingClientRect();
    return Math.max(0, Math.min(bars.length - 1, Math.floor(((x - box.left) / box.width) * bars.length)));
  };
  const choose = () => {
    if (chosen?.length) onChoose(chosen[0]!.start, chosen.at(-1)!.end);
    setFrom(null);
    setDrags(false);
  };
  const said = chosen
    ? `${when({ ...chosen[0]!, end: chosen.at(-1)!.end })}: ${about(traces(chosen), estimated)}, ${about(count(sum(chosen, "errors")), estimated)} failed`
    : `${about(traces(bars), estimated)}; drag, or arrows with Shift and Enter, to look closer`;

  return (
    <div
      className="histogram"
      role="group"
      tabIndex={0}
      aria-label="Traces over time"
      aria-describedby="histogram-said"
      onKeyDown={(event) => {
        const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
        if (step !== 0) {
          const next = here === null ? (step > 0 ? 0 : bars.length - 1) : Math.max(0, Math.min(bars.length - 1, here + step));
          setFrom(event.shiftKey ? (from ?? here ?? next) : null);
          setAt(next);
        } else if (event.key === "Enter" && here !== null) choose();
        else if (event.key === "Escape" && (here !== null || from !== null)) {
          setAt(null);
          setFrom(null);
        } else if ((event.key === "Escape" || event.key === "Backspace") && onBack) onBack();
        else return;
        event.preventDefault();
      }}
      onBlur={() => {
        setAt(null);
        setFrom(null);
      }}
    >
      <svg
        ref={plot}
        viewBox={`0 0 ${bars.length} ${HEIGHT}`}
        preserveAspectRatio="none"
        style={{ height: HEIGHT }}
        aria-hidden="true"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setFrom(placeOf(event.clientX));
          setAt(placeOf(event.clientX));
          setDrags(true);
        }}
        onPointerMove={(event) => setAt(placeOf(event.clientX))}
        onPointerUp={() => drags && choose()}
        onPointerCancel={() => {
          setFrom(null);
          setDrags(false);
        }}
        onPointerLeave={() => !drags && setAt(null)}
      >
        {stretch && (
          <rect
            x={stretch.low}
            width={stretch.high - stretch.low + 1}
            y={0}
            height={HEIGHT}
            className={from === null ? "histogram-here" : "histogram-chosen"}
          />
        )}
        {bars.map((bar, i) => {
          const tall = (n: number) => (n === 0 ? 0 : Math.max(1.5, (n / top) * (HEIGHT - 2)));
          return (
            <g key={bar.start}>
              {bar.count > 0 && <rect x={i + 0.1} width={0.8} y={HEIGHT - tall(bar.count)} height={tall(bar.count)} className="histogram-all" />}
              {bar.errors > 0 && <rect x={i + 0.1} width={0.8} y={HEIGHT - tall(bar.errors)} height={tall(bar.errors)} className="histogram-bad" />}
            </g>
          );
        })}
        <line x1={0} x2={bars.length} y1={HEIGHT} y2={HEIGHT} className="stacked-line" vectorEffect="non-scaling-stroke" />
      </svg>
      <p id="histogram-said" className="histogram-said num" aria-live="polite">
        <span>{said}</span>
        <span className="muted">{chosen ? "" : `${minute.format(bars[0]!.start)} – ${minute.format(bars.at(-1)!.end)}`}</span>
      </p>
    </div>
  );
}
