import { describe, expect, it } from "vitest";
import { PageWindow } from "./pages";

/** A server's list that grows at its head; a cursor is the last item given. */
class Server {
  newest = 1_000;
  asked = 0;
  page(cursor: string | null): { items: number[]; next: string | null } {
    this.asked++;
    const from = cursor === null ? this.newest : Number(cursor) - 1;
    const items = Array.from({ length: Math.min(10, from) }, (_, i) => from - i);
    return { items, next: items.at(-1)! > 1 ? String(items.at(-1)) : null };
  }
}

function show(server: Server, pages: PageWindow<number>, first: number, last: number): (number | null)[] {
  for (let todo = pages.wanted(first, last); todo.length > 0; todo = pages.wanted(first, last)) {
    const { page, cursor } = todo[0]!;
    const { items, next } = server.page(cursor);
    pages.put(page, cursor, items, next, first);
  }
  return pages.rows().slice(first, last + 1);
}

describe("a window of pages", () => {
  it("holds few of a long list and shows the same when one comes back, though more was written", () => {
    const [server, pages] = [new Server(), new PageWindow<number>(5)];
    const before = show(server, pages, 0, 19);
    expect(before[0]).toBe(1_000);
    for (let row = 0; row < 900; row += 10) show(server, pages, row, row + 19);
    expect(pages.rows().filter((row) => row !== null).length).toBeLessThanOrEqual(60);
    server.newest += 500;
    expect(show(server, pages, 0, 29)).toEqual(Array.from({ length: 30 }, (_, i) => 1_000 - i));
  });

  it("ends where the list does", () => {
    const [server, pages] = [new Server(), new PageWindow<number>(5)];
    server.newest = 25;
    expect(pages.isEmpty).toBe(true);
    expect(show(server, pages, 0, 99)).toHaveLength(25);
    expect([pages.isWhole, pages.length, server.asked]).toEqual([true, 25, 3]);
    expect(pages.wanted(0, 1_000)).toEqual([]);
  });

  it("goes on after a page on which nothing passed", () => {
    const pages = new PageWindow<number>(5);
    pages.put(0, null, [], "a", 0);
    expect(pages.wanted(0, 9)).toEqual([{ page: 1, cursor: "a" }]);
    pages.put(1, "a", [7], null, 0);
    expect([pages.rows(), pages.isWhole]).toEqual([[7], true]);
  });
});
