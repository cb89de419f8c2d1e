use mainspring_kernel::{Labels, ModelScope, Role, id::PrincipalId};
use mainspring_lake_lance::{LakeLocation, LanceConfig, LanceLake};
use serde_json::json;

use super::*;
use crate::Capture;

pub(super) const WITHIN: Duration = Duration::from_secs(20);

pub(super) fn actor(project: u128) -> Actor {
    Actor {
        principal: PrincipalId::from_raw(1),
        project: ProjectId::from_raw(project),
        role: Role::Reader,
        labels: Labels::All,
        key: None,
        models: ModelScope::All,
    }
}

fn sample(project: u128, time: i64, kind: PointKind) -> MetricPoint {
    let attributes = json!({
        "resource.service.name": "shop", "gen_ai.request.model": "gpt", "user.id": "ada@example.org",
        "gen_ai.input.messages": "never",
    });
    let Value::Object(attributes) = attributes else { unreachable!("it is one") };
    MetricPoint {
        project: ProjectId::from_raw(project),
        point: format!("{project:016x}{time:016x}"),
        series: "5e".repeat(16),
        time: Timestamp::from_micros(time),
        since: Some(Timestamp::from_micros(time - 5)),
        name: format!("metric.{}", kind.as_str()),
        unit: "{token}".into(),
        kind,
        temporality: (kind != PointKind::Gauge).then_some(Temporality::Delta),
        monotonic: kind == PointKind::Sum,
        attributes,
        value: matches!(kind, PointKind::Gauge | PointKind::Sum).then_some(f64::MIN_POSITIVE),
        count: (kind == PointKind::Histogram).then_some(3),
        sum: (kind == PointKind::Histogram).then_some(f64::INFINITY),
        min: None,
        max: (kind == PointKind::Histogram).then_some(-0.5),
        buckets: (kind == PointKind::Histogram).then(|| json!({"bounds": [1.0], "counts": [1, 2]})),
    }
}

async fn open(dir: &std::path::Path, capture: Capture) -> MetricPoints {
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(dir.join("lake")))).await.unwrap();
    MetricPoints::new(Arc::new(lake), capture, Tasks::default())
}

