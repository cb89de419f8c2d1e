//! Rows of the table that are written again: who does it waits for others that do, and what cannot be read stays.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use mainspring_lake::{Filter, Scan};
use tokio::time::timeout;

use super::*;
use crate::{
    conventions::counted::Uses,
    settle,
    table::{Rows, to_batch},
};

const SHORT: Duration = Duration::from_millis(300);

/// A call as a program tells of it.
fn call(trace: TraceId, parent: Option<SpanId>) -> Span {
    let attributes = Map::from_iter([
        ("gen_ai.operation.name".to_owned(), json!("chat")),
        ("gen_ai.usage.input_tokens".to_owned(), json!(7)),
        ("input.value".to_owned(), json!("a zukamirel")),
        (names::DOCUMENTS.to_owned(), json!(["doc_abc"])),
    ]);
    Span { trace, parent, kind: SpanKind::Internal, attributes, ..span(1_700_000_000_000_000, &[]) }
}

/// A step that says no usage.
fn step(trace: TraceId, parent: Option<SpanId>) -> Span {
    let attributes = Map::from_iter([("openinference.span.kind".to_owned(), json!("CHAIN"))]);
    Span { attributes, ..call(trace, parent) }
}

/// An entry of this server into somebody's trace, and its call beneath.
fn ours(trace: TraceId, parent: SpanId) -> [Span; 2] {
    let entry = Span { trace, parent: Some(parent), ..span(1_700_000_000_000_100, &[]) };
    let beneath = call(trace, Some(entry.span));
    [entry, beneath]
}

async fn tell(room: &Observability, spans: &[Span]) {
    room.record_durably(spans.to_vec(), WAIT).await.unwrap();
    room.drain(WAIT).await.unwrap();
}

async fn counts(room: &Observability, span: &Span) -> Vec<Option<bool>> {
    let mut found = Vec::new();
    let these = Filter::eq("project", span.project.to_string())
        .and(Filter::eq("trace", span.trace.to_string()))
        .and(Filter::eq("span", span.span.to_string()));
    for batch in room.table().scan(Scan::of(these)).await.unwrap() {
        found.extend((0..batch.num_rows()).map(|row| Rows(&batch).yes("counted", row).unwrap()));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rewrites_rows_takes_turns() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let caller = call(TraceId::random(), None);
    tell(&room, &[caller.clone()]).await;

    let turn = room.kept().turn().await;
    let documents = ["doc_abc".to_owned()];
    let mut forgetting = Box::pin(room.forget_documents(project(), &documents, None));
    assert!(timeout(SHORT, &mut forgetting).await.is_err(), "somebody else is at it");
    drop(turn);
    assert_eq!(forgetting.await.unwrap().spans, 1);

    let turn = room.kept().turn().await;
    room.record_durably(vec![call(caller.trace, Some(caller.span))], WAIT).await.unwrap();
    assert!(room.drain(SHORT).await.is_err(), "what stops counting is written by one at a time");
    drop(turn);
    room.drain(WAIT).await.unwrap();
    assert_eq!(counts(&room, &caller).await, [Some(false)]);
    let read = &read_whole(&room, &actor(Labels::All), caller.trace).await.unwrap();
    let caller = read.iter().find(|span| span.span == caller.span).unwrap();
    assert!(!format!("{caller:?}").contains("zukamirel"), "{caller:#?}");

    let turn = room.kept().turn().await;
    let later = Timestamp::from_micros(1_700_000_000_000_001);
    let mut expiring = Box::pin(room.expire(later));
    assert!(timeout(SHORT, &mut expiring).await.is_err());
    drop(turn);
    assert_eq!(expiring.await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_stays_and_keeps_no_others_from_the_table() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let [broken, whole] = [(); 2].map(|()| call(TraceId::random(), None));
    let rows = to_batch(&[broken.clone(), whole.clone()]).unwrap();
    let at = rows.schema().index_of("attributes").unwrap();
    let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
    let read = Rows(&rows);
    let texts: &StringArray = read.column("attributes").unwrap();
    columns[at] = Arc::new(StringArray::from_iter_values(["{", texts.value(1)]));
    room.table().append(RecordBatch::try_new(rows.schema(), columns).unwrap()).await.unwrap();
    tell(&room, &[call(broken.trace, Some(broken.span)), call(whole.trace, Some(whole.span))]).await;
    assert_eq!(room.table().count(Filter::All).await.unwrap(), 4);
    assert_eq!(counts(&room, &broken).await, [Some(true)], "it is as it was");
    assert_eq!(counts(&room, &whole).await, [Some(false)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_stop_counting_in_one_commit_and_no_others_do() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let callers: Vec<Span> = (0..120).map(|_| call(TraceId::random(), None)).collect();
    // The id of one trace's span is also that of a span of another trace.
    let same = Span { span: callers[0].span, ..call(callers[1].trace, None) };
    tell(&room, &[callers.clone(), vec![same.clone()]].concat()).await;
    let before = room.table().stats().await.unwrap();
    let tokens = Uses { tokens: true, cost: false };
    let covered: Vec<_> = callers.iter().map(|span| ((span.project, span.trace, span.span), tokens)).collect();
    settle::stop_counting(room.kept(), &covered).await.unwrap();
    let after = room.table().stats().await.unwrap();
    assert_eq!((after.rows, after.version.number), (before.rows, before.version.number + 1));
    for caller in &callers {
        assert_eq!(counts(&room, caller).await, [Some(false)]);
    }
    assert_eq!(counts(&room, &same).await, [Some(true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_said_far_above_counts_no_longer_in_whatever_batches_it_comes() {
    for apart in [false, true] {
        for steps in [0, 1, 9] {
            let dir = tempfile::tempdir().unwrap();
            let Room { room, .. } = open(dir.path(), Capture::Full).await;
            let caller = call(TraceId::random(), None);
            let mut told = vec![caller.clone()];
            for _ in 0..steps {
                told.push(step(caller.trace, told.last().map(|span| span.span)));
            }
            tell(&room, &told).await;
            let [entry, beneath] = ours(caller.trace, told[steps].span);
            // What lies beneath ends first.
            room.record(beneath.clone());
            if apart {
                room.drain(WAIT).await.unwrap();
            }
            room.record(entry);
            room.drain(WAIT).await.unwrap();
            assert_eq!(counts(&room, &caller).await, [Some(false)], "{steps} steps, apart: {apart}");
            assert_eq!(counts(&room, &beneath).await, [Some(true)]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_trace_is_not_read_again_for_every_call() {
    let dir = tempfile::tempdir().unwrap();
    let Room { room, .. } = open(dir.path(), Capture::Full).await;
    let root = step(TraceId::random(), None);
    let others: Vec<Span> = (0..30).map(|_| call(root.trace, Some(root.span))).collect();
    tell(&room, &[vec![root.clone()], others].concat()).await;
    let [entry, beneath] = ours(root.trace, root.span);
    let doubt = settle::doubtful(&[to_batch(&[entry, beneath]).unwrap()], &[]).unwrap();
    assert_eq!(doubt.traces(), [root.trace.to_string()].into());
    let found = settle::present(room.kept(), doubt).await.unwrap();
    assert_eq!(found.iter().map(|node| node.id.2).collect::<Vec<_>>(), [root.span]);
}
