import { describe, expect, test } from "vitest";
import type { PanelData } from "@/api/types";
import {
  attributeName,
  behindFilter,
  byAttribute,
  drawn,
  formatOf,
  formatOfPanel,
  isAsked,
  isDrawn,
  isOfEntries,
  isSum,
  measureLabel,
  metricBehind,
  stretchAround,
  summaryOf,
  timesOf,
  tracesBehind,
} from "./panels";

const FROM = "2026-11-27T00:00:00.000000Z";
const TO = "2026-11-27T00:03:00.001000Z";

const panel = (of: Partial<PanelData>): PanelData => ({
  title: "Calls",
  chart: "bar",
  unit: "count",
  state: "data",
  measures: ["count"],
  filter: "",
  rows: [],
  more: false,
  ...of,
});

const row = (minute: number, model: string | null, count: number | null) => ({
  start: `2026-11-27T00:0${minute}:00.000000Z`,
  keys: { model },
  values: { count },
});

describe("times", () => {
  test("every bucket is there, also the one that has just begun", () => {
    expect(timesOf(FROM, TO, 60_000).map((s) => new Date(s * 1000).getUTCMinutes())).toEqual([0, 1, 2, 3]);
    expect(timesOf(FROM, FROM, 60_000)).toEqual([]);
    expect(timesOf("never", TO, 60_000)).toEqual([]);
    expect(timesOf(FROM, TO, 0)).toEqual([]);
  });

  test("a stretch has some length and whole seconds", () => {
    expect(stretchAround(10.9, 12.1)).toEqual({ from: "1970-01-01T00:00:10.000Z", to: "1970-01-01T00:00:13.000Z" });
    expect(stretchAround(12, 12)).toEqual({ from: "1970-01-01T00:00:12.000Z", to: "1970-01-01T00:00:13.000Z" });
    expect(stretchAround(20, 10).from).toBe("1970-01-01T00:00:10.000Z");
  });
});

test("no two marks of an axis say the same", () => {
  const { axis } = formatOf("count");
  expect([0, 0.5, 1, 1.5, 2_000].map(axis)).toEqual(["0", "0.5", "1", "1.5", "2,000"]);
});

