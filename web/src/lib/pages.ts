// A list too long to be held: pages by cursor, of which those near to what is looked at are kept. A page that was let go is
// asked for again by the cursor it came by, so what is written meanwhile shifts nothing, in either direction.

interface Kept<T> {
  cursor: string | null;
  /** How many items it had. */
  count: number;
  items: readonly T[] | null;
}

export class PageWindow<T> {
  readonly #pages: Kept<T>[] = [];
  readonly #keep: number;
  /** Where the page after the last begins; undefined at the end of the list. */
  #next: string | null | undefined = null;

  constructor(keep: number) {
    this.#keep = keep;
  }

  /** Items that are known to be there. */
  get length(): number {
    return this.#pages.reduce((n, page) => n + page.count, 0);
  }

  get isWhole(): boolean {
    return this.#next === undefined;
  }

  get isEmpty(): boolean {
    return this.#pages.length === 0;
  }

  /** Pages to ask for, so that these rows can be shown, each with its cursor. */
  wanted(first: number, last: number): { page: number; cursor: string | null }[] {
    const found: { page: number; cursor: string | null }[] = [];
    let from = 0;
    this.#pages.forEach((page, i) => {
      const to = from + page.count;
      if (page.items === null && page.count > 0 && from <= last && to > first) found.push({ page: i, cursor: page.cursor });
      from = to;
    });
    if (last >= from && this.#next !== undefined) found.push({ page: this.#pages.length, cursor: this.#next });
    return found;
  }

  put(page: number, cursor: string | null, items: readonly T[], next: string | null | undefined, near: number): void {
    this.#pages[page] = { cursor, count: items.length, items };
    if (page === this.#pages.length - 1) this.#next = next ?? undefined;
    this.#letGo(near);
  }

  /** Keeps the pages nearest to this row, and the first: it has no cursor, and would not be the same again. */
  #letGo(near: number): void {
    const held: { page: Kept<T>; far: number }[] = [];
    let from = 0;
    for (const [i, page] of this.#pages.entries()) {
      const to = from + page.count;
      if (page.items && i > 0) held.push({ page, far: near < from ? from - near : near >= to ? near - to + 1 : 0 });
      from = to;
    }
    held.sort((a, b) => a.far - b.far);
    for (const { page } of held.slice(this.#keep)) page.items = null;
  }

  /** Every known row; null where it has to be asked for again. */
  rows(): (T | null)[] {
    return this.#pages.flatMap((page): readonly (T | null)[] => page.items ?? Array.from({ length: page.count }, () => null));
  }
}
