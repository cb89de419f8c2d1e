import { ANSWER_MS, answerWith, apps, ask, expect, real, subject, test, waitsForAnswers, writer } from "./support";

const QUESTION = process.env.E2E_QUESTION ?? "Which address does Mainspring listen on, and does it need a key there?";

test("an answer streams, cites, and a citation opens its document at the cited passage", async ({ page, request }) => {
  waitsForAnswers(1);
  const { app } = await subject(request);
  await ask(page, app, QUESTION);
  await expect(page.locator(".answer-text")).not.toBeEmpty();
  const panel = page.getByRole("complementary", { name: "Sources" });
  await expect(panel.locator(".source").first()).toBeVisible();

  const citation = page.locator(".answer button.cite").first();
  await expect(citation, "the answer cites nothing").toBeVisible({ timeout: ANSWER_MS });
  const number = await citation.innerText();
  await citation.click();
  await expect(panel.locator(".panel-head .cite")).toHaveText(number);

  const mark = panel.locator(".doc mark").first();
  await expect(mark).toBeInViewport();
  // What is highlighted is the passage that the model saw, whatever the script.
  const outcome = await page.evaluate((name) => {
    const stored = JSON.parse(sessionStorage.getItem("mainspring.conversations") ?? "{}") as Record<
      string,
      { turns: { outcome: { sources: { number: number; text: string }[] } }[] }
    >;
    return stored[name]!.turns.at(-1)!.outcome.sources;
  }, app);
  const words = (text: string) => text.replace(/[#\s]+/g, " ").trim();
  const shown = words((await panel.locator(".doc mark").allInnerTexts()).join(" "));
  const given = words(outcome.find((s) => String(s.number) === number)!.text);
  expect(shown.slice(0, 60)).toBe(given.slice(0, 60));
  if (!real) expect(shown).toBe(given);
});

test("an answer leads to its trace and is still there on the way back, and after a reload", async ({ page, request }) => {
  waitsForAnswers(1);
  const { app } = await subject(request);
  await ask(page, app, QUESTION);
  const answer = await page.locator(".answer-text").innerText();
  await page.locator(".answer-foot").getByRole("link", { name: "Trace" }).click();
  await expect(page).toHaveURL(/\/traces\/[0-9a-f]{32}$/);
  await expect(page.getByRole("treeitem").first()).toBeVisible();
  await page.goBack();
  await expect(page.locator(".answer-foot")).toBeVisible();
  expect(await page.locator(".answer-text").innerText()).toBe(answer);
  await page.reload();
  await expect(page.locator(".answer-foot")).toBeVisible();
  expect(await page.locator(".answer-text").innerText()).toBe(answer);
});

test("Escape stops an answer whose sources are there, and a new conversation forgets it", async ({ page, request }) => {
  waitsForAnswers(1);
  const app = await writer(request);
  await page.goto(`/playground/${app}`);
  await page.getByLabel("Your question").fill(QUESTION);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Stop (Esc)" })).toBeVisible();
  const panel = page.getByRole("complementary", { name: "Sources" });
  await expect(panel.locator(".source").first()).toBeVisible({ timeout: ANSWER_MS });
  await expect(panel.getByText("not cited")).toHaveCount(0);
  await page.keyboard.press("Escape");
  await expect(page.getByText("Stopped.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Send (Enter)" })).toBeVisible();
  await page.getByRole("button", { name: "New conversation" }).click();
  await expect(page.locator(".turn")).toHaveCount(0);
  await expect(page.getByLabel("Your question")).toBeFocused();
});

test("an example question is asked with one press", async ({ page, request }) => {
  waitsForAnswers(1);
  const app = (await apps(request)).find((a) => a.examples.length > 0);
  expect(app, "an app has examples").toBeDefined();
  await page.goto(`/playground/${app!.name}`);
  await page.getByRole("button", { name: app!.examples[0]! }).click();
  await expect(page.locator(".question")).toContainText(app!.examples[0]!);
  await expect(page.locator(".answer-foot")).toBeVisible({ timeout: ANSWER_MS });
});

test("a sentence that no source carries is underlined, and a number that no source has is told", async ({ page, request }) => {
  const { app } = await subject(request);
  const guess = "It was bought in 1971.";
  const text = `The pump is painted red [1]. ${guess} The miller cleans it [7].`;
  const at = (part: string) => ({ start: text.indexOf(part), end: text.indexOf(part) + part.length });
  const source = {
    number: 1,
    knowledge: "mill@v1",
    document: "doc_1",
    chunk: "chk_1",
    title: "The mill",
    uri: "file:///mill.md",
    heading_path: [],
    page: null,
    start: 0,
    end: 24,
    text: "The pump is painted red.",
    scores: { score: 1 },
    cited: true,
  };
  const outcome = {
    trace_id: "0af7651916cd43dd8448eb211c80319c",
    abstained: false,
    sources: [source],
    citations: [{ source: 1, ...at("[1]"), origin: "cited", support: 1 }],
    unsupported: [{ ...at(guess), text: guess }],
    invented_citations: [7],
    dropped_sources: 2,
  };
  await answerWith(page, [
    { choices: [{ index: 0, delta: { content: text }, finish_reason: null }] },
    { choices: [{ index: 0, delta: {}, finish_reason: "stop" }], mainspring: outcome },
  ]);
  await ask(page, app, "anything");
  const answer = page.locator(".answer-text");
  await expect(answer.locator("mark.unsupported")).toHaveText(guess);
  await expect(answer.getByRole("button", { name: "Source 1: The mill" })).toBeVisible();
  await expect(answer.locator(".cite.invented")).toHaveText("7");
  const support = page.locator(".support");
  await expect(support).toContainText("1 sentence underlined has no support in the sources");
  await expect(support).toContainText("Cites [7], which is no source");
  await expect(support).toContainText("2 found passages did not fit the prompt");
});

test("an app that finds nothing relevant says that nothing was guessed", async ({ page, request }) => {
  const { app } = await subject(request);
  const outcome = { trace_id: "0af7651916cd43dd8448eb211c80319c", abstained: true, sources: [], citations: [], unsupported: [] };
  await answerWith(page, [
    { choices: [{ index: 0, delta: { content: "This is not in the documents." }, finish_reason: null }] },
    { choices: [{ index: 0, delta: {}, finish_reason: "stop" }], mainspring: outcome },
  ]);
  await ask(page, app, "anything");
  await expect(page.locator(".answer")).toContainText("Nothing relevant was found in the documents, so nothing was guessed.");
  await expect(page.locator(".answer-text")).toHaveText("This is not in the documents.");
  await expect(page.getByRole("complementary", { name: "Sources" })).toContainText("Nothing in the documents was close enough");
});

test("an answer says that the documents were not all read, and not that they say nothing", async ({ page, request }) => {
  const { app } = await subject(request);
  const text = "The documents of `mill` are still being read (3 of 40 so far), and nothing that was read yet answers this.";
  const unread = [
    { knowledge: "mill", state: "under_way", documents: { read: 3, found: 40 } },
    { knowledge: "barn", state: "broken_off", code: "model-not-installed" },
    { knowledge: "well", state: "not_begun" },
    { knowledge: "yard", state: "source_unread", sources: ["wiki"], code: "source-unreachable" },
  ];
  const outcome = { trace_id: "0af7651916cd43dd8448eb211c80319c", abstained: true, unread, sources: [], citations: [], unsupported: [] };
  await answerWith(page, [
    { choices: [{ index: 0, delta: { content: text }, finish_reason: null }] },
    { choices: [{ index: 0, delta: {}, finish_reason: "stop" }], mainspring: outcome },
  ]);
  await ask(page, app, "anything");
  const notes = page.locator(".answer .unread-note");
  await expect(notes).toHaveText([
    "The documents of mill are still being read, 3 of 40 so far.",
    "The documents of barn were not read to the end (model-not-installed).",
    "The documents of well have not been read yet.",
    "The source wiki of yard has not been read since it was added or changed (source-unreachable).",
  ]);
  await expect(notes.first().getByRole("link", { name: "mill" })).toHaveAttribute("href", "/knowledge/mill");
  await expect(page.locator(".answer")).not.toContainText("Nothing relevant was found");
  await expect(page.getByRole("complementary", { name: "Sources" })).toContainText("Nothing that was read so far");
});

test("HTML and script links in an answer stay text", async ({ page, request }) => {
  const { app } = await subject(request);
  const text =
    'Hello <img src=x onerror="window.pwned=1"> <script>window.pwned=1</script> [click](javascript:window.pwned=1) **bold** ![pic](https://example.com/a.png)';
  await answerWith(page, [
    { choices: [{ index: 0, delta: { content: text }, finish_reason: null }] },
    { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
  ]);
  await ask(page, app, "anything");
  const answer = page.locator(".answer-text");
  await expect(answer.locator("strong")).toHaveText("bold");
  await expect(answer.locator("img, script, a")).toHaveCount(0);
  await expect(answer).toContainText("<img src=x");
  expect(await page.evaluate(() => "pwned" in window)).toBe(false);
});

test("an answer that breaks off says so", async ({ page, request }) => {
  const { app } = await subject(request);
  await answerWith(page, [{ choices: [{ index: 0, delta: { content: "Half an" }, finish_reason: null }] }], false);
  await page.goto(`/playground/${app}`);
  await page.getByLabel("Your question").fill("anything");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText("broke off");
  await expect(page.locator(".answer-text")).toContainText("Half an");
});