async fn all(points: &MetricPoints, project: u128, filter: &PointFilter, limit: usize) -> Vec<MetricPoint> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = points.list(&actor(project), filter, &PageRequest::new(Some(limit), cursor).unwrap()).await.unwrap();
        assert!(page.items.len() <= limit);
        found.extend(page.items);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return found,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn points_come_back_as_they_were_and_once_however_often_they_are_sent() {
    let dir = tempfile::tempdir().unwrap();
    let points = open(dir.path(), Capture::Full).await;
    let sent: Vec<_> = PointKind::ALL.iter().zip(1..).map(|(kind, n)| sample(1, n * 10, *kind)).collect();
    points.add(sent[..3].to_vec(), WITHIN).await.unwrap();
    // Some of them again, and one twice in the same export.
    points.add([&sent[1..], &sent[4..]].concat(), WITHIN).await.unwrap();
    points.add(Vec::new(), WITHIN).await.unwrap();
    let mut expected = sent;
    expected.reverse();
    for limit in [2, 500] {
        assert_eq!(all(&points, 1, &PointFilter::default(), limit).await, expected);
    }
    // What a process wrote, the next one finds.
    assert_eq!(all(&open(dir.path(), Capture::Full).await, 1, &PointFilter::default(), 500).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_that_send_the_same_at_once_do_not_double_it() {
    let dir = tempfile::tempdir().unwrap();
    let points = open(dir.path(), Capture::Full).await;
    let sent: Vec<_> = (1..50).map(|time| sample(1, time, PointKind::Sum)).collect();
    let (first, second, third) =
        tokio::join!(points.add(sent.clone(), WITHIN), points.add(sent.clone(), WITHIN), points.add(sent.clone(), WITHIN));
    first.and(second).and(third).unwrap();
    assert_eq!(all(&points, 1, &PointFilter::default(), 500).await.len(), 49);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_sent_to_two_processes_is_there_once() {
    let dir = tempfile::tempdir().unwrap();
    // Two lakes on one folder share no memory, as two processes would not; what they read may be an hour old.
    let process = async || {
        let location = LakeLocation::Local(dir.path().join("lake"));
        let config = LanceConfig { look_for_newer_after: Some(Duration::from_secs(3_600)), ..LanceConfig::new(location) };
        MetricPoints::new(Arc::new(LanceLake::open(config).await.unwrap()), Capture::Full, Tasks::default())
    };
    let (one, other) = (process().await, process().await);
    // Both have looked at the table before.
    for points in [&one, &other] {
        assert!(all(points, 1, &PointFilter::default(), 500).await.is_empty());
    }
    // The answer of the one was lost, and the sender says it to the other.
    let first: Vec<_> = (1..40).map(|time| sample(1, time, PointKind::Sum)).collect();
    one.add(first.clone(), WITHIN).await.unwrap();
    other.add(first.clone(), WITHIN).await.unwrap();
    // At once, and some of it anew.
    for round in 1..6 {
        let sent: Vec<_> = (1..40).map(|time| sample(1, round * 20 + time, PointKind::Sum)).collect();
        let (here, there) = tokio::join!(one.add(sent.clone(), WITHIN), other.add(sent, WITHIN));
        here.and(there).unwrap();
    }
    let found = all(&process().await, 1, &PointFilter::default(), 500).await;
    let times: Vec<i64> = found.iter().map(|point| point.time.as_micros()).collect();
    assert_eq!(times, (1..140).rev().collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_sees_its_own_points_and_filters_narrow_them() {
    let dir = tempfile::tempdir().unwrap();
    let points = open(dir.path(), Capture::Full).await;
    let sent = vec![sample(1, 10, PointKind::Gauge), sample(1, 20, PointKind::Sum), sample(2, 10, PointKind::Gauge)];
    points.add(sent, WITHIN).await.unwrap();
    let times = async |project, filter: PointFilter| -> Vec<i64> {
        all(&points, project, &filter, 500).await.iter().map(|point| point.time.as_micros()).collect()
    };
    assert_eq!(times(1, PointFilter::default()).await, [20, 10]);
    assert_eq!(times(2, PointFilter::default()).await, [10]);
    assert!(times(3, PointFilter::default()).await.is_empty());
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(times(1, PointFilter { name: some("metric.sum"), ..PointFilter::default() }).await, [20]);
    assert_eq!(times(1, PointFilter { model: some("gpt"), service: some("shop"), ..PointFilter::default() }).await, [20, 10]);
    assert!(times(1, PointFilter { service: some("other"), ..PointFilter::default() }).await.is_empty());
    let (from, to) = (Some(Timestamp::from_micros(10)), Some(Timestamp::from_micros(20)));
    assert_eq!(times(1, PointFilter { from, to, ..PointFilter::default() }).await, [10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_kept_is_not_and_what_is_old_goes() {
    for (capture, user, content) in [
        (Capture::Full, Some(json!("ada@example.org")), true),
        (Capture::Redacted, Some(json!("[email]")), true),
        (Capture::Metadata, Some(json!("ada@example.org")), false),
        (Capture::None, None, false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let points = open(dir.path(), capture).await;
        points.add(vec![sample(1, 10, PointKind::Sum), sample(1, 20, PointKind::Sum)], WITHIN).await.unwrap();
        assert_eq!(points.expire(Timestamp::from_micros(20)).await.unwrap(), 1);
        assert_eq!(points.expire(Timestamp::from_micros(20)).await.unwrap(), 0);
        let left = all(&points, 1, &PointFilter::default(), 500).await;
        assert_eq!(left.len(), 1);
        let attributes = &left[0].attributes;
        assert_eq!((attributes.get("user.id"), attributes.contains_key("gen_ai.input.messages")), (user.as_ref(), content));
    }
}
