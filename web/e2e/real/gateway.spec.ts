// Calls of models that really go to a server: watched while they stream, compared, stopped.

import { readFileSync } from "node:fs";
import { askedUpstream, expect, providersThat, test } from "../support";

test("a call is watched from its start over its stream to its end, and leads to its trace", async ({ page, request }) => {
  const [slow] = await providersThat(request, ["gap=150ms,chunks=24,bytes=80"]);
  await page.goto("/models/live");
  await expect(page.getByText("Live", { exact: true }).last()).toBeVisible();
  const data = { model: `${slow}/small`, user: "watched", stream: true, messages: [{ role: "user", content: "Go on." }] };
  const call = request.post("/v1/chat/completions", { data });
  const row = page.getByRole("grid", { name: "Live calls" }).getByRole("row", { name: new RegExp(`${slow}/small`) });
  await expect(row).toContainText("streaming");
  await expect(row).toContainText(/~ \d+/);
  await expect(row).toContainText("watched");
  expect((await call).ok()).toBe(true);
  await expect(row).toContainText("ok");
  await expect(row).toContainText("12 → 8");
  await row.click();
  await expect(page).toHaveURL(/\/traces\/[0-9a-f]{32}$/);
  await expect(page.getByRole("treeitem").first()).toBeVisible();
});

test("answers stream side by side; one fails, one is stopped and its provider hears of it", async ({ page, request }) => {
  const [quick, broken, endless] = await providersThat(request, ["gap=20ms,chunks=6", "status=401", "gap=200ms,chunks=500"]);
  const marker = `stop-${Date.now().toString(36)}`;
  const prompt = encodeURIComponent(`Please ${marker}`);
  await page.goto(`/models/compare#m=${quick}/a&m=${broken}/b&m=${endless}/c&p=${prompt}&max=300`);
  await page.getByRole("button", { name: /Ask all/ }).click();
  const [first, second, third] = [quick, broken, endless].map((name, at) =>
    page.getByRole("region", { name: `Answer ${at + 1}, ${name}/${"abc"[at]}` }),
  );
  await expect(first!).toContainText("word5");
  await expect(first!).toContainText("done");
  await expect(first!).toContainText("12 → 8");
  await expect(first!).toContainText(/unpriced|\$/);
  await expect(second!.getByRole("alert")).toContainText("upstream");
  await expect(third!).toContainText("answering");
  await expect(third!).toContainText("word1");
  await page.getByRole("button", { name: "Stop answer 3" }).click();
  await expect(third!).toContainText("stopped");
  const ended = async () => (await askedUpstream(request)).filter((asked) => asked.body.includes(marker)).map((asked) => asked.ended);
  await expect.poll(async () => (await ended()).includes("hung_up")).toBe(true);
  await first!.getByRole("link", { name: "Trace" }).click();
  await expect(page.getByRole("treeitem").first()).toBeVisible();
});

test("what a key spends is shown beside its budget", async ({ page, request }) => {
  const [provider] = await providersThat(request, ["input=2000000,output=10"]);
  const price = { models: [{ model: "counted", input: "1", output: "1" }] };
  const prices = { apiVersion: "mainspring/v1", kind: "prices", name: "default", spec: price };
  await request.post("/api/v1/apply", { data: { manifests: [prices] } });
  const name = `e2e-${Date.now().toString(36)}`;
  const made = (await (await request.post("/api/v1/keys", { data: { name, role: "reader" } })).json()) as { key: { id: string }; secret: string };
  await request.post("/api/v1/limits", { data: { kind: "key", subject: made.key.id, metric: "usd_per_month", amount: "8" } });
  const call = await request.post("/v1/chat/completions", {
    headers: { authorization: `Bearer ${made.secret}` },
    data: { model: `${provider}/counted`, max_tokens: 10, messages: [{ role: "user", content: "Count." }] },
  });
  expect(call.ok(), await call.text()).toBe(true);
  await page.goto("/settings");
  const row = page.getByRole("row", { name: new RegExp(name) });
  await expect(row).toContainText("$2.00 of $8.00 this month");
  await expect(row.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "25");
});

test("a batch is followed to its end, and its answers are downloaded", async ({ page, request }) => {
  const [provider] = await providersThat(request, [""]);
  const line = (id: string) =>
    JSON.stringify({
      custom_id: id,
      method: "POST",
      url: "/v1/chat/completions",
      body: { model: `${provider}/small`, messages: [{ role: "user", content: id }] },
    });
  const lines = ["first", "second", "third"].map(line).join("\n");
  const uploaded = await request.post("/v1/files", {
    multipart: { purpose: "batch", file: { name: "lines.jsonl", mimeType: "application/jsonl", buffer: Buffer.from(lines) } },
  });
  expect(uploaded.ok(), await uploaded.text()).toBe(true);
  const { id } = (await uploaded.json()) as { id: string };
  const name = `e2e-${Date.now().toString(36)}`;
  const data = { input_file_id: id, endpoint: "/v1/chat/completions", completion_window: "24h", metadata: { name } };
  const made = await request.post("/v1/batches", { data });
  expect(made.ok(), await made.text()).toBe(true);
  await page.goto("/models/batches");
  const row = page.getByRole("row", { name: new RegExp(name) });
  await expect(row).toContainText("completed", { timeout: 60_000 });
  await expect(row).toContainText("3 of 3 lines");
  const downloading = page.waitForEvent("download");
  await row.getByRole("button", { name: "Answers" }).click();
  const path = await (await downloading).path();
  const answers = readFileSync(path, "utf8").trim().split("\n");
  expect(answers.map((answer) => (JSON.parse(answer) as { custom_id: string }).custom_id).sort()).toEqual(["first", "second", "third"]);
});
