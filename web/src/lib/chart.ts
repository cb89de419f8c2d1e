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