describe("what is drawn", () => {
  const times = timesOf(FROM, TO, 60_000);

  test("bars of several groups stand upon one another, and are lines where they come to nothing together", () => {
    const rows = [row(0, "gpt", 2), row(0, "qwen", 9)];
    const shown = (of: Partial<PanelData>) => {
      const { series, stacked } = drawn(panel({ by: "model", rows, ...of }), times);
      return [...series.map((s) => s.shape), stacked];
    };
    expect(shown({ rows: [row(0, "gpt", 2), row(2, "gpt", 1)] })).toEqual(["bar", false]);
    expect(shown({})).toEqual(["bar", "bar", true]);
    expect(shown({ chart: "line" })).toEqual(["line", "line", false]);
    const rates = rows.map((of) => ({ ...of, values: { error_rate: 0.5 } }));
    expect(shown({ measures: ["error_rate"], unit: "share", rows: rates })).toEqual(["line", "line", false]);
    const two = (one: string, other: string) => {
      const values = [{ start: FROM, keys: {}, values: { [one]: 3, [other]: 1 } }];
      return shown({ by: undefined, measures: [one, other], rows: values });
    };
    expect(two("input_tokens", "output_tokens")).toEqual(["bar", "bar", true]);
    // An error is counted already.
    expect(two("count", "errors")).toEqual(["line", "line", false]);
  });

  test("only what adds up is put upon another", () => {
    const of = (...measures: string[]) => isSum({ measures });
    for (const sum of ["count", "errors", "cost", "input_tokens", "score.helpful.count"]) expect(of(sum), sum).toBe(true);
    for (const no of ["error_rate", "duration_p95", "cost_mean", "cost_max", "users", "sessions", "traces", "score.helpful.mean"]) {
      expect(of(no), no).toBe(false);
    }
    // SQL says nothing of what its columns are.
    expect(of()).toBe(false);
  });

  test("counts are nought where nothing happened, values told apart have a series each", () => {
    const { series, keys } = drawn(panel({ by: "model", rows: [row(0, "gpt", 2), row(2, "gpt", 1), row(2, null, 5)] }), times);
    expect(keys).toEqual(["gpt", null]);
    expect(series.map((s) => [s.label, s.values])).toEqual([
      ["gpt", [2, 0, 1, 0]],
      ["none", [0, 0, 5, 0]],
    ]);
    expect(series[0]!.color).not.toBe(series[1]!.color);
  });

  test("a line has gaps where nothing was measured", () => {
    const rows = [{ start: FROM, keys: {}, values: { duration_p50: 1.5, duration_p95: null } }];
    const { series } = drawn(panel({ chart: "line", unit: "milliseconds", measures: ["duration_p50", "duration_p95"], rows }), times);
    expect(series.map((s) => [s.label, s.values])).toEqual([
      ["p50", [1.5, null, null, null]],
      ["p95", [null, null, null, null]],
    ]);
  });

  test("SQL with a column of times is drawn, other SQL is a table", () => {
    const columns = [
      { name: "start", type: "BIGINT" },
      { name: "best_similarity", type: "DOUBLE" },
    ];
    const rows = [[Date.parse(FROM) * 1000 + 60_000_000, 0.5]];
    const asked = panel({ chart: "line", measures: [], table: { columns, rows, more: false } });
    expect(isDrawn(asked)).toBe(true);
    expect(drawn(asked, times).series.map((s) => [s.label, s.values])).toEqual([["best similarity", [null, 0.5, null, null]]]);
    expect(isDrawn(panel({ chart: "line", table: { columns: columns.slice(1), rows: [], more: false } }))).toBe(false);
    expect(isDrawn(panel({ chart: "table" }))).toBe(false);
  });

  test("texts of SQL tell lines apart, each with the name of its number where there are several", () => {
    const at = (minute: number) => Date.parse(FROM) * 1000 + minute * 60_000_000;
    const asked = (names: string[], rows: unknown[][]) => {
      const columns = names.map((name) => ({ name, type: name === "score" || name === "by" ? "TEXT" : "DOUBLE" }));
      return drawn(panel({ chart: "line", measures: [], table: { columns, rows, more: false } }), times);
    };
    const one = asked(
      ["start", "score", "mean"],
      [
        [at(0), "relevance", 0.4],
        [at(0), "ok", 1],
        [at(2), "relevance", 0.6],
        [at(2), null, 7],
      ],
    );
    expect(one.series.map((s) => [s.label, s.values])).toEqual([
      ["relevance", [0.4, null, 0.6, null]],
      ["ok", [1, null, null, null]],
      ["none", [null, null, 7, null]],
    ]);
    const two = asked(["start", "score", "by", "mean", "best_one"], [[at(1), "ok", "people", 0.5, 1]]);
    expect(two.series.map((s) => [s.label, s.values[1]])).toEqual([
      ["ok, people, mean", 0.5],
      ["ok, people, best one", 1],
    ]);
    expect(two.more).toBe(false);

    // Of very many those that say the most are drawn.
    const many = Array.from({ length: 20 }, (_, i) => [[at(0), `u${i}`, i], ...(i >= 12 ? [[at(1), `u${i}`, i]] : [])]).flat();
    const cut = asked(["start", "score", "mean"], many);
    expect([cut.series.map((s) => s.label), cut.more]).toEqual([[12, 13, 14, 15, 16, 17, 18, 19].map((i) => `u${i}`), true]);
  });

  test("those who cannot see it are told how it went", () => {
    const asked = panel({ by: "model", rows: [row(0, "gpt", 2)] });
    expect(summaryOf(asked, drawn(asked, times))).toBe("Calls, 4 points in time. gpt: from 0 to 2");
  });
});

test("numbers are written in the unit of their panel", () => {
  expect(formatOf("share").format(0.25)).toContain("25");
  expect(formatOf("milliseconds").format(1500)).toBe("1.50 s");
  expect(formatOf("dollars").axis(0)).toBe("$0");
  expect(formatOf("count").format(0.123456)).toBe("0.1235");
  expect(measureLabel("first_token_p95")).toBe("p95");
  expect(measureLabel("error_rate")).toBe("error rate");
});

