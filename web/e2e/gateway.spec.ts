import type { Page } from "@playwright/test";
import { expect, routed, test } from "./support";

/** The list, not what is asked of routes below it. */
const ROUTES = /\/api\/v1\/routes(\?|$)/;

test("the targets of a route are shown, and where a call would go is explained", async ({ page, request }) => {
  const { route, provider } = await routed(request);
  await page.goto("/models");
  const card = page.getByRole("region", { name: route, exact: true });
  await expect(card.getByRole("row", { name: new RegExp(provider) }).first()).toContainText(/closed|open/);

  const asked = page.getByLabel("Model, as a client would name it");
  await asked.fill(route);
  await page.keyboard.press("Enter");
  const first = page.locator(".explain-targets li").first();
  await expect(first).toContainText(`${provider}/`);
  await expect(first).toContainText(/weight|tier|first|breaker/);

  await asked.fill("no-such-model");
  await page.getByRole("button", { name: "Explain" }).click();
  await expect(page.getByRole("alert")).toContainText("gateway-unknown-model");
});

test("without a route the page shows how one is written", async ({ page }) => {
  await page.route(ROUTES, (route) => route.fulfill({ json: { items: [] } }));
  await page.goto("/models");
  await expect(page.getByText("No routes yet")).toBeVisible();
  await expect(page.locator(".yaml")).toContainText("kind: provider");
  await expect(page.locator(".yaml")).toContainText("kind: route");
});

test("a breaker that is open counts down, and says what failed", async ({ page }) => {
  const target = {
    route: "e2e",
    provider: "away",
    model: "m",
    in_flight: 0,
    recent: 9,
    attempts: 9,
    input_tokens: 0,
    output_tokens: 0,
    spend: "0.00",
  };
  await page.route(ROUTES, (route) =>
    route.fulfill({ json: { items: [{ ...target, breaker: "open", wait_ms: 90_000, failed: { overloaded: 5, timeout: 2 } }] } }),
  );
  await page.goto("/models");
  const provider = page.getByRole("region", { name: "Providers" }).getByRole("row", { name: /away/ });
  await expect(provider).toContainText("left alone");
  const row = page.getByRole("region", { name: "e2e", exact: true }).getByRole("row", { name: /away/ });
  await expect(row).toContainText(/open, 1m \d+s left/);
  await expect(row).toContainText("overloaded 5");
  await expect(row).toContainText("timeout 2");
  await expect(row).toContainText("of 9");
});

test("a breaker that is half open says that the next call tries the target", async ({ page }) => {
  const target = { provider: "away", model: "m", in_flight: 0, recent: 9, failed: {}, attempts: 9, input_tokens: 0, output_tokens: 0, spend: "0.00" };
  await page.route(ROUTES, (route) =>
    route.fulfill({ json: { items: [{ ...target, route: "e2e", breaker: "half_open", whole_p50_ms: 1_250, whole_p95_ms: 2_400 }] } }),
  );
  await page.goto("/models");
  const row = page.getByRole("region", { name: "e2e", exact: true }).getByRole("row", { name: /away/ });
  await expect(row).toContainText("half open, next call tries it");
  await expect(row).toContainText("1.25 s · 2.40 s");
});

test("what has no price is called so, and says how it gets one", async ({ page }) => {
  const target = { provider: "house", in_flight: 0, breaker: "closed", recent: 1, failed: {}, attempts: 1, input_tokens: 9, output_tokens: 9 };
  await page.route(ROUTES, (route) =>
    route.fulfill({
      json: {
        items: [
          { ...target, route: "e2e", model: "nobody-knows", spend: "0.00", priced: false },
          { ...target, route: "e2e", model: "priced-lately-no-more", spend: "1.50", priced: false },
          { ...target, route: "e2e", model: "free", spend: "0.00", priced: true },
          { ...target, route: "free", model: "free", spend: "0.00", priced: true },
        ],
      },
    }),
  );
  await page.goto("/models");
  const card = page.getByRole("region", { name: "e2e", exact: true });
  const spent = (model: string) =>
    card
      .getByRole("row", { name: new RegExp(model) })
      .getByRole("cell")
      .last();
  await expect(spent("nobody-knows")).toHaveText("unpriced");
  await expect(spent("nobody-knows").getByText("unpriced")).toHaveAttribute("title", /prices asset named default/);
  await expect(spent("priced-lately")).toHaveText("$1.50 + unpriced");
  await expect(spent("free")).toHaveText("$0");
  await expect(card.locator(".route-sum")).toContainText("$1.50 + unpriced");
  await expect(page.getByRole("region", { name: "free", exact: true })).not.toContainText("unpriced");
});

