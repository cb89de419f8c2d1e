//! What processes over one PostgreSQL tell each other. The clock stands still: nothing that was looked up grows old.

use std::time::{Duration, Instant};

use mainspring_catalog::{Catalog, Engine, params};
use mainspring_kernel::{Fault, Labels, Role, Stop, Tasks};
use mainspring_testservers::on_every_engine;
use secrecy::SecretString;

use super::{Room, labels, new_key};
use crate::{Identity, NewKey, PrincipalKind};

on_every_engine!(Catalog: [
    what_is_changed_here_holds_at_once_in_a_process_that_listens,
    a_process_that_lost_its_connection_hears_again,
]);

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn until(wanted: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !wanted() {
        assert!(Instant::now() < deadline, "it never came so far");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Has the other process listen; on SQLite there is nothing to hear, and it says so at once.
async fn listening(room: &Room) -> Option<Tasks> {
    let elsewhere = room.elsewhere.clone();
    if room.catalog.engine() == Engine::Sqlite {
        tokio::time::timeout(PATIENCE, elsewhere.keep_told(Stop::never())).await.expect("nobody can tell it anything");
        return None;
    }
    let tasks = Tasks::default();
    tasks.spawn("keys: told", |stop| elsewhere.keep_told(stop));
    until(|| room.elsewhere.cache.generation() > 0).await;
    Some(tasks)
}

/// Asks until the key is refused, and answers why.
async fn refusal(identity: &Identity, secret: &SecretString) -> &'static str {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Err(fault) = identity.authenticate(secret).await {
            return fault.code();
        }
        assert!(Instant::now() < deadline, "nobody told it");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn what_is_changed_here_holds_at_once_in_a_process_that_listens(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let Some(tasks) = listening(&room).await else { return };
    let key = async || {
        let issued = room.identity.create_key(&room.admin, &new_key(Role::Editor, Labels::All)).await.unwrap();
        room.elsewhere.authenticate(&issued.secret).await.unwrap();
        issued
    };
    let revoked = key().await;
    room.identity.revoke_key(&room.admin, revoked.key.id).await.unwrap();
    assert_eq!(refusal(&room.elsewhere, &revoked.secret).await, "identity-key-revoked");
    let rotated = key().await;
    room.identity.rotate_key(&room.admin, rotated.key.id, Duration::ZERO).await.unwrap();
    assert_eq!(refusal(&room.elsewhere, &rotated.secret).await, "identity-key-rotated");

    let rights = (Role::Editor, &labels(&["hr"]));
    let bot = room.identity.add_member(&room.admin, ("bot", PrincipalKind::Service), rights).await.unwrap().principal.id;
    let new = NewKey { principal: Some(bot), ..new_key(Role::Admin, Labels::All) };
    let bots = room.identity.create_key(&room.admin, &new).await.unwrap();
    assert_eq!(room.elsewhere.authenticate(&bots.secret).await.unwrap().role, Role::Editor);
    room.identity.change_member(&room.admin, "bot", (Some(Role::Reader), None)).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while room.elsewhere.authenticate(&bots.secret).await.unwrap().role != Role::Reader {
        assert!(Instant::now() < deadline, "nobody told it");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    room.identity.remove_member(&room.admin, "bot").await.unwrap();
    assert_eq!(refusal(&room.elsewhere, &bots.secret).await, "identity-key-revoked");
    tasks.shut_down(PATIENCE).await.unwrap();
}

async fn a_process_that_lost_its_connection_hears_again(catalog: Catalog) {
    const BREAK: &str = "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity WHERE query LIKE 'LISTEN %'";
    let room = Room::over(catalog).await;
    let Some(tasks) = listening(&room).await else { return };
    let issued = room.identity.create_key(&room.admin, &new_key(Role::Reader, Labels::All)).await.unwrap();
    room.elsewhere.authenticate(&issued.secret).await.unwrap();
    let before = room.elsewhere.cache.generation();
    let ended = room.catalog.query(BREAK, params![]).await.unwrap();
    assert_eq!(ended.len(), 1, "{ended:?}");
    until(|| room.elsewhere.cache.generation() > before).await;
    room.elsewhere.authenticate(&issued.secret).await.unwrap();
    room.identity.revoke_key(&room.admin, issued.key.id).await.unwrap();
    assert_eq!(refusal(&room.elsewhere, &issued.secret).await, "identity-key-revoked");
    tasks.shut_down(PATIENCE).await.unwrap();
}
