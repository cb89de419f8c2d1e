//! Who may set limits, and how they are listed.

use std::sync::{Arc, Mutex};

use mainspring_catalog::{AuditEntry, AuditTrail, Catalog, CatalogFault, Tx};
use mainspring_kernel::{Actor, Fault as _, FaultKind, PageRequest, Role, id::LimitId};
use mainspring_testservers::on_every_engine;

use super::{Room, call, caller, intent, limit, money, set};
use crate::ledger::{Ledger, LedgerParts, Metric, SubjectKind};

on_every_engine!(Catalog: [
    admins_set_limits_and_readers_see_them,
    limits_are_listed_newest_first_with_what_is_spent,
    limits_that_are_no_budgets_say_what_is_left,
    a_change_is_audited_or_not_made,
    a_project_has_at_most_a_thousand,
]);

async fn admins_set_limits_and_readers_see_them(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let new = limit(SubjectKind::Project, "*", Metric::Concurrent, "5");
    for role in [Role::Reader, Role::Editor] {
        let fault = ledger.set_limit(&room.with_role(role), new.clone()).await.unwrap_err();
        assert_eq!((fault.kind(), fault.code()), (FaultKind::Forbidden, "limit-forbidden"));
    }
    let set = ledger.set_limit(&room.admin, new).await.unwrap();
    let listed = ledger.limits(&room.with_role(Role::Reader), &PageRequest::first(10)).await.unwrap();
    assert_eq!(listed.items.iter().map(|state| &state.limit).collect::<Vec<_>>(), [&set]);
    assert!(ledger.limits(&room.stranger, &PageRequest::first(10)).await.unwrap().items.is_empty());
    for (actor, id) in [(&room.stranger, set.id), (&room.admin, LimitId::from_raw(9))] {
        assert_eq!(ledger.remove_limit(actor, id).await.unwrap_err().code(), "limit-not-found");
    }
    assert_eq!(ledger.remove_limit(&room.with_role(Role::Editor), set.id).await.unwrap_err().kind(), FaultKind::Forbidden);
    assert_eq!(ledger.remove_limit(&room.admin, set.id).await.unwrap(), set);
    let bad = crate::ledger::NewLimit { subject: String::new(), ..limit(SubjectKind::User, "x", Metric::Concurrent, "5") };
    assert_eq!(ledger.set_limit(&room.admin, bad).await.unwrap_err().code(), "limit-invalid");
}

async fn limits_are_listed_newest_first_with_what_is_spent(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let mut ids = Vec::new();
    for (kind, subject, metric, amount) in [
        (SubjectKind::User, "*", Metric::UsdPerDay, "5"),
        (SubjectKind::User, "ann", Metric::UsdPerDay, "7"),
        (SubjectKind::Project, "*", Metric::UsdPerMonth, "100"),
        (SubjectKind::Key, "*", Metric::RequestsPerMinute, "60"),
    ] {
        ids.push(set(&ledger, &room, kind, subject, metric, amount).await.id);
        room.clock.advance(std::time::Duration::from_millis(2));
    }
    call(&ledger, &room.clock, &caller(), (0, 100_000)).unwrap();
    ledger.flush().await.unwrap();
    let first = ledger.limits(&room.admin, &PageRequest::first(3)).await.unwrap();
    let second = ledger.limits(&room.admin, &PageRequest::new(Some(3), first.next.clone()).unwrap()).await.unwrap();
    let all: Vec<_> = first.items.into_iter().chain(second.items).collect();
    assert_eq!(all.iter().rev().map(|state| state.limit.id).collect::<Vec<_>>(), ids);
    assert!(second.next.is_none());
    let spent: Vec<_> = all.iter().rev().map(|state| state.spent).collect();
    assert_eq!(spent, [None, Some(money("0.06")), Some(money("0.06")), None], "a limit for each has no one subject");
    let resets: Vec<String> = all.iter().rev().filter_map(|state| state.resets).map(|at| at.to_string()).collect();
    assert_eq!(resets, ["2025-11-27T00:00:00.000000Z", "2025-11-27T00:00:00.000000Z", "2025-12-01T00:00:00.000000Z"]);
}

