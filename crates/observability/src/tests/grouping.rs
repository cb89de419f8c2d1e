//! Groups over time.

use super::{
    asking::{NOW, SECOND, record},
    *,
};
use crate::{MetricsQuestion, SpanMetrics};

#[tokio::test(flavor = "multi_thread")]
async fn every_bucket_has_the_same_groups_however_few_are_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    // Long ago every model was asked; of late only the two that were asked most.
    let of = |model: Option<&str>, service: &str, ago: i64| {
        let mut call = span(NOW - ago * SECOND, &[]);
        call.attributes = Map::from_iter([("resource.service.name".to_owned(), json!(service))]);
        call.attributes.extend(model.map(|model| (names::REQUEST_MODEL.to_owned(), json!(model))));
        call
    };
    let models = [Some("a"), Some("b"), Some("c"), Some("d"), None];
    let first = models.iter().map(|model| of(*model, "shop", 95));
    let last = [15, 15, 5, 5].map(|ago| of(Some("d"), "shop", ago)).into_iter().chain([15, 5].map(|ago| of(None, "desk", ago)));
    record(&room, first.chain(last)).await;
    let measured = async |by: &[&str], limit: usize| {
        let question = MetricsQuestion {
            by: by.iter().map(|name| (*name).to_owned()).collect(),
            bucket: Some(Duration::from_secs(10)),
            measures: vec!["count".to_owned()],
            limit: Some(limit),
            filter: TraceFilter { from: Some(Timestamp::from_micros(NOW - 300 * SECOND)), ..TraceFilter::default() },
        };
        room.measure(&actor(Labels::All), question).await.unwrap()
    };
    let told = |found: &SpanMetrics| -> Vec<(i64, String)> {
        let row = |row: &crate::MetricsRow| {
            let keys: Vec<&str> = row.keys.iter().map(|key| key.as_deref().unwrap_or("-")).collect();
            ((NOW - row.start.unwrap().as_micros()) / SECOND, keys.join(" "))
        };
        let mut rows: Vec<_> = found.rows.iter().map(row).collect();
        rows.sort();
        rows
    };
    let few = measured(&["model"], 2).await;
    let wanted = [(10, "-"), (10, "d"), (20, "-"), (20, "d"), (100, "-"), (100, "d")];
    assert_eq!((told(&few), few.more), (wanted.map(|(ago, key)| (ago, key.to_owned())).into(), true));
    let pairs = measured(&["model", "service"], 2).await;
    let wanted = [(10, "- desk"), (10, "d shop"), (20, "- desk"), (20, "d shop"), (100, "d shop")];
    assert_eq!((told(&pairs), pairs.more), (wanted.map(|(ago, key)| (ago, key.to_owned())).into(), true));
    let all = measured(&["model"], 5).await;
    assert_eq!((all.rows.len(), all.more), (9, false));
}
