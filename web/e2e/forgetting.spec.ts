import { expect, subject, test } from "./support";

test("what is kept out is shown to an admin, who lets it back in", async ({ page, request }) => {
  const { knowledge } = await subject(request);
  const stone = { document: `doc_${"0a".repeat(16)}`, source: "handbook", labels: [], forgotten_at: "2026-01-02T03:04:05.000000Z" };
  let kept = [stone, { ...stone, document: `doc_${"1b".repeat(16)}` }];
  const lifted: string[] = [];
  await page.route(/\/tombstones/, (route) => {
    if (route.request().method() === "GET") return route.fulfill({ json: { items: kept } });
    lifted.push(new URL(route.request().url()).pathname.split("/").pop()!);
    kept = kept.slice(1);
    return route.fulfill({ json: stone });
  });
  await page.goto(`/knowledge/${knowledge}`);
  const card = page.getByRole("region", { name: "Forgotten", exact: true });
  const row = card.getByRole("row", { name: new RegExp(stone.document) });
  await expect(row).toContainText("handbook");
  await row.getByRole("button", { name: "Let back in" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText(stone.document);
  await dialog.getByRole("button", { name: "Keep it out" }).click();
  await expect(dialog).toBeHidden();
  expect(lifted).toEqual([]);

  await row.getByRole("button", { name: "Let back in" }).click();
  await dialog.getByRole("button", { name: "Let back in" }).click();
  await expect(row).toHaveCount(0);
  await expect(card.getByRole("row")).toHaveCount(2);
  expect(lifted).toEqual([stone.document]);
});

test("where nothing was forgotten there is no list of it", async ({ page, request }) => {
  const { knowledge } = await subject(request);
  await page.route(/\/tombstones/, (route) => route.fulfill({ json: { items: [] } }));
  await page.goto(`/knowledge/${knowledge}`);
  await expect(page.getByRole("region", { name: "Sources", exact: true })).toBeVisible();
  await expect(page.getByRole("region", { name: "Forgotten", exact: true })).toHaveCount(0);
});