async fn limits_that_are_no_budgets_say_what_is_left(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    for (kind, subject, metric, amount) in [
        (SubjectKind::Project, "*", Metric::RequestsPerMinute, "60"),
        (SubjectKind::Project, "*", Metric::TokensPerMinute, "1000"),
        (SubjectKind::Project, "*", Metric::Concurrent, "4"),
        (SubjectKind::User, "nobody", Metric::Concurrent, "3"),
        (SubjectKind::Key, "*", Metric::RequestsPerMinute, "5"),
        (SubjectKind::Project, "*", Metric::UsdPerDay, "5"),
    ] {
        set(&ledger, &room, kind, subject, metric, amount).await;
        room.clock.advance(std::time::Duration::from_millis(2));
    }
    let left = async || {
        let listed = ledger.limits(&room.admin, &PageRequest::first(10)).await.unwrap().items;
        listed.iter().rev().map(|state| state.left).collect::<Vec<_>>()
    };
    assert_eq!(left().await, [Some(60), Some(1_000), Some(4), Some(3), None, None]);
    let permit = ledger.admit(&caller(), &intent(&room.clock, 100, 200)).unwrap();
    assert_eq!(left().await, [Some(59), Some(700), Some(3), Some(3), None, None]);
    drop(permit);
    assert_eq!(left().await[2], Some(4));
}

#[derive(Debug, Default)]
struct Trail {
    entries: Mutex<Vec<AuditEntry>>,
    broken: bool,
}

#[async_trait::async_trait]
impl AuditTrail for Trail {
    async fn record(&self, _: &mut Tx, _: &Actor, entry: AuditEntry) -> Result<(), CatalogFault> {
        if self.broken {
            return Err(CatalogFault::Aborted);
        }
        self.entries.lock().unwrap().push(entry);
        Ok(())
    }
}

async fn a_change_is_audited_or_not_made(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let open = async |trail: Arc<Trail>| {
        let parts = LedgerParts { audit: Some(trail), ..room.parts() };
        Ledger::prepare(parts, false).await.unwrap()
    };
    let trail = Arc::new(Trail::default());
    let ledger = open(Arc::clone(&trail)).await;
    let id = set(&ledger, &room, SubjectKind::User, "ann", Metric::UsdPerDay, "2.50").await.id;
    ledger.remove_limit(&room.admin, id).await.unwrap();
    {
        let entries = trail.entries.lock().unwrap();
        let actions: Vec<_> = entries.iter().map(|entry| (entry.action, entry.subject.as_str())).collect();
        assert_eq!(actions, [("limit.set", "user ann usd_per_day"), ("limit.remove", "user ann usd_per_day")]);
        assert_eq!(entries[0].detail["amount"], "2.50");
    }
    let broken = open(Arc::new(Trail { broken: true, ..Trail::default() })).await;
    assert!(broken.set_limit(&room.admin, limit(SubjectKind::Project, "*", Metric::Concurrent, "1")).await.is_err());
    assert!(broken.limits(&room.admin, &PageRequest::first(5)).await.unwrap().items.is_empty());
}

async fn a_project_has_at_most_a_thousand(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ledger = room.ledger().await;
    let sql = "INSERT INTO limit_rule (id, project, kind, subject, metric, amount, created, created_by) \
               VALUES ($1, $2, 'user', $1, 'concurrent', 1, 0, 'usr_00000000000000000000000000000002')";
    let mut tx = room.catalog.begin().await.unwrap();
    for number in 0..999_u128 {
        tx.execute(sql, mainspring_catalog::params![LimitId::from_raw(number), room.admin.project]).await.unwrap();
    }
    tx.commit().await.unwrap();
    set(&ledger, &room, SubjectKind::Project, "*", Metric::Concurrent, "1").await;
    let fault = ledger.set_limit(&room.admin, limit(SubjectKind::Key, "*", Metric::Concurrent, "1")).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::TooLarge, "limit-too-many"));
    set(&ledger, &room, SubjectKind::Project, "*", Metric::Concurrent, "2").await;
}
