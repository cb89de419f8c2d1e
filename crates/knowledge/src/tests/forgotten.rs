//! What was forgotten can be read about afterwards, and may come back.

use std::time::Duration;

use mainspring_catalog::Catalog;
use mainspring_kernel::{Actor, Fault as _, Name, PageRequest, Role};
use serde_json::json;

use super::forgetting::id_of;
use crate::{
    DocumentId, ForgetRequest, Receipt, Tombstone,
    testing::{NAME, Room, page},
};

mainspring_testservers::on_every_engine!(Catalog: [
    receipts_and_tombstones_are_listed_newest_first,
    a_tombstone_is_lifted_by_the_id_of_its_document_or_by_its_name,
    of_what_an_admin_could_not_see_no_receipt_and_no_tombstone_tells,
]);

fn name() -> Name {
    NAME.parse().unwrap()
}

/// An admin who may only see what these labels open.
fn keeper(room: &Room, labels: &[&str]) -> Actor {
    Actor { role: Role::Admin, ..room.reader(labels) }
}

async fn forget(room: &Room, actor: &Actor, request: ForgetRequest) -> Receipt {
    room.clock.advance(Duration::from_secs(1));
    room.knowledges.forget(actor, &name(), &request).await.unwrap()
}

fn one(id: &DocumentId) -> ForgetRequest {
    ForgetRequest { documents: vec![id.clone()], ..ForgetRequest::default() }
}

async fn stones(room: &Room, actor: &Actor, limit: usize) -> Vec<Tombstone> {
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let request = PageRequest::new(Some(limit), cursor).unwrap();
        let page = room.knowledges.tombstones(actor, &name(), &request).await.unwrap();
        assert!(page.items.len() <= limit);
        seen.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return seen;
        }
    }
}

async fn receipts(room: &Room, actor: &Actor, limit: usize) -> Vec<Receipt> {
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let request = PageRequest::new(Some(limit), cursor).unwrap();
        let page = room.knowledges.receipts(actor, &name(), &request).await.unwrap();
        assert!(page.items.len() <= limit);
        seen.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return seen;
        }
    }
}

async fn receipts_and_tombstones_are_listed_newest_first(catalog: Catalog) {
    let room = Room::on(catalog).await;
    for number in 0..5 {
        room.write(&format!("{number}.md"), &page(number));
    }
    room.apply(json!({})).await;
    room.ingest().await;
    assert!(receipts(&room, &room.admin(), 5).await.is_empty() && stones(&room, &room.admin(), 5).await.is_empty());
    let (mut made, mut buried) = (Vec::new(), Vec::new());
    for number in [3, 1, 4] {
        let id = id_of(&room, &format!("{number}.md")).await;
        made.insert(0, forget(&room, &room.admin(), one(&id)).await);
        buried.insert(0, id);
    }
    for limit in [1, 2, 50] {
        assert_eq!(receipts(&room, &room.admin(), limit).await, made, "{limit} at a time");
        let found: Vec<DocumentId> = stones(&room, &room.admin(), limit).await.into_iter().map(|stone| stone.document).collect();
        assert_eq!(found, buried, "{limit} at a time");
    }
    let newest = &stones(&room, &room.admin(), 1).await[0];
    assert_eq!((newest.source.as_str(), newest.labels.len()), ("docs", 0));
    assert_eq!(room.knowledges.receipt(&room.admin(), &name(), &made[1].id).await.unwrap(), made[1]);
    for id in ["fgt_none", ""] {
        let fault = room.knowledges.receipt(&room.admin(), &name(), id).await.unwrap_err();
        assert_eq!(fault.code(), "knowledge-receipt-not-found");
    }
    // What another room counted is kept with it.
    let amended = Receipt { removed_spans: Some(7), ..made[0].clone() };
    room.knowledges.amend(&amended).await.unwrap();
    assert_eq!(receipts(&room, &room.admin(), 1).await, [&[amended][..], &made[1..]].concat());
    // Another knowledge has its own.
    room.apply_named("other", json!({})).await;
    let other: Name = "other".parse().unwrap();
    assert!(room.knowledges.receipts(&room.admin(), &other, &PageRequest::first(5)).await.unwrap().items.is_empty());
    assert!(room.knowledges.receipt(&room.admin(), &other, &made[0].id).await.is_err());
    assert!(room.knowledges.tombstones(&room.admin(), &other, &PageRequest::first(5)).await.unwrap().items.is_empty());
    assert!(room.knowledges.readmit(&room.admin(), &other, buried[0].as_str()).await.is_err());
}

