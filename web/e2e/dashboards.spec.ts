import { expect, real, test } from "./support";

/** One panel with three buckets, the second of which is the largest. */
const data = (from: string, to: string, more: object = {}) => {
  const begin = Date.parse(from);
  const width = (Date.parse(to) - begin) / 3;
  const rows = [2, 9, 4].map((count, i) => ({ start: new Date(begin + i * width).toISOString(), keys: {}, values: { count } }));
  const panel = { title: "Requests", chart: "bar", unit: "count", state: "data", measures: ["count"], filter: "entry", rows, more: false };
  const nothing = { ...panel, title: "Guardrails", state: "nothing", filter: "type = guardrail", rows: [] };
  return { name: "overview", title: "Overview", from, to, bucket_ms: width, panels: [panel, nothing], ...more };
};

const DATA = /\/api\/v1\/dashboards\/[^/]+\/data/;

test("the built-in dashboard is there without anybody writing it, and a panel without data says so", async ({ page }) => {
  await page.goto("/dashboards");
  await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
  const guardrails = page.getByRole("region", { name: "Guardrails", exact: true });
  if (!real) await expect(guardrails).toContainText("No data in this time");
  await expect(page.getByRole("region", { name: "Latency", exact: true })).toBeVisible();
});

test("the group-by and the filter are asked of the server, and stay in the address", async ({ page }) => {
  const asked: URL[] = [];
  await page.route(DATA, (route) => {
    const url = new URL(route.request().url());
    asked.push(url);
    return route.fulfill({ json: data(url.searchParams.get("from")!, url.searchParams.get("to")!) });
  });
  await page.goto("/dashboards");
  await page.getByLabel("Group by").selectOption("release");
  await expect.poll(() => asked.at(-1)?.searchParams.get("by")).toBe("release");
  await expect(page).toHaveURL(/by=release/);
  await page.reload();
  await expect(page.getByLabel("Group by")).toHaveValue("release");
});

test("an attribute is chosen by its name, of those that were seen, and stays in the address", async ({ page }) => {
  const asked: URL[] = [];
  await page.route(DATA, (route) => {
    const url = new URL(route.request().url());
    asked.push(url);
    return route.fulfill({ json: data(url.searchParams.get("from")!, url.searchParams.get("to")!) });
  });
  await page.route("**/api/v1/traces/conventions", (route) =>
    route.fulfill({ json: { services: [], unknown: [], attributes: ["shop.region", "tenant.tier"], spans: 2 } }),
  );
  await page.goto("/dashboards?by=model");
  await page.getByLabel("Group by").selectOption("attribute");
  const attribute = page.getByLabel("Attribute", { exact: true });
  await expect(attribute).toBeFocused();
  await expect(page.locator("datalist option")).toHaveCount(2);
  expect(asked.every((url) => url.searchParams.get("by") === "model")).toBe(true);
  await attribute.fill("shop.region");
  await attribute.press("Enter");
  await expect.poll(() => asked.at(-1)?.searchParams.get("by")).toBe('attributes["shop.region"]');
  await page.reload();
  await expect(page.getByLabel("Group by")).toHaveValue("attribute");
  await expect(attribute).toHaveValue("shop.region");
  await page.getByLabel("Group by").selectOption("release");
  await expect.poll(() => asked.at(-1)?.searchParams.get("by")).toBe("release");
  await expect(attribute).toHaveCount(0);
});

