import { expect, real, test } from "./support";

// A real server opens incidents when monitors fire; what follows is about the page.
test.skip(real, "the stand-in has one incident of each state");

test("open incidents are counted in the sidebar, listed by state and opened by keyboard", async ({ page }) => {
  await page.goto("/");
  const room = page.getByRole("navigation", { name: "Rooms" }).getByRole("link", { name: /Incidents/ });
  await expect(room).toContainText("1 open");
  await room.click();
  const grid = page.getByRole("grid", { name: "Incidents" });
  await expect(grid.getByText(/slow-answers/).first()).toBeVisible();
  await expect(grid.getByText("Open", { exact: true })).toHaveCount(1);
  await page.getByText("Resolved", { exact: true }).first().click();
  await expect(page).toHaveURL(/state=resolved/);
  await expect(grid.getByText("Open", { exact: true })).toHaveCount(0);
  await page.getByText("Open", { exact: true }).first().click();
  await expect(grid.getByRole("row")).toHaveCount(2);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("slow-answers");
});

test("more than a page of incidents is loaded page by page", async ({ page }) => {
  await page.goto("/incidents?state=resolved");
  await page.getByRole("grid", { name: "Incidents" }).focus();
  await page.keyboard.press("End");
  await page.getByRole("button", { name: "Load more" }).click();
  await expect(page.getByText("60 shown, that is all")).toBeAttached();
});

test("an incident says what fired and why, what changed, who was not told, and moves an alias back", async ({ page, request }) => {
  const alias = "/api/v1/assets/prompt/grounded-answer/aliases/production";
  await request.put(alias, { data: { to: "v3" } });
  const [open] = ((await (await request.get("/api/v1/incidents?state=open")).json()) as { items: { id: string }[] }).items;
  await page.goto(`/incidents/${open!.id}`);
  const fired = page.getByRole("region", { name: "What fired, and why" });
  await expect(fired).toContainText("p95 of duration over the last 10 minutes is 9.1 s");
  await expect(fired).toContainText("compared with4.2 s");
  await expect(fired).toContainText("prompt grounded-answer v3");
  await expect(page.getByText("First seen in release")).toContainText("2.4.0");
  await expect(page.getByRole("region", { name: "Example traces" }).getByRole("link")).toHaveCount(3);

  const timeline = page.getByRole("region", { name: "Timeline" });
  await expect(timeline).toContainText("chat: “opened” was given up after 12 tries");
  await expect(timeline).toContainText("no healthy upstream");
  await timeline.getByRole("button", { name: "Retry 1 failed delivery" }).click();
  await expect(timeline.getByText("no healthy upstream")).toHaveCount(0);
  await expect(timeline.getByText("chat: “opened” arrived")).toBeVisible();

  const changes = page.getByRole("region", { name: "What changed before it" });
  await changes.getByRole("button", { name: "Roll back" }).click();
  await expect(page.getByRole("dialog")).toContainText("mainspring alias prompt/grounded-answer production v2 --expected 3");
  const moved = page.waitForRequest((asked) => asked.method() === "PUT");
  await page.getByRole("button", { name: "Move from v3 to v2" }).click();
  expect((await moved).postDataJSON()).toEqual({ to: "v2", expected: 3 });
  await expect(page.getByRole("dialog")).toHaveCount(0);

  // It stands where the step leads: a second step back is refused, and says so.
  await changes.getByRole("button", { name: "Roll back" }).click();
  await page.getByRole("button", { name: "Move from v3 to v2" }).click();
  await expect(page.getByRole("dialog").getByRole("alert")).toBeVisible();
  await page.getByRole("link", { name: "See where it is now" }).click();
  await expect(page).toHaveURL(/assets\/prompt\/grounded-answer/);
  await request.put(alias, { data: { to: "v3" } });
});

test("a receiver is tested, and what came of it stands beside it", async ({ page }) => {
  await page.goto("/incidents/receivers");
  await page.getByRole("button", { name: "Test ops" }).click();
  await expect(page.getByText("The test arrived (41 ms, answered 200)")).toBeVisible();
  await page.getByRole("button", { name: "Test chat" }).click();
  await expect(page.getByText(/The test did not arrive/)).toBeVisible();
});

test("a silence is refused, made and ended", async ({ page }) => {
  await page.goto("/incidents/silences");
  await page.getByRole("button", { name: "New silence" }).click();
  await page.getByLabel("Alerts").fill("app");
  await page.getByRole("button", { name: "Silence", exact: true }).click();
  await expect(page.getByRole("dialog").getByRole("alert")).toContainText("is no matcher");
  await page.getByLabel("Alerts").fill("app=desk\nname=drift-*");
  await page.getByRole("button", { name: "Silence", exact: true }).click();
  const row = page.getByRole("row", { name: /app=desk name=drift-\*/ });
  await expect(row).toContainText("Active");
  await row.getByRole("button", { name: "End" }).click();
  await page.getByRole("button", { name: "End silence" }).click();
  await expect(page.getByText("No silences")).toBeVisible();
  await page.getByText("Also those that have ended").click();
  await expect(page.getByText("a new index was built")).toBeVisible();
});

test("an incident is acknowledged and resolved with a note", async ({ page, request }) => {
  const [open] = ((await (await request.get("/api/v1/incidents?state=open")).json()) as { items: { id: string }[] }).items;
  await page.goto(`/incidents/${open!.id}`);
  await page.getByRole("button", { name: "Acknowledge" }).click();
  await page.getByLabel("Note").fill("looking at it");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("region", { name: "Timeline" })).toContainText("looking at it");
  await expect(page.getByRole("button", { name: "Acknowledge" })).toHaveCount(0);
  await page.getByRole("button", { name: "Resolve" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Resolve" }).click();
  await expect(page.locator(".incident-facts")).toContainText("Resolved");
  await expect(page.getByRole("button", { name: "Silence" })).toHaveCount(0);
});
