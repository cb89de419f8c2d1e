// Traces of any size, sessions, two traces beside each other, and what comes just now.

import { expect, inSight, manyTraces, real, test, traces } from "./support";

/** The stand-in server has it; a real one is sent such a trace by crates/cli/tests/it/giant.rs. */
const GIANT = "9".repeat(31) + "a";

test.describe("a trace of 33,000 spans", () => {
  test.skip(real, "the stand-in server makes it up");

  test("is shown whole with few elements, walked to its end, and searched", async ({ page }) => {
    await page.goto(`/traces/${GIANT}`);
    const tree = page.getByRole("tree", { name: "Spans" });
    await expect(tree.getByRole("treeitem").first()).toBeVisible();
    await expect(page.getByText(/of 33,000 spans/)).toHaveCount(0);
    await expect(page.locator(".trace-facts")).toContainText("33,000 spans");
    const elements = () => page.evaluate(() => document.querySelectorAll("*").length);
    expect(await elements()).toBeLessThan(2_500);

    await tree.focus();
    await page.keyboard.press("End");
    await expect(tree.getByRole("treeitem").last()).toHaveAttribute("aria-selected", "true");
    expect(await elements()).toBeLessThan(2_500);
    await tree.evaluate((element) => element.scrollTo({ top: element.scrollHeight / 2 }));
    await expect.poll(() => tree.getByRole("treeitem").count()).toBeGreaterThan(10);
    expect(await elements()).toBeLessThan(2_500);

    await page.keyboard.press("Home");
    await page.getByRole("searchbox", { name: "Search in this trace" }).fill("step 29500 broke");
    await page.getByRole("button", { name: "Next match (n)" }).click();
    await expect(tree.getByRole("treeitem", { name: /step 29500/ })).toHaveAttribute("aria-selected", "true");
    await expect(page.locator(".span-error")).toContainText("step 29500 broke");
  });

  test("keeps the row that the keyboard is on in sight, whole and below the head", async ({ page }) => {
    await page.goto(`/traces/${GIANT}`);
    const tree = page.getByRole("tree", { name: "Spans" });
    const chosen = tree.locator("[aria-selected=true]");
    // The failing span that a trace opens at lies far below.
    await expect(chosen).toHaveAttribute("aria-label", /failed/);
    await expect.poll(() => inSight(tree, chosen, ".fall-head")).toBe(true);
    await tree.focus();
    await page.keyboard.press("Home");
    for (const key of [...Array<string>(40).fill("ArrowDown"), "PageDown", "PageDown", "PageUp", "PageUp", "PageUp", "End", "ArrowUp"]) {
      await page.keyboard.press(key);
      await expect.poll(() => inSight(tree, chosen, ".fall-head"), `after ${key}`).toBe(true);
    }
  });

  test("goes to what is searched for with Enter, and on to the next with the field still in hand", async ({ page }) => {
    await page.goto(`/traces/${GIANT}`);
    const tree = page.getByRole("tree", { name: "Spans" });
    const chosen = tree.locator("[aria-selected=true]");
    await expect(chosen).toBeVisible();
    // Until all of it is there, one span alone is called so, and the next match is the same.
    await expect(page.getByText(/of 33,000 spans/)).toHaveCount(0);
    await page.keyboard.press("/");
    await page.keyboard.type("step 3299");
    await page.keyboard.press("Enter");
    await expect(chosen).toHaveAttribute("aria-label", /step 3299/);
    await expect.poll(() => inSight(tree, chosen, ".fall-head")).toBe(true);
    const first = await chosen.getAttribute("id");
    await page.keyboard.press("Enter");
    await expect(chosen).not.toHaveAttribute("id", first!);
    await expect(chosen).toHaveAttribute("aria-label", /step 3299/);
    await page.keyboard.press("Shift+Enter");
    await expect(chosen).toHaveAttribute("id", first!);
    await expect(page.getByRole("searchbox", { name: "Search in this trace" })).toBeFocused();
  });

  test("goes to its errors and its slowest step, also where they are folded away", async ({ page }) => {
    await page.goto(`/traces/${GIANT}`);
    const tree = page.getByRole("tree", { name: "Spans" });
    await expect(page.getByRole("button", { name: "33 errors" })).toBeVisible();
    await page.getByRole("button", { name: "Fold everything", exact: true }).click();
    await expect.poll(() => tree.getByRole("treeitem").count()).toBeLessThan(12);
    await page.getByRole("button", { name: "33 errors" }).click();
    const chosen = tree.locator("[aria-selected=true]");
    await expect(chosen).toHaveAttribute("aria-label", /failed/);
    await page.getByRole("button", { name: "Slowest step" }).click();
    await expect(chosen).toHaveAttribute("aria-label", /on the critical path/);
  });
});

