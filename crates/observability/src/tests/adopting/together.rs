//! Several servers over one lake, of which one writes while another one does.

use arrow_array::RecordBatch;
use mainspring_lake::UpkeepPolicy;
use tempfile::TempDir;

use super::*;
use crate::{
    conventions::counted::Uses,
    settle::{self, Kept},
    table::to_batch,
    tests::unsteady::Unsteady,
};

/// As long as whoever adopted remembers it.
const LONG: Duration = Duration::from_secs(600);

/// What a room works with, where this happens when it has read rows that it is about to write.
fn between(room: &Observability, first: impl Future<Output = ()> + Send + 'static) -> Kept {
    let mut kept = room.kept().clone();
    kept.table = Unsteady::changed_between(Arc::clone(room.table()), first);
    kept
}

/// Two servers that have looked for what an earlier process left.
async fn two() -> (TempDir, Room, Room) {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path()).await;
    let one = opened_over(&lake, &dir.path().join("one"), true).await;
    let other = opened_over(&lake, &dir.path().join("other"), true).await;
    look(&one.room).await;
    look(&other.room).await;
    (dir, one, other)
}

async fn end(rooms: [Room; 2]) {
    for it in rooms {
        it.tasks.shut_down(WAIT).await.unwrap();
    }
}

/// A call that says what it used.
fn call(name: &str, trace: TraceId, parent: Option<SpanId>) -> Span {
    let mut call = part(name, trace, parent, NOW);
    call.attributes.insert("gen_ai.operation.name".to_owned(), json!("chat"));
    call.attributes.insert("gen_ai.usage.input_tokens".to_owned(), json!(7));
    call
}

