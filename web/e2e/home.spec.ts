import { answered, expect, subject, test, waitsForAnswers } from "./support";

test("home shows apps, knowledge, projects and the health of every part", async ({ page, request }) => {
  const { app, knowledge } = await subject(request);
  await page.goto("/");
  const part = (name: string) => page.getByRole("region", { name, exact: true });
  await expect(part("Projects").getByRole("listitem").filter({ hasText: "default" })).toContainText("admin");
  for (const component of ["catalog", "lake", "blobs"]) {
    await expect(part("Health").getByRole("listitem").filter({ hasText: component }).first()).toContainText("Healthy");
  }
  await part("Knowledge").getByRole("link", { name: knowledge, exact: true }).click();
  await expect(page).toHaveURL(new RegExp(`/knowledge/${knowledge}$`));
  await page.goBack();
  await part("Apps").getByRole("link", { name: app, exact: true }).click();
  await expect(page).toHaveURL(new RegExp(`/playground/${app}$`));
});

test("what was just asked stands on the home page, is counted there, and leads to its trace", async ({ page, request }) => {
  waitsForAnswers(1);
  const { app } = await subject(request);
  await answered(request, app);
  await page.goto("/");
  const day = page.getByRole("region", { name: /^Last \d+ hours$/ });
  const requests = day.locator(".kpi", { hasText: "Requests" }).locator("dd span").first();
  await expect(requests).toHaveText(/^[1-9][\d,]*$/);
  const recent = page.getByRole("region", { name: "Recent", exact: true }).getByRole("row");
  await recent.first().getByRole("link").click();
  await expect(page).toHaveURL(/\/traces\/[0-9a-f]{32}$/);
  await expect(page.getByRole("treeitem").first()).toBeVisible();
});
