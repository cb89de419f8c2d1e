//! From a permit to the catalog.

use mainspring_catalog::{Catalog, Engine, params};
use mainspring_kernel::Fault as _;
use mainspring_testservers::on_every_engine;

use super::{Room, all_calls, call, caller, intent, money, of_user, outcome, seconds, sums};
use crate::{
    ledger::{Ledger, LedgerFault, UsageBy, batch::ended_at},
    record::CallStatus,
};

on_every_engine!(Catalog: [
    a_settled_call_is_in_the_catalog_with_its_sums,
    a_dropped_permit_costs_what_was_set_aside,
    whose_call_it_was_and_when_it_began_stay_as_admitted,
    names_that_no_table_takes_are_tamed,
    a_batch_is_written_once_however_often_it_is_tried,
    a_second_process_under_the_same_name_is_noticed,
    sums_add_up_over_batches_and_stop_at_the_end_of_their_range,
    every_statement_compiles,
]);

async fn a_settled_call_is_in_the_catalog_with_its_sums(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let intent = intent(&room.clock, 5_000, 2_000);
    let permit = ledger.admit(&caller(), &intent).unwrap();
    assert_eq!((ledger.under_way(), ledger.waiting()), (1, 0));
    let set_aside = permit.set_aside();
    let record = outcome(&ledger, &intent, (1_000, 500));
    permit.settle(record.clone());
    assert_eq!((ledger.under_way(), ledger.waiting()), (0, 1));
    assert_eq!(record.cost, money("0.00045"));
    assert!(set_aside > record.cost);
    assert!(all_calls(&ledger, &room).await.is_empty(), "it waits for its batch");
    ledger.flush().await.unwrap();
    assert_eq!(all_calls(&ledger, &room).await, [record.clone()]);
    let report = sums(&ledger, &room, UsageBy::Model).await;
    assert_eq!((report.total.calls, report.total.cost), (1, record.cost));
    assert_eq!((report.rows.len(), report.rows[0].name.as_str(), report.rows[0].input), (1, "gpt-4o-mini", 1_000));
    assert_eq!(ledger.waiting(), 0);
}

async fn a_dropped_permit_costs_what_was_set_aside(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let intent = intent(&room.clock, 1_000_000, 1_000_000);
    let permit = ledger.admit(&caller(), &intent).unwrap();
    let set_aside = permit.set_aside();
    assert!(set_aside >= money("0.75") && set_aside < money("0.7500001"), "{set_aside}");
    drop(permit);
    ledger.flush().await.unwrap();
    let calls = all_calls(&ledger, &room).await;
    assert_eq!((calls[0].status, calls[0].cost, calls[0].id), (CallStatus::Interrupted, set_aside, intent.id));
    assert_eq!(calls[0].target.as_deref(), Some("gpt-4o-mini"));
    assert_eq!(sums(&ledger, &room, UsageBy::Project).await.total.failed, 1);
}

async fn whose_call_it_was_and_when_it_began_stay_as_admitted(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let intent = intent(&room.clock, 100, 100);
    let permit = ledger.admit(&of_user("bob"), &intent).unwrap();
    let mut record = outcome(&ledger, &intent, (10, 10));
    record.caller = of_user("somebody else");
    record.caller.app = Some("helpdesk".to_owned());
    record.at = record.at.plus(seconds(500_000));
    record.model = "another".to_owned();
    permit.settle(record);
    ledger.flush().await.unwrap();
    let found = &all_calls(&ledger, &room).await[0];
    assert_eq!((found.caller.user.as_deref(), found.at, found.model.as_str()), (Some("bob"), intent.at, "gpt-4o-mini"));
    assert_eq!(found.caller.app.as_deref(), Some("helpdesk"), "an app is known once its call is under way");
}

async fn names_that_no_table_takes_are_tamed(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    for user in ["nul\0inside", &"x".repeat(5_000), "üñí\u{10ffff}", "line\nbreak \"quote\" \\ \u{1}"] {
        let mut intent = intent(&room.clock, 10, 10);
        intent.model = format!("{user}-model");
        let permit = ledger.admit(&of_user(user), &intent).unwrap();
        let mut record = outcome(&ledger, &intent, (10, 10));
        record.target = Some(user.to_owned());
        permit.settle(record);
    }
    ledger.flush().await.unwrap();
    let calls = all_calls(&ledger, &room).await;
    let users: Vec<&str> = calls.iter().filter_map(|call| call.caller.user.as_deref()).collect();
    assert!(users.contains(&"nul?inside") && users.contains(&"line\nbreak \"quote\" \\ \u{1}"), "{users:?}");
    assert!(users.iter().all(|user| user.len() <= 200));
    assert_eq!(sums(&ledger, &room, UsageBy::User).await.rows.len(), 4);
}

