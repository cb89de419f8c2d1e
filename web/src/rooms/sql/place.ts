// Where in a text the engine says that it stopped understanding.

/** From `… at Line: 2, Column: 8`; null where nothing is said. */
export function placeOf(detail: string | null | undefined): { line: number; column: number } | null {
  const [, line, column] = /\bLine: (\d+), Column:? (\d+)/.exec(detail ?? "") ?? [];
  return line && column ? { line: Number(line), column: Number(column) } : null;
}

/** The letter of the text that is there. */
export function offsetOf(text: string, { line, column }: { line: number; column: number }): number {
  const before = text.split("\n").slice(0, Math.max(0, line - 1));
  return Math.min(text.length, before.reduce((sum, one) => sum + one.length + 1, 0) + Math.max(0, column - 1));
}
