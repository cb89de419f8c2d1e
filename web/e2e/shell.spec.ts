import axe, { type AxeResults, type RunOptions } from "axe-core";
import { assets, documents, expect, revised, settled, subject, test, traces } from "./support";

interface Axe {
  run: (context: Document, options: RunOptions) => Promise<AxeResults>;
}

test("g and a letter go to every room, and never while typing", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Health" })).toBeVisible();
  for (const [key, path] of [
    ["k", "/knowledge"],
    ["t", "/traces"],
    ["m", "/models"],
    ["a", "/assets"],
    ["s", "/settings"],
    ["h", "/"],
  ] as const) {
    // A page that is busy with what came last may get the second key too late for the two to be one.
    await expect(async () => {
      await page.keyboard.press("g");
      await page.keyboard.press(key);
      await expect(page).toHaveURL((url) => url.pathname === path, { timeout: 3_000 });
    }).toPass({ timeout: 30_000 });
  }
  await page.goto("/traces");
  await expect(page.getByRole("searchbox")).toBeVisible();
  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox")).toBeFocused();
  await page.keyboard.type("g h ?");
  await expect(page.getByRole("searchbox")).toHaveValue("g h ?");
  expect(new URL(page.url()).pathname).toBe("/traces");
});

test("the command palette finds rooms, apps and traces by id", async ({ page, request }) => {
  const { app } = await subject(request);
  await page.goto("/");
  // Keys are heard from when the shell is drawn.
  await expect(page.getByRole("main")).toBeVisible();
  await page.keyboard.press("Control+k");
  const input = page.getByRole("combobox", { name: "Command" });
  await expect(input).toBeFocused();
  await input.fill(`ask ${app}`);
  // What the server knows is listed as soon as it has answered.
  // An app whose name begins alike stands below it.
  await expect(page.getByRole("option", { name: new RegExp(`^Ask ${app}(?![\\w-])`, "i") })).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`/playground/${app}$`));

  await page.keyboard.press("Control+k");
  await input.fill("0123456789abcdef0123456789abcdef");
  await expect(page.getByRole("option", { name: /Open trace/ })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(input).toBeHidden();
});

test("? lists the keys of this page and Escape closes it", async ({ page }) => {
  await page.goto("/traces");
  await expect(page.getByRole("searchbox")).toBeVisible();
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await expect(help.getByText("Go to knowledge")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(help).toBeHidden();
});

test("the theme follows the system, can be chosen, and stays chosen", async ({ page }) => {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: "dark" });
  await page.goto("/");
  const dark = await background();
  await page.emulateMedia({ colorScheme: "light" });
  const light = await background();
  expect(light).not.toBe(dark);
  const toggle = page.locator(".sidebar").getByRole("button", { name: /^Theme/ });
  await toggle.click();
  await toggle.click();
  await expect(toggle).toHaveAccessibleName("Theme: dark");
  expect(await background()).toBe(dark);
  await page.reload();
  expect(await background()).toBe(dark);
});

test("the first Tab offers to skip to the content", async ({ page }) => {
  await page.goto("/knowledge");
  await expect(page.getByRole("heading", { level: 1, name: "Knowledge" })).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to content" })).toBeFocused();
});

test("an address that is nothing says so and leads home", async ({ page }) => {
  await page.goto("/nowhere/at/all");
  await expect(page.getByText("There is nothing here")).toBeVisible();
  await page.getByRole("link", { name: "Go home" }).click();
  await expect(page).toHaveURL((url) => url.pathname === "/");
});

test("a problem from the server is shown with its hint, code and a way to try again", async ({ page }) => {
  let broken = true;
  await page.route("**/api/v1/overview", (route) =>
    broken
      ? route.fulfill({
          status: 503,
          contentType: "application/problem+json",
          body: JSON.stringify({
            type: "x",
            title: "Service Unavailable",
            status: 503,
            code: "catalog-unavailable",
            detail: "the catalog did not answer",
            hint: "PostgreSQL is away",
            request_id: "req_1",
          }),
        })
      : route.continue(),
  );
  await page.goto("/");
  const alert = page.getByRole("alert");
  await expect(alert).toContainText("The catalog did not answer");
  await expect(alert).toContainText("PostgreSQL is away");
  await expect(alert).toContainText("catalog-unavailable");
  broken = false;
  await alert.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("heading", { name: "Health" })).toBeVisible();
});