test("a chart is read, zoomed and opened from the keyboard", async ({ page }) => {
  const asked: URL[] = [];
  await page.route(DATA, (route) => {
    const url = new URL(route.request().url());
    asked.push(url);
    return route.fulfill({ json: data(url.searchParams.get("from")!, url.searchParams.get("to")!) });
  });
  const span = { trace_id: "a".repeat(32), span: "b".repeat(16), name: "POST /answers", kind: "server", entry: true, tags: [], status: "ok" };
  let behind: URL | undefined;
  await page.route(/\/api\/v1\/spans\?/, (route) => {
    behind = new URL(route.request().url());
    return route.fulfill({ json: { items: [{ ...span, start: "2026-11-27T00:00:00Z", duration_ms: 12 }], next: null } });
  });
  await page.goto("/dashboards?from=2025-01-01T00:00:00.000Z&to=2025-01-01T03:00:00.000Z");
  const chart = page.getByRole("slider", { name: /^Requests/ });
  await chart.focus();
  await chart.press("Home");
  await expect(chart).toHaveAttribute("aria-valuetext", /count 2/);
  await chart.press("ArrowRight");
  await expect(chart).toHaveAttribute("aria-valuetext", /count 9/);
  await chart.press("Enter");
  const dialog = page.getByRole("dialog", { name: /^Requests/ });
  await expect(dialog.getByRole("link", { name: "POST /answers" })).toHaveAttribute("href", `/traces/${"a".repeat(32)}`);
  expect(behind!.searchParams.get("filter")).toBe("entry");
  expect([behind!.searchParams.get("from"), behind!.searchParams.get("to")]).toEqual(["2025-01-01T01:00:00.000Z", "2025-01-01T02:00:00.000Z"]);
  await page.keyboard.press("Escape");

  await chart.press("Home");
  await chart.press("ArrowRight");
  await chart.press("+");
  await expect.poll(() => asked.at(-1)?.searchParams.get("from")).toBe("2025-01-01T00:45:00.000Z");
  expect(asked.at(-1)?.searchParams.get("to")).toBe("2025-01-01T02:15:00.000Z");
  await page.getByRole("button", { name: /back to the whole time/ }).click();
  await expect(page).not.toHaveURL(/from=/);
});

test("every chart is a table too", async ({ page }) => {
  await page.route(DATA, (route) => route.fulfill({ json: data("2025-01-01T00:00:00.000Z", "2025-01-01T03:00:00.000Z") }));
  await page.goto("/dashboards");
  const panel = page.getByRole("region", { name: "Requests", exact: true });
  await panel.getByText("As a table").click();
  await expect(panel.getByRole("row")).toHaveCount(4);
  await expect(panel.getByRole("row").nth(1)).toContainText("4");
});

test("a click on a line shows the spans of its value, and leads to traces of which any span is one", async ({ page }) => {
  const [from, to] = ["2025-01-01T00:00:00.000Z", "2025-01-01T03:00:00.000Z"];
  const whole = data(from, to);
  const rows = whole.panels[0]!.rows.flatMap(({ start }) => [
    { start, keys: { model: "large" }, values: { count: 100 } },
    { start, keys: { model: "small" }, values: { count: 1 } },
  ]);
  const panel = { ...whole.panels[0]!, title: "Model calls", chart: "line", filter: "type = chat", by: "model", rows };
  await page.route(DATA, (route) => route.fulfill({ json: { ...whole, panels: [panel] } }));
  const behind: (string | null)[] = [];
  await page.route(/\/api\/v1\/spans\?/, (route) => {
    behind.push(new URL(route.request().url()).searchParams.get("filter"));
    return route.fulfill({ json: { items: [], next: null } });
  });
  await page.goto(`/dashboards?by=model&from=${from}&to=${to}`);
  const plot = page.getByRole("region", { name: "Model calls" }).locator(".u-over");
  const box = (await plot.boundingBox())!;
  await plot.click({ position: { x: box.width / 2, y: box.height - 4 } });
  const dialog = page.getByRole("dialog", { name: /^Model calls/ });
  await expect.poll(() => behind.at(-1)).toBe('(type = chat) and (model = "small")');
  const link = dialog.getByRole("link", { name: "Look in traces" });
  await expect(link).toHaveAttribute("href", /any=true/);
  await expect(dialog.getByLabel("model")).toHaveValue("1");
  await dialog.getByLabel("model").selectOption({ label: "large" });
  await expect.poll(() => behind.at(-1)).toBe('(type = chat) and (model = "large")');
  await dialog.getByLabel("model").selectOption({ label: "All of them" });
  await expect.poll(() => behind.at(-1)).toBe("type = chat");
});

