//! Panels over metrics that programs sent.

use std::collections::BTreeMap;

use super::*;
use crate::{MetricSeries, PanelMetric};

fn of_metric(title: &str, chart: ChartKind, name: &str, measures: &[&str]) -> PanelSpec {
    let (name, attributes) = (name.to_owned(), BTreeMap::new());
    let metric = PanelMetric { name, kind: None, unit: None, monotonic: None, temporality: None, attributes };
    PanelSpec { metric: Some(metric), ..panel(title, chart, measures) }
}

fn told(answer: &PanelAnswer) -> &MetricSeries {
    let PanelAnswer::Metric(found) = answer else { panic!("{answer:?}") };
    found
}

/// Of each group its name, and of each step when it begins, in minutes from now, and what it says.
fn steps(found: &MetricSeries) -> Vec<(Option<&str>, Vec<(i64, Vec<Option<f64>>)>)> {
    let of = |step: &crate::MetricStep| ((step.start.as_micros() - NOW) / MINUTE, step.values.clone());
    found.groups.iter().map(|group| (group.value.as_deref(), group.steps.iter().map(of).collect())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_shows_a_metric_by_its_attributes_and_no_filter_of_spans_reaches_it() {
    let dir = tempfile::tempdir().unwrap();
    let (Room { room, .. }, points) = filled(dir.path()).await;
    let all = actor(Labels::All);
    let mut all_sent: Vec<MetricPoint> = [(-5, 10.0), (-3, 14.0), (-1, 21.0)].map(|at| sent("shop.queue", "eu", at)).into();
    all_sent.extend([(-3, 1.0), (-1, 3.0)].map(|at| sent("shop.queue", "us", at)));
    points.add(all_sent, WAIT).await.unwrap();

    let mut by_region = of_metric("By region", ChartKind::Line, "shop.queue", &["max"]);
    by_region.by = Some("shop.region".to_owned());
    let mut of_one = of_metric("Of one", ChartKind::Number, "shop.queue", &["last", "mean"]);
    of_one.metric.as_mut().unwrap().attributes = BTreeMap::from([("shop.region".to_owned(), vec!["us".to_owned()])]);
    let panels = vec![
        by_region,
        of_one,
        of_metric("Nothing", ChartKind::Line, "nobody.sends.this", &["last"]),
        of_metric("Unlike", ChartKind::Line, "shop.queue", &["rate"]),
        panel("Calls", ChartKind::Number, &["count"]),
    ];
    let spec = DashboardSpec { title: "Shop".to_owned(), panels };
    let question = DashboardQuestion {
        from: Timestamp::from_micros(NOW - 10 * MINUTE),
        to: Timestamp::from_micros(NOW),
        by: Some("model".to_owned()),
        filter: "model = nobody".parse::<SpanFilter>().unwrap(),
    };
    let answer = room.dashboard(&points, &all, &spec, &question).await.unwrap();
    let [by_region, of_one, nothing, unlike, calls] = &answer.panels[..] else { panic!("five panels") };
    let by_region = told(by_region);
    assert_eq!((by_region.step, by_region.form.as_ref().map(|form| form.unit.as_str())), (Duration::from_secs(120), Some("By")));
    let value = |at: i64, value: f64| (at, vec![Some(value)]);
    let eu = vec![value(-6, 10.0), value(-4, 14.0), value(-2, 21.0)];
    assert_eq!(steps(by_region), [(Some("eu"), eu), (Some("us"), vec![value(-4, 1.0), value(-2, 3.0)])]);
    // A number is of all of the time.
    assert_eq!(steps(told(of_one)), [(None, vec![(-10, vec![Some(3.0), Some(2.0)])])]);
    assert_eq!((told(nothing).form.as_ref(), told(nothing).groups.len()), (None, 0));
    let PanelAnswer::Failed(fault) = unlike else { panic!("{unlike:?}") };
    assert_eq!(fault.code(), "trace-question-invalid");
    assert_eq!(fault.to_string(), "`shop.queue` is a gauge, of which there is no rate: take mean, min, max or last");
    let PanelAnswer::Measured { found, .. } = calls else { panic!("{calls:?}") };
    assert!(found.rows.is_empty(), "it is of spans, which the filter reaches");
}