test("where a key is required the page asks for one and sends it", async ({ page }) => {
  const seen: (string | null)[] = [];
  await page.route("**/api/v1/**", async (route) => {
    const header = await route.request().headerValue("authorization");
    seen.push(header);
    if (header === "Bearer msk_right") await route.continue({ headers: { ...route.request().headers(), authorization: "" } });
    else
      await route.fulfill({
        status: 401,
        contentType: "application/problem+json",
        body: JSON.stringify({ type: "x", title: "Unauthorized", status: 401, code: "key-required", detail: "this needs an API key" }),
      });
  });
  await page.goto("/knowledge");
  await page.getByLabel("API key").fill("msk_right");
  // The stand-in above takes the key away again; a real server would be sent it.
  await page.unroute("**/api/v1/**");
  await page.route("**/api/v1/**", async (route) => {
    seen.push(await route.request().headerValue("authorization"));
    const headers = { ...route.request().headers() };
    delete headers.authorization;
    await route.continue({ headers });
  });
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Knowledge" })).toBeVisible();
  expect(seen).toContain("Bearer msk_right");
  expect(await page.evaluate(() => localStorage.length + document.cookie.length)).toBe(0);
});

test("no room has faults that a machine can find, light or dark, wide or narrow", async ({ page, request }) => {
  test.setTimeout(600_000);
  const { app, knowledge } = await subject(request);
  const [readable] = (await documents(request, knowledge)).filter((d) => d.status === "ready");
  const [trace] = await traces(request);
  const two = await revised(request);
  const chain = (await assets(request)).find((a) => a.kind === "chain");
  const rooms = [
    "/",
    `/playground/${app}`,
    "/knowledge",
    `/knowledge/${knowledge}`,
    `/knowledge/${knowledge}/documents`,
    `/knowledge/${knowledge}/search?q=how`,
    `/knowledge/${knowledge}/runs`,
    `/knowledge/${knowledge}/documents/${readable!.id}`,
    "/traces?in=all",
    `/traces/${trace!.trace_id}`,
    `/traces/diff?a=${trace!.trace_id}&b=${trace!.trace_id}`,
    "/traces/live",
    "/traces/logs",
    "/traces/conventions",
    "/sessions",
    "/users",
    "/dashboards",
    "/dashboards/overview?by=model&in=1h",
    "/sql",
    "/drift",
    "/observe/metrics",
    "/incidents",
    "/incidents/receivers",
    "/incidents/silences",
    "/models",
    "/models/usage",
    "/models/calls",
    "/models/limits",
    "/models/live",
    "/models/compare",
    "/models/batches",
    "/assets",
    `/assets/app/${app}`,
    `/assets/${two.kind}/${two.name}/diff`,
    `/assets/${chain!.kind}/${chain!.name}/references`,
    "/settings",
    "/settings/models",
    "/settings/about",
  ];
  for (const room of rooms) {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.goto(room);
      await settled(page);
      await page.evaluate(axe.source);
      const faults = await page.evaluate(async () => {
        const { violations } = await (window as unknown as { axe: Axe }).axe.run(document, {
          runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"],
        });
        return violations.map(
          (v) =>
            `${v.id}: ${v.nodes
              .slice(0, 3)
              .map((n) => `${n.target.join(" ")} ${n.any[0]?.message ?? ""}`)
              .join(" | ")}`,
        );
      });
      expect(faults, `${room} ${colorScheme}`).toEqual([]);
    }
    await page.setViewportSize({ width: 400, height: 850 });
    await page.goto(room);
    await settled(page);
    const sideways = await page.evaluate(
      () =>
        document.documentElement.scrollWidth > innerWidth ||
        document.querySelector("main")!.scrollWidth > document.querySelector("main")!.clientWidth + 1,
    );
    expect(sideways, `${room} scrolls sideways on a phone`).toBe(false);
    await page.setViewportSize({ width: 1440, height: 900 });
  }
});

test("on a phone every room has its whole name, and the one that is open is in sight", async ({ page }) => {
  await page.setViewportSize({ width: 420, height: 850 });
  await page.goto("/settings");
  const bar = page.getByRole("navigation", { name: "Rooms" });
  // Scrolling stops at whole pixels, and links do not end there.
  await expect(bar.getByRole("link", { name: /Settings/ })).toBeInViewport({ ratio: 0.99 });
  const cut = await bar
    .locator("a > span:first-of-type")
    .evaluateAll((names) => names.filter((name) => name.scrollWidth > name.clientWidth + 1).length);
  expect(cut).toBe(0);
  await page.goto("/");
  await expect(bar.getByRole("link").first()).toBeInViewport({ ratio: 0.99 });
});