test("bars of several groups stand upon one another: the total and each part are read, and a part is opened from the keyboard", async ({ page }) => {
  const [from, to] = ["2025-01-01T00:00:00.000Z", "2025-01-01T03:00:00.000Z"];
  const whole = data(from, to);
  const rows = whole.panels[0]!.rows.flatMap(({ start }, i) => [
    { start, keys: { model: "large" }, values: { count: 60 } },
    { start, keys: { model: "small" }, values: { count: 40 * i } },
  ]);
  const panel = { ...whole.panels[0]!, title: "Model calls", filter: "type = chat", by: "model", rows };
  await page.route(DATA, (route) => route.fulfill({ json: { ...whole, panels: [panel] } }));
  const behind: (string | null)[] = [];
  await page.route(/\/api\/v1\/spans\?/, (route) => {
    behind.push(new URL(route.request().url()).searchParams.get("filter"));
    return route.fulfill({ json: { items: [], next: null } });
  });
  await page.goto(`/dashboards?by=model&from=${from}&to=${to}`);
  const region = page.getByRole("region", { name: "Model calls" });
  const chart = region.getByRole("slider");
  await chart.focus();
  await chart.press("End");
  await expect(chart).toHaveAttribute("aria-valuetext", /large 60, small 80, total 140$/);
  await chart.press("ArrowUp");
  await expect(chart).toHaveAttribute("aria-valuetext", /: large 60, total 140$/);
  await chart.press("ArrowUp");
  await expect(chart).toHaveAttribute("aria-valuetext", /: small 80, total 140$/);
  const tip = region.locator(".chart-tip");
  await expect(tip).toBeVisible();
  // As it stands: the lowest part last, and what it comes to beneath.
  await expect(tip.locator("> span")).toHaveText(["small80", "large60", "total140"]);
  await chart.press("Enter");
  const dialog = page.getByRole("dialog", { name: /^Model calls/ });
  await expect(dialog).toBeVisible();
  await expect.poll(() => behind.at(-1)).toBe('(type = chat) and (model = "small")');
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);

  // Within the upper part of the last bar a click means that part, although the lower one is nearer to the axis.
  const plot = region.locator(".u-over");
  const box = (await plot.boundingBox())!;
  const at = (share: number) => ({ x: box.width * (5 / 6), y: box.height * (1 - share / 1.12) });
  await plot.click({ position: at(100 / 140) });
  await expect.poll(() => behind.at(-1)).toBe('(type = chat) and (model = "small")');
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await plot.click({ position: at(20 / 140) });
  await expect.poll(() => behind.at(-1)).toBe('(type = chat) and (model = "large")');
  await page.keyboard.press("Escape");

  await region.getByText("As a table").click();
  await expect(region.getByRole("columnheader").last()).toHaveText("total");
  await expect(region.getByRole("row").nth(1).getByRole("cell").last()).toHaveText("140");
});

