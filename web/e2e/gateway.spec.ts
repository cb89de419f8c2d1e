import { expect, routed, test } from "./support";

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
  await page.route("**/api/v1/routes", (route) => route.fulfill({ json: [] }));
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
  await page.route("**/api/v1/routes", (route) =>
    route.fulfill({ json: [{ ...target, breaker: "open", wait_ms: 90_000, failed: { overloaded: 5, timeout: 2 } }] }),
  );
  await page.goto("/models");
  const row = page.getByRole("row", { name: /away/ });
  await expect(row).toContainText(/open, 1m \d+s left/);
  await expect(row).toContainText("overloaded 5");
  await expect(row).toContainText("timeout 2");
  await expect(row).toContainText("of 9");
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
