//! What is gone from its source, or was moved in it, can be forgotten: nothing of it stays on the disk.

use std::{collections::BTreeSet, time::Duration};

use mainspring_catalog::Catalog;
use mainspring_kernel::{Actor, Fault as _, Name, PageRequest, Role, Timestamp};
use mainspring_llm::{RetrieveRequest, TablePin};
use serde_json::json;

use super::forgetting::{holding, id_of};
use crate::{
    DocumentId, ForgetRequest, IngestOptions, Receipt,
    testing::{NAME, Room, asking, page, target},
};

mainspring_testservers::on_every_engine!(Catalog: [
    a_document_that_is_gone_is_forgotten_by_the_id_and_the_name_it_had,
    what_a_moved_document_was_before_is_forgotten_with_it,
    a_moved_document_is_forgotten_under_the_name_it_had,
    a_document_that_came_under_the_old_name_of_a_moved_one_stays,
    what_came_later_where_a_moved_document_went_stays,
    a_copy_that_was_there_all_along_stays,
    a_source_takes_along_what_is_gone_from_it_and_not_what_was_moved_elsewhere,
]);

const WORD: &str = "xylophonequark";

fn name() -> Name {
    NAME.parse().unwrap()
}

fn one(id: &DocumentId) -> ForgetRequest {
    ForgetRequest { documents: vec![id.clone()], ..ForgetRequest::default() }
}

fn secret(number: usize) -> String {
    format!("# Secret\n\nThe password of number{number} is {WORD}.")
}

/// Many pages, so that one that is deleted leaves its bytes where they lay.
async fn with_pages(room: &Room) {
    for number in 0..40 {
        room.write(&format!("{number}.md"), &page(number));
    }
    room.apply(json!({})).await;
}

async fn ingest(room: &Room) -> crate::Report {
    room.clock.advance(Duration::from_secs(60));
    let report = room.ingest().await;
    room.clock.advance(Duration::from_secs(60));
    report
}

async fn forget(room: &Room, request: &ForgetRequest) -> Receipt {
    room.knowledges.forget(&room.admin(), &name(), request).await.unwrap()
}

async fn pin(room: &Room) -> TablePin {
    room.answer(&room.admin(), asking(WORD)).await.unwrap().retrieved.pin
}

fn files(room: &Room) -> Vec<String> {
    ["lake", "blobs"].iter().flat_map(|folder| holding(&room.home.path().join(folder), WORD.as_bytes())).collect()
}

async fn called(room: &Room, given: &str) -> Vec<DocumentId> {
    let called = room.knowledges.documents_called(&room.admin(), &name(), given).await.unwrap();
    assert!(called.exact.is_empty(), "{:?}", called.exact);
    called.gone
}

/// Nothing of it is anywhere, and answers from this state cannot be replayed.
async fn assert_nowhere(room: &Room, receipt: &Receipt, pin: TablePin) {
    assert!(receipt.rows.iter().all(|rows| rows.left == 0), "{receipt:?}");
    assert!(receipt.dropped_states.iter().any(|state| state.pin() == pin && state.rows > 0), "{receipt:?}");
    assert_eq!(files(room), Vec::<String>::new());
    let then = RetrieveRequest { at: Some(pin), ..asking(WORD) };
    assert_eq!(room.answer(&room.admin(), then).await.unwrap_err().code(), "knowledge-pin-gone");
}