async fn a_tombstone_is_lifted_by_the_id_of_its_document_or_by_its_name(catalog: Catalog) {
    let room = Room::on(catalog).await;
    for number in 0..4 {
        room.write(&format!("deep/{number}.md"), &page(number));
    }
    room.apply(json!({})).await;
    room.ingest().await;
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(id_of(&room, &format!("deep/{number}.md")).await);
    }
    forget(&room, &room.admin(), ForgetRequest { documents: ids.clone(), ..ForgetRequest::default() }).await;
    let lift = async |given: &str| room.knowledges.readmit(&room.admin(), &name(), given).await;
    assert_eq!(lift(ids[0].as_str()).await.unwrap().document, ids[0]);
    assert_eq!(lift("deep/1.md").await.unwrap().document, ids[1]);
    // Lifted already, never forgotten, never there.
    for given in [ids[0].as_str(), "deep/1.md", "deep/3.md", "2.md", "deep/9.md", "", "doc_00000000000000000000000000000000"] {
        assert_eq!(lift(given).await.unwrap_err().code(), "knowledge-tombstone-not-found", "{given}");
    }
    let left: Vec<DocumentId> = stones(&room, &room.admin(), 5).await.into_iter().map(|stone| stone.document).collect();
    assert_eq!(left, ids[2..]);
    let report = room.ingest().await;
    assert_eq!((report.added, report.forgotten), (2, 1));
    assert!(room.search("number1").await.iter().any(|hit| hit.title == "Page 1"));
    assert!(room.search("number2").await.iter().all(|hit| hit.title != "Page 2"));
}

async fn of_what_an_admin_could_not_see_no_receipt_and_no_tombstone_tells(catalog: Catalog) {
    let room = Room::on(catalog).await;
    room.write("open.md", &page(1));
    room.write("hr/pay.md", &page(2));
    room.write("hr/plan.md", &page(3));
    let source = json!({ "type": "folder", "name": "docs", "path": room.home.path().join("docs"),
        "rules": [{ "match": "hr/", "labels": ["hr"] }] });
    room.apply(json!({ "sources": [source] })).await;
    room.ingest().await;
    let ids = [id_of(&room, "open.md").await, id_of(&room, "hr/pay.md").await, id_of(&room, "hr/plan.md").await];
    let (other, hr) = (keeper(&room, &["law"]), keeper(&room, &["hr"]));
    // All of a source is all that one sees of it, and the receipt names nothing else.
    let open = forget(&room, &other, ForgetRequest { source: Some("docs".into()), ..ForgetRequest::default() }).await;
    assert_eq!((&open.documents, &open.not_found), (&vec![ids[0].clone()], &Vec::new()));
    let again = ForgetRequest { source: Some("docs".into()), ..ForgetRequest::default() };
    assert_eq!(room.knowledges.forget(&other, &name(), &again).await.unwrap_err().code(), "knowledge-source-not-found");
    let pay = forget(&room, &hr, one(&ids[1])).await;
    let plan = forget(&room, &room.admin(), one(&ids[2])).await;

    assert_eq!(receipts(&room, &room.admin(), 9).await, [plan.clone(), pay.clone(), open.clone()]);
    assert_eq!(receipts(&room, &hr, 1).await, [plan.clone(), pay.clone(), open.clone()]);
    assert_eq!(receipts(&room, &other, 1).await, [open.clone()], "also where pages before are hidden");
    assert_eq!(stones(&room, &hr, 2).await.len(), 3);
    assert_eq!(stones(&room, &other, 1).await.iter().map(|stone| &stone.document).collect::<Vec<_>>(), [&ids[0]]);
    for id in [&pay.id, &plan.id] {
        assert_eq!(room.knowledges.receipt(&other, &name(), id).await.unwrap_err().code(), "knowledge-receipt-not-found");
    }
    for given in [ids[1].as_str(), "hr/pay.md"] {
        let fault = room.knowledges.readmit(&other, &name(), given).await.unwrap_err();
        assert_eq!(fault.code(), "knowledge-tombstone-not-found");
    }
    assert_eq!(room.knowledges.readmit(&hr, &name(), "hr/pay.md").await.unwrap().labels, ["hr"]);
    // Nothing says any more who could see it, so only who sees everything reads of it, until it is back.
    assert_eq!(receipts(&room, &hr, 9).await, [plan, open]);
    room.ingest().await;
    assert!(receipts(&room, &hr, 9).await.contains(&pay));
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_of_what_was_forgotten_and_lifting_need_an_admin() {
    let room = Room::open().await;
    room.apply(json!({})).await;
    let editor = Actor { role: Role::Editor, ..room.admin() };
    for actor in [room.reader(&[]), editor] {
        let (page, name) = (PageRequest::first(5), name());
        let codes = [
            room.knowledges.receipts(&actor, &name, &page).await.unwrap_err().code(),
            room.knowledges.receipt(&actor, &name, "fgt_none").await.unwrap_err().code(),
            room.knowledges.tombstones(&actor, &name, &page).await.unwrap_err().code(),
            room.knowledges.readmit(&actor, &name, "a.md").await.unwrap_err().code(),
        ];
        assert_eq!(codes, ["knowledge-forbidden"; 4]);
    }
}
