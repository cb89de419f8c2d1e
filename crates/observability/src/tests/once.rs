//! A trace that goes through several programs is one request.

use std::collections::BTreeMap;

use super::{
    asking::{NOW, SECOND, program, record},
    *,
};
use crate::{Measured, MetricsQuestion, NumbersRow, PromAnswer, PromTimes, SeriesQuestion, SpanFilter};

/// What one program asked another, which is entered itself, failed, and says what it used.
fn hop(start: i64, above: Option<&Span>) -> Span {
    let mut hop = span(start, &[]);
    hop.attributes = Map::from_iter([
        ("resource.service.name".to_owned(), json!("stock")),
        (names::OPERATION.to_owned(), json!("chat")),
        (names::INPUT_TOKENS.to_owned(), json!(5)),
    ]);
    hop.parent = Some(above.map_or_else(SpanId::random, |above| above.span));
    hop.trace = above.map_or(hop.trace, |above| above.trace);
    hop.status = SpanStatus::Error("no stock".into());
    hop.end = Timestamp::from_micros(start + SECOND);
    hop
}

/// A shop that asks for its stock, and somebody else who does: two requests, three entries.
async fn asked_for_stock(room: &Observability) {
    let [entry, call] = program(NOW - 20 * SECOND, "s-1", (10, 0.5));
    let (beneath, alone) = (hop(NOW - 10 * SECOND, Some(&entry)), hop(NOW - 5 * SECOND, None));
    record(room, [beneath, entry, call, alone]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_through_two_programs_is_measured_once() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    asked_for_stock(&room).await;
    let all = actor(Labels::All);
    let filtered = |text: &str| TraceFilter { also: text.parse::<SpanFilter>().unwrap(), ..TraceFilter::default() };
    let measured = async |filter: &str, by: &[&str], bucket: Option<u64>, measures: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let bucket = bucket.map(Duration::from_secs);
        let from = bucket.map(|_| Timestamp::from_micros(NOW - 60 * SECOND));
        let filter = TraceFilter { from, ..filtered(filter) };
        let asked = MetricsQuestion { filter, by: owned(by), bucket, measures: owned(measures), limit: None };
        let found = room.measure(&all, asked).await.unwrap();
        let rows = found.rows.into_iter().map(|row| {
            assert!(!row.estimated);
            (row.start.map(Timestamp::as_micros), row.keys, row.values.into_iter().map(Option::unwrap).collect::<Vec<_>>())
        });
        rows.collect::<Vec<_>>()
    };
    let counts = |numbers: &[i64]| numbers.iter().copied().map(Measured::Count).collect::<Vec<_>>();
    let named = |name: &str| vec![Some(name.to_owned())];
    assert_eq!(measured("", &[], None, &["count"]).await, [(None, vec![], counts(&[4]))], "of spans each counts");
    assert_eq!(measured("entry", &[], None, &["count", "errors"]).await, [(None, vec![], counts(&[2, 1]))]);
    // Whoever was asked by another has had a request as well, as a list of its traces shows.
    let mut by_service = measured("entry", &["service"], None, &["count", "errors"]).await;
    by_service.sort_by(|one, other| one.1.cmp(&other.1));
    assert_eq!(by_service, [(None, named("shop"), counts(&[1, 0])), (None, named("stock"), counts(&[2, 2]))]);
    for (filter, wanted) in [("", 2), ("service = stock", 2), ("service = shop", 1), ("error", 2)] {
        let entries = if filter.is_empty() { "entry".to_owned() } else { format!("entry and {filter}") };
        assert_eq!(measured(&entries, &[], None, &["count"]).await, [(None, vec![], counts(&[wanted]))], "{filter}");
        assert_eq!(room.count(&all, &filtered(filter)).await.unwrap().count, u64::try_from(wanted).unwrap(), "{filter}");
    }
    // It counts when it began; of the second ten seconds only the other one does.
    let over_time = measured("entry", &[], Some(5), &["count"]).await;
    let expected = [(Some(NOW - 20 * SECOND), vec![], counts(&[1])), (Some(NOW - 5 * SECOND), vec![], counts(&[1]))];
    assert_eq!(over_time, expected);
    let longest = measured("entry", &[], None, &["duration_max", "duration_mean"]).await;
    assert_eq!(longest, [(None, vec![], vec![Measured::Millis(3_000.0), Measured::Millis(2_000.0)])]);
    // What they used is told by whoever used it.
    assert_eq!(measured("entry", &[], None, &["count", "input_tokens"]).await, [(None, vec![], counts(&[2, 10]))]);
    let requests: u64 = room.activity(&all, 2, None).await.unwrap().iter().map(|hour| hour.traffic.requests).sum();
    assert_eq!(requests, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn monitors_and_metrics_count_a_trace_through_two_programs_once() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
    let points = points_in(dir.path(), &tasks).await;
    asked_for_stock(&room).await;
    let all = actor(Labels::All);
    let question = |by: Option<&str>| SeriesQuestion {
        filter: SpanFilter::all(),
        entries: true,
        only: None,
        from: Timestamp::from_micros(NOW - 30 * SECOND),
        to: Timestamp::from_micros(NOW),
        step: Duration::from_secs(10),
        by: by.map(|field| (field.to_owned(), 9)),
    };
    let error = "error".parse::<SpanFilter>().unwrap();
    let series = async |by: Option<&str>| {
        let rows = room.series(&all, &question(by), (Some(&error), None)).await.unwrap();
        let mut rows: Vec<_> =
            rows.into_iter().map(|row| ((NOW - row.at.as_micros()) / SECOND, row.slice, row.count, row.hits)).collect();
        rows.sort();
        rows
    };
    assert_eq!(series(None).await, [(10, None, 1, 1), (20, None, 1, 0)]);
    let [shop, stock] = ["shop", "stock"].map(|name| Some(name.to_owned()));
    assert_eq!(series(Some("service")).await, [(10, stock, 2, 2), (20, shop, 1, 0)]);
    let numbers = async |by: Option<&str>| {
        let mut found = Vec::new();
        let mut listener = |row: NumbersRow| found.push((row.at, row.moments.count(), row.moments.mean().unwrap()));
        room.numbers(&all, &question(by), ("duration", true), &mut listener).await.unwrap();
        found.sort_by_key(|(at, ..)| *at);
        found.into_iter().map(|(_, count, mean)| (count, mean)).collect::<Vec<_>>()
    };
    assert_eq!(numbers(None).await, [(1, 3.0), (1, 1.0)]);
    assert_eq!(numbers(Some("service")).await.iter().map(|(count, _)| count).sum::<u64>(), 3);
    let moment = Timestamp::from_micros(NOW);
    let told = async |text: &str| {
        let times = PromTimes { start: moment, end: moment, step_micros: None };
        let PromAnswer::Series(series) = room.prometheus(&points, &all, text, times).await.unwrap().answer else {
            panic!("{text}")
        };
        let each = series.into_iter().map(|series| {
            let labels: Vec<String> = series.labels.into_values().collect();
            (labels.join(","), series.points.iter().map(|(_, value)| *value).collect::<Vec<_>>())
        });
        each.collect::<BTreeMap<_, _>>()
    };
    let of = |all: &[(&str, f64)]| all.iter().map(|(name, value)| ((*name).to_owned(), vec![*value])).collect::<BTreeMap<_, _>>();
    assert_eq!(told("sum(mainspring_requests_total)").await, of(&[("", 2.0)]));
    assert_eq!(told("sum(increase(mainspring_requests_total[1m]))").await, of(&[("", 2.0)]));
    assert_eq!(told("sum by (service) (mainspring_requests_total)").await, of(&[("shop", 1.0), ("stock", 2.0)]));
    assert_eq!(told("sum(mainspring_request_duration_seconds_sum)").await, of(&[("", 4.0)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_attributes_are_of_each_trace_once_too() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let [mut entry, call] = program(NOW - 20 * SECOND, "s-1", (10, 0.5));
    entry.attributes.insert("shop.retries".to_owned(), json!(2));
    let mut again = [hop(NOW - 10 * SECOND, Some(&entry)), hop(NOW - 8 * SECOND, Some(&entry))];
    again.iter_mut().for_each(|hop| drop(hop.attributes.insert("shop.retries".to_owned(), json!(8))));
    record(&room, again.into_iter().chain([entry, call])).await;
    let counted = async |entries: bool| {
        let question = SeriesQuestion {
            filter: SpanFilter::all(),
            entries,
            only: None,
            from: Timestamp::from_micros(NOW - 30 * SECOND),
            to: Timestamp::from_micros(NOW),
            step: Duration::from_secs(30),
            by: None,
        };
        let mut found = Vec::new();
        let mut listener = |row: NumbersRow| found.push((row.moments.count(), row.moments.mean().unwrap()));
        let field = "attributes[\"shop.retries\"]";
        room.numbers(&actor(Labels::All), &question, (field, false), &mut listener).await.unwrap();
        found
    };
    assert_eq!(counted(true).await, [(1, 2.0)], "a request is one however often it was tried");
    assert_eq!(counted(false).await, [(3, 6.0)], "of spans each counts");
}

/// What is asked about a day at a time tells of each day by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_trace_with_entries_in_two_days_counts_once_in_a_window_and_has_a_duration_in_each() {
    const HOUR: i64 = 3_600 * SECOND;
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let all = actor(Labels::All);
    let [entry, call] = program(NOW - 30 * HOUR, "s-1", (10, 0.5));
    record(&room, [hop(NOW - HOUR, Some(&entry)), entry, call]).await;
    let question = SeriesQuestion {
        filter: SpanFilter::all(),
        entries: true,
        only: None,
        from: Timestamp::from_micros(NOW - 40 * HOUR),
        to: Timestamp::from_micros(NOW),
        step: Duration::from_secs(48 * 3_600),
        by: None,
    };
    let counted = room.series(&all, &question, (None, None)).await.unwrap();
    assert_eq!(counted.iter().map(|row| row.count).sum::<u64>(), 1);
    let mut durations = 0;
    let mut listener = |row: NumbersRow| durations += row.moments.count();
    room.numbers(&all, &question, ("duration", true), &mut listener).await.unwrap();
    assert_eq!(durations, 2);
}