test("bars upon one another have the page's colours by day and by night, and none shines through another", async ({ page }) => {
  const [from, to] = ["2025-01-01T00:00:00.000Z", "2025-01-01T03:00:00.000Z"];
  const whole = data(from, to);
  const rows = whole.panels[0]!.rows.flatMap(({ start }) => ["large", "small"].map((model) => ({ start, keys: { model }, values: { count: 50 } })));
  await page.route(DATA, (route) => route.fulfill({ json: { ...whole, panels: [{ ...whole.panels[0]!, by: "model", rows }] } }));
  const colors: string[][] = [];
  for (const scheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.goto(`/dashboards?by=model&from=${from}&to=${to}`);
    const region = page.getByRole("region", { name: "Requests", exact: true });
    await expect(region.locator("canvas")).toBeVisible();
    // The middle of either half of the second bar, as it was painted, beside what the legend says.
    const painted = () =>
      region.locator("canvas").evaluate((canvas: HTMLCanvasElement) => {
        const over = canvas.parentElement!.querySelector<HTMLElement>(".u-over")!;
        const ratio = canvas.width / canvas.clientWidth;
        const brush = canvas.getContext("2d", { willReadFrequently: true })!;
        const x = (over.offsetLeft + over.clientWidth / 2) * ratio;
        return [0.25, 0.75].map((share) => {
          const y = (over.offsetTop + over.clientHeight * (1 - share / 1.12)) * ratio;
          return [...brush.getImageData(Math.round(x), Math.round(y), 1, 1).data].join();
        });
      });
    const legend = await region.locator(".chart-legend i").evaluateAll((marks) =>
      marks.map((mark) => {
        const brush = document.createElement("canvas").getContext("2d")!;
        brush.fillStyle = getComputedStyle(mark).backgroundColor;
        brush.fillRect(0, 0, 1, 1);
        return [...brush.getImageData(0, 0, 1, 1).data].join();
      }),
    );
    expect(legend).toHaveLength(2);
    await expect.poll(painted).toEqual(legend);
    colors.push(legend);
  }
  expect(colors[0]).not.toEqual(colors[1]);
});

test("a panel that is asked in SQL says that the filter does not reach it", async ({ page }) => {
  const whole = data("2025-01-01T00:00:00.000Z", "2025-01-01T03:00:00.000Z");
  const table = { columns: [{ name: "calls", type: "BIGINT" }], rows: [[412]], more: false };
  const asked = { ...whole.panels[0]!, title: "Feedback", chart: "table", measures: [], filter: "", rows: [], table };
  await page.route(DATA, (route) => route.fulfill({ json: { ...whole, panels: [...whole.panels, asked] } }));
  await page.goto("/dashboards");
  const panel = page.getByRole("region", { name: "Feedback" });
  await expect(panel.getByRole("cell", { name: "412" })).toBeVisible();
  await expect(panel.getByText(/asked in SQL/)).toHaveCount(0);
  await page.getByLabel("Group by").selectOption("model");
  await expect(panel.getByText(/asked in SQL/)).toBeVisible();
  await expect(page.getByRole("region", { name: "Requests", exact: true }).getByText(/asked in SQL/)).toHaveCount(0);
});

test("a table of SQL has its unit, and heads stand above their numbers", async ({ page }) => {
  const whole = data("2025-01-01T00:00:00.000Z", "2025-01-01T03:00:00.000Z");
  const columns = [
    { name: "user", type: "TEXT" },
    { name: "calls", type: "BIGINT" },
    { name: "spent", type: "DOUBLE" },
  ];
  const table = { columns, rows: [["ada", 412, 0.2130802]], more: false };
  const dearest = { ...whole.panels[0]!, title: "Dearest users", chart: "table", unit: "dollars", measures: [], filter: "", rows: [], table };
  await page.route(DATA, (route) => route.fulfill({ json: { ...whole, panels: [dearest] } }));
  await page.goto("/dashboards");
  const panel = page.getByRole("region", { name: "Dearest users" });
  await expect(panel.getByRole("cell")).toHaveText(["ada", "412", "$0.21"]);
  for (const name of ["calls", "spent"]) await expect(panel.getByRole("columnheader", { name })).toHaveCSS("text-align", "right");
});

test("a panel of SQL has a line for each value of a text", async ({ page }) => {
  test.skip(real, "which scores there are is made up here");
  await page.goto("/dashboards");
  const panel = page.getByRole("region", { name: "Feedback and scores", exact: true });
  await panel.getByText("As a table").click();
  await expect(panel.getByRole("columnheader")).toHaveText(["From", "relevance", "grounded", "feedback, by people"]);
});

