//! What a secret is kept by, on both engines.

mod master;
mod sealing;

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use mainspring_catalog::{AuditEntry, AuditTrail, Catalog, CatalogFault, Tx, params};
use mainspring_kernel::{
    Actor, Fault, FaultKind, FrozenClock, Labels, ModelScope, Name, PageRequest, Role, Timestamp,
    id::{PrincipalId, ProjectId},
};
use mainspring_providers::SecretSource as _;
use mainspring_testservers::on_every_engine;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{MasterKeys, MasterSettings, Secrets, SecretsFault};

const VALUE: &str = "sk-live-4f9a1c77d0e84b6e9b1d";

on_every_engine!(Catalog: [
    a_secret_is_given_to_its_project_and_shown_to_nobody,
    the_value_is_nowhere_in_the_catalog,
    a_change_is_in_force_at_once_here_and_within_five_seconds_elsewhere,
    what_was_read_before_a_change_is_not_kept,
    only_admins_set_list_and_remove,
    a_value_that_no_header_takes_is_refused,
    another_master_key_or_a_moved_or_damaged_row_is_a_fault_of_its_own,
    a_process_without_the_master_key_does_not_make_another,
    rotating_seals_everything_with_a_new_key_and_forgets_the_old,
    a_rotation_that_cannot_open_everything_changes_nothing,
    given_keys_are_rotated_by_putting_another_before_them,
    the_use_is_written_down_once_an_hour,
    secrets_page_by_name,
    every_statement_compiles,
]);

fn start() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Keeps what it is told.
#[derive(Debug, Default)]
struct Trail(Mutex<Vec<AuditEntry>>);

#[async_trait]
impl AuditTrail for Trail {
    async fn record(&self, _: &mut Tx, _: &Actor, entry: AuditEntry) -> Result<(), CatalogFault> {
        self.0.lock().unwrap().push(entry);
        Ok(())
    }
}

struct Room {
    secrets: Secrets,
    /// Another process over the same catalog, with the same key.
    elsewhere: Secrets,
    trail: Arc<Trail>,
    clock: FrozenClock,
    admin: Actor,
    stranger: Actor,
    catalog: Catalog,
    data: tempfile::TempDir,
}

fn keys(data: &Path, key: Option<&str>) -> MasterKeys {
    MasterKeys::open(MasterSettings { key: key.map(Into::into), file: None, data: data.to_owned() }).unwrap()
}

impl Room {
    async fn over(catalog: Catalog) -> Self {
        const PROJECT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', 0)";
        let [project, other] = [1, 2].map(ProjectId::from_raw);
        catalog.write(PROJECT, params![project, "ours"]).await.unwrap();
        catalog.write(PROJECT, params![other, "theirs"]).await.unwrap();
        let actor = |project| Actor {
            principal: PrincipalId::from_raw(7),
            project,
            role: Role::Admin,
            labels: Labels::All,
            key: None,
            models: ModelScope::All,
        };
        let (clock, trail, data) = (FrozenClock::at(start()), Arc::new(Trail::default()), tempfile::tempdir().unwrap());
        let open = |keys| Secrets::open(catalog.clone(), Arc::new(clock.clone()), trail.clone(), keys);
        let secrets = open(keys(data.path(), None));
        let (admin, stranger) = (actor(project), actor(other));
        // The key is made when it is first needed.
        secrets.set(&admin, &name("first"), &"one".into()).await.unwrap();
        let elsewhere = open(keys(data.path(), None));
        Self { secrets, elsewhere, trail, clock, admin, stranger, catalog, data }
    }

    fn with_keys(&self, keys: MasterKeys) -> Secrets {
        Secrets::open(self.catalog.clone(), Arc::new(self.clock.clone()), self.trail.clone(), keys)
    }

    async fn set(&self, name: &str, value: &str) -> Result<crate::Secret, SecretsFault> {
        self.secrets.set(&self.admin, &self::name(name), &value.into()).await
    }

    fn actions(&self) -> Vec<(&'static str, String)> {
        self.trail.0.lock().unwrap().iter().map(|entry| (entry.action, entry.subject.clone())).collect()
    }
}

async fn value(secrets: &Secrets, actor: &Actor, name: &str) -> Result<Option<String>, &'static str> {
    let found = secrets.get(actor.project, &self::name(name)).await;
    found.map(|value| value.map(|value| value.expose_secret().to_owned())).map_err(|fault| fault.code())
}

