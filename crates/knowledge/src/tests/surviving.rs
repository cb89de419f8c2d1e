//! Cut off anywhere, the next run goes on: nothing lost, nothing twice.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use mainspring_jobs::{JobFilter, Jobs};
use mainspring_kernel::{Fault as _, PageRequest, id::RunId};
use mainspring_lake::{Filter, Scan};
use mainspring_registry::RunStatus;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::json;

use crate::{
    Because, DocumentFilter, IngestJob, IngestOptions, RunState,
    table::{Reader, columns},
    testing::{NAME, Room, asking, page, target},
};

/// Polls a future so many times and then drops it, as a kill would: at whatever point it has come to.
pub(super) async fn poll_at_most<F: Future + ?Sized>(mut future: Pin<Box<F>>, mut polls: usize) -> bool {
    std::future::poll_fn(move |context| {
        if polls == 0 {
            return Poll::Ready(false);
        }
        polls -= 1;
        future.as_mut().poll(context).map(|_| true)
    })
    .await
}

/// The table holds for each document exactly the chunks the catalog says, each once.
pub(super) async fn table_and_catalog_agree(room: &Room, expected: usize) {
    let pin = room.answer(&room.admin(), asking("anything at all")).await.unwrap().retrieved.pin;
    let table = room.lake.open_existing(&pin.table).await.unwrap();
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for batch in table.scan(Scan::of(Filter::All).columns(&[columns::ID, columns::DOCUMENT])).await.unwrap() {
        for row in Reader::new(&batch, "test").rows().unwrap() {
            rows.entry(row.document).or_default().push(row.id);
        }
    }
    let name = NAME.parse().unwrap();
    let all = room.knowledges.documents(&room.admin(), &name, &DocumentFilter::default(), &PageRequest::first(500)).await;
    let all = all.unwrap().items;
    assert_eq!((all.len(), rows.len()), (expected, expected));
    for document in all {
        let mut ids = rows.remove(document.id.as_str()).unwrap();
        assert_eq!(ids.len() as u64, document.chunks, "{}", document.path);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len() as u64, document.chunks, "a chunk of {} stands there twice", document.path);
    }
}

