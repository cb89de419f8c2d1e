//! Tokens and cost that a parent and its child say: each counts once wherever it is told, and in whatever order the two come.

use mainspring_lake::{Filter, Scan};
use serde_json::Value;

use super::{
    asking::{NOW, SECOND},
    drifting::{THEN, drift_of, question},
    *,
};
use crate::{
    GatheredBy, Measured, MetricsQuestion, NumbersRow, PromAnswer, PromTimes, SeriesQuestion, SpanFilter, SqlQuestion,
    table::Rows,
};

/// Tokens that were read and written, and billionths of a dollar.
type Used = [Option<i64>; 3];

/// A span of another program, which says so many tokens, read and written, and so many dollars.
fn said(above: Option<&Span>, operation: &str, tokens: Option<(i64, i64)>, dollars: Option<f64>) -> Span {
    let mut attributes = Map::from_iter([
        (names::OPERATION.to_owned(), json!(operation)),
        (names::USER.to_owned(), json!("ann")),
        ("session.id".to_owned(), json!("s-1")),
        ("resource.service.name".to_owned(), json!("shop")),
    ]);
    if let Some((read, written)) = tokens {
        attributes.extend([(names::INPUT_TOKENS.to_owned(), json!(read)), (names::OUTPUT_TOKENS.to_owned(), json!(written))]);
    }
    attributes.extend(dollars.map(|dollars| ("llm.cost.total".to_owned(), json!(dollars))));
    let mut span = Span { kind: SpanKind::Internal, attributes, ..span(NOW - 10 * SECOND, &[]) };
    if let Some(above) = above {
        (span.trace, span.parent) = (above.trace, Some(above.span));
    }
    span
}

/// What was used, as the room tells it: everywhere the same.
async fn used(Room { room, tasks, .. }: &Room, dir: &Path) -> Used {
    let (all, page) = (actor(Labels::All), PageRequest::first(9));
    let listed = room.list(&all, &TraceFilter::default(), &page).await.unwrap().items.remove(0);
    let used = [listed.input_tokens, listed.output_tokens, listed.cost];

    let tree = room.tree(&all, listed.trace, 10, &PageRequest::first(1)).await.unwrap().totals.unwrap();
    assert_eq!([tree.input_tokens, tree.output_tokens, tree.cost], used, "the tree");
    for by in [GatheredBy::Session, GatheredBy::User] {
        let of = room.gathered(&all, by, &TraceFilter::default(), &page).await.unwrap().items.remove(0);
        assert_eq!([Some(of.input_tokens), Some(of.output_tokens), of.cost], used, "{by:?}");
    }

    let measures = ["input_tokens", "output_tokens", "cost", "input_tokens_max", "output_tokens_max", "cost_max"];
    for by in [vec![], vec!["service".to_owned()]] {
        let question = MetricsQuestion { measures: measures.map(str::to_owned).into(), by, ..MetricsQuestion::default() };
        let number = |value: &Option<Measured>| match value {
            Some(Measured::Count(number) | Measured::Nanodollars(number)) => Some(*number),
            None => None,
            Some(other) => panic!("{other:?}"),
        };
        let measured: Vec<_> = room.measure(&all, question).await.unwrap().rows[0].values.iter().map(number).collect();
        assert_eq!((&measured[..3], &measured[3..]), (&used[..], &used[..]), "measures: of each only one span says it");
    }

    let points = points_in(dir, tasks).await;
    let sum = |column: &str, part: &str| format!("sum({column}) FILTER (WHERE counted OR counted_part = '{part}')");
    let sums = [sum("input_tokens", "tokens"), sum("output_tokens", "tokens"), sum("cost", "cost")].join(", ");
    let question = SqlQuestion { text: format!("SELECT {sums} FROM spans"), ..SqlQuestion::default() };
    let rows = room.sql(&points, &all, &question).await.unwrap().rows;
    assert_eq!(rows[0].iter().map(Value::as_i64).collect::<Vec<_>>(), used, "SQL");

    let moment = Timestamp::from_micros(NOW);
    let times = PromTimes { start: moment, end: moment, step_micros: None };
    for (metric, unit, wanted) in [
        ("mainspring_tokens_total{type=\"input\"}", 1.0, used[0]),
        ("mainspring_tokens_total{type=\"output\"}", 1.0, used[1]),
        ("mainspring_cost_usd_total", 1e9, used[2]),
    ] {
        let text = format!("sum(increase({metric}[5m]))");
        let PromAnswer::Series(series) = room.prometheus(&points, &all, &text, times).await.unwrap().answer else {
            panic!("{text}")
        };
        assert_eq!(Some((series[0].points[0].1 * unit).round() as i64), wanted, "{text}");
    }

    // What monitors are told.
    let series = SeriesQuestion {
        filter: SpanFilter::all(),
        entries: false,
        only: None,
        from: Timestamp::from_micros(NOW - 20 * SECOND),
        to: moment,
        step: Duration::from_secs(20),
        by: None,
    };
    for (field, unit, wanted) in [("input_tokens", 1.0, used[0]), ("output_tokens", 1.0, used[1]), ("cost", 1e9, used[2])] {
        let mut sum = 0.0;
        let mut listener = |row: NumbersRow| sum += row.moments.sum() * unit;
        room.numbers(&all, &series, (field, false), &mut listener).await.unwrap();
        assert_eq!(Some(sum.round() as i64), wanted, "{field}");
    }
    used
}

