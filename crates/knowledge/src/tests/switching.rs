//! A table that is filled beside the one that is searched: until it is whole, nobody sees anything of it.

use std::time::Duration;

use mainspring_catalog::Catalog;
use mainspring_kernel::id::RunId;
use mainspring_lake::{Filter, LakeFault};
use mainspring_llm::Retrieved;
use mainspring_testservers::boxed;
use serde_json::{Value, json};

use super::surviving::table_and_catalog_agree;
use crate::{
    IngestOptions, Ingestion, KnowledgeKey, Progress,
    store::{TableState, held},
    testing::{NAME, Room, asking, page, target},
};

mainspring_testservers::on_every_engine!(Catalog: [
    while_another_models_table_is_filled_the_old_one_answers,
    while_a_table_of_other_cuts_is_filled_the_old_one_answers,
    a_table_that_was_half_filled_is_not_searched_after_a_kill_either,
    a_table_that_was_given_up_half_filled_stays_for_its_time_and_no_longer,
    a_table_that_is_taken_up_again_holds_nothing_that_went_meanwhile,
]);

const DOCUMENTS: u64 = 6;
const QUESTION: &str = "number2 subject2";

/// A knowledge that is searched, an answer from it, and an ingestion into another table that one document keeps waiting.
async fn about_to_switch(catalog: Catalog, change: Value) -> (Room, Retrieved, Ingestion) {
    let room = Room::on(catalog).await;
    for number in 0..DOCUMENTS {
        room.write(&format!("{number}.md"), &page(usize::try_from(number).unwrap()));
    }
    room.apply(json!({})).await;
    room.ingest().await;
    let before = found(&room).await;
    assert!(before.passages[0].text.contains("subject2"), "{before:?}");
    room.apply(change).await;
    room.write("slow.md", "# Slow\n\nSLOW to read, and of zebras");
    let begun = room.knowledges.begin_ingest(&room.admin(), &target(NAME), IngestOptions::default(), &room.trace()).await;
    (room, before, begun.unwrap())
}

async fn found(room: &Room) -> Retrieved {
    let admin = room.admin();
    boxed(|| room.answer(&admin, asking(QUESTION))).await.unwrap().retrieved
}

