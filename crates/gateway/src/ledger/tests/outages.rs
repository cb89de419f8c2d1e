//! A catalog that goes away, and a disk that is full.

use mainspring_catalog::Catalog;
use mainspring_kernel::{Fault as _, FaultKind};
use mainspring_testservers::{disk::SmallDisk, postgres::Postgres};

use super::{Room, all_calls, call, caller, intent, outcome, set, sums};
use crate::ledger::{Ledger, LedgerFault, LedgerParts, Metric, SubjectKind, UsageBy};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_catalog_is_away_calls_wait_and_none_is_lost() {
    let mut server = Postgres::start().unwrap_or_else(|fault| panic!("{fault}"));
    let room = Room::over(Catalog::open(&server.new_database().unwrap()).await.unwrap()).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::User, "nobody", Metric::UsdPerDay, "1").await;
    call(&ledger, &room.clock, &caller(), (100, 100)).unwrap();
    ledger.flush().await.unwrap();
    server.stop();
    for _ in 0..7_000 {
        call(&ledger, &room.clock, &caller(), (100, 100)).unwrap();
    }
    let fault = ledger.flush().await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Unavailable, "{fault:?}");
    assert_eq!(ledger.waiting(), 7_000);

    // What waits is bounded; beyond it nothing goes against a budget, and the rest goes on.
    ledger.state().waiting_max = 1_000;
    let nobody = crate::record::Caller { user: Some("nobody".to_owned()), ..caller() };
    let fault = ledger.admit(&nobody, &intent(&room.clock, 100, 100)).unwrap_err();
    assert!(matches!(fault, LedgerFault::Behind { waiting: 7_000 }), "{fault:?}");
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Unavailable, "ledger-behind"));
    call(&ledger, &room.clock, &caller(), (100, 100)).unwrap();

    server.resume().unwrap();
    let deadline = std::time::Instant::now() + super::seconds(60);
    while let Err(fault) = ledger.flush().await {
        assert!(std::time::Instant::now() < deadline, "{fault:?}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    ledger.flush().await.unwrap();
    assert_eq!(sums(&ledger, &room, UsageBy::Project).await.total.calls, 7_002);
    assert_eq!(all_calls(&ledger, &room).await.len(), 7_002);
    ledger.admit(&nobody, &intent(&room.clock, 100, 100)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_lets_no_call_through_and_loses_none() {
    let Some(disk) = SmallDisk::mount(4 << 20) else { return };
    let room = Room::over(Catalog::open("sqlite::memory:").await.unwrap()).await;
    let open = async || {
        let parts = LedgerParts { journal: disk.path().join("journal"), ..room.parts() };
        Ledger::prepare(parts, false).await.unwrap()
    };
    let ledger = open().await;
    let under_way = intent(&room.clock, 1_000, 1_000);
    let permit = ledger.admit(&caller(), &under_way).unwrap();
    for _ in 0..10 {
        call(&ledger, &room.clock, &caller(), (100, 100)).unwrap();
    }
    disk.fill();
    // What is left of the last page takes a few more.
    let mut more = 0;
    let fault = loop {
        match call(&ledger, &room.clock, &caller(), (100, 100)) {
            Ok(_) => more += 1,
            Err(fault) => break fault,
        }
        assert!(more < 100, "the disk is not full");
    };
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Unavailable, "ledger-disk-full"), "{fault:?}");
    permit.settle(outcome(&ledger, &under_way, (10, 10)));
    assert_eq!(ledger.waiting(), 11 + more);
    assert_eq!(ledger.flush().await.unwrap_err().code(), "ledger-disk-full");
    disk.free();
    ledger.flush().await.unwrap();
    call(&ledger, &room.clock, &caller(), (100, 100)).unwrap();
    // What could not be written down at first is not broken off for whoever comes next.
    let again = open().await;
    let total = sums(&again, &room, UsageBy::Project).await.total;
    assert_eq!((total.calls, total.failed), (12 + more, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_at_the_start_is_waited_for() {
    let Some(disk) = SmallDisk::mount(8 << 20) else { return };
    let path = disk.path().join("catalog.db");
    let room = Room::over(Catalog::open(&format!("sqlite://{}", path.display())).await.unwrap()).await;
    let parts = || LedgerParts { journal: disk.path().join("journal"), ..room.parts() };
    let ledger = Ledger::prepare(parts(), false).await.unwrap();
    set(&ledger, &room, SubjectKind::User, "ann", Metric::UsdPerDay, "1000").await;
    call(&ledger, &room.clock, &caller(), (100, 100)).unwrap();
    let broken_off = ledger.admit(&caller(), &intent(&room.clock, 100, 100)).unwrap();
    std::mem::forget(broken_off);
    drop(ledger);
    disk.fill();

    let (parts, background) = (parts(), mainspring_kernel::Tasks::default());
    let ledger = Ledger::open(LedgerParts { tasks: background.clone(), ..parts }).await.unwrap();
    let fault = call(&ledger, &room.clock, &caller(), (100, 100)).unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Unavailable, "ledger-disk-full"), "{fault:?}");
    let limits = ledger.limits(&room.admin, &mainspring_kernel::PageRequest::first(10)).await.unwrap();
    assert_eq!(limits.items.len(), 1, "questions are answered");

    disk.free();
    let deadline = std::time::Instant::now() + super::seconds(60);
    while let Err(fault) = call(&ledger, &room.clock, &caller(), (100, 100)) {
        assert_eq!(fault.code(), "ledger-disk-full", "{fault:?}");
        assert!(std::time::Instant::now() < deadline, "room is not seen");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    ledger.flush().await.unwrap();
    let calls = all_calls(&ledger, &room).await;
    let interrupted = calls.iter().filter(|call| call.status == crate::record::CallStatus::Interrupted).count();
    assert_eq!((calls.len(), interrupted), (3, 1), "{calls:?}");
}
