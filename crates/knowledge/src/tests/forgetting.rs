use std::path::Path;

use mainspring_catalog::Catalog;
use mainspring_kernel::{Fault as _, Name, PageRequest};
use mainspring_llm::RetrieveRequest;
use serde_json::json;

use crate::{
    DocumentFilter, DocumentId, ForgetRequest,
    testing::{NAME, Room, asking, page},
};

mainspring_testservers::on_every_engine!(Catalog: [
    a_forgotten_document_is_nowhere_any_more,
    what_a_document_said_before_is_forgotten_too,
    a_whole_source_is_forgotten_at_once,
    a_text_that_another_document_shares_stays_with_it,
]);

fn name() -> Name {
    NAME.parse().unwrap()
}

pub(super) async fn id_of(room: &Room, path: &str) -> DocumentId {
    let all = room.knowledges.documents(&room.admin(), &name(), &DocumentFilter::default(), &PageRequest::first(500)).await;
    all.unwrap().items.into_iter().find(|document| document.path == path).unwrap().id
}

/// Files below a folder whose bytes hold these.
pub(super) fn holding(folder: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, needle));
        } else if std::fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle) {
            found.push(path.display().to_string());
        }
    }
    found
}

async fn a_forgotten_document_is_nowhere_any_more(catalog: Catalog) {
    let room = Room::on(catalog).await;
    for number in 0..4 {
        room.write(&format!("{number}.md"), &page(number));
    }
    room.apply(json!({})).await;
    room.ingest().await;
    let early = room.answer(&room.admin(), asking("number0")).await.unwrap().retrieved.pin;
    room.write("secret.md", "# Secret\n\nThe password is xylophonequark.");
    room.ingest().await;
    let pin = room.answer(&room.admin(), asking("xylophonequark")).await.unwrap().retrieved.pin;
    assert!(!holding(&room.home.path().join("lake"), b"xylophonequark").is_empty());

    let id = id_of(&room, "secret.md").await;
    let request = ForgetRequest { documents: vec![id.clone()], ..ForgetRequest::default() };
    let receipt = room.knowledges.forget(&room.admin(), &name(), &request).await.unwrap();
    assert_eq!((receipt.documents, receipt.texts, receipt.tombstones), (vec![id.clone()], 1, true));
    assert!(receipt.rows.iter().all(|rows| rows.left == 0) && receipt.rows[0].rows >= 1);
    assert!(receipt.dropped_states.iter().any(|state| state.pin() == pin), "{:?}", receipt.dropped_states);
    for folder in ["lake", "blobs"] {
        assert_eq!(holding(&room.home.path().join(folder), b"xylophonequark"), Vec::<String>::new());
    }
    let then = RetrieveRequest { at: Some(pin), ..asking("xylophonequark") };
    assert_eq!(room.answer(&room.admin(), then).await.unwrap_err().code(), "knowledge-pin-gone");
    // A state from before it was there is still to be had.
    let then = RetrieveRequest { at: Some(early), ..asking("number0") };
    assert_eq!(room.answer(&room.admin(), then).await.unwrap().retrieved.passages[0].title, "Page 0");
    let found = room.search("xylophonequark password").await;
    assert!(found.iter().all(|hit| hit.title != "Secret"));
    assert!(room.knowledges.document(&room.admin(), &name(), &id).await.is_err());

    let report = room.ingest().await;
    assert_eq!((report.forgotten, report.added), (1, 0), "the file is still there, and is kept out");
    assert!(room.search("xylophonequark").await.iter().all(|hit| hit.title != "Secret"));
    assert_eq!(room.knowledges.readmit(&room.admin(), &name(), id.as_str()).await.unwrap().document, id);
    assert_eq!(room.ingest().await.added, 1);
    assert_eq!(room.search("xylophonequark").await[0].title, "Secret");
}

