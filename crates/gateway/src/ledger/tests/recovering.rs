//! What the next process makes of what the last one left.

use mainspring_catalog::Catalog;
use mainspring_kernel::Fault as _;
use mainspring_testservers::on_every_engine;

use super::{Room, all_calls, call, caller, intent, money, outcome, record, refused, set, sums};
use crate::{
    ledger::{
        LedgerFault, Metric, SubjectKind, UsageBy,
        frames::{self, Header},
        journal,
    },
    record::{AttemptCharge, CallRecord, CallStatus},
};

on_every_engine!(Catalog: [
    calls_that_ended_and_calls_that_did_not_are_settled_at_the_next_start,
    budgets_know_what_the_last_process_spent_and_set_aside,
    a_journal_of_a_newer_version_is_left_alone,
    starting_again_and_again_changes_nothing,
    a_call_in_the_background_goes_on_over_every_start_until_it_is_settled_once,
]);

async fn calls_that_ended_and_calls_that_did_not_are_settled_at_the_next_start(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    for _ in 0..3 {
        call(&ledger, &room.clock, &caller(), (1_000, 0)).unwrap();
    }
    ledger.flush().await.unwrap();
    for _ in 0..4 {
        call(&ledger, &room.clock, &caller(), (1_000, 0)).unwrap();
    }
    let mut set_aside = money("0");
    for _ in 0..2 {
        let permit = ledger.admit(&caller(), &intent(&room.clock, 0, 100_000)).unwrap();
        set_aside += permit.set_aside();
        // Neither settled nor dropped: the process is gone.
        std::mem::forget(permit);
    }
    let again = room.ledger().await;
    let calls = all_calls(&again, &room).await;
    assert_eq!(calls.len(), 9);
    let interrupted: Vec<_> = calls.iter().filter(|call| call.status == CallStatus::Interrupted).collect();
    assert_eq!(interrupted.len(), 2);
    assert!(interrupted.iter().all(|call| call.cost >= money("0.06") && call.target.as_deref() == Some("gpt-4o-mini")));
    let total = sums(&again, &room, UsageBy::Project).await.total;
    assert_eq!((total.calls, total.failed, total.cost), (9, 2, money("0.00015").times(7) + set_aside));
    assert_eq!((again.under_way(), again.waiting()), (0, 0));
    assert_eq!(journal::segments_in(&room.journal).unwrap().len(), 1, "what is in the catalog is not kept");
}

async fn budgets_know_what_the_last_process_spent_and_set_aside(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "0.20").await;
    call(&ledger, &room.clock, &caller(), (0, 50_000)).unwrap();
    ledger.flush().await.unwrap();
    call(&ledger, &room.clock, &caller(), (0, 50_000)).unwrap();
    std::mem::forget(ledger.admit(&caller(), &intent(&room.clock, 0, 100_000)).unwrap());
    let again = room.ledger().await;
    let refusal = refused(again.admit(&caller(), &intent(&room.clock, 0, 200_000)));
    let taken = refusal.taken.unwrap();
    assert!(taken >= money("0.12") && taken < money("0.1200001"), "{taken}");
}

async fn a_journal_of_a_newer_version_is_left_alone(catalog: Catalog) {
    let room = Room::over(catalog).await;
    drop(room.ledger().await);
    let newer = frames::header(&Header { v: 2, owner: "somebody".to_owned() });
    let path = journal::path(&room.journal, 99);
    std::fs::write(&path, &newer).unwrap();
    let fault = crate::ledger::Ledger::prepare(room.parts(), false).await.unwrap_err();
    assert!(matches!(fault, LedgerFault::Newer { version: 2 }), "{fault:?}");
    assert_eq!(fault.code(), "ledger-newer");
    assert_eq!(std::fs::read(&path).unwrap(), newer);
}

async fn starting_again_and_again_changes_nothing(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let first = room.ledger().await;
    let intent = intent(&room.clock, 1_000, 1_000);
    let permit = first.admit(&caller(), &intent).unwrap();
    permit.settle(outcome(&first, &intent, (10, 10)));
    drop(first);
    for _ in 0..4 {
        let ledger = room.ledger().await;
        assert_eq!(sums(&ledger, &room, UsageBy::Project).await.total.calls, 1);
        assert_eq!(journal::segments_in(&room.journal).unwrap().len(), 1);
    }
}

async fn a_call_in_the_background_goes_on_over_every_start_until_it_is_settled_once(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    set(&ledger, &room, SubjectKind::Project, "*", Metric::Concurrent, "2").await;
    set(&ledger, &room, SubjectKind::Project, "*", Metric::UsdPerDay, "0.20").await;
    // An attempt before was paid.
    let paid = AttemptCharge {
        provider: "openai".to_owned(),
        target: "gpt-4o-mini".to_owned(),
        usage: record(0).usage,
        cost: money("0.01"),
        price: None,
    };
    let mut set_aside = money("0");
    for name in ["resp_1", "resp_2"] {
        let intent = intent(&room.clock, 0, 100_000);
        let mut permit = ledger.admit(&caller(), &intent).unwrap();
        set_aside = permit.set_aside();
        let begun =
            CallRecord { response: Some(name.to_owned()), charges: vec![paid.clone()], ..outcome(&ledger, &intent, (0, 0)) };
        permit.leaves(&begun).unwrap();
        // Neither settled nor dropped: the process is gone.
        std::mem::forget(permit);
    }
    for _ in 0..3 {
        let again = room.ledger().await;
        assert_eq!((again.under_way(), again.waiting()), (2, 0));
        assert_eq!(journal::segments_in(&room.journal).unwrap().len(), 1);
    }
    let again = room.ledger().await;
    assert_eq!(all_calls(&again, &room).await.len(), 0);
    let mut left = again.take_left();
    assert_eq!((left.len(), again.take_left().len()), (2, 0));
    assert!(left.iter().all(|permit| permit.worst().charges == [paid.clone()] && permit.set_aside() == set_aside));
    let small = || intent(&room.clock, 0, 1_000);
    assert_eq!(refused(again.admit(&caller(), &small())).metric, Metric::Concurrent, "they have their places");
    let (first, second) = (left.remove(0), left.remove(0));
    first.settle(outcome(&again, &small(), (0, 50_000)));
    let taken = refused(again.admit(&caller(), &intent(&room.clock, 0, 250_000))).taken.unwrap();
    assert!(taken >= money("0.03") + set_aside, "what is set aside for the other stays so: {taken}");
    // Nobody will ever know.
    let (lost, _) = second.interrupt();
    assert_eq!((lost.status, lost.cost, lost.charges.len()), (CallStatus::Interrupted, set_aside, 0));
    again.flush().await.unwrap();
    assert_eq!((all_calls(&again, &room).await.len(), again.under_way()), (2, 0));
    assert_eq!(sums(&again, &room, UsageBy::Project).await.total.cost, money("0.03") + set_aside);
    let after = room.ledger().await;
    assert_eq!((after.under_way(), after.take_left().len()), (0, 0));
}
