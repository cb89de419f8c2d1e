//! How long what is gone from a source stays behind, and that it does not stay longer.

use std::time::Duration;

use mainspring_catalog::Catalog;
use mainspring_kernel::Fault as _;
use mainspring_llm::RetrieveRequest;
use serde_json::json;

use super::forgetting::holding;
use crate::testing::{Room, asking, page};

mainspring_testservers::on_every_engine!(Catalog: [
    what_is_gone_from_its_source_can_be_replayed_for_its_time_and_is_on_no_disk_afterwards,
    a_table_that_was_given_up_stays_for_its_time,
]);

const DAY: Duration = Duration::from_secs(24 * 3600);
const WORD: &str = "xylophonequark";

/// Where a word of the document is found on the disk: rows and indexes, texts.
fn kept(room: &Room) -> [usize; 2] {
    ["lake", "blobs"].map(|folder| holding(&room.home.path().join(folder), WORD.as_bytes()).len())
}

async fn what_is_gone_from_its_source_can_be_replayed_for_its_time_and_is_on_no_disk_afterwards(catalog: Catalog) {
    let room = Room::on(catalog).await;
    for number in 0..4 {
        room.write(&format!("{number}.md"), &page(number));
    }
    room.write("gone.md", &format!("# Gone\n\nThe password is {WORD}."));
    room.write("changed.md", &format!("# Changed\n\nHere it was {WORD} too."));
    room.apply(json!({})).await;
    room.ingest().await;
    let then = room.answer(&room.admin(), asking(WORD)).await.unwrap().retrieved;
    assert!(then.passages.iter().any(|passage| passage.title == "Gone"), "{then:?}");
    room.remove("gone.md");
    room.write("changed.md", "# Changed\n\nNow it is another one.");
    let report = room.ingest().await;
    assert_eq!((report.deleted, report.changed), (1, 1));

    let again = async || {
        let request = RetrieveRequest { at: Some(then.pin.clone()), ..asking(WORD) };
        room.answer(&room.admin(), request).await.map(|answer| answer.retrieved.passages)
    };
    // Within their time nothing that was answered is lost, however often the table is kept up.
    for days in [0, 2, 20] {
        room.clock.advance(DAY * days);
        let cleaned = room.knowledges.upkeep().await.unwrap();
        assert_eq!((cleaned.dropped_texts, cleaned.failed), (0, 0), "{cleaned:?}");
        assert_eq!(again().await.unwrap(), then.passages, "after {days} more days");
        assert!(kept(&room).iter().all(|files| *files > 0));
    }
    room.clock.advance(DAY * 10);
    let cleaned = room.knowledges.upkeep().await.unwrap();
    assert!(cleaned.dropped_tags > 0 && cleaned.dropped_texts == 2, "{cleaned:?}");
    assert_eq!(again().await.unwrap_err().code(), "knowledge-pin-gone");
    // What was rewritten now is itself a state of the table; the upkeep after its time takes the file along.
    room.clock.advance(DAY * 32);
    for _ in 0..2 {
        room.knowledges.upkeep().await.unwrap();
    }
    assert_eq!(kept(&room), [0, 0]);
    assert_eq!(room.search("number1").await[0].title, "Page 1", "what is there is found as before");
    assert!(room.search(WORD).await.iter().all(|hit| !hit.text.contains(WORD)));
    let report = room.ingest().await;
    assert_eq!((report.unchanged, report.embedded), (5, 0), "and has not to be made again");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_clones_and_pages_of_dead_processes_do_not_stay() {
    let room = Room::open().await;
    let work = room.home.path().join("work");
    for folder in ["git/0123", "crawl"] {
        std::fs::create_dir_all(work.join(folder)).unwrap();
    }
    let (clone, page) = (work.join("git/0123/FETCH_HEAD"), work.join("crawl/.tmpAbc"));
    for file in [&clone, &page] {
        std::fs::write(file, WORD).unwrap();
    }
    for (days, left) in [(0, [true, true]), (2, [true, true]), (2, [true, false]), (28, [false, false])] {
        room.clock.advance(DAY * days);
        room.knowledges.upkeep().await.unwrap();
        assert_eq!([&clone, &page].map(|file| file.exists()), left, "after {days} more days");
    }
}

async fn a_table_that_was_given_up_stays_for_its_time(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    room.ingest().await;
    let then = room.answer(&room.admin(), asking("number1")).await.unwrap().retrieved;
    room.apply(json!({ "embedding": "other" })).await;
    room.ingest().await;
    let again = async || {
        let request = RetrieveRequest { at: Some(then.pin.clone()), ..asking("number1") };
        room.answer(&room.admin(), request).await.map(|answer| answer.retrieved.passages)
    };
    room.clock.advance(DAY * 29);
    assert_eq!(room.knowledges.upkeep().await.unwrap().dropped_tables, 0);
    assert_eq!(again().await.unwrap(), then.passages);
    room.clock.advance(DAY * 2);
    assert_eq!(room.knowledges.upkeep().await.unwrap().dropped_tables, 1);
    assert_eq!(again().await.unwrap_err().code(), "knowledge-pin-gone");
    assert_eq!(room.search("number1").await[0].title, "Page 1");
}
