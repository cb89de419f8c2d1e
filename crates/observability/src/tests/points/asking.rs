use std::{path::Path, sync::Arc};

use mainspring_kernel::{PageRequest, Tasks, id::ProjectId};
use mainspring_lake_lance::{LakeLocation, LanceConfig, LanceLake};
use serde_json::json;

use super::*;
use crate::{
    Capture, Metric, MetricPoint, MetricRange,
    points::tests::{WITHIN, actor},
};

const START: i64 = 1_700_000_000_000_000;
const MINUTE: i64 = 60_000_000;

/// A sender of one series: its service, and further attributes.
#[derive(Clone, Copy)]
struct Sender<'a>(&'a str, &'a [(&'a str, &'a str)]);

impl Sender<'_> {
    /// A point of a gauge, so many minutes after the start.
    fn gauge(self, name: &str, minute: i64, value: f64) -> MetricPoint {
        let Self(service, others) = self;
        let mut attributes = Map::from_iter([("resource.service.name".to_owned(), json!(service))]);
        attributes.extend(others.iter().map(|(key, value)| ((*key).to_owned(), json!(value))));
        let mut series = 0_u128;
        for byte in format!("{name}{}", Value::Object(attributes.clone())).bytes() {
            series = series.wrapping_mul(1_000_003).wrapping_add(u128::from(byte));
        }
        MetricPoint {
            project: ProjectId::from_raw(1),
            point: format!("{:032x}", series.wrapping_add(u128::from(minute.unsigned_abs()) << 64)),
            series: format!("{series:032x}"),
            time: Timestamp::from_micros(START + minute * MINUTE),
            since: None,
            name: name.to_owned(),
            unit: String::new(),
            kind: PointKind::Gauge,
            temporality: None,
            monotonic: false,
            attributes,
            value: Some(value),
            count: None,
            sum: None,
            min: None,
            max: None,
            buckets: None,
        }
    }

    /// What was counted since the start.
    fn counter(self, name: &str, minute: i64, value: f64) -> MetricPoint {
        MetricPoint {
            since: Some(Timestamp::from_micros(START)),
            unit: "{token}".to_owned(),
            kind: PointKind::Sum,
            temporality: Some(Temporality::Cumulative),
            monotonic: true,
            ..self.gauge(name, minute, value)
        }
    }

    fn histogram(self, name: &str, minute: i64, counts: [u64; 3]) -> MetricPoint {
        let count: u64 = counts.iter().sum();
        MetricPoint {
            unit: "s".to_owned(),
            kind: PointKind::Histogram,
            value: None,
            count: Some(count),
            sum: Some(2.0 * f64::from(u32::try_from(count).unwrap())),
            buckets: Some(json!({"bounds": [1.0, 3.0], "counts": counts})),
            ..self.counter(name, minute, 0.0)
        }
    }
}

async fn filled(dir: &Path, sent: Vec<MetricPoint>) -> MetricPoints {
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.join("lake")))).await.unwrap();
    let points = MetricPoints::new(Arc::new(lake), Capture::Full, Tasks::default());
    points.add(sent, WITHIN).await.unwrap();
    points
}

/// Ten minutes in steps of two.
fn about(name: &str) -> MetricQuestion {
    MetricQuestion {
        name: name.to_owned(),
        from: Timestamp::from_micros(START),
        to: Timestamp::from_micros(START + 10 * MINUTE),
        step: Some(Duration::from_secs(120)),
        ..MetricQuestion::default()
    }
}

/// Every page of the list.
async fn listed(points: &MetricPoints, filter: &PointFilter, text: Option<&str>, limit: usize) -> Vec<Metric> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = PageRequest::new(Some(limit), cursor).unwrap();
        let page = points.metrics(&actor(1), filter, text, &page).await.unwrap();
        assert!(page.items.len() <= limit);
        found.extend(page.items);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return found,
        }
    }
}

/// Of each group its name, and of each step when it begins, in minutes, and what it says first.
fn first(found: &MetricSeries) -> Vec<(Option<&str>, Vec<(i64, f64)>)> {
    let steps = |group: &MetricGroup| {
        let of = |step: &MetricStep| ((step.start.as_micros() - START) / MINUTE, step.values[0].unwrap());
        group.steps.iter().map(of).collect()
    };
    found.groups.iter().map(|group| (group.value.as_deref(), steps(group))).collect()
}