async fn a_batch_is_written_once_however_often_it_is_tried(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    for number in 0..5 {
        call(&ledger, &room.clock, &of_user(&number.to_string()), (100, 100)).unwrap();
    }
    // The process dies after the catalog took the batch and before it could delete anything.
    let copy = room.journal.with_file_name("copy");
    ledger.flush().await.unwrap();
    assert_eq!(sums(&ledger, &room, UsageBy::Project).await.total.calls, 5);
    copy_folder(&room.journal, &copy);
    call(&ledger, &room.clock, &caller(), (100, 100)).unwrap();
    drop(ledger);
    for _ in 0..3 {
        std::fs::remove_dir_all(&room.journal).unwrap();
        copy_folder(&copy, &room.journal);
        let again = room.ledger().await;
        assert_eq!(sums(&again, &room, UsageBy::Project).await.total.calls, 5);
        assert_eq!(all_calls(&again, &room).await.len(), 5);
    }
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

async fn a_second_process_under_the_same_name_is_noticed(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let first = room.ledger().await;
    call(&first, &room.clock, &caller(), (100, 100)).unwrap();
    let copy = Room { journal: room.journal.with_file_name("copied"), ..room.clone() };
    copy_folder(&room.journal, &copy.journal);
    let second = copy.ledger().await;
    call(&first, &room.clock, &caller(), (100, 100)).unwrap();
    let fault = first.flush().await.unwrap_err();
    assert!(matches!(fault, LedgerFault::Usurped), "{fault:?}");
    assert_eq!(fault.code(), "ledger-usurped");
    assert_eq!(first.waiting(), 2, "nothing is thrown away");
    call(&second, &room.clock, &caller(), (100, 100)).unwrap();
    second.flush().await.unwrap();
}

async fn sums_add_up_over_batches_and_stop_at_the_end_of_their_range(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    for _ in 0..3 {
        call(&ledger, &room.clock, &caller(), (1_000, 100)).unwrap();
        ledger.flush().await.unwrap();
    }
    let report = sums(&ledger, &room, UsageBy::Key).await;
    assert_eq!((report.total.calls, report.total.input, report.rows.len()), (3, 3_000, 1));
    // Two calls of six million dollars each: more than one number holds, and no reason to stop writing.
    for _ in 0..2 {
        let intent = intent(&room.clock, 10, 10);
        let permit = ledger.admit(&caller(), &intent).unwrap();
        let mut record = outcome(&ledger, &intent, (10, 10));
        record.cost = money("6000000");
        permit.settle(record);
        ledger.flush().await.unwrap();
    }
    let report = sums(&ledger, &room, UsageBy::Project).await;
    assert_eq!(report.total.calls, 5);
    assert!(report.total.cost >= money("9000000"), "{}", report.total.cost);
}

async fn every_statement_compiles(catalog: Catalog) {
    let mut statements = crate::store::STATEMENTS.concat();
    statements.extend(match catalog.engine() {
        Engine::Sqlite => crate::store::SQLITE_STATEMENTS,
        Engine::Postgres => crate::store::POSTGRES_STATEMENTS,
    });
    let failed = mainspring_catalog::testing::prepare_all(&catalog, &statements).await;
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test]
async fn a_background_writes_what_settles_and_stops_when_told() {
    let room = Room::over(Catalog::open("sqlite::memory:").await.unwrap()).await;
    let parts = room.parts();
    let tasks = parts.tasks.clone();
    let ledger = Ledger::open(parts).await.unwrap();
    for _ in 0..3 {
        call(&ledger, &room.clock, &caller(), (100, 100)).unwrap();
    }
    // Three calls are no full batch: they go when their time has come.
    let deadline = std::time::Instant::now() + seconds(20);
    while ledger.waiting() > 0 && std::time::Instant::now() < deadline {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(all_calls(&ledger, &room).await.len(), 3);
    call(&ledger, &room.clock, &caller(), (100, 100)).unwrap();
    tasks.shut_down(seconds(20)).await.unwrap();
    assert_eq!(all_calls(&ledger, &room).await.len(), 4, "what was there when it stopped is written");
    let rows = room.catalog.query("SELECT last_batch FROM call_writer LIMIT 1", params![]).await.unwrap();
    assert!(rows[0].int("last_batch").unwrap() >= 2);
}

#[test]
fn calls_are_ordered_by_when_they_ended() {
    let (mut one, mut other) = (super::record(1), super::record(2));
    one.took_ms = 5_000;
    other.at = other.at.plus(seconds(1));
    other.took_ms = 1_000;
    assert!(ended_at(&one) > ended_at(&other));
}
