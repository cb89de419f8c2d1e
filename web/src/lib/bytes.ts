// The wire counts UTF-8 bytes; JavaScript strings count UTF-16 units.

export interface Range {
  start: number;
  end: number;
}

const width = (code: number): number => (code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4);

/**
 * String positions of byte offsets, in one walk over the text.
 * An offset inside a character moves back to its start; one past the end moves to the end.
 */
export function bytesToIndices(text: string, offsets: readonly number[]): number[] {
  const order = offsets.map((_, i) => i).sort((a, b) => offsets[a]! - offsets[b]!);
  const found = new Array<number>(offsets.length).fill(text.length);
  let bytes = 0;
  let index = 0;
  let next = 0;
  while (next < order.length && offsets[order[next]!]! <= 0) found[order[next++]!] = 0;
  while (index < text.length && next < order.length) {
    const code = text.codePointAt(index)!;
    const wide = code > 0xffff ? 2 : 1;
    const after = bytes + width(code);
    while (next < order.length && offsets[order[next]!]! < after) found[order[next++]!] = index;
    bytes = after;
    index += wide;
  }
  return found;
}

/** Turns byte ranges into string ranges. */
export function byteRanges<T extends Range>(text: string, ranges: readonly T[]): T[] {
  const indices = bytesToIndices(
    text,
    ranges.flatMap((range) => [range.start, range.end]),
  );
  return ranges.map((range, i) => ({ ...range, start: indices[2 * i]!, end: Math.max(indices[2 * i]!, indices[2 * i + 1]!) }));
}

export const byteLength = (text: string): number => {
  let bytes = 0;
  for (const char of text) bytes += width(char.codePointAt(0)!);
  return bytes;
};
