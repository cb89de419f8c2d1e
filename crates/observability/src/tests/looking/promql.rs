//! PromQL over calls and over points that programs sent.

use std::collections::BTreeMap;

use super::*;
use crate::{PromAnswer, PromFault, PromTimes, Temporality};

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