/// Of a span: whether it counts, and which part.
async fn row(room: &Observability, span: &Span) -> (Option<bool>, Option<String>) {
    let batches = room.table().scan(Scan::of(Filter::eq("span", span.span.to_string()))).await.unwrap();
    let batch = batches.iter().find(|batch| batch.num_rows() == 1).unwrap();
    (Rows(batch).yes("counted", 0).unwrap(), Rows(batch).text("counted_part", 0).unwrap().map(str::to_owned))
}

/// Sends spans in this order, together or each to a server that was started anew.
async fn check(spans: &[Span], order: &[usize], apart: bool, want: Used) {
    let dir = tempfile::tempdir().unwrap();
    let sent: Vec<Span> = order.iter().map(|at| spans[*at].clone()).collect();
    for some in sent.chunks(if apart { 1 } else { sent.len() }) {
        let Room { room, tasks, .. } = open(dir.path(), Capture::Full).await;
        room.record_durably(some.to_vec(), WAIT).await.unwrap();
        room.drain(WAIT).await.unwrap();
        tasks.shut_down(WAIT).await.unwrap();
    }
    let room = open(dir.path(), Capture::Full).await;
    assert_eq!(used(&room, dir.path()).await, want, "{order:?}, apart: {apart}");
    room.tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_says_more_than_its_child_counts_with_what_the_child_does_not_say() {
    let whole = Some((1_000, 100));
    let parent = said(None, "invoke_agent", whole, Some(0.0035));
    let child = |tokens, dollars| said(Some(&parent), "chat", tokens, dollars);
    for (child, want) in [
        (child(Some((990, 90)), None), [Some(990), Some(90), Some(3_500_000)]),
        (child(None, Some(0.002)), [Some(1_000), Some(100), Some(2_000_000)]),
        (child(Some((990, 90)), Some(0.002)), [Some(990), Some(90), Some(2_000_000)]),
        (child(Some((990, 90)), Some(0.0)), [Some(990), Some(90), Some(3_500_000)]),
        (child(Some((0, 0)), Some(0.0)), [Some(1_000), Some(100), Some(3_500_000)]),
        (child(None, None), [Some(1_000), Some(100), Some(3_500_000)]),
    ] {
        let spans = [parent.clone(), child];
        for apart in [false, true] {
            check(&spans, &[0, 1], apart, want).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_counted_where_it_is_said_deepest_whoever_comes_first() {
    let top = said(None, "invoke_agent", Some((1_000, 100)), Some(0.0035));
    let middle = said(Some(&top), "chat", None, Some(0.003));
    let bottom = said(Some(&middle), "chat", Some((900, 90)), None);
    let spans = [top, middle, bottom];
    for order in [[0, 1, 2], [2, 1, 0], [0, 2, 1], [1, 0, 2]] {
        check(&spans, &order, true, [Some(900), Some(90), Some(3_000_000)]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_says_which_part_of_it_counts_and_still_does_when_it_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let [search, ..] = trace_that_used("doc_abc", &[]);
    let mut parent = Span { trace: search.trace, ..said(None, "invoke_agent", Some((1_000, 100)), Some(0.5)) };
    parent.attributes.insert("input.value".to_owned(), json!("a zukamirel"));
    let child = said(Some(&parent), "chat", Some((1_000, 100)), None);
    let tell = async |spans: &[Span]| {
        room.record_durably(spans.to_vec(), WAIT).await.unwrap();
        room.drain(WAIT).await.unwrap();
    };
    let part = |word: &str| (Some(false), Some(word.to_owned()));
    tell(&[parent.clone(), search]).await;
    assert_eq!(row(&room, &parent).await, (Some(true), None));
    tell(std::slice::from_ref(&child)).await;
    assert_eq!((row(&room, &parent).await, row(&room, &child).await), (part("cost"), (Some(true), None)));
    assert!(room.forget_documents(project(), &["doc_abc".to_owned()], None).await.unwrap().spans > 0);
    let read = room.span(&actor(Labels::All), parent.trace, Some(parent.span)).await.unwrap();
    assert!(!format!("{read:?}").contains("zukamirel"), "{read:#?}");
    assert_eq!(row(&room, &parent).await, part("cost"), "what it showed was taken out");
    // Another call of this trace knows what it cost.
    tell(&[said(Some(&parent), "chat", Some((1, 1)), Some(0.25))]).await;
    assert_eq!(row(&room, &parent).await, (Some(false), None));
    let batches = room.table().scan(Scan::of(Filter::eq("span", parent.span.to_string()))).await.unwrap();
    let batch = batches.iter().find(|batch| batch.num_rows() == 1).unwrap();
    let numbers = ["input_tokens", "cost"].map(|name| Rows(batch).number(name, 0).unwrap());
    assert_eq!(numbers, [Some(1_000), Some(500_000_000)], "it still says what it said");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_this_server_takes_from_its_caller_what_it_says_itself() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let caller = said(None, "chat", Some((7, 1)), Some(0.5));
    room.record_durably(vec![caller.clone()], WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    // Of a model without a price, and then of one that has one.
    for (cost, want) in [(None, (Some(false), Some("cost".to_owned()))), (Some(0.25), (Some(false), None))] {
        let entry = Span { trace: caller.trace, parent: Some(caller.span), ..span(NOW - 9 * SECOND, &[]) };
        let mut call = said(Some(&entry), "chat", Some((7, 1)), None);
        call.attributes.insert("mainspring.call".into(), json!("call_1"));
        call.attributes.extend(cost.map(|cost| ("mainspring.cost".to_owned(), json!(cost))));
        room.record(call.clone());
        room.record(entry);
        room.drain(WAIT).await.unwrap();
        assert_eq!((row(&room, &caller).await, row(&room, &call).await), (want, (Some(true), None)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_looks_at_each_where_it_counts() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let parent = Span { start: Timestamp::from_micros(THEN), ..said(None, "invoke_agent", Some((1_000, 100)), Some(0.5)) };
    let child = Span { start: parent.start, ..said(Some(&parent), "chat", Some((900, 90)), None) };
    room.record_durably(vec![parent, child], WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
    let drift = drift_of(dir.path(), &room, None).await;
    let report = drift.report(&actor(Labels::All), &question(&["cost", "input_tokens"])).await.unwrap();
    let mut found: Vec<_> = report.fields.iter().map(|field| (field.field.as_str(), field.reference)).collect();
    found.sort_unstable();
    assert_eq!(found, [("cost", 1), ("input_tokens", 1)]);
}