test("providers are summed up, and what failed is shown by class and minute", async ({ page, request }) => {
  const { route, provider } = await routed(request);
  await page.goto("/models");
  await expect(page.getByRole("region", { name: "Providers" }).getByRole("row", { name: new RegExp(provider) })).toContainText(/attempts/);
  const failed = page.getByRole("region", { name: "Failed attempts" });
  await expect(failed.locator(".stacked-plot rect").first()).toBeAttached();
  await expect(failed.getByRole("table")).toContainText(/\d/);
  await expect(failed).toContainText("in the last hour");
  await failed.getByLabel("Route").selectOption(route);
  await expect(
    page
      .getByRole("region", { name: route, exact: true })
      .getByRole("img", { name: /attempts? in the last hour/ })
      .first(),
  ).toBeVisible();
});

test("usage sums by what is chosen, says which calls have no price, and leads to the calls", async ({ page, request }) => {
  await routed(request);
  await page.goto("/models/usage");
  await expect(page.getByText(/used tokens nobody has a price for/)).toBeVisible();
  await page.getByRole("group", { name: "Stretch" }).getByText("24 hours").click();
  await expect(page).toHaveURL(/in=24h/);
  await page.getByRole("group", { name: "By" }).getByText("Provider").click();
  const by = page.getByRole("region", { name: "By provider" });
  const provider = by.getByRole("link").first();
  const name = await provider.innerText();
  await provider.click();
  await expect(page).toHaveURL((url) => url.pathname === "/models/calls" && url.searchParams.get("provider") === name);
  await expect(page.getByRole("grid", { name: "Calls" }).getByRole("row").nth(1)).toContainText(`${name}/`);
  await page.getByRole("button", { name: `provider: ${name}` }).click();
  await expect(page).toHaveURL((url) => !url.searchParams.has("provider"));
});

test("calls are paged, filtered by how they ended, and open their trace", async ({ page, request }) => {
  await routed(request);
  await page.route("**/api/v1/calls?*", (route) => {
    const url = new URL(route.request().url());
    url.searchParams.set("limit", "3");
    return route.continue({ url: url.href });
  });
  await page.goto("/models/calls");
  const grid = page.getByRole("grid", { name: "Calls" });
  await expect(grid).toHaveAttribute("aria-rowcount", "4");
  await page.getByRole("button", { name: "Load more" }).click();
  await expect(grid).toHaveAttribute("aria-rowcount", "7");
  await page.getByRole("group", { name: "Status" }).getByText("Failed").click();
  await expect(grid.getByRole("row").nth(1)).toContainText("failed");
  await expect(grid.getByText("ok", { exact: true })).toHaveCount(0);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/traces\/[0-9a-f]{32}$/);
});

test("a limit is set, shown with what is spent of it, and removed", async ({ page }) => {
  const user = `e2e-${Date.now().toString(36)}`;
  await page.goto("/models/limits");
  await page.getByRole("button", { name: "Set limit" }).click();
  const dialog = page.getByRole("dialog", { name: "Set a limit" });
  await dialog.getByLabel("For").selectOption("user");
  await dialog.getByLabel("Which").fill(user);
  await dialog.getByLabel("What").selectOption("usd_per_day");
  await dialog.getByLabel("Amount").fill("a lot");
  await expect(dialog.getByText("Dollars, as in 12.50.")).toBeVisible();
  await expect(dialog.getByRole("button", { name: "Set limit" })).toBeDisabled();
  await dialog.getByLabel("Amount").fill("2.50");
  await page.keyboard.press("Enter");
  await expect(dialog).toBeHidden();

  const row = page.getByRole("row", { name: new RegExp(user) });
  await expect(row).toContainText("$2.50 per day");
  await expect(row.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "0");
  await row.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("button", { name: "Remove limit" }).click();
  await expect(row).toHaveCount(0);
});

test("who is no admin is told that limits are not theirs", async ({ page }) => {
  await page.route("**/api/v1/overview", async (route) => {
    const overview = (await (await route.fetch()).json()) as { projects: { role: string }[] };
    await route.fulfill({ json: { ...overview, projects: overview.projects.map((p) => ({ ...p, role: "reader" })) } });
  });
  await page.goto("/models/limits");
  await expect(page.getByText("Limits are the admins' to see and set")).toBeVisible();
  await expect(page.getByRole("button", { name: "Set limit" })).toHaveCount(0);
});