test("a panel of a metric has its own groups and unit, says that the filter does not reach it, and leads to the metric", async ({ page }) => {
  test.skip(real, "which dashboards and metrics there are is made up here");
  const behind: string[] = [];
  page.on("request", (request) => /\/api\/v1\/spans\?/.test(request.url()) && behind.push(request.url()));
  await page.goto("/dashboards/desk?from=2026-01-01T00:00:00.000Z&to=2026-01-01T01:00:00.000Z");
  const panel = page.getByRole("region", { name: "Orders", exact: true });
  const chart = panel.getByRole("slider", { name: /^Orders, 30 points in time/ });
  await chart.focus();
  await chart.press("Home");
  await expect(chart).toHaveAttribute("aria-valuetext", /eu \d.* order\/s/);
  await expect(chart).toHaveAttribute("aria-valuetext", /us \d.* order\/s/);
  await chart.press("Enter");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  expect(behind).toEqual([]);
  await panel.getByText("As a table").click();
  await expect(panel.getByRole("columnheader")).toHaveText(["From", "eu", "us"]);
  await expect(panel.getByText(/this is a metric/)).toHaveCount(0);
  await page.getByLabel("Group by").selectOption("model");
  await expect(panel.getByText(/this is a metric/)).toBeVisible();
  await expect(panel.getByRole("columnheader")).toHaveText(["From", "eu", "us"]);
  await panel.getByRole("link", { name: "Look at the metric" }).click();
  await expect(page).toHaveURL(/\/observe\/metrics\/shop\.orders\?.*by=region/);
  await expect(page.getByRole("heading", { level: 1, name: "shop.orders" })).toBeVisible();
});

test("a panel that failed says why, and the others are there", async ({ page }) => {
  const from = "2025-01-01T00:00:00.000Z";
  const to = "2025-01-01T03:00:00.000Z";
  const broken = {
    title: "Broken",
    chart: "table",
    unit: "count",
    state: "failed",
    measures: [],
    filter: "",
    rows: [],
    more: false,
    problem: { code: "lake-bad-sql", detail: "No field named nothing_like_it." },
  };
  await page.route(DATA, (route) => route.fulfill({ json: data(from, to, { panels: [...data(from, to).panels, broken] }) }));
  await page.goto("/dashboards");
  await expect(page.getByRole("region", { name: "Broken" }).getByRole("alert")).toContainText("nothing_like_it");
  await expect(page.getByRole("region", { name: "Requests", exact: true }).getByRole("slider")).toBeVisible();
});

test("SQL is asked, answered as a table, and an error says where it is", async ({ page }) => {
  await page.goto("/sql");
  await expect(page.getByRole("complementary", { name: "Tables" })).toContainText("spans");
  const box = page.getByLabel("Question in SQL");
  await page.route("**/api/v1/sql", (route) => {
    const { query } = route.request().postDataJSON() as { query: string };
    if (query.startsWith("selec "))
      return route.fulfill({
        status: 400,
        contentType: "application/problem+json",
        json: {
          type: "/errors/lake-bad-sql",
          title: "Bad Request",
          status: 400,
          code: "lake-bad-sql",
          detail: "Expected: an SQL statement, found: selec at Line: 1, Column: 1",
          request_id: "req_e2e",
        },
      });
    return route.fulfill({ json: { columns: [{ name: "calls", type: "BIGINT" }], rows: [[412]], more: false } });
  });
  await box.fill("select count(*) as calls from spans");
  await box.press("Control+Enter");
  await expect(page.getByRole("cell", { name: "412" })).toBeVisible();
  await expect(page).toHaveURL(/query=/);
  await box.fill("selec 1");
  await page.getByRole("button", { name: "Ask" }).click();
  await expect(page.getByRole("alert")).toContainText("lake-bad-sql");
  await expect(box).toBeFocused();
});