async fn a_document_that_is_gone_is_forgotten_by_the_id_and_the_name_it_had(catalog: Catalog) {
    let room = Room::on(catalog).await;
    with_pages(&room).await;
    room.write("secret.md", &secret(1));
    ingest(&room).await;
    let (id, then) = (id_of(&room, "secret.md").await, pin(&room).await);
    room.remove("secret.md");
    assert_eq!(ingest(&room).await.deleted, 1);
    let replayed = RetrieveRequest { at: Some(then.clone()), ..asking(WORD) };
    let shown = room.answer(&room.admin(), replayed).await.unwrap().retrieved.passages;
    assert!(shown.iter().any(|passage| passage.title == "Secret") && !files(&room).is_empty(), "it is kept for replays");
    assert_eq!(called(&room, "secret.md").await, [id.clone()]);
    assert_eq!(called(&room, room.path("secret.md").to_str().unwrap()).await, [id.clone()]);
    // Another run, whose state shows nothing of it.
    room.write("later.md", &page(99));
    ingest(&room).await;

    let receipt = forget(&room, &one(&id)).await;
    assert_eq!((&receipt.documents, receipt.texts, receipt.tombstones), (&vec![id.clone()], 1, true));
    assert!(receipt.former.is_empty() && receipt.not_found.is_empty(), "{receipt:?}");
    assert_nowhere(&room, &receipt, then).await;
    assert_eq!(called(&room, "secret.md").await, Vec::<DocumentId>::new(), "its name is forgotten too");
    let fault = room.knowledges.forget(&room.admin(), &name(), &one(&id)).await.unwrap_err();
    assert_eq!(fault.code(), "knowledge-document-not-found");
    room.write("secret.md", &secret(1));
    let report = ingest(&room).await;
    assert_eq!((report.forgotten, report.added), (1, 0), "it is kept out when it comes back");
}

async fn what_a_moved_document_was_before_is_forgotten_with_it(catalog: Catalog) {
    let room = Room::on(catalog).await;
    with_pages(&room).await;
    room.write("first.md", &secret(1));
    ingest(&room).await;
    let (first, then) = (id_of(&room, "first.md").await, pin(&room).await);
    for (from, to) in [("first.md", "second.md"), ("second.md", "third.md")] {
        std::fs::rename(room.path(from), room.path(to)).unwrap();
        let report = ingest(&room).await;
        assert_eq!((report.moved, report.added, report.deleted), (1, 0, 0));
    }
    // It says something else by now.
    room.write("third.md", "# Nothing\n\nThere is nothing to see here.");
    ingest(&room).await;
    let receipt = forget(&room, &one(&id_of(&room, "third.md").await)).await;
    assert_eq!((receipt.documents.len(), receipt.former.len()), (1, 2), "{receipt:?}");
    assert!(receipt.former.contains(&first), "{receipt:?}");
    assert_nowhere(&room, &receipt, then).await;
    // Moved back, it is kept out all the same.
    std::fs::rename(room.path("third.md"), room.path("first.md")).unwrap();
    let report = ingest(&room).await;
    assert_eq!((report.forgotten, report.added), (1, 0));
}

async fn a_moved_document_is_forgotten_under_the_name_it_had(catalog: Catalog) {
    let room = Room::on(catalog).await;
    with_pages(&room).await;
    room.write("secret.md", &secret(1));
    ingest(&room).await;
    let (before, then) = (id_of(&room, "secret.md").await, pin(&room).await);
    std::fs::rename(room.path("secret.md"), room.path("renamed.md")).unwrap();
    ingest(&room).await;
    let now = id_of(&room, "renamed.md").await;
    assert_eq!(called(&room, "secret.md").await, [before.clone()]);
    // An erasure is asked for by an id, and has to know all of them.
    let erased = room.knowledges.erase(&room.admin(), &name(), &before).await.unwrap();
    assert_eq!(erased, BTreeSet::from([before.clone(), now.clone()]));
    let receipts = room.knowledges.receipts(&room.admin(), &name(), &PageRequest::first(5)).await.unwrap();
    let receipt = &receipts.items[0];
    assert_eq!((&receipt.documents, &receipt.former), (&vec![now.clone()], &vec![before.clone()]));
    assert_nowhere(&room, receipt, then).await;
    // Also of one that was forgotten before.
    assert_eq!(room.knowledges.erase(&room.admin(), &name(), &now).await.unwrap(), erased);
    assert_eq!(room.knowledges.forgotten(Timestamp::from_micros(0)).await.unwrap()[0].documents.len(), 2);
}