describe("a panel of a metric", () => {
  const orders = panel({
    title: "Orders",
    unit: "count",
    measures: ["increase"],
    by: "region",
    metric: { name: "shop.orders", form: { kind: "sum", unit: "{order}", temporality: "cumulative", monotonic: true } },
    bucket_ms: 120_000,
    rows: [
      { start: FROM, keys: { region: "eu" }, values: { increase: 4 } },
      { start: "2026-11-27T00:02:00.000000Z", keys: { region: "us" }, values: { increase: 1 } },
    ],
  });

  test("has steps of its own and the unit of the metric, and no nought where no program said anything", () => {
    const shown = drawn(orders, timesOf(FROM, TO, orders.bucket_ms!));
    expect(shown.series.map((s) => [s.label, s.values])).toEqual([
      ["eu", [4, null]],
      ["us", [null, 1]],
    ]);
    expect(summaryOf(orders, shown)).toBe("Orders, 2 points in time. eu: from 4 order to 4 order; us: from 1 order to 1 order");
    expect(formatOfPanel({ ...orders, measures: ["rate"] }).format(0.5)).toBe("0.5 order/s");
    expect(formatOfPanel({ ...orders, metric: { name: "shop.orders" } }).format(7)).toBe("7");
    const alone = drawn({ ...orders, rows: orders.rows.slice(0, 1) }, timesOf(FROM, TO, 120_000));
    expect(alone.series.map((s) => [s.shape, s.values])).toEqual([["bar", [4, null]]]);
  });

  test("leads to the metric and not to spans", () => {
    const to = new URL(metricBehind(orders, { from: FROM, to: TO })!, "http://x");
    expect(to.pathname).toBe("/observe/metrics/shop.orders");
    expect(Object.fromEntries(to.searchParams)).toEqual({ from: FROM, to: TO, by: "region", form: "counter {order}" });
    expect(metricBehind(panel({}), { from: FROM, to: TO })).toBeNull();
    expect(isAsked(orders)).toBe(false);
  });
});

test("an attribute is named as it is, or as filters write it", () => {
  for (const name of ["", "shop.region", "attributes['a \"b\"']"]) expect(attributeName(byAttribute(name))).toBe(name);
  expect(attributeName(byAttribute('a "b" \\'))).toBe('attributes["a \\"b\\" \\\\"]');
  expect(attributeName("model")).toBe("");
});

describe("what lies behind a point", () => {
  const stretch = { from: "2026-11-27T00:00:00Z", to: "2026-11-27T00:01:00Z" };
  const search = (of: Partial<PanelData>, key?: string | null, within = "") =>
    new URL(tracesBehind(panel(of), key, within, stretch), "http://x").searchParams;

  test("is asked of every span of a trace, unless only entries are measured", () => {
    expect(search({ filter: "type in (chat, embedding)" }).get("any")).toBe("true");
    expect(search({ filter: "" }).get("any")).toBe("true");
    expect(search({ filter: "entry" }).get("any")).toBeNull();
    expect(search({ filter: "entry and app = desk" }, undefined, "error").get("filter")).toBe("(entry and app = desk) and (error)");
    expect(search({ filter: "entry" }).get("from")).toBe(stretch.from);
    expect(isOfEntries("entry and app = desk or type = tool")).toBe(false);
    expect(isOfEntries("not entry")).toBe(false);
    expect(isOfEntries("entryway = 1")).toBe(false);
  });

  test("is of the value that was clicked on", () => {
    const by = panel({ by: "model", filter: "entry" });
    expect(behindFilter(by, undefined, "")).toBe("entry");
    expect(behindFilter(by, null, "")).toBe("(entry) and (not model exists)");
    expect(behindFilter(by, 'a "b" \\', "app = desk")).toBe('(entry) and (model = "a \\"b\\" \\\\") and (app = desk)');
    expect(behindFilter(panel({ measures: ["errors"] }), "gpt", "")).toBe("error");
    // Of what was spent, only what cost something is of interest.
    expect(behindFilter(panel({ measures: ["cost"] }), undefined, "")).toBe("cost exists");
    const tokens = panel({ measures: ["input_tokens_p50", "input_tokens_p95", "output_tokens"] });
    expect(behindFilter(tokens, undefined, "app = desk")).toBe("(input_tokens exists or output_tokens exists) and (app = desk)");
    expect(behindFilter(panel({ measures: ["first_token_p50", "count"] }), undefined, "")).toBe("");
  });

  test("is of the attribute's value, which may have been a number", () => {
    const region = byAttribute("shop.region");
    expect(region).toBe('attributes["shop.region"]');
    const by = panel({ by: region, filter: "entry" });
    expect(behindFilter(by, "eu", "")).toBe('(entry) and (attributes["shop.region"] = "eu")');
    expect(behindFilter(by, null, "")).toBe('(entry) and (not attributes["shop.region"] exists)');
    for (const written of ["7", "-0.5", "1e21", "true"]) {
      expect(behindFilter(by, written, "")).toBe(`(entry) and (attributes["shop.region"] in ("${written}", ${written}))`);
    }
    expect(behindFilter(by, "007", "")).toBe('(entry) and (attributes["shop.region"] = "007")');
    expect(behindFilter(panel({ by: "release" }), "7", "")).toBe('release = "7"');
  });

  test("is not what SQL asked", () => {
    expect(isAsked(panel({ measures: [] }))).toBe(true);
    expect(isAsked(panel({}))).toBe(false);
  });
});