// ── Live ────────────────────────────────────────────────────────────────────

const START = "2026-11-26T10:00:00.000000Z";
const begun = (id: string, more: object = {}) => ({
  id,
  started_at: START,
  principal: "local",
  model: "assistant",
  route: "assistant",
  operation: "chat",
  batch: false,
  trace_id: id.padEnd(32, "0"),
  ...more,
});
const ended = (id: string, more: object = {}) => ({
  ...begun(id),
  ended_at: "2026-11-26T10:00:02.000000Z",
  took_ms: 2_000,
  first_ms: 150,
  provider: "openai",
  target: "gpt-4o",
  status: "ok",
  attempts: 1,
  usage: {
    input_tokens: 1_200,
    output_tokens: 80,
    cache_read_tokens: 1_000,
    cache_write_tokens: 0,
    input_audio_tokens: 0,
    input_image_tokens: 0,
    reasoning_tokens: 0,
    output_audio_tokens: 0,
    output_image_tokens: 0,
    input_from: "reported",
    output_from: "estimated",
    cache_read_from: "reported",
  },
  cost: "0.0042",
  price: { table: "sha256:00", entry: "gpt-4o" },
  cached: false,
  ...more,
});

/** Tells the page of these once, and of nothing afterwards. */
async function tells(page: Page, events: { event: string }[]): Promise<void> {
  let told = false;
  await page.route("**/api/v1/calls/live", (route) => {
    if (told) return;
    told = true;
    const body = events.map((event) => `event: ${event.event}\ndata: ${JSON.stringify(event)}\n\n`).join("");
    return route.fulfill({ contentType: "text/event-stream", body });
  });
  await page.route("**/api/v1/calls?*", (route) => route.fulfill({ json: { items: [ended("before", { user: "zoe" })] } }));
}

test("calls are shown as they start, stream and end, with what they came to", async ({ page }) => {
  await tells(page, [
    { event: "open", calls: [begun("early", { user: "ada" })], more: false } as { event: string },
    { event: "started", ...begun("late", { user: "bob", model: "drafts", route: "drafts" }) },
    { event: "answering", id: "early", provider: "openai", target: "gpt-4o", attempts: 2, first_ms: 240, output_tokens: 64 } as { event: string },
    { event: "settled", ...ended("done") },
    { event: "settled", ...ended("broke", { status: "failed", class: "rate_limited", user: "bob" }) },
    { event: "missed", events: 12 } as { event: string },
  ]);
  await page.goto("/models/live");
  const grid = page.getByRole("grid", { name: "Live calls" });
  const streaming = grid.getByRole("row", { name: /streaming/ });
  await expect(streaming).toContainText("openai/gpt-4o · 2 attempts");
  await expect(streaming).toContainText("~ 64");
  await expect(streaming).toContainText("240 ms");
  await expect(grid.getByRole("row", { name: /started/ })).toContainText("drafts");
  await expect(grid.getByRole("row", { name: /failed: rate limited/ })).toBeVisible();
  const done = grid.getByRole("row", { name: /\bok\b/ }).first();
  await expect(done).toContainText("1,200 → 80");
  await expect(done.getByTitle("of which cached: 1,000, reported")).toHaveAttribute("title", /^In → out; reported, estimated/);
  await expect(done).toContainText("$0.0042");
  await expect(done).toContainText("2.00 s");
  // What had ended before is there too.
  await expect(grid.getByRole("row", { name: /zoe/ })).toBeVisible();
  await expect(page.getByText("12 events could not be shown")).toBeVisible();

  await page.getByRole("group", { name: "Status" }).getByText("Under way").click();
  await expect(page).toHaveURL(/status=open/);
  await expect(grid).toHaveAttribute("aria-rowcount", "3");
  await page.getByRole("group", { name: "Status" }).getByText("All", { exact: true }).click();
  await page.getByRole("combobox", { name: "User" }).selectOption("bob");
  await expect(grid).toHaveAttribute("aria-rowcount", "3");
  await page.getByRole("combobox", { name: "Route" }).selectOption("drafts");
  await expect(grid).toHaveAttribute("aria-rowcount", "2");
  await page.reload();
  await expect(page.getByRole("combobox", { name: "Route" })).toHaveValue("drafts");
});

test("a row of the live view opens its trace, by keyboard too", async ({ page }) => {
  await tells(page, [{ event: "open", calls: [], more: false } as { event: string }, { event: "settled", ...ended("done") }]);
  await page.goto("/models/live");
  await expect(page.getByRole("row", { name: /\bok\b/ }).first()).toBeVisible();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/traces\/(done|before)0+$/);
});