async fn a_document_that_came_under_the_old_name_of_a_moved_one_stays(catalog: Catalog) {
    let room = Room::on(catalog).await;
    with_pages(&room).await;
    room.write("notes.md", &secret(1));
    ingest(&room).await;
    let (notes, then) = (id_of(&room, "notes.md").await, pin(&room).await);
    std::fs::rename(room.path("notes.md"), room.path("old.md")).unwrap();
    ingest(&room).await;
    room.write("notes.md", &page(77));
    ingest(&room).await;
    let receipt = forget(&room, &one(&id_of(&room, "old.md").await)).await;
    assert_eq!(receipt.former, [notes.clone()]);
    assert_nowhere(&room, &receipt, then).await;
    // What traces show from now on under that id is of the other one.
    let forgotten = room.knowledges.forgotten(Timestamp::from_micros(0)).await.unwrap().remove(0);
    assert_eq!((forgotten.documents, forgotten.outlived), (receipt.documents.clone(), vec![notes.clone()]));
    assert_eq!(id_of(&room, "notes.md").await, notes);
    assert!(room.search("number77").await.iter().any(|hit| hit.document == notes.as_str()));
    let report = ingest(&room).await;
    assert_eq!((report.forgotten, report.unchanged), (1, 41), "only the moved one is kept out");
}

async fn what_came_later_where_a_moved_document_went_stays(catalog: Catalog) {
    let room = Room::on(catalog).await;
    with_pages(&room).await;
    room.write("first.md", &secret(1));
    ingest(&room).await;
    let first = id_of(&room, "first.md").await;
    std::fs::rename(room.path("first.md"), room.path("second.md")).unwrap();
    assert_eq!(ingest(&room).await.moved, 1);
    let (second, then) = (id_of(&room, "second.md").await, pin(&room).await);
    room.remove("second.md");
    ingest(&room).await;
    room.write("second.md", &page(77));
    ingest(&room).await;
    let receipt = forget(&room, &one(&first)).await;
    assert_eq!((receipt.documents.as_slice(), receipt.former.as_slice()), ([first].as_slice(), [second.clone()].as_slice()));
    assert_nowhere(&room, &receipt, then).await;
    assert!(room.search("number77").await.iter().any(|hit| hit.document == second.as_str()));
    let report = ingest(&room).await;
    assert_eq!((report.forgotten, report.unchanged), (0, 41), "the new one is not kept out");
}

async fn a_copy_that_was_there_all_along_stays(catalog: Catalog) {
    let room = Room::on(catalog).await;
    with_pages(&room).await;
    room.write("one.md", &secret(1));
    room.write("two.md", &secret(1));
    ingest(&room).await;
    let (gone, copy) = (id_of(&room, "one.md").await, id_of(&room, "two.md").await);
    room.remove("one.md");
    room.clock.advance(Duration::from_secs(60));
    let all = IngestOptions { full: true, ..IngestOptions::default() };
    // The copy is written anew in the run that takes the other one out.
    room.knowledges.ingest(&room.admin(), &target(NAME), all, &room.trace()).await.unwrap();
    let receipt = forget(&room, &one(&gone)).await;
    assert_eq!((receipt.documents.as_slice(), receipt.former.len(), receipt.shared_texts), ([gone].as_slice(), 0, 1));
    assert!(room.search(WORD).await.iter().any(|hit| hit.document == copy.as_str()));
}

