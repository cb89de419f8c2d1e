//! A store goes away under a run, or a model is not here yet.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use mainspring_jobs::{JobFilter, Jobs};
use mainspring_kernel::{Clock as _, Fault as _, PageRequest};
use serde_json::json;

use super::surviving::table_and_catalog_agree;
use crate::{
    Because, IngestJob, IngestOptions, RunState, Stage,
    testing::{NAME, Room, page, target},
};

/// Documents, with one of which the parser waits.
fn documents(room: &Room) {
    for number in 0..20 {
        let waits = if number == 7 { "\n\nSLOW" } else { "" };
        room.write(&format!("{number}.md"), &format!("{}{waits}", page(number)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_while_the_store_is_away_and_goes_on_when_it_is_back() {
    let room = Room::open().await;
    documents(&room);
    room.apply(json!({})).await;
    let outage = async {
        room.parser.reached.notified().await;
        room.outage.begin();
        room.parser.go_on.notify_one();
        // More than one try.
        for _ in 0..3 {
            room.outage.noticed().await;
        }
        room.outage.end();
    };
    let (report, ()) = futures::future::join(room.ingest(), outage).await;
    assert_eq!((report.added, report.failed), (20, 0), "{report:?}");
    table_and_catalog_agree(&room, 20).await;
    let again = room.ingest().await;
    assert_eq!((again.unchanged, again.embedded), (20, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_store_stays_away_the_run_ends_by_name_and_a_job_does_the_rest() {
    let room = Room::patient_for(Duration::from_millis(20)).await;
    room.write("first.md", &page(100));
    room.apply(json!({})).await;
    room.ingest().await;
    // Runs are told apart by when they began.
    room.clock.advance(Duration::from_secs(1));
    documents(&room);
    let outage = async {
        room.parser.reached.notified().await;
        room.outage.begin();
        room.parser.go_on.notify_one();
    };
    let (ended, ()) = futures::future::join(room.try_ingest(), outage).await;
    let fault = ended.unwrap_err();
    assert!(fault.is_outage(), "{fault:?}");
    assert_eq!(fault.code(), "lake-unavailable");

    let (name, first) = (NAME.parse().unwrap(), PageRequest::first(1));
    let run = room.knowledges.runs(&room.admin(), &name, &first).await.unwrap().items.remove(0);
    let reason = run.error.unwrap();
    assert_eq!((run.state, reason.code.as_str()), (RunState::Failed, "lake-unavailable"));
    assert!(reason.detail.ends_with("the rest is done when it is back"), "{}", reason.detail);
    let jobs = Jobs::open(room.catalog.clone(), Arc::new(room.clock.clone()));
    let waiting = jobs.list(&room.admin(), &JobFilter::default(), &PageRequest::first(10)).await.unwrap().items;
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert_eq!(IngestJob::read(&waiting[0].payload).unwrap(), IngestJob::new(name, Because::Resume));
    assert!(waiting[0].due > room.clock.now(), "not at once: the store is still away");
    assert_eq!(room.knowledges.reach().await.unwrap_err().code(), "lake-unavailable");

    room.outage.end();
    room.knowledges.reach().await.unwrap();
    // It is free, and what was done stays done.
    room.parser.go_on.notify_one();
    let rest = room.ingest().await;
    assert_eq!((rest.failed, rest.unchanged + rest.added + rest.changed), (0, 21), "{rest:?}");
    table_and_catalog_agree(&room, 21).await;
    let again = room.ingest().await;
    assert_eq!((again.unchanged, again.embedded), (21, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_in_a_run_the_store_goes_away_nothing_is_lost_and_nothing_is_there_twice() {
    const TURNS: usize = 24;
    let room = Room::patient_for(Duration::ZERO).await;
    room.apply(json!({ "chunking": { "max_tokens": 32, "overlap_tokens": 0 } })).await;
    let mut broken = 0;
    for turn in 0..TURNS {
        for number in 0..12 {
            let text = page(if number % 3 == turn % 3 { number + 1000 * turn } else { number });
            room.write(&format!("{number}.md"), &text);
        }
        room.outage.begin_after(turn as u64);
        if let Err(fault) = room.try_ingest().await {
            assert_eq!(fault.code(), "lake-unavailable", "after {turn} answers: {fault:?}");
            broken += 1;
        }
        room.outage.end();
        // The rest is done right after it, or only when the store has been away once more.
        if turn % 2 == 0 {
            room.ingest().await;
            table_and_catalog_agree(&room, 12).await;
        }
    }
    assert!(broken > 4, "{broken} of {TURNS} runs were broken off");
    room.ingest().await;
    table_and_catalog_agree(&room, 12).await;
    let again = room.ingest().await;
    assert_eq!((again.unchanged, again.embedded, again.failed), (12, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_for_a_model_that_is_being_fetched_and_says_so() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    room.embedder.on_its_way.store(3, Ordering::SeqCst);
    let (actor, options) = (room.admin(), IngestOptions::default());
    let ingestion = room.knowledges.begin_ingest(&actor, &target(NAME), options, &room.trace()).await.unwrap();
    let mut progress = ingestion.progress();
    let waits = async {
        progress.wait_for(|progress| progress.stage == Stage::Awaiting).await.unwrap();
    };
    let (report, ()) = futures::future::join(ingestion.run(), waits).await;
    let report = report.unwrap();
    assert_eq!((report.added, report.failed, room.embedder.on_its_way.load(Ordering::SeqCst)), (1, 0, 0), "{report:?}");
    table_and_catalog_agree(&room, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_model_a_run_ends_at_once_says_what_helps_and_has_added_nothing() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    room.embedder.missing.store(true, Ordering::SeqCst);
    let fault = room.try_ingest().await.unwrap_err();
    assert_eq!((fault.code(), fault.is_outage()), ("model-not-installed", false));
    let run = room.knowledges.runs(&room.admin(), &NAME.parse().unwrap(), &PageRequest::first(1)).await.unwrap().items.remove(0);
    let (report, reason) = (run.report.unwrap(), run.error.unwrap());
    assert_eq!((run.state, report.added, report.chunks), (RunState::Failed, 0, 0), "{report:?}");
    assert_eq!(reason.code, "model-not-installed");
    assert!(reason.detail.ends_with("; run `mainspring models pull words`"), "{}", reason.detail);
    // With nothing to cut, nothing is asked of it.
    room.remove("a.md");
    assert_eq!(room.ingest().await.added, 0);
    room.write("a.md", &page(1));
    room.embedder.missing.store(false, Ordering::SeqCst);
    assert_eq!(room.ingest().await.added, 1);
    table_and_catalog_agree(&room, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_written_is_not_counted_as_added() {
    let room = Room::patient_for(Duration::ZERO).await;
    room.write("slow.md", "SLOW");
    room.apply(json!({})).await;
    let outage = async {
        room.parser.reached.notified().await;
        room.outage.begin();
        room.parser.go_on.notify_one();
    };
    let (ended, ()) = futures::future::join(room.try_ingest(), outage).await;
    assert_eq!(ended.unwrap_err().code(), "lake-unavailable");
    let run = room.knowledges.runs(&room.admin(), &NAME.parse().unwrap(), &PageRequest::first(1)).await.unwrap().items.remove(0);
    let report = run.report.unwrap();
    assert_eq!((report.added, report.parsed), (0, 1), "{report:?}");
}
