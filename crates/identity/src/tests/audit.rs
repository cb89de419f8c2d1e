//! The chain of changes.

use std::sync::Arc;

use mainspring_catalog::{AuditEntry, Catalog, CatalogFault, params};
use mainspring_kernel::{Fault, Labels, PageRequest, Role};
use mainspring_testservers::on_every_engine;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Room, name, new_key};
use crate::{AuditVerdict, IdentityFault};

on_every_engine!(Catalog: [
    every_change_leaves_an_entry_that_follows_the_one_before,
    a_change_that_is_not_made_leaves_no_entry,
    any_tampering_is_found_where_it_happened,
    entries_written_at_once_still_form_one_chain,
    each_project_has_a_chain_of_its_own,
]);

async fn write(room: &Room, subject: &str) {
    let entry = || AuditEntry { action: "test.write", subject: subject.to_owned(), detail: json!({"b": 1, "a": [1.5, null]}) };
    loop {
        let written = room
            .catalog
            .transact(|mut tx| async move {
                room.identity.audit(&mut tx, &room.admin, entry()).await?;
                Ok::<_, IdentityFault>((tx, ()))
            })
            .await;
        match written {
            Err(fault) if fault.code() == CatalogFault::CONTENTION => {}
            other => return other.unwrap(),
        }
    }
}

async fn verify(room: &Room) -> AuditVerdict {
    room.identity.verify_audit(&room.admin).await.unwrap()
}

async fn every_change_leaves_an_entry_that_follows_the_one_before(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let empty = verify(&room).await;
    assert_eq!((empty.verified, empty.broken), (0, None));
    let issued = room.identity.create_key(&room.admin, &new_key(Role::Reader, Labels::All)).await.unwrap();
    room.identity.revoke_key(&room.admin, issued.key.id).await.unwrap();
    write(&room, "third, with a \0 in it").await;
    let page = room.identity.list_audit(&room.admin, &PageRequest::new(Some(2), None).unwrap()).await.unwrap();
    let said: Vec<(i64, &str, &str)> =
        page.items.iter().map(|entry| (entry.number, entry.action.as_str(), entry.subject.as_str())).collect();
    assert_eq!(said, [(3, "test.write", "third, with a \u{fffd} in it"), (2, "key.revoke", "ci")]);
    assert_eq!(page.items[0].previous, page.items[1].digest);
    let rest = PageRequest::new(Some(2), page.next).unwrap();
    let rest = room.identity.list_audit(&room.admin, &rest).await.unwrap();
    assert_eq!((rest.items.len(), rest.items[0].action.as_str()), (1, "key.create"));
    let verdict = verify(&room).await;
    assert_eq!((verdict.verified, verdict.broken), (3, None));
    assert_eq!(verdict.head, page.items[0].digest);
}

async fn a_change_that_is_not_made_leaves_no_entry(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let mut tx = room.catalog.begin().await.unwrap();
    let entry = AuditEntry { action: "test.write", subject: "undone".to_owned(), detail: json!({}) };
    room.identity.audit(&mut tx, &room.admin, entry).await.unwrap();
    drop(tx);
    room.identity.create_project(&room.admin, &name("default"), "").await.unwrap_err();
    assert_eq!(verify(&room).await.verified, 0);
}

async fn any_tampering_is_found_where_it_happened(catalog: Catalog) {
    const SET_DETAIL: &str = "UPDATE audit_entry SET detail = $1 WHERE number = 3";
    const SET_TIME: &str = "UPDATE audit_entry SET at = at + $1 WHERE number = 2";
    const DELETE: &str = "DELETE FROM audit_entry WHERE number = $1";
    const RENUMBER: &str = "UPDATE audit_entry SET number = number - 1 WHERE number > $1";
    let room = Room::over(catalog).await;
    for number in 1..=5 {
        write(&room, &format!("entry {number}")).await;
    }
    let broken = async |reason: &str| {
        let verdict = verify(&room).await;
        let broken = verdict.broken.unwrap();
        assert!(broken.reason.contains(reason), "{broken:?}");
        (verdict.verified, broken.number)
    };
    let detail = json!({"b": 1, "a": [1.5, null]});
    room.catalog.write(SET_DETAIL, params![json!({"b": 2})]).await.unwrap();
    assert_eq!(broken("content was changed").await, (2, 3));
    room.catalog.write(SET_DETAIL, params!["not json"]).await.unwrap();
    assert_eq!(broken("cannot be read").await, (2, 3));
    room.catalog.write(SET_DETAIL, params![detail]).await.unwrap();
    room.catalog.write(SET_TIME, params![1_i64]).await.unwrap();
    assert_eq!(broken("content was changed").await, (1, 2));
    room.catalog.write(SET_TIME, params![-1_i64]).await.unwrap();
    assert_eq!(verify(&room).await.verified, 5);
    room.catalog.write(DELETE, params![4_i64]).await.unwrap();
    assert_eq!(broken("are missing").await, (3, 5));
    room.catalog.write(RENUMBER, params![4_i64]).await.unwrap();
    assert_eq!(broken("does not follow").await, (3, 4));
}

async fn entries_written_at_once_still_form_one_chain(catalog: Catalog) {
    let room = Arc::new(Room::over(catalog).await);
    let mut writers = JoinSet::new();
    for writer in 0..6 {
        let room = room.clone();
        writers.spawn(async move {
            for number in 0..5 {
                write(&room, &format!("{writer}/{number}")).await;
            }
        });
    }
    writers.join_all().await;
    let verdict = verify(&room).await;
    assert_eq!((verdict.verified, verdict.broken), (30, None));
}

async fn each_project_has_a_chain_of_its_own(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.identity.create_project(&room.admin, &name("other"), "").await.unwrap();
    let other = room.identity.local_actor_in(&name("other")).await.unwrap();
    room.identity.create_key(&other, &new_key(Role::Reader, Labels::All)).await.unwrap();
    assert_eq!(verify(&room).await.verified, 1);
    assert_eq!(room.identity.verify_audit(&other).await.unwrap().verified, 1);
    let theirs = room.identity.list_audit(&other, &PageRequest::first(9)).await.unwrap();
    assert_eq!(theirs.items[0].action, "key.create");
}
