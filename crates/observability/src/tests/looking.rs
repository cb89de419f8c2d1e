//! SQL, dashboards and PromQL over what was recorded.

use std::collections::BTreeMap;

use mainspring_kernel::FaultKind;
use mainspring_lake::Lake;
use serde_json::Value;

use super::*;
use crate::{
    ChartKind, DashboardQuestion, DashboardSpec, MetricPoint, MetricPoints, NewScore, PanelAnswer, PanelSpec, PointKind,
    PromAnswer, PromFault, PromTimes, Scores, SpanFilter, SpanSummary, SqlQuestion, Temporality,
};

mod asked;
mod metrics;
mod overview;

const NOW: i64 = 1_700_000_000_000_000;
const MINUTE: i64 = 60_000_000;

/// A call of a model that took so many milliseconds.
fn call(start: i64, model: &str, (millis, input): (i64, i64)) -> Span {
    let mut span = span(start, &[]);
    (span.name, span.kind) = (format!("chat {model}"), SpanKind::Client);
    span.attributes = Map::from_iter([
        (names::OPERATION.to_owned(), json!("chat")),
        (names::REQUEST_MODEL.to_owned(), json!(model)),
        (names::INPUT_TOKENS.to_owned(), json!(input)),
    ]);
    span.end = Timestamp::from_micros(start + millis * 1_000);
    span
}

/// Six calls within ten minutes, the last of which failed; one that is another project's, and one that not everybody may see.
async fn filled(dir: &Path) -> (Room, MetricPoints) {
    let opened = open(dir, Capture::Full).await;
    let mut spans: Vec<Span> = (0..4).map(|n| call(NOW - 9 * MINUTE + n * 2 * MINUTE, "gpt", (100 * (n + 1), 10))).collect();
    spans.push(call(NOW - 5 * MINUTE, "small", (50, 1)));
    let mut failed = call(NOW - MINUTE, "gpt", (1_000, 0));
    failed.status = SpanStatus::Error("too slow".into());
    let mut theirs = call(NOW - MINUTE, "gpt", (7, 7));
    theirs.project = ProjectId::from_raw(8);
    let mut hidden = call(NOW - MINUTE, "secret-model", (7, 7));
    hidden.attributes.insert(names::LABELS.into(), json!([["board"]]));
    spans.extend([failed, theirs, hidden]);
    spans.into_iter().for_each(|span| opened.room.record(span));
    opened.room.drain(WAIT).await.unwrap();
    let points = points_in(dir, &opened.tasks).await;
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.join("lake")))).await.unwrap();
    let lake: Arc<dyn Lake> = Arc::new(lake);
    let scores = Scores::new(lake, Capture::Full, opened.tasks.clone());
    (Room { room: opened.room.with_scores(scores), ..opened }, points)
}