const SHOP: Sender<'static> =
    Sender("shop", &[("gen_ai.request.model", "gpt"), ("region", "eu"), ("gen_ai.input.messages", "never")]);
const DESK: Sender<'static> = Sender("desk", &[("gen_ai.request.model", "small")]);

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_is_told_by_step_and_group() {
    let dir = tempfile::tempdir().unwrap();
    let mut sent: Vec<_> = (1..=9).map(|minute| SHOP.counter("tokens", minute, 10.0 * minute as f64)).collect();
    sent.extend([(2, 1.0), (4, 5.0)].map(|(minute, value)| DESK.counter("tokens", minute, value)));
    let points = filled(dir.path(), sent).await;
    let all = points.series(&actor(1), &about("tokens")).await.unwrap();
    let form = all.form.clone().unwrap();
    assert_eq!((form.kind, form.unit.as_str(), form.monotonic), (PointKind::Sum, "{token}", true));
    assert_eq!(all.measures, ["increase", "rate"]);
    assert_eq!(first(&all), [(None, vec![(0, 21.0), (2, 24.0), (4, 20.0), (6, 20.0), (8, 10.0)])]);
    assert_eq!(all.groups[0].steps[0].values[1], Some(21.0 / 120.0));
    assert_eq!((all.points, all.more), (11, false));
    // What people wrote is no attribute to tell groups by.
    assert_eq!(all.attributes, ["gen_ai.request.model", "region", "resource.service.name"]);
    let service = |by: &str| MetricQuestion { by: Some(by.to_owned()), ..about("tokens") };
    for by in ["service", "resource.service.name"] {
        let found = points.series(&actor(1), &service(by)).await.unwrap();
        let shop = vec![(0, 20.0), (2, 20.0), (4, 20.0), (6, 20.0), (8, 10.0)];
        assert_eq!(first(&found), [(Some("shop"), shop), (Some("desk"), vec![(0, 1.0), (2, 4.0)])], "{by}");
    }
    let by_region = points.series(&actor(1), &service("region")).await.unwrap();
    assert_eq!(first(&by_region).iter().map(|(name, _)| *name).collect::<Vec<_>>(), [Some("eu"), None]);
    // Later than the first step it is counted on from the point before.
    let later = MetricQuestion { from: Timestamp::from_micros(START + 4 * MINUTE), model: Some("gpt".into()), ..about("tokens") };
    assert_eq!(first(&points.series(&actor(1), &later).await.unwrap()), [(None, vec![(4, 20.0), (6, 20.0), (8, 10.0)])]);
    let desk = MetricQuestion { service: Some("desk".into()), ..about("tokens") };
    assert_eq!(first(&points.series(&actor(1), &desk).await.unwrap()), [(None, vec![(0, 1.0), (2, 4.0)])]);
    // Another project has no such metric, and no metric has another name.
    for (project, name) in [(2, "tokens"), (1, "token")] {
        let none = points.series(&actor(project), &about(name)).await.unwrap();
        assert_eq!((none.form, none.groups.len(), none.points), (None, 0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn histograms_and_gauges_say_what_they_can_and_a_name_may_have_several_forms() {
    let dir = tempfile::tempdir().unwrap();
    let sent = vec![
        SHOP.histogram("time", 1, [4, 0, 0]),
        SHOP.histogram("time", 3, [4, 4, 0]),
        DESK.gauge("time", 2, 5.0),
        DESK.gauge("time", 1, 7.0),
    ];
    let points = filled(dir.path(), sent).await;
    let newest = points.series(&actor(1), &about("time")).await.unwrap();
    assert_eq!(newest.measures, ["count", "mean", "p50", "p95", "p99"]);
    let steps = &newest.groups[0].steps;
    assert_eq!(steps[0].values[..3], [4.0, 2.0, 0.5].map(Some));
    assert_eq!(steps[1].values[..3], [4.0, 2.0, 2.0].map(Some));
    assert_eq!(newest.others.iter().map(|form| form.kind).collect::<Vec<_>>(), [PointKind::Gauge]);
    let gauge = MetricQuestion { kind: Some(PointKind::Gauge), ..about("time") };
    let gauge = points.series(&actor(1), &gauge).await.unwrap();
    assert_eq!(gauge.measures, ["mean", "min", "max", "last"]);
    assert_eq!(gauge.groups[0].steps[0].values, [6.0, 5.0, 7.0, 5.0].map(Some));
    assert_eq!(gauge.others.iter().map(|form| form.kind).collect::<Vec<_>>(), [PointKind::Histogram]);
    let none = MetricQuestion { unit: Some("ms".into()), ..about("time") };
    let none = points.series(&actor(1), &none).await.unwrap();
    assert_eq!((none.form, none.others.len()), (None, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wanted_is_told_of_points_that_have_these_attributes() {
    let dir = tempfile::tempdir().unwrap();
    let sent = vec![
        SHOP.histogram("time", 1, [4, 0, 0]),
        SHOP.histogram("time", 3, [4, 4, 0]),
        DESK.histogram("time", 3, [0, 0, 9]),
        Sender("shop", &[("status", "500")]).gauge("level", 1, 1.0),
        Sender("shop", &[("status", "200")]).gauge("level", 2, 3.0),
    ];
    let points = filled(dir.path(), sent).await;
    let of = |name: &str, attribute: &str, values: &[&str]| MetricQuestion {
        attributes: vec![(attribute.to_owned(), values.iter().map(|value| (*value).to_owned()).collect())],
        ..about(name)
    };
    let wanted = ["sum", "p75", "count"].map(|text| MetricValue::read(text).unwrap()).to_vec();
    let found = MetricQuestion { values: wanted, ..of("time", "region", &["eu", "nowhere"]) };
    let found = points.series(&actor(1), &found).await.unwrap();
    assert_eq!((&found.measures[..], found.points), (&["sum", "p75", "count"].map(str::to_owned)[..], 2));
    let values: Vec<_> = found.groups[0].steps.iter().map(|step| step.values.clone()).collect();
    assert_eq!(values, [[8.0, 0.75, 4.0].map(Some), [8.0, 2.5, 4.0].map(Some)]);
    // Attributes with columns of their own, by either name.
    for (attribute, points_found) in [("service", 1), ("resource.service.name", 1)] {
        let found = points.series(&actor(1), &of("time", attribute, &["desk"])).await.unwrap();
        assert_eq!(found.points, points_found, "{attribute}");
    }
    assert_eq!(points.series(&actor(1), &of("level", "status", &["200", "404"])).await.unwrap().points, 1);
    let none = points.series(&actor(1), &of("level", "status", &["404"])).await.unwrap();
    assert_eq!((none.form, none.points), (None, 0));
    let content = points.series(&actor(1), &of("level", "gen_ai.input.messages", &["never"])).await;
    assert!(matches!(content, Err(TraceFault::Question { .. })), "{content:?}");
    let unlike = MetricQuestion { values: vec![MetricValue::Rate], ..about("time") };
    let unlike = points.series(&actor(1), &unlike).await.unwrap_err().to_string();
    assert!(unlike.starts_with("`time` is a histogram, of which there is no rate"), "{unlike}");
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_say_of_how_much_they_are_and_where_it_lies() {
    let dir = tempfile::tempdir().unwrap();
    let mut sent: Vec<_> = (1..=9).map(|minute| SHOP.counter("tokens", minute, 10.0 * minute as f64)).collect();
    sent.extend([(2, 1000.0), (4, 5000.0)].map(|(minute, value)| DESK.counter("tokens", minute, value)));
    sent.extend([SHOP.histogram("time", 1, [4, 0, 0]), SHOP.histogram("time", 3, [4, 4, 0])]);
    sent.extend([SHOP.histogram("both", 1, [4, 0, 0]), SHOP.gauge("both", 2, 7.0)]);
    sent.extend([SHOP.counter("sums", 1, 1.0), MetricPoint { monotonic: false, ..DESK.counter("sums", 2, 5.0) }]);
    let points = filled(dir.path(), sent).await;
    let whole = |name: &str| MetricQuestion { step: None, ..about(name) };
    let by_service = MetricQuestion { by: Some("service".into()), ..whole("tokens") };
    let found = points.figures(&actor(1), &by_service, MetricValue::Increase).await.unwrap();
    let told: Vec<_> = found
        .iter()
        .map(|group| (group.group.as_deref(), group.steps.iter().map(|step| (step.points, step.value)).collect::<Vec<_>>()))
        .collect();
    // Those with the most points, however large the numbers of others are.
    assert_eq!(told, [(Some("shop"), vec![(9, Some(90.0))]), (Some("desk"), vec![(2, Some(5_000.0))])]);
    assert_eq!((found[0].steps[0].of, found[0].steps[0].ranges.len()), (None, 0));
    let one = MetricQuestion { groups: Some(1), ..by_service };
    assert_eq!(points.figures(&actor(1), &one, MetricValue::Increase).await.unwrap().len(), 1);
    // Who says no region is of none.
    let by_region = MetricQuestion { by: Some("region".into()), groups: None, ..one };
    let found = points.figures(&actor(1), &by_region, MetricValue::Increase).await.unwrap();
    assert_eq!(found.iter().map(|group| group.group.as_deref()).collect::<Vec<_>>(), [Some("eu")]);

    let p95 = MetricValue::Quantile(0.95);
    let found = points.figures(&actor(1), &about("time"), p95).await.unwrap();
    let steps: Vec<_> = found[0].steps.iter().map(|step| (step.of, step.ranges.clone())).collect();
    let range = |low: f64, high: f64| vec![MetricRange { low, high, count: 4.0 }];
    assert_eq!(steps, [(Some(4.0), range(0.0, 1.0)), (Some(4.0), range(1.0, 3.0))]);
    let mean = points.figures(&actor(1), &whole("time"), MetricValue::Mean).await.unwrap();
    assert_eq!((mean[0].steps[0].value, mean[0].steps[0].of, mean[0].steps[0].points), (Some(2.0), Some(8.0), 2));

    // Whoever holds it against a limit is not to be told of something else tomorrow.
    let both = points.figures(&actor(1), &whole("both"), MetricValue::Mean).await.unwrap_err();
    assert!(both.to_string().contains("several kinds or units"), "{both}");
    let gauge = MetricQuestion { kind: Some(PointKind::Gauge), ..whole("both") };
    assert_eq!(points.figures(&actor(1), &gauge, MetricValue::Last).await.unwrap()[0].steps[0].value, Some(7.0));
    assert!(points.figures(&actor(1), &gauge, MetricValue::Rate).await.is_err());
    // Also where its kind and unit are said, and only attributes tell which is meant, or whether it falls.
    let sums = MetricQuestion { kind: Some(PointKind::Sum), unit: Some("{token}".into()), ..whole("sums") };
    let sorts = points.figures(&actor(1), &sums, MetricValue::Last).await.unwrap_err();
    assert!(sorts.to_string().contains("by `attributes` which points are meant"), "{sorts}");
    let falls = MetricQuestion { monotonic: Some(false), ..sums.clone() };
    let desk = MetricQuestion { attributes: vec![("service".into(), vec!["desk".into()])], ..sums };
    for question in [falls, desk] {
        let found = points.figures(&actor(1), &question, MetricValue::Last).await.unwrap();
        assert_eq!(found[0].steps[0].value, Some(5.0), "{question:?}");
    }
    for (project, question) in [(2, whole("time")), (1, whole("nobody.sends.this"))] {
        assert!(points.figures(&actor(project), &question, p95).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_what_is_sent_under_one_name_can_be_asked_about() {
    let dir = tempfile::tempdir().unwrap();
    let counted = |sender: &'static str, (minute, value): (i64, f64), temporality: Temporality, monotonic: bool| MetricPoint {
        temporality: Some(temporality),
        monotonic,
        ..Sender(sender, &[]).counter("load", minute, value)
    };
    let (totals, changes) = (Temporality::Cumulative, Temporality::Delta);
    let mut sent: Vec<_> = [(1, 10.0), (2, 30.0)].map(|at| counted("grows", at, totals, true)).into();
    sent.push(counted("grows by", (2, 4.0), changes, true));
    sent.extend([(1, 5.0), (2, 3.0)].map(|at| counted("falls", at, totals, false)));
    sent.extend([(1, 2.0), (2, -1.0)].map(|at| counted("falls by", at, changes, false)));
    sent.push(MetricPoint { unit: "{token}".to_owned(), ..Sender("level", &[]).gauge("load", 1, 7.0) });
    sent.push(Sender("level of nothing", &[]).gauge("load", 1, 9.0));
    let points = filled(dir.path(), sent).await;
    let sum = |monotonic: bool, temporality: Option<Temporality>| MetricQuestion {
        kind: Some(PointKind::Sum),
        monotonic: Some(monotonic),
        temporality: temporality.map(|temporality| Counting::of(Some(temporality))),
        ..about("load")
    };
    let gauge = |unit: &str| MetricQuestion { kind: Some(PointKind::Gauge), unit: Some(unit.to_owned()), ..about("load") };
    for (question, measure, steps) in [
        // One question can be about both, and each tells how its points count.
        (sum(true, None), "increase", vec![(0, 34.0)]),
        (sum(true, Some(totals)), "increase", vec![(0, 30.0)]),
        (sum(true, Some(changes)), "increase", vec![(0, 4.0)]),
        (sum(false, Some(totals)), "last", vec![(0, 3.0), (2, 3.0), (4, 3.0)]),
        (sum(false, Some(changes)), "increase", vec![(0, 1.0)]),
        (gauge("{token}"), "mean", vec![(0, 7.0)]),
        (gauge(""), "mean", vec![(0, 9.0)]),
    ] {
        let found = points.series(&actor(1), &question).await.unwrap();
        assert_eq!(found.measures[0], measure, "{question:?}");
        assert_eq!(first(&found), [(None, steps)], "{question:?}");
        assert_eq!((found.others.len(), found.more_forms), (4, 0), "{question:?}");
    }
    let unspecified = MetricQuestion { temporality: Some(Counting::Unspecified), ..sum(true, None) };
    let none = points.series(&actor(1), &unspecified).await.unwrap();
    assert_eq!((none.form, none.others.len()), (None, 5));
    let list = listed(&points, &PointFilter::default(), None, 10).await;
    assert_eq!((list.len(), list[0].others.len(), list[0].more_forms), (1, 4, 0));
}

/// A point of a series and a unit of its own.
fn in_unit(name: &str, n: i64) -> MetricPoint {
    MetricPoint {
        unit: format!("u{n}"),
        time: Timestamp::from_micros(START + MINUTE + n),
        point: format!(
            "{:032x}",
            name.bytes().fold(u128::from(n.unsigned_abs()) << 64, |all, byte| all * 31 % (1 << 120) + u128::from(byte))
        ),
        series: format!("{n:032x}"),
        ..SHOP.gauge(name, 0, n as f64)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_thousands_of_units_is_told_of_in_part_and_hides_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut sent: Vec<_> = (0..2_500).map(|n| in_unit("bombed", n)).collect();
    sent.extend((0..22).flat_map(|n| (0..70).map(move |unit| in_unit(&format!("crowd.{n:02}"), unit))));
    sent.extend([SHOP.gauge("calm", 1, 1.0), SHOP.gauge("zeal", 1, 1.0)]);
    let points = filled(dir.path(), sent).await;
    let all = listed(&points, &PointFilter::default(), None, 500).await;
    let mut wanted = vec!["bombed".to_owned(), "calm".to_owned()];
    wanted.extend((0..22).map(|n| format!("crowd.{n:02}")));
    wanted.push("zeal".to_owned());
    assert_eq!(all.iter().map(|metric| metric.name.clone()).collect::<Vec<_>>(), wanted, "each once, over several pages");
    assert_eq!(listed(&points, &PointFilter::default(), None, 7).await, all);
    for metric in &all {
        // How many there are is known within some percent.
        let (newest, others, more) = match metric.name.as_str() {
            "bombed" => ("u2499", 19, 2_350..2_600),
            "calm" | "zeal" => ("", 0, 0..1),
            _ => ("u69", 19, 45..55),
        };
        assert_eq!((metric.form.unit.as_str(), metric.others.len()), (newest, others), "{}", metric.name);
        assert!(more.contains(&metric.more_forms), "{}: {}", metric.name, metric.more_forms);
    }
    // The newest is told of where none is asked for, and each can be.
    for (unit, wanted) in [(None, 2_499.0), (Some("u2499"), 2_499.0), (Some("u7"), 7.0)] {
        let question = MetricQuestion { unit: unit.map(str::to_owned), ..about("bombed") };
        let found = points.series(&actor(1), &question).await.unwrap();
        assert_eq!(first(&found), [(None, vec![(0, wanted)])], "{unit:?}");
        assert_eq!(found.others.len(), 19);
        assert!((2_350..2_600).contains(&found.more_forms), "{}", found.more_forms);
    }
    let none = points.series(&actor(1), &MetricQuestion { unit: Some("By".into()), ..about("bombed") }).await.unwrap();
    assert_eq!((none.form, none.others.len()), (None, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_that_cannot_be_answered_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let points = filled(dir.path(), vec![SHOP.gauge("level", 1, 1.0)]).await;
    let usual = about("level");
    for refused in [
        MetricQuestion { to: usual.from, ..usual.clone() },
        MetricQuestion { step: Some(Duration::ZERO), ..usual.clone() },
        MetricQuestion { step: Some(Duration::from_millis(1)), ..usual.clone() },
        MetricQuestion { by: Some(String::new()), ..usual.clone() },
        MetricQuestion { by: Some("gen_ai.input.messages".into()), ..usual.clone() },
    ] {
        let found = points.series(&actor(1), &refused).await;
        assert!(matches!(found, Err(TraceFault::Question { .. })), "{refused:?}: {found:?}");
    }
    // Without a step it is one that makes a chart, and that holds more than one point of most senders.
    let usual = MetricQuestion { step: None, ..usual };
    assert_eq!(points.series(&actor(1), &usual).await.unwrap().step, Duration::from_secs(120));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_listed_by_name_with_what_their_newest_points_say() {
    let dir = tempfile::tempdir().unwrap();
    let sent = vec![
        SHOP.counter("tokens", 1, 10.0),
        SHOP.counter("tokens", 2, 30.0),
        DESK.counter("tokens", 2, 4.0),
        DESK.gauge("level", 1, 7.0),
        SHOP.gauge("level", 3, 5.0),
        SHOP.histogram("time", 1, [4, 0, 0]),
        DESK.gauge("time", 0, 1.0),
    ];
    let points = filled(dir.path(), sent).await;
    let list = async |filter: &PointFilter, text: Option<&str>, limit: usize| listed(&points, filter, text, limit).await;
    let all = list(&PointFilter::default(), None, 500).await;
    assert_eq!(list(&PointFilter::default(), None, 1).await, all);
    let told: Vec<_> =
        all.iter().map(|metric| (metric.name.as_str(), metric.form.kind, metric.last_value, metric.series)).collect();
    let wanted = [
        ("level", PointKind::Gauge, Some(5.0), 2),
        ("time", PointKind::Histogram, Some(2.0), 2),
        ("tokens", PointKind::Sum, Some(34.0), 2),
    ];
    assert_eq!(told, wanted);
    assert_eq!(all[0].services, ["desk", "shop"]);
    assert_eq!(all[0].last_seen, Timestamp::from_micros(START + 3 * MINUTE));
    assert_eq!(all[1].others.iter().map(|form| form.kind).collect::<Vec<_>>(), [PointKind::Gauge]);
    assert!(all.iter().all(|metric| !metric.more_services));
    let names = |found: Vec<Metric>| found.into_iter().map(|metric| metric.name).collect::<Vec<_>>();
    assert_eq!(names(list(&PointFilter::default(), Some("KEN"), 500).await), ["tokens"]);
    let desk = PointFilter { service: Some("desk".into()), ..PointFilter::default() };
    assert_eq!(list(&desk, None, 500).await[2].last_value, Some(4.0));
    let later = PointFilter { from: Some(Timestamp::from_micros(START + 2 * MINUTE)), ..PointFilter::default() };
    assert_eq!(names(list(&later, None, 500).await), ["level", "tokens"]);
    let other = points.metrics(&actor(2), &PointFilter::default(), None, &PageRequest::first(50)).await.unwrap();
    assert_eq!((other.items.len(), other.next), (0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn points_are_read_in_parts_and_too_many_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let many: Vec<_> = (0..25_000)
        .map(|n| {
            let mut point = SHOP.gauge("level", 0, 1.0);
            point.time = Timestamp::from_micros(START + 1 + n * 10_000);
            point.point = format!("{n:032x}");
            point
        })
        .collect();
    let points = filled(dir.path(), many).await;
    let found = points.series(&actor(1), &about("level")).await.unwrap();
    assert_eq!(found.points, 25_000);
    let mut last = i64::MIN;
    let seen = points
        .each(Filter::All, (START, START + 10 * MINUTE), 25_000, &["time"], |rows, row| {
            let time = rows.number("time", row)?.unwrap();
            assert!(time >= last, "{time} after {last}");
            last = time;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(seen, 25_000);
    let refused = points.each(Filter::All, (START, START + 10 * MINUTE), 24_999, &["time"], |_, _| Ok(())).await;
    assert!(matches!(refused, Err(TraceFault::TooManyPoints { most: 24_999 })), "{refused:?}");
}
