// What a chart reckons, apart from how it is drawn.

interface Line {
  shape: "bar" | "line";
  values: readonly (number | null)[];
}

/** What the upright axis is about: nought, everything there is, and a little room beyond. */
export function rangeOf(min: number | null, max: number | null): [number, number] {
  const [low, high] = [Math.min(0, min ?? 0), Math.max(0, max ?? 0)];
  return low === 0 && high === 0 ? [0, 1] : [low * 1.12, high * 1.12];
}

/** Half of a step between two times; of a single one half an hour. */
export const halfStep = (times: readonly number[]): number => (times.length > 1 && times[1]! > times[0]! ? (times[1]! - times[0]!) / 2 : 1800);

/** From when to when the level axis goes: half a step beyond both ends, so that the first and last bars are whole. */
export function spanOf(times: readonly number[]): [number, number] | null {
  const [first, last] = [times[0], times.at(-1)];
  return first === undefined || last === undefined ? null : [first - halfStep(times), last + halfStep(times)];
}

const withSeconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
export const withDay = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });

/** How moments of a chart are written: days are told apart where there are several, and seconds where marks are less than a minute apart. */
export function hoursOf(times: readonly number[], apart = Infinity): Intl.DateTimeFormat {
  if (apart < 60) return withSeconds;
  return times.length > 1 && times.at(-1)! - times[0]! > 24 * 3600 ? withDay : clock;
}

/** Where a value has none beside it: a line of it has no length, so it is shown as a point. */
export function loneAt(values: ArrayLike<number | null | undefined>): number[] {
  return Array.from(values, (_, i) => i).filter((i) => values[i] != null && values[i - 1] == null && values[i + 1] == null);
}

/** Which of them a pointer at this height means: the lowest bar that reaches up to it, or else what is nearest. */
export function meant(lines: readonly Line[], at: number, height: number): number | undefined {
  let best: { which: number; far: number; reaches: boolean } | undefined;
  lines.forEach(({ shape, values }, which) => {
    const value = values[at];
    if (value == null || (shape === "bar" && value === 0)) return;
    const reaches = shape === "line" || (height >= Math.min(0, value) && height <= Math.max(0, value));
    const far = Math.abs(value - height);
    if (!best || (reaches && !best.reaches) || (reaches === best.reaches && far < best.far)) best = { which, far, reaches };
  });
  return best?.which;
}

/** Up to where each of them reaches where they stand upon one another, the first at the bottom; what is below nought hangs down. */
export function heaped(lines: readonly Pick<Line, "values">[]): (number | null)[][] {
  const tops = { up: [] as number[], down: [] as number[] };
  return lines.map(({ values }) =>
    values.map((value, at) => {
      if (value === null) return null;
      const side = value < 0 ? tops.down : tops.up;
      return (side[at] = (side[at] ?? 0) + value);
    }),
  );
}

/** What they come to together at one time; null where nothing is known of any. */
export function totalAt(lines: readonly Pick<Line, "values">[], at: number): number | null {
  const known = lines.map(({ values }) => values[at]).filter((value): value is number => value != null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}