async fn a_secret_is_given_to_its_project_and_shown_to_nobody(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let set = room.set("openai", VALUE).await.unwrap();
    assert_eq!((set.name.as_str(), set.created, set.last_used), ("openai", start(), None));
    for secrets in [&room.secrets, &room.elsewhere] {
        assert_eq!(value(secrets, &room.admin, "openai").await, Ok(Some(VALUE.to_owned())));
        assert_eq!(value(secrets, &room.stranger, "openai").await, Ok(None));
    }
    let listed = room.secrets.list(&room.admin, &PageRequest::first(9)).await.unwrap();
    assert_eq!(listed.items.iter().map(|secret| secret.name.as_str()).collect::<Vec<_>>(), ["first", "openai"]);
    assert_eq!(listed.items[1].fingerprint, set.fingerprint);
    assert!(room.secrets.list(&room.stranger, &PageRequest::first(9)).await.unwrap().items.is_empty());
    // The same value has the same mark in its project, and another elsewhere.
    let again = room.set("spare", VALUE).await.unwrap();
    let theirs = room.secrets.set(&room.stranger, &name("openai"), &VALUE.into()).await.unwrap();
    assert!(again.fingerprint == set.fingerprint && theirs.fingerprint != set.fingerprint);
    let shown = format!("{:?} {:?} {listed:?} {set:?} {:?}", room.secrets, room.elsewhere, room.trail);
    assert!(!shown.contains(VALUE) && !shown.contains("4f9a1c77"), "{shown}");
    room.secrets.remove(&room.admin, &name("openai")).await.unwrap();
    assert_eq!(value(&room.secrets, &room.admin, "openai").await, Ok(None));
    assert_eq!(room.secrets.remove(&room.admin, &name("openai")).await.unwrap_err().code(), "secret-not-found");
    assert_eq!(value(&room.secrets, &room.stranger, "openai").await, Ok(Some(VALUE.to_owned())));
    let expected = [("set", "first"), ("set", "openai"), ("set", "spare"), ("set", "openai"), ("remove", "openai")];
    let expected = expected.map(|(what, name)| (format!("secret.{what}"), name.to_owned()));
    assert_eq!(room.actions().into_iter().map(|(what, name)| (what.to_owned(), name)).collect::<Vec<_>>(), expected);
}

async fn the_value_is_nowhere_in_the_catalog(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.set("openai", VALUE).await.unwrap();
    let rows = room.catalog.query("SELECT name, sealed, master, fingerprint FROM secret", params![]).await.unwrap();
    let bytes: Vec<u8> = rows.iter().flat_map(|row| row.bytes("sealed").unwrap().to_vec()).collect();
    assert!(!bytes.windows(8).any(|part| VALUE.as_bytes().windows(8).any(|of| of == part)));
    let master = std::fs::read_to_string(room.data.path().join("master.key")).unwrap();
    let shown = format!("{rows:?} {:?} {:?}", room.trail, room.secrets);
    assert!(!shown.contains(VALUE) && !shown.contains(master.trim()), "{shown}");
}

async fn a_change_is_in_force_at_once_here_and_within_five_seconds_elsewhere(catalog: Catalog) {
    let room = Room::over(catalog).await;
    for secrets in [&room.secrets, &room.elsewhere] {
        assert_eq!(value(secrets, &room.admin, "first").await, Ok(Some("one".to_owned())));
        // A name that nobody has is remembered too.
        assert_eq!(value(secrets, &room.admin, "later").await, Ok(None));
    }
    room.clock.advance(Duration::from_secs(2));
    let before = room.secrets.list(&room.admin, &PageRequest::first(9)).await.unwrap().items;
    let set = room.set("first", "two\n").await.unwrap();
    room.set("later", "three").await.unwrap();
    assert_eq!((set.created, set.changed), (start(), start().plus(Duration::from_secs(2))));
    assert_ne!(set.fingerprint, before[0].fingerprint);
    assert_eq!(value(&room.secrets, &room.admin, "first").await, Ok(Some("two".to_owned())));
    assert_eq!(value(&room.secrets, &room.admin, "later").await, Ok(Some("three".to_owned())));
    room.clock.advance(Duration::from_secs(3));
    assert_eq!(value(&room.elsewhere, &room.admin, "first").await, Ok(Some("two".to_owned())));
    assert_eq!(value(&room.elsewhere, &room.admin, "later").await, Ok(Some("three".to_owned())));
    room.secrets.remove(&room.admin, &name("first")).await.unwrap();
    assert_eq!(value(&room.secrets, &room.admin, "first").await, Ok(None));
    room.clock.advance(Duration::from_secs(5));
    assert_eq!(value(&room.elsewhere, &room.admin, "first").await, Ok(None));
}

async fn what_was_read_before_a_change_is_not_kept(_: Catalog) {
    let cache = crate::cache::Cache::default();
    let (project, of) = (ProjectId::from_raw(1), name("a"));
    let generation = cache.generation();
    cache.forget(project, &of);
    cache.put((project, &of), Some("old".into()), (start(), generation));
    assert!(cache.get(project, &of, start()).is_none());
    cache.put((project, &of), Some("new".into()), (start(), cache.generation()));
    assert!(cache.get(project, &of, start()).is_some());
    // A clock that is set back does not bring an entry to life.
    assert!(cache.get(project, &of, start().minus(Duration::from_secs(60))).is_none());
    assert!(!format!("{cache:?}").contains("new"));
}