#[test]
fn an_ingestion_cut_off_anywhere_is_completed_by_the_next() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let cuts = prop::collection::vec(1..400_usize, 1..5);
    runner
        .run(&cuts, |cuts| {
            runtime.block_on(async {
                let mut room = Room::open().await;
                room.apply(json!({ "chunking": { "max_tokens": 32, "overlap_tokens": 0 } })).await;
                for (turn, polls) in cuts.iter().enumerate() {
                    for number in 0..30 {
                        let text = page(if number % 3 == turn % 3 { number + 1000 * turn } else { number });
                        room.write(&format!("{number}.md"), &text);
                    }
                    let ingestion = Box::pin(room.try_ingest());
                    poll_at_most(ingestion, *polls).await;
                    room = room.restarted().await;
                }
                let report = room.ingest().await;
                assert_eq!(report.failed, 0, "{report:?}");
                table_and_catalog_agree(&room, 30).await;
                let again = room.ingest().await;
                assert_eq!((again.unchanged, again.embedded), (30, 0));
            });
            Ok(())
        })
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_caller_left_frees_the_knowledge() {
    let room = Room::open().await;
    for number in 0..30 {
        room.write(&format!("{number}.md"), &page(number));
    }
    room.apply(json!({})).await;
    poll_at_most(Box::pin(room.try_ingest()), 40).await;
    // The hold is given back by a task of its own, soon but not at once.
    for _ in 0..200 {
        match room.try_ingest().await {
            Ok(_) => {
                table_and_catalog_agree(&room, 30).await;
                return;
            }
            Err(fault) => assert_eq!(mainspring_kernel::Fault::code(&fault), "knowledge-busy"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the knowledge was never free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_lost_from_the_table_are_written_again() {
    let room = Room::open().await;
    for number in 0..8 {
        room.write(&format!("{number}.md"), &page(number));
    }
    room.apply(json!({})).await;
    let version = room.ingest().await.version.unwrap();
    let parsed = room.parser.parsed.load(Ordering::SeqCst);
    // What a repair after a power cut leaves: an older state, and numbers given again.
    room.lake.drop_table(&version.table).await.unwrap();
    let report = room.ingest().await;
    assert_eq!((report.changed, report.failed), (8, 0), "{report:?}");
    assert_eq!(room.parser.parsed.load(Ordering::SeqCst), parsed, "the texts are still there");
    table_and_catalog_agree(&room, 8).await;
}

/// A run whose process died: nobody closes it.
async fn left_behind(room: &Room, options: IngestOptions) -> RunId {
    let begun = room.knowledges.begin_ingest(&room.admin(), &target(NAME), options, &room.trace()).await.unwrap();
    let id = begun.run_id();
    std::mem::forget(begun);
    id
}

/// What is asked for and not begun.
async fn jobs(room: &Room) -> Vec<IngestJob> {
    let jobs = Jobs::open(room.catalog.clone(), Arc::new(room.clock.clone()));
    let listed = jobs.list(&room.admin(), &JobFilter::default(), &PageRequest::first(10)).await.unwrap();
    listed.items.iter().map(|job| IngestJob::read(&job.payload).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_is_closed_everywhere_and_a_job_goes_on_from_it() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    let options = IngestOptions { retry_failed: true, ..IngestOptions::default() };
    let id = left_behind(&room, options).await;
    let interrupted = room.knowledges.recover(true).await.unwrap();
    assert_eq!(interrupted.iter().map(|run| run.run).collect::<Vec<_>>(), [id]);
    let run = room.knowledges.run(&room.admin(), &NAME.parse().unwrap(), id).await.unwrap();
    assert_eq!((run.state, run.error.unwrap().code.as_str()), (RunState::Failed, "interrupted"));
    let registered = room.registry.get_run(&room.admin(), id).await.unwrap();
    assert_eq!(registered.status, RunStatus::Failed);
    assert_eq!(jobs(&room).await, [IngestJob::new(NAME.parse().unwrap(), Because::Resume).with(options)]);
    // Whoever looks again finds nothing left, and asks for nothing twice.
    assert!(room.knowledges.recover(true).await.unwrap().is_empty());
    assert_eq!(jobs(&room).await.len(), 1);
    room.ingest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_other_processes_a_silent_run_is_closed_when_its_lease_has_ended() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    let id = left_behind(&room, IngestOptions::default()).await;
    assert!(room.knowledges.recover(false).await.unwrap().is_empty());
    assert_eq!(room.try_ingest().await.unwrap_err().code(), "knowledge-busy");
    room.clock.advance(Duration::from_secs(31));
    let interrupted = room.knowledges.recover(false).await.unwrap();
    assert_eq!(interrupted.iter().map(|run| run.run).collect::<Vec<_>>(), [id]);
    assert_eq!(jobs(&room).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_to_stop_ends_at_once_and_leaves_a_job() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    let begun =
        room.knowledges.begin_ingest(&room.admin(), &target(NAME), IngestOptions::default(), &room.trace()).await.unwrap();
    let id = begun.run_id();
    let (ask, asked) = tokio::sync::oneshot::channel::<()>();
    drop(ask);
    let stop = async {
        let _ = asked.await;
    };
    match Box::pin(begun.run_until(stop)).await {
        Ok(_) => panic!("it was to stop"),
        Err(fault) => assert_eq!(fault.code(), "knowledge-stopped"),
    }
    let run = room.knowledges.run(&room.admin(), &NAME.parse().unwrap(), id).await.unwrap();
    assert_eq!((run.state, run.error.unwrap().code.as_str()), (RunState::Cancelled, "knowledge-stopped"));
    assert_eq!(jobs(&room).await, [IngestJob::new(NAME.parse().unwrap(), Because::Resume)]);
    room.ingest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_lost_its_hold_writes_no_row() {
    let room = Room::open().await;
    room.write("slow.md", &format!("{}\n\nSLOW", page(1)));
    room.apply(json!({})).await;
    let taken = async {
        room.parser.reached.notified().await;
        let mut tx = room.catalog.begin().await.unwrap();
        assert_eq!(tx.execute("UPDATE knowledge SET holder_run = 'another'", Vec::new()).await.unwrap(), 1);
        tx.commit().await.unwrap();
        room.parser.go_on.notify_one();
    };
    let (ended, ()) = futures::future::join(room.try_ingest(), taken).await;
    assert_eq!(ended.unwrap_err().code(), "knowledge-lost-hold");
    for table in room.lake.list().await.unwrap() {
        let table = room.lake.open_existing(&table).await.unwrap();
        assert_eq!(table.count(Filter::All).await.unwrap(), 0, "{}", table.name());
    }
}
