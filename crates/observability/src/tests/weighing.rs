//! What is measured where a project keeps only some of its spans.

use super::{
    asking::{NOW, SECOND, program, record},
    *,
};
use crate::{Measured, MetricsQuestion, NumbersRow, PromAnswer, PromTimes, SeriesQuestion};

/// Of ten that came one is kept; those that failed are all kept.
async fn sampled(room: &Observability) {
    let kept = |seconds: i64, failed: bool| {
        let mut spans = program(NOW - seconds * SECOND, "s", (10, 0.5));
        for span in &mut spans {
            span.attributes.insert(names::SAMPLING_WEIGHT.into(), json!(if failed { 1.0 } else { 10.0 }));
            if failed {
                span.status = SpanStatus::Error("broke".into());
                span.end = span.start.plus(Duration::from_secs(60));
            }
        }
        spans
    };
    let spans = (1..=9).flat_map(|n| kept(n, false)).chain((11..=20).flat_map(|n| kept(n, true)));
    record(room, spans.collect::<Vec<_>>()).await;
}

fn asked(filter: &str, measures: &[&str]) -> MetricsQuestion {
    MetricsQuestion {
        filter: TraceFilter {
            from: Some(Timestamp::from_micros(NOW - 100 * SECOND)),
            also: filter.parse().unwrap(),
            ..TraceFilter::default()
        },
        measures: measures.iter().map(|name| (*name).to_owned()).collect(),
        ..MetricsQuestion::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn measures_are_of_what_came_and_say_that_they_are_estimates() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    sampled(&room).await;
    let all = actor(Labels::All);
    let names = ["count", "errors", "error_rate", "input_tokens", "cost", "input_tokens_mean", "duration_p50", "duration_p99"];
    let found = room.measure(&all, asked("type = chat", &names)).await.unwrap();
    let row = &found.rows[0];
    assert!(row.estimated);
    let count = |count| Some(Measured::Count(count));
    assert_eq!(row.values[..2], [count(100), count(10)]);
    assert_eq!(row.values[2], Some(Measured::Share(0.1)), "and not ten of nineteen");
    assert_eq!(row.values[3..6], [count(1_000), Some(Measured::Nanodollars(50_000_000_000)), count(10)]);
    let millis = |at: usize| if let Some(Measured::Millis(millis)) = row.values[at] { millis } else { panic!("{row:?}") };
    assert!(millis(6) < 30_000.0 && millis(7) > 59_000.0, "half of what was kept took a minute, and a tenth of what came");
    // Lists are of what is there.
    assert_eq!(room.count_spans(&all, &asked("type = chat", &[]).filter).await.unwrap().count, 19);
    // What is kept in any case stands for itself.
    let exact = room.measure(&all, asked("type = chat and error", &names)).await.unwrap();
    assert!(!exact.rows[0].estimated);
    assert_eq!(exact.rows[0].values[..2], [count(10), count(10)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_otherwise_is_told_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
    let points = points_in(dir.path(), &tasks).await;
    sampled(&room).await;
    let all = actor(Labels::All);
    let at = Timestamp::from_micros(NOW);
    let times = PromTimes { start: at, end: at, step_micros: None };
    let text = "sum(increase(mainspring_calls_total[5m])) + 0 * sum(increase(mainspring_cost_usd_total[5m]))";
    let found = room.prometheus(&points, &all, text, times).await.unwrap();
    let PromAnswer::Series(series) = &found.answer else { panic!("{found:?}") };
    assert_eq!((series[0].points[0].1, found.estimated), (100.0, true));
    let nothing =
        room.prometheus(&points, &all, "sum(increase(mainspring_calls_total{status=\"error\"}[5m]))", times).await.unwrap();
    let PromAnswer::Series(series) = &nothing.answer else { panic!("{nothing:?}") };
    assert_eq!((series[0].points[0].1, nothing.estimated), (10.0, false));

    let hours = room.activity(&all, 1, None).await.unwrap();
    let hour = hours.iter().find(|hour| hour.traffic.requests > 0).unwrap();
    assert_eq!((hour.traffic.requests, hour.traffic.errors, hour.traffic.estimated), (100, 10, true));

    let question = SeriesQuestion {
        filter: "type = chat".parse().unwrap(),
        entries: false,
        only: None,
        from: Timestamp::from_micros(NOW - 100 * SECOND),
        to: at,
        step: Duration::from_secs(100),
        by: None,
    };
    let mut rows = room.series(&all, &question, (Some(&"error".parse().unwrap()), None)).await.unwrap();
    rows.sort_by(|one, other| one.weight.total_cmp(&other.weight));
    let told: Vec<(f64, u64, u64)> = rows.iter().map(|row| (row.weight, row.count, row.hits)).collect();
    assert_eq!(told, [(1.0, 10, 10), (10.0, 9, 0)]);
    let mut sum = 0.0;
    let mut listener = |row: NumbersRow| sum += row.moments.sum() * row.weight;
    room.numbers(&all, &question, ("cost", false), &mut listener).await.unwrap();
    assert!((sum - 50.0).abs() < 1e-9, "{sum} dollars");
}