async fn only_admins_set_list_and_remove(catalog: Catalog) {
    let room = Room::over(catalog).await;
    for role in [Role::Reader, Role::Editor] {
        let actor = Actor { role, ..room.admin.clone() };
        let faults = [
            room.secrets.set(&actor, &name("first"), &"x".into()).await.map(drop).unwrap_err(),
            room.secrets.remove(&actor, &name("first")).await.unwrap_err(),
            room.secrets.list(&actor, &PageRequest::first(9)).await.map(drop).unwrap_err(),
            room.secrets.rotate_master_key(&actor).await.map(drop).unwrap_err(),
        ];
        for fault in faults {
            assert_eq!((fault.kind(), fault.code()), (FaultKind::Forbidden, "secret-forbidden"));
        }
    }
    assert_eq!(room.secrets.remove(&room.stranger, &name("first")).await.unwrap_err().code(), "secret-not-found");
    assert_eq!(value(&room.secrets, &room.admin, "first").await, Ok(Some("one".to_owned())));
}

async fn a_value_that_no_header_takes_is_refused(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let long = "x".repeat(64 * 1024 + 1);
    for bad in ["", "\n", "   ", "two\nlines", "schlüssel", "a\0b", long.as_str()] {
        let fault = room.set("bad", bad).await.unwrap_err();
        assert_eq!((fault.kind(), fault.code()), (FaultKind::Invalid, "secret-bad-value"), "{bad:?}");
        assert!(bad.trim().is_empty() || !fault.to_string().contains(bad), "{fault}");
    }
    assert_eq!(room.set(VALUE, "x").await.unwrap_err().code(), "secret-name-is-a-key");
    assert_eq!(value(&room.secrets, &room.admin, "bad").await, Ok(None));
    room.set("trimmed", "a key \r\n\n").await.unwrap();
    assert_eq!(value(&room.secrets, &room.admin, "trimmed").await, Ok(Some("a key ".to_owned())));
}

async fn another_master_key_or_a_moved_or_damaged_row_is_a_fault_of_its_own(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.set("second", VALUE).await.unwrap();
    let other = tempfile::tempdir().unwrap();
    let given = room.with_keys(keys(other.path(), Some(&"11".repeat(32))));
    let fault = given.get(room.admin.project, &name("first")).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Conflict, "secret-wrong-master-key"));
    assert!(fault.hint().unwrap().contains("MAINSPRING_MASTER_KEY"), "{fault}");
    // Whoever has another key on purpose may set the secret again.
    given.set(&room.admin, &name("third"), &"three".into()).await.unwrap();
    assert_eq!(value(&given, &room.admin, "third").await, Ok(Some("three".to_owned())));

    const MOVE: &str = "UPDATE secret SET sealed = (SELECT sealed FROM secret WHERE name = 'first') WHERE name = 'second'";
    const DAMAGE: &str = "UPDATE secret SET sealed = $1 WHERE name = 'first'";
    room.catalog.write(MOVE, params![]).await.unwrap();
    room.catalog.write(DAMAGE, params![vec![1_u8; 40]]).await.unwrap();
    for damaged in ["first", "second"] {
        assert_eq!(value(&room.elsewhere, &room.admin, damaged).await, Err("secret-damaged"));
    }
    assert_eq!(room.secrets.rotate_master_key(&room.admin).await.unwrap_err().code(), "secret-damaged");
}

async fn a_process_without_the_master_key_does_not_make_another(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let other = tempfile::tempdir().unwrap();
    let without = room.with_keys(keys(other.path(), None));
    assert_eq!(value(&without, &room.admin, "first").await, Err("secret-wrong-master-key"));
    let set = without.set(&room.admin, &name("second"), &"two".into()).await.unwrap_err();
    let rotated = without.rotate_master_key(&room.admin).await.unwrap_err();
    assert_eq!((set.code(), rotated.code()), ("secret-wrong-master-key", "secret-wrong-master-key"));
    assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 0, "no key was made");
    assert_eq!(value(&room.secrets, &room.admin, "first").await, Ok(Some("one".to_owned())));
}