test("thousands of calls at once are taken, and only those in sight are drawn", async ({ page }) => {
  const many = Array.from({ length: 3_000 }, (_, i) => ({
    event: "settled",
    ...ended(`c${i}`, { started_at: new Date(1_790_000_000_000 + i).toISOString() }),
  }));
  await tells(page, [{ event: "open", calls: [], more: false } as { event: string }, ...many]);
  await page.goto("/models/live");
  const grid = page.getByRole("grid", { name: "Live calls" });
  await expect(grid.getByRole("row").nth(1)).toContainText("ok");
  await expect.poll(async () => Number(await grid.getAttribute("aria-rowcount"))).toBeGreaterThan(900);
  expect(Number(await grid.getAttribute("aria-rowcount"))).toBeLessThan(1_300);
  expect(await grid.getByRole("row").count()).toBeLessThan(60);
  // A place that was scrolled to is kept; the end can be reached by one key.
  await grid.focus();
  await page.keyboard.press("End");
  await expect(page.getByText("older ones are in the list of calls")).toBeInViewport();
});

test("a pause holds the list while calls go on, and says how many came", async ({ page, request }) => {
  const { route } = await routed(request);
  await page.goto("/models/live");
  await expect(page.getByText("Live", { exact: true }).last()).toBeVisible();
  await expect(page.getByRole("grid", { name: "Live calls" }).getByRole("row").nth(1)).toBeVisible();
  await page.keyboard.press("p");
  const rows = await page.getByRole("grid").getAttribute("aria-rowcount");
  const data = { model: route, messages: [{ role: "user", content: "Hello." }] };
  await request.post("/v1/chat/completions", { data });
  const goOn = page.getByRole("button", { name: /^Go on, \d+ new$/ });
  await expect(goOn).toBeVisible();
  await expect(page.getByRole("grid")).toHaveAttribute("aria-rowcount", rows!);
  await goOn.click();
  await expect(page.getByRole("button", { name: "Pause" })).toBeVisible();
  await expect(page.getByRole("grid")).not.toHaveAttribute("aria-rowcount", rows!);
});

test("a server that is away is asked again, and what was shown stays", async ({ page }) => {
  let away = false;
  await page.route("**/api/v1/calls?*", (route) => route.fulfill({ json: { items: [ended("before")] } }));
  await page.route("**/api/v1/calls/live", (route) => {
    if (away) return route.abort();
    away = true;
    return route.fulfill({ contentType: "text/event-stream", body: `data: ${JSON.stringify({ event: "open", calls: [], more: false })}\n\n` });
  });
  await page.goto("/models/live");
  await expect(page.getByText("Connecting again…")).toBeVisible();
  await expect(page.getByRole("grid", { name: "Live calls" }).getByRole("row", { name: /\bok\b/ })).toBeVisible();
});

// ── Compare ─────────────────────────────────────────────────────────────────

/** Answers each model in its own way. */
async function answers(
  page: Page,
  by: Record<string, (body: { messages: { role: string; content: string }[]; temperature?: number }) => object>,
): Promise<void> {
  await page.route("**/v1/chat/completions", (route) => {
    const body = route.request().postDataJSON() as { model: string; messages: { role: string; content: string }[]; temperature?: number };
    return route.fulfill(by[body.model]!(body));
  });
}

