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
    assert_eq!(room.count_any(&all, &filter).await.unwrap(), Counted { count: 6, exact: true });

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
