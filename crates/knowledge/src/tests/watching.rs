//! Whether there is something to take in.

use std::time::Duration;

use mainspring_kernel::{Clock as _, PageRequest};
use serde_json::json;

use crate::{
    IngestOptions, Worth,
    testing::{NAME, Room, page, target},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_can_ask_for_changes_without_leaving_a_run() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    let changes = async || room.knowledges.has_changes(&room.admin(), &target(NAME)).await.unwrap();
    assert!(changes().await);
    room.ingest().await;
    assert!(!changes().await);
    room.write("b.md", &page(2));
    assert!(changes().await);
    room.remove("b.md");
    room.remove("a.md");
    assert!(changes().await);
    let runs = room.knowledges.runs(&room.admin(), &NAME.parse().unwrap(), &PageRequest::first(10)).await.unwrap();
    assert_eq!(runs.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_sees_another_spec_and_leaves_alone_what_is_being_taken_in() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    room.ingest().await;
    let changes = async || room.knowledges.has_changes(&room.admin(), &target(NAME)).await.unwrap();
    assert!(!changes().await);
    room.apply(json!({ "chunking": { "max_tokens": 64 } })).await;
    assert!(changes().await);
    let options = IngestOptions::default();
    let begun = room.knowledges.begin_ingest(&room.admin(), &target(NAME), options, &room.trace()).await.unwrap();
    assert!(!changes().await);
    Box::pin(begun.run()).await.unwrap();
    assert!(!changes().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingestion_on_condition_begins_only_when_there_is_something_to_do() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    let begin = async |options| {
        let (admin, target, trace) = (room.admin(), target(NAME), room.trace());
        room.knowledges.begin_ingest_if(&admin, &target, (options, Worth::News), &trace).await.unwrap()
    };
    let local = IngestOptions { local: true, ..IngestOptions::default() };
    let first = Box::pin(begin(local).await.unwrap().run()).await.unwrap();
    assert_eq!(first.added, 1);
    assert!(begin(local).await.is_none());
    room.write("b.md", &page(2));
    let second = Box::pin(begin(local).await.unwrap().run()).await.unwrap();
    assert_eq!((second.added, second.unchanged), (1, 1));
    assert!(begin(IngestOptions { full: true, ..local }).await.is_some(), "all of it was asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_just_after_it_was_written_leaves_no_second_run() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.write("bad.md", "an UNPARSEABLE text");
    room.apply(json!({})).await;
    let written_now = || {
        for name in ["a.md", "bad.md"] {
            let file = std::fs::File::options().append(true).open(room.home.path().join("docs").join(name)).unwrap();
            let now = u64::try_from(room.clock.now().as_micros()).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + Duration::from_micros(now)).unwrap();
        }
    };
    let begin = async |worth| {
        let (admin, target, trace) = (room.admin(), target(NAME), room.trace());
        room.knowledges.begin_ingest_if(&admin, &target, (IngestOptions::default(), worth), &trace).await.unwrap()
    };
    written_now();
    room.ingest().await;
    // Still too young, then old enough, and then written again as they were: it is the content that counts.
    for turn in 0..3 {
        for worth in [Worth::Anything, Worth::News] {
            assert!(begin(worth).await.is_none(), "{turn} {worth:?}");
        }
        if turn == 1 {
            written_now();
        }
        room.clock.advance(Duration::from_secs(10));
    }
    let untold = room.catalog.query("SELECT id FROM document WHERE fingerprint IS NULL", Vec::new()).await.unwrap();
    assert!(untold.is_empty(), "from now on their times tell");
    let runs = room.knowledges.runs(&room.admin(), &NAME.parse().unwrap(), &PageRequest::first(10)).await.unwrap();
    assert_eq!(runs.items.len(), 1);
    // Other content is seen, also where it is too young to be told by its times.
    room.write("a.md", &page(2));
    written_now();
    let begun = begin(Worth::Anything).await.unwrap();
    assert_eq!(Box::pin(begun.run()).await.unwrap().changed, 1);
}