async fn rotating_seals_everything_with_a_new_key_and_forgets_the_old(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let before = room.set("openai", VALUE).await.unwrap();
    room.secrets.set(&room.stranger, &name("theirs"), &"of others".into()).await.unwrap();
    let file = room.data.path().join("master.key");
    let old = std::fs::read_to_string(&file).unwrap();
    let resealed = room.secrets.rotate_master_key(&room.admin).await.unwrap();
    assert_eq!(resealed.secrets, 3);
    let new = std::fs::read_to_string(&file).unwrap();
    assert!(new != old && new.lines().count() == 1 && !new.contains(old.trim()), "{} keys", new.lines().count());
    let after = room.secrets.list(&room.admin, &PageRequest::first(9)).await.unwrap().items;
    assert_eq!((after[1].changed, after[1].changed_by), (before.changed, before.changed_by), "nobody changed the value");
    assert_ne!(after[1].fingerprint, before.fingerprint);
    let fresh = room.with_keys(keys(room.data.path(), None));
    for secrets in [&room.secrets, &fresh] {
        assert_eq!(value(secrets, &room.admin, "openai").await, Ok(Some(VALUE.to_owned())));
        assert_eq!(value(secrets, &room.stranger, "theirs").await, Ok(Some("of others".to_owned())));
    }
    let gone = room.with_keys(keys(tempfile::tempdir().unwrap().path(), Some(old.trim())));
    assert_eq!(value(&gone, &room.admin, "openai").await, Err("secret-wrong-master-key"));
    assert_eq!(room.actions().last().unwrap(), &("master-key.rotate", resealed.master));
    room.set("later", "x").await.unwrap();
    assert_eq!(value(&fresh, &room.admin, "later").await, Ok(Some("x".to_owned())));
}

async fn a_rotation_that_cannot_open_everything_changes_nothing(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let given = room.with_keys(keys(tempfile::tempdir().unwrap().path(), Some(&"22".repeat(32))));
    given.set(&room.stranger, &name("theirs"), &"of others".into()).await.unwrap();
    let file = room.data.path().join("master.key");
    let before = std::fs::read_to_string(&file).unwrap();
    for _ in 0..20 {
        assert_eq!(room.secrets.rotate_master_key(&room.admin).await.unwrap_err().code(), "secret-wrong-master-key");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    let fresh = room.with_keys(keys(room.data.path(), None));
    assert_eq!(value(&fresh, &room.admin, "first").await, Ok(Some("one".to_owned())));
    assert_eq!(value(&given, &room.stranger, "theirs").await, Ok(Some("of others".to_owned())));
}

async fn given_keys_are_rotated_by_putting_another_before_them(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let old = std::fs::read_to_string(room.data.path().join("master.key")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let new = "33".repeat(32);
    let both = room.with_keys(keys(elsewhere.path(), Some(&format!("{new}, {old}"))));
    assert_eq!(value(&both, &room.admin, "first").await, Ok(Some("one".to_owned())));
    assert_eq!(both.rotate_master_key(&room.admin).await.unwrap().secrets, 1);
    let only = room.with_keys(keys(elsewhere.path(), Some(&new)));
    assert_eq!(value(&only, &room.admin, "first").await, Ok(Some("one".to_owned())));
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0, "given keys are not written down");
}

async fn the_use_is_written_down_once_an_hour(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let used = async || room.secrets.list(&room.admin, &PageRequest::first(9)).await.unwrap().items[0].last_used;
    assert_eq!(used().await, None);
    value(&room.secrets, &room.admin, "first").await.unwrap();
    assert_eq!(used().await, Some(start()));
    room.clock.advance(Duration::from_secs(3599));
    value(&room.secrets, &room.admin, "first").await.unwrap();
    assert_eq!(used().await, Some(start()));
    room.clock.advance(Duration::from_secs(5));
    value(&room.secrets, &room.admin, "first").await.unwrap();
    assert_eq!(used().await, Some(start().plus(Duration::from_secs(3604))));
}

async fn secrets_page_by_name(catalog: Catalog) {
    let room = Room::over(catalog).await;
    for more in ["b", "a", "c"] {
        room.set(more, "x").await.unwrap();
    }
    let page = room.secrets.list(&room.admin, &PageRequest::new(Some(3), None).unwrap()).await.unwrap();
    assert_eq!(page.items.iter().map(|secret| secret.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    let rest = room.secrets.list(&room.admin, &PageRequest::new(Some(3), page.next).unwrap()).await.unwrap();
    assert_eq!(rest.items.iter().map(|secret| secret.name.as_str()).collect::<Vec<_>>(), ["first"]);
    let forged = PageRequest::new(None, Some("e30".to_owned())).unwrap();
    assert_eq!(room.secrets.list(&room.admin, &forged).await.unwrap_err().code(), "secret-bad-page");
}

async fn every_statement_compiles(catalog: Catalog) {
    let failed = mainspring_catalog::testing::prepare_all(&catalog, crate::store::STATEMENTS).await;
    assert!(failed.is_empty(), "{failed:#?}");
}

fn secret(text: &str) -> SecretString {
    text.into()
}