/// Whether its row counts, and whether it is an entry; it is there once.
async fn row_of(room: &Observability, span: &Span) -> (Option<bool>, Option<bool>) {
    let batches = room.table().scan(Scan::of(Filter::eq("span", span.span.to_string()))).await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    let batch = batches.iter().find(|batch| batch.num_rows() == 1).unwrap();
    let rows = Rows(batch);
    (rows.yes("counted", 0).unwrap(), rows.yes("entry", 0).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_another_server_adds_while_one_adopts_stays_alone() {
    let (_dir, one, other) = two().await;
    let orphan = part("orphan", TraceId::random(), None, NOW);
    tell(&one.room, std::slice::from_ref(&orphan)).await;
    one.clock.advance(AFTER);
    let (theirs, begun) = (other.room.clone(), root("root", orphan.trace, NOW - SECOND));
    let kept = between(&one.room, async move { tell(&theirs, &[begun]).await });
    adopting::look(&kept, one.room.board(), AFTER, &Stop::never()).await.unwrap();
    assert_eq!((entries(&one.room).await, adopted(&one.room).await), (vec!["root".to_owned()], 0));
    end([one, other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_that_know_other_spans_of_a_trace_agree_on_one() {
    let (_dir, one, other) = two().await;
    let late = part("late", TraceId::random(), None, NOW + 5);
    tell(&one.room, std::slice::from_ref(&late)).await;
    one.clock.advance(AFTER);
    let (theirs, clock, early) = (other.room.clone(), other.clock.clone(), part("early", late.trace, None, NOW));
    let kept = between(&one.room, async move {
        tell(&theirs, &[early]).await;
        clock.advance(AFTER);
        look(&theirs).await;
        assert_eq!(entries(&theirs).await, ["early"]);
    });
    adopting::look(&kept, one.room.board(), AFTER, &Stop::never()).await.unwrap();
    assert_eq!((entries(&one.room).await, adopted(&one.room).await), (vec!["early".to_owned()], 1));
    end([one, other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_adopted_looks_once_more_for_entries_of_who_had_looked_before() {
    let (dir, one, other) = two().await;
    let orphan = part("orphan", TraceId::random(), None, NOW);
    let left = part("left", TraceId::random(), None, NOW);
    tell(&one.room, &[orphan.clone(), left.clone()]).await;
    one.clock.advance(AFTER);
    look(&one.room).await;
    // They were compared with the table before anything was adopted, and are added now.
    let added = |span: &Span, name: &str| to_batch(&[root(name, span.trace, NOW - SECOND)]).unwrap();
    one.room.table().append(added(&orphan, "root")).await.unwrap();
    one.clock.advance(AFTER);
    look(&one.room).await;
    assert_eq!(adopted(&one.room).await, 2, "nobody has looked");
    one.clock.advance(LONG);
    look(&one.room).await;
    let mut entered = entries(&one.room).await;
    entered.sort();
    assert_eq!((entered, adopted(&one.room).await), (vec!["left".to_owned(), "root".to_owned()], 1));

    // Where the adopter is gone, the next server that is started finds it.
    one.room.table().append(added(&left, "begun")).await.unwrap();
    end([one, other]).await;
    let next = opened_over(&lake(dir.path()).await, &dir.path().join("next"), true).await;
    look(&next.room).await;
    next.clock.advance(AFTER);
    look(&next.room).await;
    let mut entered = entries(&next.room).await;
    entered.sort();
    assert_eq!((entered, adopted(&next.room).await), (vec!["begun".to_owned(), "root".to_owned()], 0));
    next.tasks.shut_down(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_in_other_files_meanwhile_is_read_again_and_adopted() {
    let (_dir, one, other) = two().await;
    let orphan = part("orphan", TraceId::random(), None, NOW);
    tell(&one.room, std::slice::from_ref(&orphan)).await;
    tell(&one.room, &[root("root", TraceId::random(), NOW)]).await;
    one.clock.advance(AFTER);
    let table = Arc::clone(other.room.table());
    let kept = between(&one.room, async move {
        let everything = UpkeepPolicy { fragments: 1, unindexed_rows: 1, keep_versions_for: Duration::ZERO };
        assert_eq!(table.upkeep(&everything).await.unwrap().compacted_fragments, 2);
    });
    adopting::look(&kept, one.room.board(), AFTER, &Stop::never()).await.unwrap();
    assert_eq!((row_of(&one.room, &orphan).await.1, adopted(&one.room).await), (Some(true), 1));
    end([one, other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_counts_no_longer_does_not_count_again_because_another_server_adopts() {
    let (_dir, one, other) = two().await;
    let first = call("call", TraceId::random(), None);
    tell(&one.room, std::slice::from_ref(&first)).await;
    one.clock.advance(AFTER);
    // It says what one beneath it says as well.
    let (theirs, beneath) = (other.room.clone(), call("beneath", first.trace, Some(first.span)));
    let kept = between(&one.room, async move { tell(&theirs, &[beneath]).await });
    adopting::look(&kept, one.room.board(), AFTER, &Stop::never()).await.unwrap();
    assert_eq!(row_of(&one.room, &first).await, (Some(false), Some(true)));
    end([one, other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_adopted_stays_so_when_another_server_writes_the_row() {
    let (_dir, one, other) = two().await;
    let spans = [call("call", TraceId::random(), None), call("call", TraceId::random(), None)];
    let [counted, forgotten] = &spans;
    tell(&one.room, std::slice::from_ref(counted)).await;
    one.clock.advance(AFTER);
    let adopts = one.room.clone();
    let kept = between(&other.room, async move { look(&adopts).await });
    let tokens = Uses { tokens: true, cost: false };
    settle::stop_counting(&kept, &[((counted.project, counted.trace, counted.span), tokens)]).await.unwrap();
    assert_eq!(row_of(&one.room, counted).await, (Some(false), Some(true)));

    // So it does when what the span showed is taken out of it.
    let mut shows = forgotten.clone();
    shows.attributes.insert("input.value".to_owned(), json!("a zukamirel"));
    shows.attributes.insert(names::DOCUMENTS.to_owned(), json!(["doc_abc"]));
    tell(&one.room, std::slice::from_ref(&shows)).await;
    one.clock.advance(AFTER);
    let adopts = one.room.clone();
    let kept = between(&other.room, async move { look(&adopts).await });
    let stripped = crate::forget::strip_traces(&kept, project(), &[shows.trace.to_string()]).await.unwrap();
    assert_eq!((stripped, row_of(&one.room, &shows).await.1), (1, Some(true)));
    end([one, other]).await;
}
