// Bars of several parts over time, drawn as SVG: sharp, in the page's own colours, and read out as a table.

import { useMemo, useState } from "react";
import { count } from "@/lib/format";

export interface Part {
  label: string;
  /** A colour token, such as `--bad`. */
  color: string;
  counts: readonly number[];
}

interface Props {
  /** Said to those who cannot see it. */
  summary: string;
  /** Milliseconds since the epoch, evenly apart. */
  times: readonly number[];
  parts: readonly Part[];
  /** Said beside what is pointed at: how many there were in all. */
  beside?: (at: number) => string;
  height?: number;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const WIDTH = 1_000;
const FOOT = 18;

/** A round number at or above the highest bar. */
export function roof(most: number): number {
  if (most <= 5) return Math.max(1, most);
  const unit = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 2.5, 5, 10].map((n) => n * unit).find((n) => n >= most && Number.isInteger(n)) ?? most;
}

export function Stacked({ summary, times, parts, beside, height = 148 }: Props) {
  const [shown, setAt] = useState<number | null>(null);
  const sums = useMemo(() => times.map((_, i) => parts.reduce((n, part) => n + (part.counts[i] ?? 0), 0)), [times, parts]);
  const top = roof(Math.max(0, ...sums));
  const room = height - FOOT;
  const step = WIDTH / times.length;
  const totals = parts.map((part) => part.counts.reduce((a, b) => a + b, 0));
  return (
    <figure className="chart stacked">
      <figcaption>
        <span className="chart-legend wrap">
          {parts.map((part, i) => (
            <span key={part.label}>
              <i style={{ background: `var(${part.color})` }} />
              {part.label} <b>{count(shown === null ? totals[i] : part.counts[shown])}</b>
            </span>
          ))}
        </span>
        <span className="chart-when">
          {shown === null ? "in the last hour" : `${clock.format(new Date(times[shown]!))}${beside ? `, ${beside(shown)}` : ""}`}
        </span>
      </figcaption>
      <div className="stacked-plot" style={{ height }} aria-hidden="true">
        <span className="stacked-top num">{count(top)}</span>
        <svg
          viewBox={`0 0 ${WIDTH} ${room}`}
          preserveAspectRatio="none"
          style={{ height: room }}
          onMouseLeave={() => setAt(null)}
          onMouseMove={(event) => {
            const box = event.currentTarget.getBoundingClientRect();
            setAt(Math.max(0, Math.min(times.length - 1, Math.floor(((event.clientX - box.left) / box.width) * times.length))));
          }}
        >
          <line x1="0" x2={WIDTH} y1="0.5" y2="0.5" className="stacked-line" />
          <line x1="0" x2={WIDTH} y1={room / 2} y2={room / 2} className="stacked-line" />
          <line x1="0" x2={WIDTH} y1={room - 0.5} y2={room - 0.5} className="stacked-line" />
          {shown !== null && <rect x={shown * step} y="0" width={step} height={room} className="stacked-cursor" />}
          {times.map((time, i) => {
            let below = 0;
            return parts.map((part) => {
              const value = part.counts[i] ?? 0;
              if (value === 0) return null;
              below += value;
              const size = (value / top) * room;
              return (
                <rect
                  key={`${time}/${part.label}`}
                  x={i * step + step * 0.14}
                  width={step * 0.72}
                  y={room - (below / top) * room}
                  height={size}
                  style={{ fill: `var(${part.color})` }}
                />
              );
            });
          })}
        </svg>
        <div className="stacked-times num">
          {times.map((time, i) =>
            i % 15 === 14 || i === 0 ? (
              <span key={time} style={{ left: `${((i + 0.5) / times.length) * 100}%` }}>
                {clock.format(new Date(time))}
              </span>
            ) : null,
          )}
        </div>
      </div>
      <table className="sr-only">
        <caption>{summary}</caption>
        <tbody>
          {parts.map((part, i) => (
            <tr key={part.label}>
              <th scope="row">{part.label}</th>
              <td>{count(totals[i])}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}

/** So many, and how many of them went wrong, in the room of a cell. */
export function Spark({ all, bad, label }: { all: readonly number[]; bad: readonly number[]; label: string }) {
  const top = Math.max(1, ...all, ...bad);
  const step = 100 / all.length;
  return (
    <svg className="spark" viewBox="0 0 100 20" preserveAspectRatio="none" role="img" aria-label={label}>
      <line x1="0" x2="100" y1="19.5" y2="19.5" className="stacked-line" />
      {all.map((value, i) => {
        const failed = bad[i] ?? 0;
        const size = (n: number) => (n === 0 ? 0 : Math.max(1.5, (n / top) * 19));
        const [x, width] = [i * step + step * 0.1, step * 0.8];
        return (
          <g key={i}>
            {value > 0 && <rect x={x} width={width} y={20 - size(value)} height={size(value)} className="spark-all" />}
            {failed > 0 && <rect x={x} width={width} y={20 - size(failed)} height={size(failed)} className="spark-bad" />}
          </g>
        );
      })}
    </svg>
  );
}
