// What the tests share: the browser's own complaints fail a test, and names of things are asked for, not assumed.

import { test as base, expect, type APIRequestContext, type Page } from "@playwright/test";

export const real = process.env.MAINSPRING_URL !== undefined;

export const test = base.extend<{ complaints: string[] }>({
  complaints: [
    async ({ page }, use) => {
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("console", (message) => {
        // A refused request is the page's to show, and the test's to look for.
        if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) complaints.push(message.text());
      });
      await use(complaints);
      expect(complaints, "the browser complained").toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

async function items<T>(request: APIRequestContext, path: string): Promise<T[]> {
  const response = await request.get(path);
  expect(response.ok(), `${path} answered ${response.status()}`).toBe(true);
  return ((await response.json()) as { items: T[] }).items;
}

export const apps = (request: APIRequestContext) => items<{ name: string; examples: string[]; knowledge: string[] }>(request, "/api/v1/apps");
export const knowledge = (request: APIRequestContext) => items<{ name: string; documents: number }>(request, "/api/v1/knowledge");
export const documents = (request: APIRequestContext, name: string) =>
  items<{ id: string; title: string; status: string; uri: string }>(request, `/api/v1/knowledge/${name}/documents?limit=200`);
export const traces = (request: APIRequestContext) =>
  items<{ trace_id: string; status: string; preview?: string; app?: string; spans?: number }>(request, "/api/v1/traces?limit=50");

/** The first knowledge that holds documents; with an app over it where there is one. */
export async function subject(request: APIRequestContext): Promise<{ app: string; knowledge: string }> {
  const [app] = await apps(request);
  const names = (await knowledge(request)).filter((k) => k.documents > 0).map((k) => k.name);
  const used = app?.knowledge.map((k) => k.split("@")[0]!).find((k) => names.includes(k)) ?? names[0];
  expect(app, "there is an app").toBeDefined();
  expect(used, "there is knowledge with documents").toBeDefined();
  return { app: app!.name, knowledge: used! };
}

/** Asks in the playground and waits for the whole answer. */
export async function ask(page: Page, app: string, question: string): Promise<void> {
  await page.goto(`/playground/${app}`);
  await page.getByLabel("Your question").fill(question);
  await page.keyboard.press("Enter");
  await expect(page.locator(".answer-foot")).toBeVisible({ timeout: 90_000 });
}
