// The shortest edit between two lists (Myers), for lines of a spec and words of an answer.

export type Op = "same" | "del" | "add";
export interface Edit<T> {
  op: Op;
  item: T;
}

/** Past this many edits the exact answer is not worth its quadratic cost; the rest is shown as replaced. */
const EDITS_MAX = 4000;

export function diff<T>(before: readonly T[], after: readonly T[]): Edit<T>[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const same = (items: readonly T[]): Edit<T>[] => items.map((item) => ({ op: "same", item }));
  return [
    ...same(before.slice(0, head)),
    ...middle(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...same(tail > 0 ? before.slice(-tail) : []),
  ];
}

function middle<T>(a: readonly T[], b: readonly T[]): Edit<T>[] {
  const replaced = (): Edit<T>[] => [...a.map((item) => ({ op: "del" as const, item })), ...b.map((item) => ({ op: "add" as const, item }))];
  if (a.length === 0 || b.length === 0) return replaced();
  const most = Math.min(a.length + b.length, EDITS_MAX);
  const size = 2 * most + 1;
  let frontier = new Int32Array(size + 2);
  const history: Int32Array[] = [];
  for (let edits = 0; edits <= most; edits++) {
    history.push(frontier.slice());
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && frontier[most + k - 1 + 1]! < frontier[most + k + 1 + 1]!);
      let x = down ? frontier[most + k + 1 + 1]! : frontier[most + k - 1 + 1]! + 1;
      let y = x - k;
      while (x < a.length && y < b.length && a[x] === b[y]) {
        x++;
        y++;
      }
      frontier[most + k + 1] = x;
      if (x >= a.length && y >= b.length) return trace(a, b, history, most);
    }
  }
  return replaced();
}

function trace<T>(a: readonly T[], b: readonly T[], history: Int32Array[], most: number): Edit<T>[] {
  const found: Edit<T>[] = [];
  let x = a.length;
  let y = b.length;
  for (let edits = history.length - 1; edits >= 0; edits--) {
    const frontier = history[edits]!;
    const k = x - y;
    const down = k === -edits || (k !== edits && frontier[most + k - 1 + 1]! < frontier[most + k + 1 + 1]!);
    const from = down ? k + 1 : k - 1;
    const fromX = edits === 0 ? 0 : frontier[most + from + 1]!;
    const fromY = edits === 0 ? 0 : fromX - from;
    while (x > fromX && y > fromY) {
      x--;
      y--;
      found.push({ op: "same", item: a[x]! });
    }
    if (edits > 0) {
      if (down) found.push({ op: "add", item: b[--y]! });
      else found.push({ op: "del", item: a[--x]! });
    }
  }
  return found.reverse();
}

export const diffLines = (before: string, after: string): Edit<string>[] => diff(before.split("\n"), after.split("\n"));

/** Words with the white space that follows them, so that joining gives the text back. */
const words = (text: string): string[] => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];

/** Neighbouring words with the same fate are one piece; a space between two changes belongs to them. */
export function diffWords(before: string, after: string): Edit<string>[] {
  const found: Edit<string>[] = [];
  let gone = "";
  let come = "";
  const settle = () => {
    if (gone) found.push({ op: "del", item: gone });
    if (come) found.push({ op: "add", item: come });
    gone = come = "";
  };
  const edits = diff(words(before), words(after));
  edits.forEach(({ op, item }, i) => {
    if (op === "del") gone += item;
    else if (op === "add") come += item;
    else if (/^\s+$/.test(item) && gone + come !== "" && edits[i + 1] !== undefined && edits[i + 1]!.op !== "same") {
      gone += item;
      come += item;
    } else {
      settle();
      const last = found.at(-1);
      if (last?.op === "same") last.item += item;
      else found.push({ op: "same", item });
    }
  });
  settle();
  return found;
}

export interface Hunk {
  /** Unchanged lines left out before this hunk. */
  skipped: number;
  lines: { op: Op; text: string; before: number | null; after: number | null }[];
}

/** Groups a line diff into changes with some lines around them. */
export function hunks(edits: readonly Edit<string>[], context = 3): { hunks: Hunk[]; skipped: number } {
  let before = 0;
  let after = 0;
  const lines = edits.map(({ op, item }) => ({
    op,
    text: item,
    before: op === "add" ? null : ++before,
    after: op === "del" ? null : ++after,
  }));
  const keep = new Uint8Array(lines.length);
  lines.forEach((line, i) => {
    if (line.op !== "same") keep.fill(1, Math.max(0, i - context), Math.min(lines.length, i + context + 1));
  });
  const found: Hunk[] = [];
  let skipped = 0;
  let open: Hunk | null = null;
  lines.forEach((line, i) => {
    if (keep[i]) {
      if (!open) {
        open = { skipped, lines: [] };
        found.push(open);
        skipped = 0;
      }
      open.lines.push(line);
    } else {
      open = null;
      skipped++;
    }
  });
  return { hunks: found, skipped };
}