async fn what_a_document_said_before_is_forgotten_too(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("a.md", "# A\n\nonce it said xylophonequark");
    room.write("b.md", &page(2));
    room.apply(json!({})).await;
    room.ingest().await;
    room.write("a.md", "# A\n\nnow it says something else");
    room.ingest().await;
    assert!(!holding(&room.home.path().join("blobs"), b"xylophonequark").is_empty(), "kept for replays until then");
    let request = ForgetRequest { documents: vec![id_of(&room, "a.md").await], ..ForgetRequest::default() };
    room.knowledges.forget(&room.admin(), &name(), &request).await.unwrap();
    for folder in ["lake", "blobs"] {
        assert_eq!(holding(&room.home.path().join(folder), b"xylophonequark"), Vec::<String>::new());
    }
}

async fn a_whole_source_is_forgotten_at_once(catalog: Catalog) {
    let room = Room::on(catalog).await;
    for number in 0..4 {
        room.write(&format!("{number}.md"), &page(number));
    }
    room.apply(json!({})).await;
    room.ingest().await;
    let request = ForgetRequest { source: Some("docs".into()), readmit: true, ..ForgetRequest::default() };
    let receipt = room.knowledges.forget(&room.admin(), &name(), &request).await.unwrap();
    assert_eq!((receipt.documents.len(), receipt.tombstones), (4, false));
    assert!(room.search("number1").await.is_empty());
    assert_eq!(room.ingest().await.added, 4, "it was allowed to come back");
    assert_eq!(room.knowledges.receipts(&room.admin(), &name(), &PageRequest::first(5)).await.unwrap().items.len(), 1);
}

