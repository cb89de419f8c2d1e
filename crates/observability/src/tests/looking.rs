//! SQL, dashboards and PromQL over what was recorded.

use mainspring_kernel::FaultKind;
use mainspring_lake::Lake;
use serde_json::Value;

use super::*;
use crate::{
    ChartKind, DashboardQuestion, DashboardSpec, MetricPoint, MetricPoints, NewScore, PanelAnswer, PanelSpec, PointKind, Scores,
    SpanFilter, SpanSummary, SqlQuestion,
};

mod asked;
mod metrics;
mod overview;
mod promql;

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
