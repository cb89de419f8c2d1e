//! Traces that are found by any of their spans.

use super::*;
use crate::{Counted, SpanFilter};

const NOW: i64 = 1_700_000_000_000_000;
const SECOND: i64 = 1_000_000;

fn filtered(text: &str) -> TraceFilter {
    TraceFilter { also: text.parse::<SpanFilter>().unwrap(), ..TraceFilter::default() }
}

/// An entry, and as many spans below it that failed.
fn failing(start: i64, below: i64) -> Vec<Span> {
    let mut entry = span(start, &[]);
    (entry.name, entry.kind) = ("checkout".into(), SpanKind::Internal);
    let mut spans = vec![entry.clone()];
    for n in 0..below {
        let mut call = span(start + 1 + n, &[]);
        (call.trace, call.parent, call.kind) = (entry.trace, Some(entry.span), SpanKind::Client);
        (call.name, call.status) = ("call".into(), SpanStatus::Error("broke".into()));
        spans.push(call);
    }
    spans
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_listed_once_and_shown_by_its_entry_however_many_of_its_spans_pass() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let traces: Vec<Vec<Span>> = (0..7).map(|n| failing(NOW - n * SECOND, n * 3)).collect();
    traces.iter().flatten().for_each(|span| room.record(span.clone()));
    room.drain(WAIT).await.unwrap();
    let all = actor(Labels::All);
    let filter = filtered("error and name = call");
    assert_eq!(room.count(&all, &filter).await.unwrap().count, 0, "no entry failed");
    assert_eq!(room.count_any(&all, &filter).await.unwrap(), Counted { count: 6, exact: true, waiting: 0 });

    let (mut listed, mut page) = (Vec::new(), PageRequest::first(2));
    loop {
        let found = room.list_any(&all, &filter, &page).await.unwrap();
        assert!(found.items.len() <= 2 && found.items.iter().all(|trace| trace.name == "checkout"), "{found:?}");
        listed.extend(found.items.iter().map(|trace| trace.trace));
        let Some(next) = found.next else { break };
        // What comes meanwhile moves nothing.
        failing(NOW + SECOND, 1).into_iter().for_each(|span| room.record(span));
        page = PageRequest::new(Some(2), Some(next)).unwrap();
    }
    let expected: Vec<TraceId> = traces[1..].iter().map(|spans| spans[0].trace).collect();
    assert_eq!(listed, expected, "the newest first, each once");
    let stranger = Actor { project: ProjectId::from_raw(8), ..actor(Labels::All) };
    assert!(room.list_any(&stranger, &filter, &PageRequest::first(9)).await.unwrap().items.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_may_not_be_seen_is_not_found_by_a_span_that_may() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let mut hidden = failing(NOW, 2);
    hidden[2] = Span { trace: hidden[0].trace, parent: Some(hidden[0].span), ..span(NOW + 5, &["board"]) };
    hidden.into_iter().chain(failing(NOW - SECOND, 1)).for_each(|span| room.record(span));
    room.drain(WAIT).await.unwrap();
    let filter = filtered("name = call");
    let seen = room.list_any(&holding(&[]), &filter, &PageRequest::first(9)).await.unwrap().items;
    assert_eq!((seen.len(), room.count_any(&holding(&[]), &filter).await.unwrap().count), (1, 1));
    assert_eq!(room.count_any(&holding(&["board"]), &filter).await.unwrap().count, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_began_elsewhere_is_entered_where_it_came_here() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let work = |start: i64, name: &str, above: Option<&Span>| Span {
        trace: above.map_or_else(TraceId::random, |above| above.trace),
        parent: Some(above.map_or_else(SpanId::random, |above| above.span)),
        kind: SpanKind::Internal,
        name: name.into(),
        ..span(start, &[])
    };
    let remote = |mut span: Span| {
        span.attributes.insert(names::PARENT_REMOTE.to_owned(), json!(true));
        span
    };
    // What stands above the first is elsewhere for sure; of the second nobody knows.
    let told = remote(work(NOW, "told", None));
    let untold = work(NOW - SECOND, "untold", None);
    let begun = Span { parent: None, ..work(NOW - 3 * SECOND, "begun", None) };
    let called = remote(work(NOW - 2 * SECOND, "called", Some(&begun)));
    let record = Span { attributes: Map::from_iter([(names::SIGNAL.to_owned(), json!("log"))]), ..work(NOW, "log", None) };
    let record = remote(record);
    let below = [&told, &untold].map(|above| work(NOW + 1, "below", Some(above)));
    let all: Vec<Span> = [told.clone(), untold.clone(), begun, called, record].into_iter().chain(below).collect();
    room.record_durably(all, WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();

    let all = actor(Labels::All);
    let listed = room.list(&all, &TraceFilter::default(), &PageRequest::first(9)).await.unwrap().items;
    let names: Vec<&str> = listed.iter().map(|trace| trace.name.as_str()).collect();
    assert_eq!(names, ["told", "begun"], "each once, and by where it begins");
    assert_eq!(room.count(&all, &TraceFilter::default()).await.unwrap().count, 2);
    let entries = room.spans(&all, &filtered("entry"), &PageRequest::first(9)).await.unwrap().items;
    assert_eq!(entries.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["told", "called", "begun"]);

    // The others are found by any of their spans.
    let any = room.list_any(&all, &filtered("name = untold or name = told"), &PageRequest::first(9)).await.unwrap().items;
    assert_eq!(any.iter().map(|trace| trace.trace).collect::<Vec<_>>(), [told.trace, untold.trace]);
    assert_eq!(room.count_any(&all, &TraceFilter::default()).await.unwrap().count, 4, "and a record by itself");
}