fn asked(text: &str) -> SqlQuestion {
    SqlQuestion { text: text.to_owned(), ..SqlQuestion::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_sees_what_its_reader_may_see_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (Room { room, .. }, points) = filled(dir.path()).await;
    let (all, few) = (actor(Labels::All), holding(&["staff"]));
    let ask = async |actor: &Actor, text: &str| room.sql(&points, actor, &asked(text)).await.map(|found| found.rows);
    let count = "SELECT count(*) FROM spans";
    assert_eq!(ask(&all, count).await.unwrap(), [[json!(7)]]);
    assert_eq!(ask(&few, count).await.unwrap(), [[json!(6)]]);
    assert_eq!(ask(&all, "SELECT count(*) FROM spans WHERE model = 'secret-model'").await.unwrap(), [[json!(1)]]);
    assert_eq!(ask(&few, "SELECT count(*) FROM spans WHERE model = 'secret-model' OR true").await.unwrap(), [[json!(6)]]);
    assert_eq!(ask(&all, "SELECT count(*) FROM logs").await.unwrap(), [[json!(0)]]);
    assert_eq!(ask(&all, "SELECT count(*) FROM points").await.unwrap(), [[json!(0)]]);
    assert_eq!(ask(&few, "SELECT count(*) FROM scores").await.unwrap(), [[json!(0)]]);
    let mut other = actor(Labels::All);
    other.project = ProjectId::from_raw(9);
    assert_eq!(ask(&other, count).await.unwrap(), [[json!(0)]]);
    for text in
        ["SELECT project FROM spans", "SELECT labels FROM spans", "SELECT * FROM metric_points", "DELETE FROM spans", "SELEC 1"]
    {
        let fault = ask(&all, text).await.unwrap_err();
        assert_eq!((fault.kind(), fault.code()), (FaultKind::Invalid, "lake-bad-sql"), "{text}");
        assert!(!fault.hint().unwrap_or_default().contains("microseconds"), "{text}: {:?}", fault.hint());
    }
    let fault = ask(&all, "SELECT count(*) FROM spans WHERE start > now()").await.unwrap_err();
    assert!(fault.hint().is_some_and(|hint| hint.contains("to_timestamp_micros(start)")), "{fault}: {:?}", fault.hint());
    let times = "SELECT count(*) FROM spans WHERE to_timestamp_micros(start) < now()";
    assert_eq!(ask(&all, times).await.unwrap(), [[json!(7)]], "what the hint says can be asked");
    let timed = SqlQuestion { from: Some(Timestamp::from_micros(NOW - 2 * MINUTE)), ..asked(count) };
    assert_eq!(room.sql(&points, &all, &timed).await.unwrap().rows, [[json!(2)]]);
    let cut = SqlQuestion { limit: Some(2), ..asked("SELECT model FROM spans ORDER BY start") };
    let cut = room.sql(&points, &all, &cut).await.unwrap();
    assert_eq!((cut.rows, cut.more), (vec![vec![json!("gpt")], vec![json!("gpt")]], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_tells_its_columns_and_every_kind_of_value() {
    let dir = tempfile::tempdir().unwrap();
    let (Room { room, .. }, points) = filled(dir.path()).await;
    let text = "SELECT 1 AS whole, 0.5 AS half, true AS yes, NULL AS nothing, 'x' AS text, arrow_typeof(start) AS kind, \
        to_timestamp_micros(start) AS moment, tags FROM spans ORDER BY start LIMIT 1";
    let found = room.sql(&points, &actor(Labels::All), &asked(text)).await.unwrap();
    let row: Vec<Value> = [
        json!(1),
        json!(0.5),
        json!(true),
        json!(null),
        json!("x"),
        json!("Int64"),
        json!("2023-11-14T22:04:20.000000Z"),
        json!(null),
    ]
    .into();
    assert_eq!(found.rows, [row]);
    let kinds: Vec<&str> = found.columns.iter().map(|column| column.kind.as_str()).collect();
    assert_eq!(kinds, ["BIGINT", "DOUBLE", "BOOLEAN", "NULL", "TEXT", "TEXT", "TIMESTAMP", "TEXT[]"]);
    let tables = room.sql_tables(&points).await.unwrap();
    assert_eq!(tables.iter().map(|table| table.name).collect::<Vec<_>>(), ["spans", "logs", "points", "scores"]);
    assert!(tables.iter().all(|table| table.columns.iter().all(|column| !["project", "labels"].contains(&column.name.as_str()))));
}

/// Each series by what tells it apart, with its values.
async fn series(
    (room, points): (&Observability, &MetricPoints),
    actor: &Actor,
    text: &str,
    times: PromTimes,
) -> BTreeMap<String, Vec<f64>> {
    match room.prometheus(points, actor, text, times).await.unwrap_or_else(|fault| panic!("{text}: {fault}")).answer {
        PromAnswer::Scalar(points) => {
            BTreeMap::from([("scalar".to_owned(), points.into_iter().map(|(_, value)| value).collect())])
        }
        PromAnswer::Series(all) => all
            .into_iter()
            .map(|series| {
                let labels = series.labels.iter().map(|(label, value)| format!("{label}={value}")).collect::<Vec<_>>();
                (labels.join(","), series.points.into_iter().map(|(_, value)| value).collect())
            })
            .collect(),
    }
}

fn at(minutes: i64) -> PromTimes {
    let moment = Timestamp::from_micros(NOW + minutes * MINUTE);
    PromTimes { start: moment, end: moment, step_micros: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn promql_counts_what_was_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let (Room { room, .. }, points) = filled(dir.path()).await;
    let all = actor(Labels::All);
    let check = async |text: &str, times: PromTimes, wanted: &[(&str, &[f64])]| {
        let wanted: BTreeMap<String, Vec<f64>> =
            wanted.iter().map(|(labels, values)| ((*labels).to_owned(), values.to_vec())).collect();
        assert_eq!(series((&room, &points), &all, text, times).await, wanted, "{text}");
    };
    check("1 + 1", at(0), &[("scalar", &[2.0])]).await;
    check("sum(mainspring_calls_total)", at(0), &[("", &[7.0])]).await;
    check("sum by (status) (mainspring_calls_total{model=\"gpt\"})", at(0), &[("status=error", &[1.0]), ("status=ok", &[4.0])])
        .await;
    check(
        "sum by (model) (increase(mainspring_calls_total[4m]))",
        at(0),
        &[("model=gpt", &[2.0]), ("model=secret-model", &[1.0])],
    )
    .await;
    check("sum(rate(mainspring_calls_total[10m])) * 600", at(0), &[("", &[7.0])]).await;
    check(
        "sum by (model) (mainspring_calls_total{model=~\"gpt|small\"})",
        at(0),
        &[("model=gpt", &[5.0]), ("model=small", &[1.0])],
    )
    .await;
    check("sum by (model) (mainspring_calls_total{model!~\"s.*\"})", at(0), &[("model=gpt", &[5.0])]).await;
    check("sum(mainspring_calls_total{model!=\"gpt\"})", at(0), &[("", &[2.0])]).await;
    check("sum(mainspring_calls_total{app=\"\"})", at(0), &[("", &[7.0])]).await;
    check("sum(mainspring_calls_total{app!=\"\"})", at(0), &[]).await;
    check("sum(mainspring_calls_total{nobody=\"x\"})", at(0), &[]).await;
    check("sum(mainspring_tokens_total{type=\"input\"})", at(0), &[("", &[48.0])]).await;
    check(
        "max(mainspring_requests_total{status=\"error\"}) / max(mainspring_requests_total{status=\"error\"})",
        at(0),
        &[("", &[1.0])],
    )
    .await;
    // How many there had been at each moment, and how many came in the two minutes before it.
    let over = PromTimes {
        start: Timestamp::from_micros(NOW - 10 * MINUTE),
        end: Timestamp::from_micros(NOW - 4 * MINUTE),
        step_micros: Some(2 * MINUTE),
    };
    check("sum(mainspring_calls_total{model=\"gpt\"})", over, &[("", &[1.0, 2.0, 3.0])]).await;
    check("sum(increase(mainspring_calls_total{model=\"gpt\"}[2m]))", over, &[("", &[0.0, 1.0, 1.0, 1.0])]).await;
    check("count(increase(mainspring_calls_total{model=~\"gpt|small\"}[2m]))", over, &[("", &[2.0; 4])]).await;
    let slow = series(
        (&room, &points),
        &all,
        "avg by (model) (mainspring_call_duration_seconds{quantile=\"0.5\",model=\"small\"})",
        at(-4),
    )
    .await;
    assert!((slow["model=small"][0] - 0.05).abs() < 0.001, "{slow:?}");
    assert_eq!(series((&room, &points), &holding(&["staff"]), "sum(mainspring_calls_total)", at(0)).await[""], [6.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn promql_names_its_labels_and_refuses_what_it_cannot_answer() {
    let dir = tempfile::tempdir().unwrap();
    let (Room { room, .. }, points) = filled(dir.path()).await;
    let all = actor(Labels::All);
    let between = (Timestamp::from_micros(NOW - 60 * MINUTE), Timestamp::from_micros(NOW));
    let values = async |label: &str, selectors: &[String]| {
        room.prometheus_values(&points, &all, label, selectors, between).await.unwrap().found
    };
    assert_eq!(values("model", &[]).await, ["gpt", "secret-model", "small"]);
    assert_eq!(values("model", &["mainspring_calls_total{status=\"error\"}".to_owned()]).await, ["gpt"]);
    assert_eq!(values("nobody", &[]).await, [""; 0]);
    assert!(values("__name__", &[]).await.contains(&"mainspring_calls_total".to_owned()));
    let selector = ["mainspring_calls_total{model=\"small\"}".to_owned()];
    let series = room.prometheus_series(&points, &all, &selector, between).await.unwrap().found;
    assert_eq!(series.len(), 1);
    assert_eq!((series[0]["model"].as_str(), series[0]["__name__"].as_str()), ("small", "mainspring_calls_total"));
    let refused = async |text: &str, times: PromTimes| room.prometheus(&points, &all, text, times).await.unwrap_err();
    assert!(matches!(refused("sum(mainspring_call_duration_seconds)", at(0)).await, PromFault::Unsupported { .. }));
    assert!(matches!(refused("rate(mainspring_call_duration_seconds[5m])", at(0)).await, PromFault::Unsupported { at: 6, .. }));
    assert!(matches!(refused("mainspring_calls_total{model=~\"(\"}", at(0)).await, PromFault::Invalid { .. }));
    let many = PromTimes { start: Timestamp::from_micros(0), end: Timestamp::from_micros(NOW), step_micros: Some(1_000_000) };
    assert!(matches!(refused("mainspring_calls_total", many).await, PromFault::Question { .. }));
}

/// A point that a program sent, so many minutes from now.
fn sent(name: &str, region: &str, (minute, value): (i64, f64)) -> MetricPoint {
    let attributes = [("resource.service.name", "shop"), ("shop.region", region)];
    let series = name.bytes().chain(region.bytes()).fold(7_u128, |all, byte| all * 31 % (1 << 100) + u128::from(byte));
    MetricPoint {
        project: project(),
        point: format!("{:032x}", (series << 24) + u128::from(minute.unsigned_abs())),
        series: format!("{series:032x}"),
        time: Timestamp::from_micros(NOW + minute * MINUTE),
        since: None,
        name: name.to_owned(),
        unit: "By".to_owned(),
        kind: PointKind::Gauge,
        temporality: None,
        monotonic: false,
        attributes: attributes.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect(),
        value: Some(value),
        count: None,
        sum: None,
        min: None,
        max: None,
        buckets: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promql_asks_points_that_programs_sent_by_the_names_that_prometheus_gives_them() {
    let dir = tempfile::tempdir().unwrap();
    let (Room { room, .. }, points) = filled(dir.path()).await;
    let all = actor(Labels::All);
    let counted = |region: &str, at: (i64, f64)| MetricPoint {
        since: Some(Timestamp::from_micros(NOW - 60 * MINUTE)),
        unit: "{order}".to_owned(),
        kind: PointKind::Sum,
        temporality: Some(Temporality::Cumulative),
        monotonic: true,
        ..sent("shop.orders", region, at)
    };
    let spread = MetricPoint {
        unit: "s".to_owned(),
        kind: PointKind::Histogram,
        temporality: Some(Temporality::Delta),
        value: None,
        count: Some(4),
        sum: Some(10.0),
        ..sent("shop.time", "eu", (-1, 0.0))
    };
    let mut all_sent: Vec<MetricPoint> = [(-5, 10.0), (-3, 14.0), (-1, 20.0)].map(|at| counted("eu", at)).into();
    all_sent.extend([(-3, 1.0), (-1, 2.0)].map(|at| counted("us", at)));
    all_sent.extend([sent("shop.memory", "eu", (-9, 7.0)), sent("shop.memory", "eu", (-2, 5.0)), spread]);
    // Two names, and two units, that come to one name.
    let sale = |name: &str, unit: &str, region: &str, value: f64| MetricPoint {
        unit: unit.to_owned(),
        kind: PointKind::Sum,
        temporality: Some(Temporality::Cumulative),
        monotonic: true,
        ..sent(name, region, (-1, value))
    };
    all_sent.extend([sale("shop.sales", "{sale}", "eu", 3.0), sale("shop_sales", "1", "us", 4.0)]);
    points.add(all_sent, WAIT).await.unwrap();
    let check = async |text: &str, wanted: &[(&str, f64)]| {
        let wanted: BTreeMap<String, Vec<f64>> =
            wanted.iter().map(|(labels, value)| ((*labels).to_owned(), vec![*value])).collect();
        assert_eq!(series((&room, &points), &all, text, at(0)).await, wanted, "{text}");
    };
    check("shop_memory_bytes", &[("__name__=shop_memory_bytes,job=shop,shop_region=eu", 5.0)]).await;
    check("sum(shop_orders_total)", &[("", 22.0)]).await;
    check("sum by (shop_region) (shop_sales_total)", &[("shop_region=eu", 3.0), ("shop_region=us", 4.0)]).await;
    check("sum by (shop_region) (increase(shop_orders_total[3m]))", &[("shop_region=eu", 6.0), ("shop_region=us", 1.0)]).await;
    check("rate(shop_orders_total{shop_region=~\"e.\"}[3m]) * 180", &[("job=shop,shop_region=eu", 6.0)]).await;
    check("increase(shop_time_seconds_sum[5m]) / increase(shop_time_seconds_count[5m])", &[("job=shop,shop_region=eu", 2.5)])
        .await;
    check("shop_orders_total{job=\"other\"}", &[]).await;
    check("nobody_sends_this", &[]).await;

    let between = (Timestamp::from_micros(NOW - 60 * MINUTE), Timestamp::from_micros(NOW));
    let names = room.prometheus_values(&points, &all, "__name__", &[], between).await.unwrap().found;
    let mine: Vec<&str> = names.iter().map(String::as_str).filter(|name| name.starts_with("shop")).collect();
    let wanted =
        ["shop_memory_bytes", "shop_orders_total", "shop_sales_total", "shop_time_seconds_count", "shop_time_seconds_sum"];
    assert_eq!(mine, wanted);
    let told = room.prometheus_metrics(&points, &all, between).await.unwrap().found;
    let told: Vec<(&str, &str, &str)> = told
        .iter()
        .filter(|metric| metric.name.starts_with("shop"))
        .map(|metric| (metric.name.as_str(), metric.kind, metric.unit.as_str()))
        .collect();
    let wanted = [
        ("shop_memory_bytes", "gauge", "By"),
        ("shop_orders_total", "counter", "{order}"),
        ("shop_time_seconds_count", "counter", ""),
        ("shop_time_seconds_sum", "counter", "s"),
    ];
    assert!(wanted.iter().all(|metric| told.contains(metric)), "{told:?}");
    assert_eq!(told.iter().filter(|(name, ..)| *name == "shop_sales_total").count(), 2, "it is sent in two ways");
    let labels = async |selectors: &[&str]| {
        let selectors: Vec<String> = selectors.iter().map(|text| (*text).to_owned()).collect();
        room.prometheus_labels(&points, &all, &selectors, between).await.unwrap().found
    };
    assert_eq!(labels(&["shop_memory_bytes"]).await, ["__name__", "job", "shop_region"]);
    let every = labels(&[]).await;
    assert!(["__name__", "job", "model", "quantile", "shop_region"].iter().all(|label| every.iter().any(|one| one == label)));
    let values = async |label: &str, selectors: &[String], (from, to): (i64, i64)| {
        let between = (Timestamp::from_micros(NOW + from * MINUTE), Timestamp::from_micros(NOW + to * MINUTE));
        room.prometheus_values(&points, &all, label, selectors, between).await.unwrap().found
    };
    let hour = (-60, 0);
    assert_eq!(values("shop_region", &["shop_orders_total".to_owned()], hour).await, ["eu", "us"]);
    assert_eq!(values("shop_region", &["shop_orders_total{shop_region!=\"eu\"}".to_owned()], hour).await, ["us"]);
    assert_eq!(values("shop_region", &[], hour).await, ["eu", "us"]);
    assert_eq!(values("shop_region", &[], (-9, -4)).await, ["eu"], "only what was sent in the time that is asked about");
    assert_eq!(values("job", &[], hour).await, ["shop"]);
    assert_eq!(values("model", &[], hour).await, ["gpt", "secret-model", "small"]);
    let stranger = Actor { project: ProjectId::from_raw(9), ..actor(Labels::All) };
    let theirs = room.prometheus_values(&points, &stranger, "shop_region", &[], between).await.unwrap();
    assert_eq!((theirs.found.len(), theirs.cut), (0, false));
    let refused = async |text: &str| room.prometheus(&points, &all, text, at(0)).await.unwrap_err();
    for text in ["rate(shop_memory_bytes[5m])", "shop_time_seconds_bucket", "shop_time_seconds", "shop_time_seconds_count"] {
        assert!(matches!(refused(text).await, PromFault::Unsupported { .. }), "{text}");
    }
    assert!(matches!(refused("mainspring_orders_total").await, PromFault::Invalid { at: 1, .. }), "that would be one of ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn promql_finds_a_metric_beside_one_that_is_sent_in_thousands_of_units() {
    let dir = tempfile::tempdir().unwrap();
    let (Room { room, .. }, points) = filled(dir.path()).await;
    let all = actor(Labels::All);
    let bombed = |n: i64| MetricPoint {
        unit: format!("u{n}"),
        time: Timestamp::from_micros(NOW - MINUTE + n),
        point: format!("{n:032x}"),
        series: format!("{n:032x}"),
        ..sent("bombed", "eu", (-1, n as f64))
    };
    let mut all_sent: Vec<MetricPoint> = (0..5_200).map(bombed).collect();
    all_sent.push(sent("shop.memory", "eu", (-2, 5.0)));
    points.add(all_sent, WAIT).await.unwrap();
    let found = async |text: &str| series((&room, &points), &all, text, at(0)).await;
    assert_eq!(found("sum(shop_memory_bytes)").await[""], [5.0]);
    assert_eq!(found("sum(bombed_u5199)").await[""], [5_199.0]);
    // Whether anybody sent it is not known.
    let refused = room.prometheus(&points, &all, "bombed_u1", at(0)).await.unwrap_err();
    assert!(matches!(refused, PromFault::Question { .. }), "{refused}");
    assert!(found("shop_bombed_u1").await.is_empty());
    let between = (Timestamp::from_micros(NOW - 60 * MINUTE), Timestamp::from_micros(NOW));
    let names = room.prometheus_values(&points, &all, "__name__", &[], between).await.unwrap();
    assert!(names.cut && names.found.contains(&"shop_memory_bytes".to_owned()), "{names:?}");
    assert!(names.found.contains(&"bombed_u5199".to_owned()) && !names.found.contains(&"bombed_u1".to_owned()));
}

fn panel(title: &str, chart: ChartKind, measures: &[&str]) -> PanelSpec {
    PanelSpec {
        title: title.to_owned(),
        description: None,
        chart,
        metric: None,
        measures: measures.iter().map(|name| (*name).to_owned()).collect(),
        filter: String::new(),
        by: None,
        sql: None,
        unit: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dashboard_has_numbers_for_every_panel() {
    let dir = tempfile::tempdir().unwrap();
    let (Room { room, .. }, points) = filled(dir.path()).await;
    let all = actor(Labels::All);
    let question = DashboardQuestion {
        from: Timestamp::from_micros(NOW - 10 * MINUTE),
        to: Timestamp::from_micros(NOW),
        by: None,
        filter: "model = gpt".parse::<SpanFilter>().unwrap(),
    };
    let mut broken = panel("Broken", ChartKind::Table, &[]);
    broken.sql = Some("SELECT nothing_like_it FROM spans".to_owned());
    let mut counted = panel("By SQL", ChartKind::Table, &[]);
    counted.sql =
        Some("SELECT bucket(start, $bucket, 0) AS start, count(*) AS calls FROM spans GROUP BY 1 ORDER BY 1".to_owned());
    let mut by_model = panel("By model", ChartKind::Table, &["count"]);
    by_model.by = Some("model".to_owned());
    let panels = vec![
        panel("Calls", ChartKind::Number, &["count"]),
        panel("Errors", ChartKind::Number, &["errors"]),
        by_model,
        counted,
        broken,
    ];
    let spec = DashboardSpec { title: "Desk".to_owned(), panels };
    let answer = room.dashboard(&points, &all, &spec, &question).await.unwrap();
    assert_eq!(answer.bucket, Duration::from_secs(10));
    let [calls, errors, by_model, counted, broken] = &answer.panels[..] else { panic!("five panels") };
    let (PanelAnswer::Measured { found: calls, .. }, PanelAnswer::Measured { found: errors, .. }) = (calls, errors) else {
        panic!("two numbers")
    };
    assert!(Arc::ptr_eq(calls, errors), "one question answers both");
    assert_eq!(calls.measures, ["count", "errors"]);
    assert_eq!(calls.rows[0].values, [Some(crate::Measured::Count(5)), Some(crate::Measured::Count(1))]);
    let PanelAnswer::Measured { found, more, .. } = by_model else { panic!("a table") };
    assert_eq!((found.rows[0].keys.as_slice(), found.rows.len(), *more), (&[Some("gpt".to_owned())][..], 1, false));
    let PanelAnswer::Rows(rows) = counted else { panic!("rows") };
    assert_eq!(rows.rows.iter().map(|row| row[1].as_i64().unwrap()).sum::<i64>(), 7, "SQL filters for itself");
    assert!(matches!(broken, PanelAnswer::Failed(fault) if fault.code() == "lake-bad-sql"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_measures_scores_in_the_groups_of_what_bears_them() {
    let dir = tempfile::tempdir().unwrap();
    let (Room { room, .. }, points) = filled(dir.path()).await;
    let all = actor(Labels::All);
    let spans = room.spans(&all, &TraceFilter::default(), &PageRequest::new(Some(50), None).unwrap()).await.unwrap();
    let score = |span: &SpanSummary| {
        let value = json!(if span.model.as_deref() == Some("gpt") { 0.5 } else { 1.0 });
        let new = NewScore { name: "helpful".into(), value, trace: Some(span.trace.to_string()), ..NewScore::default() };
        room.scores().unwrap().check(new, all.project, Timestamp::from_micros(NOW)).unwrap()
    };
    room.put_scores(&all, spans.items.iter().map(score).collect()).await.unwrap();

    let question = DashboardQuestion {
        from: Timestamp::from_micros(NOW - 10 * MINUTE),
        to: Timestamp::from_micros(NOW),
        by: None,
        filter: "model = gpt or model = small".parse::<SpanFilter>().unwrap(),
    };
    let mut by_model = panel("By model", ChartKind::Table, &["score.helpful.mean", "score.helpful.count"]);
    by_model.by = Some("model".to_owned());
    let mut of_one = panel("Of one", ChartKind::Number, &["score.helpful.max"]);
    of_one.filter = "model = gpt".to_owned();
    let panels = vec![
        panel("Calls", ChartKind::Number, &["count"]),
        panel("Helpful", ChartKind::Number, &["score.helpful.mean"]),
        by_model,
        of_one,
        panel("Over time", ChartKind::Bar, &["score.helpful.count"]),
    ];
    let spec = DashboardSpec { title: "Desk".to_owned(), panels };
    let answer = room.dashboard(&points, &all, &spec, &question).await.unwrap();
    let scored: Vec<&Vec<Vec<Option<f64>>>> = answer
        .panels
        .iter()
        .map(|answer| if let PanelAnswer::Measured { scored, .. } = answer { scored } else { panic!("{answer:?}") })
        .collect();
    let [calls, helpful, by_model, of_one, over_time] = &scored[..] else { panic!("five panels") };
    assert!(calls.is_empty());
    assert_eq!(**helpful, [[Some(3.5 / 6.0)]]);
    assert_eq!(**by_model, [[Some(0.5), Some(5.0)], [Some(1.0), Some(1.0)]]);
    assert_eq!(**of_one, [[Some(0.5)]]);
    assert_eq!(over_time.iter().filter_map(|values| values[0]).sum::<f64>(), 6.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_tells_values_apart_as_a_field_does() {
    let dir = tempfile::tempdir().unwrap();
    let (Room { room, .. }, points) = filled(dir.path()).await;
    let all = actor(Labels::All);
    let (eu, seven) = (Some(json!("eu")), Some(json!(7)));
    for region in [&eu, &seven, &eu, &None, &eu, &seven] {
        let mut made = call(NOW - 3 * MINUTE, "regional", (10, 1));
        made.attributes.extend(region.clone().map(|region| ("region".to_owned(), region)));
        room.record(made);
    }
    room.drain(WAIT).await.unwrap();

    let region = "attributes[\"region\"]".to_owned();
    let mut by_region = panel("By region", ChartKind::Table, &["count"]);
    by_region.by = Some(region.clone());
    let panels = vec![
        by_region,
        panel("Over time", ChartKind::Bar, &["count"]),
        panel("Helpful", ChartKind::Number, &["score.helpful.mean"]),
    ];
    let spec = DashboardSpec { title: "Desk".to_owned(), panels };
    let question = DashboardQuestion {
        from: Timestamp::from_micros(NOW - 10 * MINUTE),
        to: Timestamp::from_micros(NOW),
        by: Some(region),
        filter: "model = regional".parse::<SpanFilter>().unwrap(),
    };
    let answer = room.dashboard(&points, &all, &spec, &question).await.unwrap();
    let [by_region, over_time, helpful] = &answer.panels[..] else { panic!("three panels") };
    let some = |text: &str| Some(text.to_owned());
    for answer in [by_region, over_time] {
        let PanelAnswer::Measured { found, .. } = answer else { panic!("{answer:?}") };
        let groups: Vec<_> = found.rows.iter().map(|row| (row.keys[0].clone(), row.values[0])).collect();
        let count = |count: i64| Some(crate::Measured::Count(count));
        assert_eq!(groups, [(some("eu"), count(3)), (some("7"), count(2)), (None, count(1))]);
    }
    let fields_alone = |answer: &PanelAnswer| matches!(answer, PanelAnswer::Failed(fault) if fault.to_string().contains("field"));
    assert!(fields_alone(helpful), "{helpful:?}");

    // What the page asks behind a point.
    for (behind, spans) in [(r#"attributes["region"] in ("7", 7)"#, 2), (r#"not attributes["region"] exists"#, 1)] {
        let also = format!("(model = regional) and ({behind})").parse::<SpanFilter>().unwrap();
        let page = PageRequest::new(Some(50), None).unwrap();
        let found = room.spans(&all, &TraceFilter { also, ..TraceFilter::default() }, &page).await.unwrap();
        assert_eq!(found.items.len(), spans, "{behind}");
    }
    for refused in ["attributes[\"input.value\"]", "attributes[region]"] {
        let odd = DashboardQuestion { by: Some(refused.to_owned()), ..question.clone() };
        let fault = room.dashboard(&points, &all, &spec, &odd).await.unwrap_err();
        assert_eq!(fault.code(), "trace-question-invalid", "{refused}");
    }
}