/// How far the run is, and what a search finds, when every document but the slow one is written to the new table.
async fn in_the_middle(room: &Room, run: RunId) -> (Progress, Retrieved) {
    room.parser.reached.notified().await;
    loop {
        let now = room.knowledges.run(&room.admin(), &NAME.parse().unwrap(), run).await.unwrap();
        let progress = now.progress.unwrap();
        if progress.done == DOCUMENTS {
            return (progress, found(room).await);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The same passages, from the same state of the same table.
fn is_as_before(before: &Retrieved, now: &Retrieved) {
    assert_eq!((&now.pin, &now.embedder), (&before.pin, &before.embedder));
    assert_eq!(now.passages, before.passages);
}

async fn switches(catalog: Catalog, change: Value) {
    let (room, before, begun) = boxed(|| about_to_switch(catalog, change)).await;
    let id = begun.run_id();
    let watching = async {
        let seen = boxed(|| in_the_middle(&room, id)).await;
        room.parser.go_on.notify_one();
        seen
    };
    let (ended, (progress, meanwhile)) = tokio::join!(boxed(|| begun.run()), watching);
    is_as_before(&before, &meanwhile);
    assert!(progress.eta_seconds.is_some_and(|seconds| seconds > 0.0), "{progress:?}");
    assert_eq!((progress.to_do, progress.chunks >= DOCUMENTS), (DOCUMENTS + 1, true));
    let report = ended.unwrap();
    assert!(report.switched, "{report:?}");
    let after = found(&room).await;
    assert_eq!(Some(&after.pin.table), report.version.map(|version| version.table).as_ref());
    assert_ne!(after.pin.table, before.pin.table);
    assert!(after.passages[0].text.contains("subject2"), "{after:?}");
    assert_eq!(room.search("zebras").await[0].title, "Slow");
    boxed(|| table_and_catalog_agree(&room, 7)).await;
}

async fn while_another_models_table_is_filled_the_old_one_answers(catalog: Catalog) {
    switches(catalog, json!({ "embedding": "other" })).await;
}

async fn while_a_table_of_other_cuts_is_filled_the_old_one_answers(catalog: Catalog) {
    switches(catalog, json!({ "chunking": { "max_tokens": 32, "overlap_tokens": 0, "header": false } })).await;
}

async fn a_table_that_was_half_filled_is_not_searched_after_a_kill_either(catalog: Catalog) {
    let (room, before, begun) = boxed(|| about_to_switch(catalog, json!({ "embedding": "other" }))).await;
    let id = begun.run_id();
    tokio::select! {
        ended = boxed(|| begun.run()) => panic!("it was to wait: {ended:?}"),
        (_, meanwhile) = boxed(|| in_the_middle(&room, id)) => is_as_before(&before, &meanwhile),
    }
    let room = boxed(|| room.restarted()).await;
    is_as_before(&before, &found(&room).await);
    room.parser.go_on.notify_one();
    let report = room.ingest().await;
    assert!(report.switched, "{report:?}");
    assert_eq!((report.unchanged, report.added, report.failed), (DOCUMENTS, 1, 0), "what was written is not written again");
    let after = found(&room).await;
    assert_eq!(after.embedder.as_deref(), Some("other"));
    assert_eq!(room.search("zebras").await[0].title, "Slow");
    boxed(|| table_and_catalog_agree(&room, 7)).await;
}

async fn a_table_that_was_given_up_half_filled_stays_for_its_time_and_no_longer(catalog: Catalog) {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let (room, before, begun) = boxed(|| about_to_switch(catalog, json!({ "embedding": "other" }))).await;
    let id = begun.run_id();
    tokio::select! {
        ended = boxed(|| begun.run()) => panic!("it was to wait: {ended:?}"),
        _ = boxed(|| in_the_middle(&room, id)) => {}
    }
    let room = boxed(|| room.restarted()).await;
    let key = KnowledgeKey::new(room.project, NAME.parse().unwrap());
    let tables = async || held::tables(&room.catalog, &key).await.unwrap();
    let half = tables().await.into_iter().find(|row| row.table != before.pin.table).unwrap();
    assert_eq!(half.state, TableState::Building);
    // The spec goes back to what it was, and a document of both tables goes.
    room.apply(json!({})).await;
    room.remove("slow.md");
    room.remove("2.md");
    let report = room.ingest().await;
    assert_eq!((report.switched, report.deleted, report.unchanged), (false, 1, DOCUMENTS - 1));
    assert_eq!(found(&room).await.pin.table, before.pin.table);
    room.clock.advance(DAY * 29);
    assert_eq!(room.knowledges.upkeep().await.unwrap().dropped_tables, 0);
    room.clock.advance(DAY * 2);
    assert_eq!(room.knowledges.upkeep().await.unwrap().dropped_tables, 1);
    assert!(matches!(room.lake.open_existing(&half.table).await, Err(LakeFault::NoTable { .. })));
    assert_eq!(tables().await.iter().map(|row| &row.table).collect::<Vec<_>>(), [&before.pin.table]);
    assert_eq!(room.search("number1 subject1").await[0].title, "Page 1");
}

async fn a_table_that_is_taken_up_again_holds_nothing_that_went_meanwhile(catalog: Catalog) {
    let room = Room::on(catalog).await;
    for number in 0..4 {
        room.write(&format!("{number}.md"), &page(number));
    }
    room.apply(json!({})).await;
    room.ingest().await;
    let first = found(&room).await.pin.table;
    let rows = async |title: &str| {
        let table = room.lake.open_existing(&first).await.unwrap();
        table.count(Filter::StartsWith("title".into(), title.into())).await.unwrap()
    };
    assert!(rows("Page 2").await > 0);
    room.apply(json!({ "embedding": "other" })).await;
    assert!(room.ingest().await.switched);
    room.remove("2.md");
    room.write("3.md", &page(33));
    let report = room.ingest().await;
    assert_eq!((report.deleted, report.changed), (1, 1));
    assert!(rows("Page 2").await > 0, "what was searched before is kept for replays");

    room.apply(json!({})).await;
    let report = room.ingest().await;
    assert!(report.switched && report.version.is_some_and(|version| version.table == first));
    assert_eq!((rows("Page 2").await, rows("Page 33").await > 0), (0, true));
    boxed(|| table_and_catalog_agree(&room, 3)).await;
    let again = room.ingest().await;
    assert_eq!((again.unchanged, again.embedded), (3, 0));
}
