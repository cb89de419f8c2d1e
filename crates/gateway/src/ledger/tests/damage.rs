//! Bytes of the journal that have changed since they were written.

use mainspring_catalog::Catalog;

use super::{Room, all_calls, call, caller, intent, sums};
use crate::ledger::{UsageBy, journal};

/// Flips one byte of every so many, one at a time, and starts over it: never is a call counted twice, and those whose
/// frames are whole are counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_byte_is_flipped_no_call_is_counted_twice() {
    let template = tempfile::tempdir().unwrap();
    let url = |folder: &std::path::Path| format!("sqlite://{}/catalog.db", folder.display());
    let room = Room::over(Catalog::open(&url(template.path())).await.unwrap()).await;
    let ledger = room.ledger().await;
    for _ in 0..3 {
        call(&ledger, &room.clock, &caller(), (1_000, 100)).unwrap();
    }
    ledger.flush().await.unwrap();
    for _ in 0..3 {
        call(&ledger, &room.clock, &caller(), (1_000, 100)).unwrap();
    }
    std::mem::forget(ledger.admit(&caller(), &intent(&room.clock, 1_000, 100)).unwrap());
    room.catalog.close().await;
    let whole = std::fs::read(journal::path(&room.journal, 1)).unwrap();
    let owner = std::fs::read(room.journal.join("owner")).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(template.path().join("catalog.db"), folder.path().join("catalog.db")).unwrap();
        let catalog = Catalog::open(&url(folder.path())).await.unwrap();
        let journal = folder.path().join("journal");
        std::fs::create_dir(&journal).unwrap();
        std::fs::write(journal.join("owner"), &owner).unwrap();
        std::fs::write(journal::path(&journal, 1), &bytes).unwrap();
        let room = Room { catalog, journal, ..room.clone() };
        let ledger = room.ledger().await;
        let calls = all_calls(&ledger, &room).await;
        let mut ids: Vec<_> = calls.iter().map(|call| call.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), calls.len(), "a call is there twice after byte {at} was flipped");
        assert_eq!(sums(&ledger, &room, UsageBy::Project).await.total.calls, calls.len() as u64);
        // Three were in the catalog before; a byte that was a length hides what comes after it.
        assert!((3..=7).contains(&calls.len()), "{} calls after byte {at} was flipped", calls.len());
    }
}

#[tokio::test]
async fn a_torn_end_is_no_damage() {
    let room = Room::over(Catalog::open("sqlite::memory:").await.unwrap()).await;
    let ledger = room.ledger().await;
    call(&ledger, &room.clock, &caller(), (1_000, 100)).unwrap();
    call(&ledger, &room.clock, &caller(), (1_000, 100)).unwrap();
    drop(ledger);
    let file = journal::path(&room.journal, 1);
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
    let again = room.ledger().await;
    // The end of the second was being written: it counts as broken off.
    assert_eq!(sums(&again, &room, UsageBy::Project).await.total.calls, 2);
    assert_eq!(sums(&again, &room, UsageBy::Project).await.total.failed, 1);
    assert!(!room.journal.join("aside").exists());
}