test("a list scrolls along with the row that the keyboard is on", async ({ page, request }) => {
  await manyTraces(request);
  await page.goto("/traces?in=all");
  const grid = page.getByRole("grid", { name: "Traces" });
  await expect(grid.getByRole("row").nth(2)).toBeVisible();
  const scroller = page.locator(".rows-scroll").filter({ has: grid });
  for (const key of [...Array<string>(30).fill("j"), ...Array<string>(30).fill("k")]) {
    await page.keyboard.press(key);
    await expect.poll(() => inSight(scroller, grid.locator(".row.current"), ".rows-head"), `after ${key}`).toBe(true);
  }
});

test("an answer in Markdown is shown as what it means, and as it was written where somebody asks", async ({ page, request }) => {
  const [trace] = await traces(request, "limit=1");
  const said = (role: string, content: string) => ({ role, parts: [{ type: "text", content }] });
  const answer = "It is **bold**:\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<b>not a tag</b>";
  await page.route(/\/api\/v1\/traces\/[0-9a-f]+\/reading/, async (route) => {
    const asked = await (await route.fetch()).json();
    return route.fulfill({ json: { ...asked, system: [], input: [said("user", "Say it **so**")], output: [said("assistant", answer)] } });
  });
  await page.goto(`/traces/${trace!.trace_id}`);
  await page.getByRole("treeitem").first().click();
  await page.getByRole("tab", { name: /Messages/ }).click();
  const answered = page.locator(".message.from-assistant");
  await expect(answered.locator("strong", { hasText: "bold" })).toBeVisible();
  await expect(answered.getByRole("cell")).toHaveText(["1", "2"]);
  await expect(answered).toContainText("<b>not a tag</b>");
  await expect(page.locator(".message.from-user")).toContainText("Say it **so**");
  await answered.getByRole("button", { name: "As written" }).click();
  await expect(answered).toContainText("It is **bold**:");
  await expect(answered.locator("strong")).toHaveCount(0);
});

test("a filter proposes what may come next, and a wrong one shows where it is wrong", async ({ page }) => {
  await page.goto("/traces?in=all");
  const box = page.getByRole("combobox", { name: "Filter" });
  await box.click();
  await box.pressSequentially("sta");
  // A model that somebody called may be named like a field.
  const proposed = page.getByRole("listbox", { name: "What may come next" });
  await expect(proposed.getByRole("option", { name: /status/ }).first()).toBeVisible();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(box).toHaveValue(/^sta(tus|rt) $/);
  await box.fill("status = error");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/filter=/);
  await box.fill("status = ok and modle = small");
  await page.keyboard.press("Enter");
  await expect(page.locator(".filter-fault mark")).toHaveText("modle");
  await expect(box).toHaveAttribute("aria-invalid", "true");
  await box.fill("");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("grid", { name: "Traces" }).getByRole("row").nth(1)).toBeVisible();
});

test("a stretch of time is chosen on the chart by keyboard, and given back", async ({ page }) => {
  await page.goto("/traces?in=7d");
  const chart = page.getByRole("group", { name: "Traces over time" });
  await chart.focus();
  await page.keyboard.press("End");
  for (let i = 0; i < 3; i++) await page.keyboard.press(i === 0 ? "ArrowLeft" : "Shift+ArrowLeft");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/from=.*to=/);
  await page.getByRole("button", { name: "Back to the time before" }).click();
  await expect(page).not.toHaveURL(/from=/);
});

