//! A forgetting that takes long, breaks off or fails, and whoever goes on with it.

use std::time::Duration;

use mainspring_catalog::params;
use mainspring_kernel::{Clock as _, Fault as _, Name, PageRequest};
use serde_json::json;

use super::forgetting::{holding, id_of};
use crate::{
    ForgetRequest, KnowledgeKey, Receipt,
    store::held,
    testing::{NAME, Room, page},
};

const WORD: &str = "xylophonequark";

fn name() -> Name {
    NAME.parse().unwrap()
}

/// A knowledge with a secret in it, and what asks for it to be forgotten.
async fn with_a_secret(room: &Room) -> ForgetRequest {
    room.write("secret.md", &format!("# Secret\n\nThe password is {WORD}."));
    room.write("b.md", &page(2));
    room.apply(json!({})).await;
    room.ingest().await;
    ForgetRequest { documents: vec![id_of(room, "secret.md").await], ..ForgetRequest::default() }
}

async fn receipts(room: &Room) -> Vec<Receipt> {
    room.knowledges.receipts(&room.admin(), &name(), &PageRequest::first(50)).await.unwrap().items
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgetting_longer_than_its_lease_is_carried_out_once() {
    let lease = Duration::from_millis(300);
    let room = Room::set_up(|config| config.lease = lease).await;
    let request = with_a_secret(&room).await;
    let (admin, named, key) = (room.admin(), name(), KnowledgeKey::new(room.project, name()));
    // The table is opened and its rows are counted; then the store is away.
    room.outage.begin_after(2);
    let meanwhile = async {
        room.outage.noticed().await;
        for _ in 0..4 {
            room.clock.advance(lease.mul_f32(0.7));
            let wanted = room.clock.now().plus(lease);
            let kept = async || {
                let state = held::find(&room.catalog, &key).await.unwrap().unwrap();
                state.holder.is_some_and(|(_, until)| until >= wanted)
            };
            for _ in 0..500 {
                if kept().await {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert!(kept().await, "nobody renewed the hold");
            // What every server does all the time.
            room.knowledges.recover(false).await.unwrap();
        }
        room.outage.end();
    };
    let forgetting = Box::pin(room.knowledges.forget(&admin, &named, &request));
    let (receipt, ()) = futures::future::join(forgetting, meanwhile).await;
    let receipt = receipt.unwrap();
    assert!(receipt.rows[0].rows >= 1 && receipt.rows[0].left == 0 && !receipt.dropped_states.is_empty(), "{receipt:?}");
    room.clock.advance(Duration::from_secs(60));
    room.knowledges.recover(false).await.unwrap();
    assert_eq!(receipts(&room).await, [receipt]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_on_with_a_forgetting_adds_to_what_was_counted() {
    let room = Room::patient_for(Duration::ZERO).await;
    let mut broken = 0;
    for turn in 0..16_usize {
        room.clock.advance(Duration::from_secs(1));
        let file = format!("{turn}.md");
        room.write(&file, &format!("# Secret {turn}\n\nThe password is {WORD}{turn}."));
        room.apply(json!({})).await;
        room.ingest().await;
        let request = ForgetRequest { documents: vec![id_of(&room, &file).await], ..ForgetRequest::default() };
        room.outage.begin_after(turn as u64);
        let ended = room.knowledges.forget(&room.admin(), &name(), &request).await;
        room.outage.end();
        if let Err(fault) = ended {
            assert_eq!(fault.code(), "lake-unavailable", "after {turn} answers: {fault:?}");
            assert_eq!(receipts(&room).await.len(), turn, "what has not ended has no receipt");
            broken += 1;
        }
        // It waits for no lease: nobody holds the knowledge.
        room.knowledges.recover(false).await.unwrap();
        let all = receipts(&room).await;
        assert_eq!(all.len(), turn + 1);
        let Receipt { rows, texts, dropped_states, .. } = &all[0];
        assert!(rows[0].rows >= 1 && rows[0].left == 0, "after {turn} answers: {rows:?}");
        assert!(*texts == 1 && !dropped_states.is_empty(), "after {turn} answers: {dropped_states:?}");
    }
    assert!(broken > 4, "{broken} were broken off");
    for folder in ["lake", "blobs"] {
        assert_eq!(holding(&room.home.path().join(folder), WORD.as_bytes()), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgetting_that_cannot_end_keeps_no_other_from_its_end() {
    let room = Room::patient_for(Duration::ZERO).await;
    let request = with_a_secret(&room).await;
    // The oldest of all, and nobody can read what was wanted.
    let mut tx = room.catalog.begin().await.unwrap();
    let bad = "INSERT INTO forget_receipt (id, project, knowledge, wanted, started_at) VALUES ('fgt_bad', $1, $2, '{}', 0)";
    tx.execute(bad, params![room.project, NAME]).await.unwrap();
    tx.commit().await.unwrap();
    room.outage.begin_after(1);
    room.knowledges.forget(&room.admin(), &name(), &request).await.unwrap_err();
    room.outage.end();
    room.knowledges.recover(false).await.unwrap();
    assert_eq!(receipts(&room).await.len(), 1, "the other one has ended");
    // The one that failed holds nothing.
    room.ingest().await;
}