const says = (text: string, trace: string) => ({
  contentType: "text/event-stream",
  headers: { "x-mainspring-trace-id": trace, "x-mainspring-provider": "openai", "x-mainspring-model": "gpt-4o", "x-mainspring-attempts": "1" },
  body: [
    { choices: [{ index: 0, delta: { content: text }, finish_reason: null }] },
    { choices: [{ index: 0, delta: {}, finish_reason: "length" }] },
    { choices: [], usage: { prompt_tokens: 21, completion_tokens: 7, total_tokens: 28 } },
  ]
    .map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`)
    .concat("data: [DONE]\n\n")
    .join(""),
});

test("one prompt goes to several targets, and one that fails leaves the others alone", async ({ page }) => {
  const asked: unknown[] = [];
  const trace = "ab".repeat(16);
  await answers(page, {
    good: (body) => (asked.push(body), says("A **good** answer.", trace)),
    bad: () => ({
      status: 503,
      json: {
        error: { message: "no target of `bad` can be asked now (try again in 30 s)", type: "server_error", param: null, code: "gateway-no-target" },
      },
    }),
  });
  await page.route("**/api/v1/calls?trace=*", (route) => route.fulfill({ json: { items: [ended("c1", { cost: "0.0021" })] } }));
  await page.goto("/models/compare");
  await page.getByLabel("Target 1", { exact: true }).fill("good");
  await page.getByLabel("Target 2", { exact: true }).fill("bad");
  await page.getByRole("button", { name: "Add a target" }).click();
  await expect(page.getByRole("button", { name: /Ask all/ })).toBeDisabled();
  await page.getByRole("button", { name: "Remove target 3" }).click();
  await page.getByLabel("System", { exact: true }).fill("Be brief.");
  await page.getByLabel("Prompt").fill("What is a breaker?");
  await page.getByLabel("Temperature").fill("5");
  await expect(page.getByText("A number from 0 to 2")).toBeVisible();
  await page.getByLabel("Temperature").fill("0.2");
  await page.keyboard.press("Control+Enter");

  const good = page.getByRole("region", { name: "Answer 1, good" });
  await expect(good.locator("strong")).toHaveText("good");
  await expect(good).toContainText("done");
  await expect(good).toContainText("openai/gpt-4o");
  await expect(good).toContainText("21 → 7");
  await expect(good).toContainText("length");
  await expect(good).toContainText("$0.0021");
  await expect(good.getByRole("link", { name: "Trace" })).toHaveAttribute("href", `/traces/${trace}`);
  const bad = page.getByRole("region", { name: "Answer 2, bad" });
  await expect(bad.getByRole("alert")).toContainText("can be asked now (try again in 30 s)");
  await expect(bad.getByRole("alert")).toContainText("gateway-no-target");
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatchObject({
    model: "good",
    stream: true,
    temperature: 0.2,
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "What is a breaker?" },
    ],
  });

  await page.getByRole("button", { name: /Ask again/ }).click();
  await expect.poll(() => asked.length).toBe(2);
  await expect(good).toContainText("done");
});

test("a comparison is its address, without the key, and never sent to a server", async ({ page }) => {
  const asked: string[] = [];
  page.on("request", (sent) => asked.push(sent.url()));
  await page.addInitScript(() => sessionStorage.setItem("mainspring.key", "msk_secret"));
  await page.route("**/api/v1/**", (route) => route.continue({ headers: { ...route.request().headers(), authorization: "" } }));
  await page.route("**/v1/models", (route) => route.fulfill({ json: { data: [] } }));
  await page.goto("/models/compare#m=alpha&m=beta&m=gamma&s=Be+brief.&p=Why%3F&t=0.5&max=64");
  for (const [at, name] of ["alpha", "beta", "gamma"].entries()) await expect(page.getByLabel(`Target ${at + 1}`, { exact: true })).toHaveValue(name);
  await expect(page.getByLabel("Prompt")).toHaveValue("Why?");
  await expect(page.getByLabel("Max tokens")).toHaveValue("64");
  await page.getByLabel("Prompt").fill("Why not?");
  await expect(page).toHaveURL(/#.*p=Why\+not%3F/);
  expect(page.url()).not.toContain("msk_secret");
  await page.reload();
  await expect(page.getByLabel("Prompt")).toHaveValue("Why not?");
  expect(asked.filter((url) => url.split("#")[0]!.includes("Why"))).toEqual([]);
});

// ── Batches ─────────────────────────────────────────────────────────────────

test("batches show how far they are, and are cancelled", async ({ page }) => {
  const ago = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString();
  const batch = {
    id: "batch_1",
    endpoint: "/v1/chat/completions",
    status: "in_progress",
    input_file: "file-1",
    total: 400,
    completed: 90,
    failed: 10,
    created_by: "local",
    created_at: ago(120),
    in_progress_at: ago(100),
    expires_at: ago(-80_000),
    metadata: { name: "november" },
  };
  let now: object = batch;
  await page.route("**/api/v1/batches?*", (route) => route.fulfill({ json: { items: [now] } }));
  await page.route("**/api/v1/batches/batch_1/cancel", (route) => {
    now = { ...batch, status: "cancelled", ended_at: ago(0) };
    return route.fulfill({ json: now });
  });
  await page.goto("/models/batches");
  const row = page.getByRole("row", { name: /november/ });
  await expect(row).toContainText("in progress");
  await expect(row).toContainText("100 of 400 lines · 10 failed");
  await expect(row).toContainText(/about \d+m/);
  await expect(row.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "25");
  await row.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Cancel batch" }).click();
  await expect(row).toContainText("cancelled");
  await expect(row.getByRole("button", { name: "Cancel" })).toHaveCount(0);
});
