//! Texts that no document came to have are deleted, and those that one is about to have are not.

use std::{fmt::Write as _, sync::atomic::Ordering, time::Duration};

use mainspring_kernel::{Name, PageRequest};
use serde_json::json;

use super::forgetting::{holding, id_of};
use crate::{
    DocumentFilter, ForgetRequest, IngestOptions, Stage,
    testing::{NAME, Room, page, target},
};

const WORD: &str = "xylophonequark";

/// How many texts on the disk hold the word.
fn kept(room: &Room) -> usize {
    holding(&room.home.path().join("blobs"), WORD.as_bytes()).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_of_a_document_that_is_too_large_to_be_cut_is_not_kept() {
    let room = Room::open().await;
    let paragraph = "word ".repeat(31);
    let mut text = String::new();
    for number in 0..50_100 {
        writeln!(text, "{WORD}{number} {paragraph}\n").unwrap();
    }
    room.write("huge.md", &text);
    room.write("b.md", &page(2));
    room.apply(json!({ "chunking": { "max_tokens": 32, "overlap_tokens": 0 } })).await;
    let report = room.ingest().await;
    assert_eq!((report.failed, report.failures[0].code.as_str()), (1, "knowledge-too-many-chunks"), "{report:?}");
    assert_eq!(kept(&room), 0);
    assert_eq!(room.search("number2").await[0].title, "Page 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_whose_run_broke_off_goes_when_nobody_can_have_it_in_hand_any_more() {
    let room = Room::set_up(|config| (config.patience, config.keep_runs_for) = (Duration::ZERO, Duration::ZERO)).await;
    room.write("slow.md", &format!("# Slow\n\nSLOW {WORD}"));
    room.apply(json!({})).await;
    let outage = async {
        room.parser.reached.notified().await;
        room.outage.begin();
        room.parser.go_on.notify_one();
    };
    let (ended, ()) = futures::future::join(room.try_ingest(), outage).await;
    assert!(ended.unwrap_err().is_outage());
    room.outage.end();
    // The file goes before any document names its text.
    room.remove("slow.md");
    assert_eq!((room.ingest().await.added, kept(&room)), (0, 1));
    assert_eq!(room.knowledges.upkeep().await.unwrap().dropped_texts, 0, "it may still be in hand");
    room.clock.advance(Duration::from_secs(7 * 3600));
    assert_eq!(room.knowledges.upkeep().await.unwrap().dropped_texts, 1);
    assert_eq!(kept(&room), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_being_taken_in_again_is_not_deleted() {
    const OTHER: &str = "other";
    let room = Room::open().await;
    room.write("a.md", &format!("# A\n\nThe password is {WORD}."));
    room.apply(json!({})).await;
    room.apply_named(OTHER, json!({})).await;
    room.ingest().await;
    let (admin, named): (_, Name) = (room.admin(), NAME.parse().unwrap());
    let request = ForgetRequest { documents: vec![id_of(&room, "a.md").await], ..ForgetRequest::default() };

    // The text is there; the document that is to have it waits for its model.
    room.embedder.on_its_way.store(u64::MAX, Ordering::SeqCst);
    let begun = room.knowledges.begin_ingest(&admin, &target(OTHER), IngestOptions::default(), &room.trace()).await.unwrap();
    let mut progress = begun.progress();
    let meanwhile = async {
        progress.wait_for(|progress| progress.stage == Stage::Awaiting).await.unwrap();
        let receipt = room.knowledges.forget(&admin, &named, &request).await;
        room.embedder.on_its_way.store(0, Ordering::SeqCst);
        receipt.unwrap()
    };
    let (report, receipt) = futures::future::join(Box::pin(begun.run()), Box::pin(meanwhile)).await;
    assert_eq!((report.unwrap().added, receipt.texts, receipt.shared_texts), (1, 0, 1));
    let other: Name = OTHER.parse().unwrap();
    let documents = room.knowledges.documents(&admin, &other, &DocumentFilter::default(), &PageRequest::first(5)).await.unwrap();
    let text = room.knowledges.document_text(&admin, &other, &documents.items[0].id).await.unwrap();
    assert!(text.parsed.text().contains(WORD));

    // Forgotten there as well, it is nobody's.
    let request = ForgetRequest { documents: vec![documents.items[0].id.clone()], ..ForgetRequest::default() };
    let receipt = room.knowledges.forget(&admin, &other, &request).await.unwrap();
    assert_eq!((receipt.texts, receipt.shared_texts, kept(&room)), (1, 0, 0));
}