async fn a_source_takes_along_what_is_gone_from_it_and_not_what_was_moved_elsewhere(catalog: Catalog) {
    let room = Room::on(catalog).await;
    let folder = |name: &str| json!({"type": "folder", "name": name, "path": room.home.path().join("docs").join(name)});
    std::fs::create_dir_all(room.path("b")).unwrap();
    room.write("a/gone.md", &secret(1));
    room.write("a/moved.md", &page(2));
    room.write("a/stays.md", &page(3));
    room.apply(json!({"sources": [folder("a"), folder("b")]})).await;
    ingest(&room).await;
    let then = pin(&room).await;
    room.remove("a/gone.md");
    std::fs::rename(room.path("a/moved.md"), room.path("b/moved.md")).unwrap();
    ingest(&room).await;
    let receipt = forget(&room, &ForgetRequest { source: Some("a".into()), ..ForgetRequest::default() }).await;
    assert_eq!((receipt.documents.len(), receipt.former.len()), (3, 0), "{receipt:?}");
    assert_nowhere(&room, &receipt, then).await;
    assert!(room.search("number2").await.iter().any(|hit| hit.title == "Page 2"), "it is of another source by now");
    assert!(room.search("number3").await.iter().all(|hit| hit.title != "Page 3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_was_broken_off_is_one_all_the_same() {
    for polls in [30, 120, 400, 1_000] {
        let room = Room::open().await;
        with_pages(&room).await;
        room.write("secret.md", &secret(1));
        ingest(&room).await;
        let then = pin(&room).await;
        std::fs::rename(room.path("secret.md"), room.path("renamed.md")).unwrap();
        room.clock.advance(Duration::from_secs(60));
        super::surviving::poll_at_most(Box::pin(room.ingest()), polls).await;
        let room = room.restarted().await;
        ingest(&room).await;
        let receipt = forget(&room, &one(&id_of(&room, "renamed.md").await)).await;
        assert_eq!(receipt.former.len(), 1, "after {polls} polls: {receipt:?}");
        assert_nowhere(&room, &receipt, then).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_before_that_was_noted_is_found_in_the_states_themselves() {
    let room = Room::open().await;
    with_pages(&room).await;
    room.write("secret.md", &secret(1));
    ingest(&room).await;
    let (id, then) = (id_of(&room, "secret.md").await, pin(&room).await);
    room.remove("secret.md");
    ingest(&room).await;
    let mut tx = room.catalog.begin().await.unwrap();
    tx.execute("DELETE FROM gone_document", Vec::new()).await.unwrap();
    tx.commit().await.unwrap();
    let receipt = forget(&room, &one(&id)).await;
    assert_eq!((receipt.documents.as_slice(), receipt.texts), ([id].as_slice(), 1));
    assert_nowhere(&room, &receipt, then).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_forgotten_only_by_whom_it_was_shown_to() {
    let room = Room::open().await;
    room.write("pay.md", &secret(1));
    room.write("open.md", &page(2));
    let source = json!({ "type": "folder", "name": "docs", "path": room.home.path().join("docs"),
        "rules": [{ "match": "pay.md", "labels": ["hr"] }] });
    room.apply(json!({ "sources": [source] })).await;
    ingest(&room).await;
    let (id, then) = (id_of(&room, "pay.md").await, pin(&room).await);
    room.remove("pay.md");
    ingest(&room).await;
    let keeper = |labels: &[&str]| Actor { role: Role::Admin, ..room.reader(labels) };
    let fault = room.knowledges.forget(&keeper(&["law"]), &name(), &one(&id)).await.unwrap_err();
    assert_eq!(fault.code(), "knowledge-document-not-found");
    let called = async |labels: &[&str]| room.knowledges.documents_called(&keeper(labels), &name(), "pay.md").await.unwrap().gone;
    assert_eq!((called(&["law"]).await, called(&["hr"]).await), (vec![], vec![id.clone()]));
    let receipt = room.knowledges.forget(&keeper(&["hr"]), &name(), &one(&id)).await.unwrap();
    assert_nowhere(&room, &receipt, then).await;
    let stones = room.knowledges.tombstones(&keeper(&["law"]), &name(), &PageRequest::first(5)).await;
    assert!(stones.unwrap().items.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_what_is_gone_are_kept_as_long_as_states_are() {
    let room = Room::open().await;
    with_pages(&room).await;
    room.write("secret.md", &secret(1));
    ingest(&room).await;
    room.remove("secret.md");
    ingest(&room).await;
    room.knowledges.upkeep().await.unwrap();
    assert_eq!(called(&room, "secret.md").await.len(), 1);
    room.clock.advance(Duration::from_secs(31 * 24 * 3600));
    room.knowledges.upkeep().await.unwrap();
    assert_eq!(called(&room, "secret.md").await, Vec::<DocumentId>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_ends_the_forgetting_that_was_begun() {
    let room = Room::patient_for(Duration::ZERO).await;
    with_pages(&room).await;
    room.write("secret.md", &secret(1));
    ingest(&room).await;
    let (id, then) = (id_of(&room, "secret.md").await, pin(&room).await);
    room.outage.begin_after(1);
    room.knowledges.forget(&room.admin(), &name(), &one(&id)).await.unwrap_err();
    assert!(room.knowledges.erase(&room.admin(), &name(), &id).await.is_err(), "the lake is away: it is not done");
    room.outage.end();
    assert!(!files(&room).is_empty());
    let erased = room.knowledges.erase(&room.admin(), &name(), &id).await.unwrap();
    assert_eq!(erased, BTreeSet::from([id]));
    let receipts = room.knowledges.receipts(&room.admin(), &name(), &PageRequest::first(5)).await.unwrap();
    assert_nowhere(&room, &receipts.items[0], then).await;
}