async fn a_text_that_another_document_shares_stays_with_it(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("a.md", &page(1));
    room.write("b.md", &page(1));
    room.apply(json!({})).await;
    room.ingest().await;
    let request = ForgetRequest { documents: vec![id_of(&room, "a.md").await], ..ForgetRequest::default() };
    let receipt = room.knowledges.forget(&room.admin(), &name(), &request).await.unwrap();
    assert_eq!((receipt.texts, receipt.shared_texts), (0, 1));
    let found = room.search("number1").await;
    assert!(found.iter().all(|hit| hit.uri.ends_with("b.md")) && !found.is_empty());
    let id = found[0].document.parse().unwrap();
    assert!(room.knowledges.document_text(&room.admin(), &name(), &id).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgetting_that_was_broken_off_is_finished_at_the_next_start() {
    for polls in [1, 4, 9, 20, 60] {
        let room = Room::open().await;
        room.write("secret.md", "# Secret\n\nThe password is xylophonequark.");
        room.write("b.md", &page(2));
        room.apply(json!({})).await;
        room.ingest().await;
        let request = ForgetRequest { documents: vec![id_of(&room, "secret.md").await], ..ForgetRequest::default() };
        let admin = room.admin();
        let named = name();
        let forgetting = Box::pin(room.knowledges.forget(&admin, &named, &request));
        super::surviving::poll_at_most(forgetting, polls).await;
        let started = !room.search("xylophonequark").await.iter().any(|hit| hit.title == "Secret");
        let room = room.restarted().await;
        if started {
            for folder in ["lake", "blobs"] {
                assert_eq!(holding(&room.home.path().join(folder), b"xylophonequark"), Vec::<String>::new(), "{polls}");
            }
        }
        room.ingest().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_before_no_longer_name_what_was_forgotten() {
    let room = Room::open().await;
    room.write("good.md", &page(1));
    room.write("bad-xylophone.md", "UNPARSEABLE");
    room.write("other.md", "UNPARSEABLE too");
    room.write("blurred-quark.md", "# Blurred\n\nBLURRED it is");
    room.apply(json!({})).await;
    room.ingest().await;
    let said = async || {
        let runs = room.knowledges.runs(&room.admin(), &name(), &PageRequest::first(5)).await.unwrap();
        serde_json::to_string(&runs.items).unwrap()
    };
    assert!(said().await.contains("bad-xylophone") && said().await.contains("blurred-quark"));
    let documents = vec![id_of(&room, "bad-xylophone.md").await, id_of(&room, "blurred-quark.md").await];
    let request = ForgetRequest { documents, ..ForgetRequest::default() };
    room.knowledges.forget(&room.admin(), &name(), &request).await.unwrap();
    assert!(!said().await.contains("bad-xylophone") && !said().await.contains("blurred-quark"));
    assert!(said().await.contains("other.md"), "what else failed is still told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_called_by_its_whole_path_or_address() {
    let room = Room::open().await;
    // More that have the path as a part of theirs than a page of any list holds, and all of them before it.
    for number in 0..60 {
        room.write(&format!("a{number:02}/plan.md"), &page(number));
    }
    room.write("plan.md", &page(99));
    room.apply(json!({})).await;
    room.ingest().await;
    let called = async |given: &str| room.knowledges.documents_called(&room.admin(), &name(), given).await.unwrap();
    let paths = |documents: &[crate::Document]| documents.iter().map(|document| document.path.clone()).collect::<Vec<_>>();
    let found = called("plan.md").await;
    assert_eq!((paths(&found.exact), paths(&found.near)), (vec!["plan.md".to_owned()], vec![]));
    assert_eq!(called(&found.exact[0].uri).await.exact, found.exact);
    assert_eq!(called(room.path("plan.md").to_str().unwrap()).await.exact, found.exact, "where the file lies is said too");
    // The only one with it in its path, and not what it is called.
    let part = called("a07/plan").await;
    assert_eq!((paths(&part.exact), paths(&part.near)), (vec![], vec!["a07/plan.md".to_owned()]));
    assert!(called("PLAN.md").await.exact.is_empty(), "letters count as they are");
    let elsewhere = called("b/plan.txt").await;
    assert_eq!((elsewhere.exact.len(), elsewhere.near.len()), (0, 5));
    assert_eq!(called("  ").await, crate::documents::Called::default());
    let nobody = room.knowledges.documents_called(&room.reader(&[]), &name(), "plan.md").await.unwrap();
    assert_eq!(nobody.exact.len(), 1, "it has no labels");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_hidden_is_called_nothing() {
    let room = Room::open().await;
    room.write("salaries.md", &page(1));
    let sources = json!([{"type": "folder", "name": "docs", "path": room.home.path().join("docs"), "labels": ["hr"]}]);
    room.apply(json!({ "sources": sources })).await;
    room.ingest().await;
    let asked = async |labels: &[&str], given: &str| {
        let found = room.knowledges.documents_called(&room.reader(labels), &name(), given).await.unwrap();
        (found.exact.len(), found.near.len())
    };
    assert_eq!(asked(&["hr"], "salaries.md").await, (1, 0));
    assert_eq!(asked(&["it"], "salaries.md").await, (0, 0));
    assert_eq!(asked(&["it"], "salar").await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn forgetting_needs_an_admin_and_something_to_forget() {
    let room = Room::open().await;
    room.write("a.md", &page(1));
    room.apply(json!({})).await;
    room.ingest().await;
    let request = ForgetRequest { source: Some("docs".into()), ..ForgetRequest::default() };
    let fault = room.knowledges.forget(&room.reader(&[]), &name(), &request).await.unwrap_err();
    assert_eq!(fault.code(), "knowledge-forbidden");
    let fault = room.knowledges.forget(&room.admin(), &name(), &ForgetRequest::default()).await.unwrap_err();
    assert_eq!(fault.code(), "knowledge-bad-request");
    let request = ForgetRequest { source: Some("nowhere".into()), ..ForgetRequest::default() };
    let fault = room.knowledges.forget(&room.admin(), &name(), &request).await.unwrap_err();
    assert_eq!(fault.code(), "knowledge-source-not-found");
}