test("two traces are marked and compared", async ({ page, request }) => {
  const list = await traces(request, "limit=10");
  test.skip(list.length < 2, "there are not two traces");
  await page.goto("/traces?in=all");
  const marks = page.getByRole("button", { name: /to compare$/ });
  await expect(marks.nth(1)).toBeVisible();
  await marks.nth(0).click();
  await marks.nth(1).click();
  await page.getByRole("button", { name: "Compare", exact: true }).click();
  await expect(page).toHaveURL(/\/traces\/diff\?a=/);
  const grid = page.getByRole("grid", { name: "Compared spans" });
  await expect(grid.getByRole("row").nth(1)).toBeVisible();
  await grid.getByRole("row").nth(1).click();
  await expect(page.getByRole("region", { name: "What was said in the two" })).toBeVisible();
});

test("a session is played turn by turn", async ({ page, request }) => {
  const { items } = (await (await request.get("/api/v1/sessions?limit=20")).json()) as { items: { session: string; traces: number }[] };
  const many = items.find((session) => session.traces > 2);
  test.skip(!many, "there is no session of several traces");
  await page.goto("/sessions");
  await expect(page.getByRole("grid", { name: "Sessions" }).getByRole("row").nth(1)).toBeVisible();
  await page.goto(`/sessions/${encodeURIComponent(many!.session)}`);
  const turns = page.getByRole("list", { name: "Turns" }).locator(".turn");
  await expect(turns).toHaveCount(many!.traces);
  await expect(page.locator(".turn .message").first()).toBeVisible();
  await page.keyboard.press("j");
  await expect(turns).toHaveCount(1);
  await page.keyboard.press("j");
  await expect(turns).toHaveCount(2);
  await page.keyboard.press("k");
  await expect(turns).toHaveCount(1);
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(turns).toHaveCount(many!.traces, { timeout: 30_000 });
  await page.keyboard.press("Escape");
  await expect(turns).toHaveCount(many!.traces);
});

test("the live tail shows what is stored, holds still on request, and takes a filter", async ({ page }) => {
  test.skip(real, "nothing happens on a server that nobody asks");
  await page.goto("/traces/live");
  const grid = page.getByRole("grid", { name: "Live traces" });
  await expect(grid.getByRole("row").nth(2)).toBeVisible();
  await page.getByRole("button", { name: "Pause" }).click();
  const held = await grid.getAttribute("aria-rowcount");
  await expect(page.getByRole("button", { name: /Go on, \d+ new/ })).toBeVisible();
  expect(await grid.getAttribute("aria-rowcount")).toBe(held);
  await page.getByRole("button", { name: /Go on/ }).click();
  await expect(grid).not.toHaveAttribute("aria-rowcount", held!);
  await page.getByRole("combobox", { name: "Filter" }).fill("error");
  await page.keyboard.press("Enter");
  await expect(page.getByText("No such trace yet")).toBeVisible();
});

test("the live tail shows what came while the connection was away, each once", async ({ page }) => {
  const at = Date.now();
  const span = (name: string, ago: number) => {
    const ids = { trace_id: name.repeat(32), span: name.repeat(16), name: `POST /${name}`, kind: "server", entry: true, tags: [], status: "ok" };
    return { ...ids, start: new Date(at - ago).toISOString(), duration_ms: 5 };
  };
  const told = (event: { event: string }) => `event: ${event.event}\ndata: ${JSON.stringify(event)}\n\n`;
  const open = () => told({ event: "open", at: new Date(at - 5_000).toISOString(), filter: "" } as { event: string });
  let streams = 0;
  await page.route(/\/api\/v1\/traces\/tail/, (route) => {
    const body = open() + (streams++ === 0 ? told({ event: "span", ...span("a", 4_000) }) : "");
    return route.fulfill({ contentType: "text/event-stream", body });
  });
  const asked: URL[] = [];
  await page.route(/\/api\/v1\/spans\?/, (route) => {
    asked.push(new URL(route.request().url()));
    return route.fulfill({ json: { items: [span("b", 2_000), span("a", 4_000)], next: null } });
  });
  await page.goto("/traces/live?filter=app%20%3D%20desk");
  const grid = page.getByRole("grid", { name: "Live traces" });
  await expect(grid.getByText("POST /b")).toHaveCount(1);
  await expect.poll(() => streams).toBeGreaterThan(3);
  await expect(grid.getByText("POST /a")).toHaveCount(1);
  await expect(grid.getByText("POST /b")).toHaveCount(1);
  expect(asked[0]!.searchParams.get("filter")).toBe("(entry) and (app = desk)");
  expect(asked[0]!.searchParams.get("from")).toBe(new Date(at - 125_000).toISOString());
});
