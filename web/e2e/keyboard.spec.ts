import type { APIRequestContext, Page } from "@playwright/test";
import { answered, documents, expect, manyTraces, revised, routed, settled, subject, test, waitsForAnswers } from "./support";

const ROOMS = [
  "/",
  "/playground/:app",
  "/knowledge",
  "/knowledge/:knowledge",
  "/knowledge/:knowledge/documents",
  "/knowledge/:knowledge/documents/:document",
  "/knowledge/:knowledge/search?q=how",
  "/knowledge/:knowledge/runs",
  "/traces?in=all",
  "/traces/:trace",
  "/traces/diff?a=:trace&b=:trace",
  "/traces/live",
  "/traces/logs",
  "/sessions",
  "/users",
  "/assets",
  "/assets/app/:app",
  "/assets/:asset/diff",
  "/dashboards",
  "/sql",
  "/drift",
  "/observe/metrics",
  "/traces/conventions",
  "/incidents",
  "/incidents/receivers",
  "/incidents/silences",
  "/models",
  "/models/live",
  "/models/compare",
  "/models/usage",
  "/models/calls",
  "/models/batches",
  "/models/limits",
  "/settings",
  "/settings/members",
  "/settings/projects",
];
/** More stops than any room has. */
const STOPS = 400;

/** The address of a room, with what is there in the place of each word after a colon. */
async function address(request: APIRequestContext, room: string): Promise<string> {
  if (!room.includes(":")) return room;
  const { app, knowledge } = await subject(request);
  const document = (await documents(request, knowledge)).find((d) => d.status === "ready" && d.chunks > 0)!.id;
  const { kind, name } = await revised(request);
  const words: Record<string, string> = { app, knowledge, document, asset: `${kind}/${name}` };
  if (room.includes(":trace")) words.trace = await answered(request, app);
  return room.replace(/:(\w+)/g, (_, word: string) => words[word]!);
}

interface Stop {
  inside: boolean;
  what: string;
  name: string;
  ring: boolean;
}

/** Where the focus is: what it is called, and whether that can be seen. */
function stop(page: Page): Promise<Stop> {
  return page.evaluate(() => {
    const at = document.activeElement as HTMLElement;
    at.dataset.visited = "";
    const text = (el: Element | null | undefined) => el?.textContent?.trim() ?? "";
    const byId = (at.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => text(document.getElementById(id)));
    const labels = [...((at as HTMLInputElement).labels ?? [])].map(text);
    const own = at.matches("input, select, textarea") ? "" : text(at);
    const name = at.getAttribute("aria-label") || byId.join(" ").trim() || labels.join(" ").trim() || own || at.title;
    // A ring may be on what stands for the control: its label, its track, the row of a list.
    const shown = [at, at.parentElement, at.nextElementSibling, at.closest("label"), at.querySelector(".row.current")];
    const ring = shown.some((el) => el && getComputedStyle(el).outlineStyle !== "none" && parseFloat(getComputedStyle(el).outlineWidth) > 0);
    return { inside: at.closest("main") !== null, what: `${at.tagName.toLowerCase()}.${at.className}`, name, ring };
  });
}

/** What a mouse can press and the focus never came to. Of a group of radio buttons the chosen one is enough. */
function missed(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("main :is(a[href], button, input, select, textarea, summary, [tabindex='0'])")]
      .filter((el) => el.checkVisibility() && !el.matches(":disabled, [tabindex='-1'], [type=radio]:not(:checked)"))
      .filter((el) => el.dataset.visited === undefined)
      .map((el) => el.outerHTML.slice(0, 120)),
  );
}

for (const room of ROOMS) {
  test(`everything at ${room} is reached by keyboard, has a name and shows the focus`, async ({ page, request }) => {
    await routed(request);
    // What comes while somebody looks would come and go under the focus.
    let told = false;
    await page.route("**/api/v1/calls/live", (route) => {
      if (told) return;
      told = true;
      return route.fulfill({ contentType: "text/event-stream", body: 'data: {"event":"open","calls":[],"more":false}\n\n' });
    });
    waitsForAnswers(1);
    await page.goto(await address(request, room));
    await settled(page);
    // From here on nothing new comes: rows that appear behind the focus would count as missed.
    await page.route("**/api/v1/**", () => undefined);
    // From the top, also where a room puts the focus into a field of its own.
    await page.getByRole("link", { name: "Skip to content" }).focus();
    let been = 0;
    for (let i = 0; i < STOPS; i++) {
      await page.keyboard.press("Tab");
      const { inside, what, name, ring } = await stop(page);
      if (!inside) {
        if (been > 0) break;
        continue;
      }
      been++;
      expect(name, `${what} at ${room} has no name`).not.toBe("");
      expect(ring, `${what} (${name}) at ${room} does not show the focus`).toBe(true);
    }
    expect(been).toBeGreaterThan(0);
    expect(await missed(page)).toEqual([]);
  });
}

test("two traces are marked and compared without a mouse", async ({ page, request }) => {
  await manyTraces(request);
  await page.goto("/traces?in=all");
  await expect(page.getByRole("row").nth(2)).toBeVisible();
  for (const key of ["j", "x", "j", "x"]) await page.keyboard.press(key);
  await expect(page.getByText("Two are marked")).toBeVisible();
  await page.keyboard.press("c");
  await expect(page).toHaveURL((url) => url.pathname === "/traces/diff");
});

test("a key is made, held to a limit and revoked without a mouse", async ({ page }) => {
  const name = `e2e-keyboard-${Date.now().toString(36)}`;
  await page.goto("/settings");
  await settled(page);
  await page.getByRole("button", { name: "New key" }).focus();
  await page.keyboard.press("Enter");
  // A form begins at its first field, and Enter does it.
  await page.keyboard.type(name);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog", { name: `Key for ${name}` })).toBeVisible();
  await page.keyboard.press("Escape");
  const row = page.getByRole("row", { name: new RegExp(name) });
  await row.getByRole("button", { name, exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Set limit" }).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.type("12.50");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Remove the limit of $12.50" })).toBeVisible();
  // What cannot be undone is not what Enter does.
  await row.getByRole("button", { name: "Revoke" }).focus();
  await page.keyboard.press("Enter");
  const sure = page.getByRole("dialog", { name: `Revoke ${name}?` });
  await expect(sure.getByRole("button", { name: "Cancel" })).toBeFocused();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect(sure).toBeHidden();
  await expect(row).toContainText("revoked");
});
