//! Who goes on being whom after their request.

use std::time::Duration;

use mainspring_catalog::Catalog;
use mainspring_kernel::{Actor, Fault as _, Labels, ModelScope, Role};
use mainspring_testservers::on_every_engine;

use super::{Room, labels, models, name, new_key};
use crate::NewKey;

on_every_engine!(Catalog: [
    a_key_goes_on_as_what_it_may_do_now,
    a_key_that_has_ended_does_not_go_on,
    the_single_user_goes_on_while_they_are_a_member,
    a_key_of_the_installation_goes_on_in_another_project,
    an_admin_is_told_whom_a_key_of_the_project_lets_in,
]);

async fn a_key_goes_on_as_what_it_may_do_now(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let new = NewKey { models: models(&["gpt-*"]), ..new_key(Role::Editor, labels(&["staff"])) };
    let made = room.identity.create_key(&room.admin, &new).await.unwrap();
    let with_secret = room.identity.authenticate(&made.secret).await.unwrap();
    let acting = room.identity.acting(room.admin.project, made.key.principal, Some(made.key.id)).await.unwrap();
    assert_eq!(acting, with_secret);
    assert_eq!((acting.role, acting.labels, acting.models), (Role::Editor, labels(&["staff"]), models(&["gpt-*"])));
    // A new secret is the same key.
    room.identity.rotate_key(&room.admin, made.key.id, Duration::ZERO).await.unwrap();
    assert!(room.identity.acting(room.admin.project, made.key.principal, Some(made.key.id)).await.is_ok());
}

async fn a_key_that_has_ended_does_not_go_on(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let expires = Some(mainspring_kernel::Clock::now(&room.clock).plus(Duration::from_secs(60)));
    let (short, long) = (NewKey { expires, ..new_key(Role::Reader, Labels::none()) }, new_key(Role::Reader, Labels::none()));
    let short = room.identity.create_key(&room.admin, &short).await.unwrap().key;
    let long = room.identity.create_key(&room.admin, &long).await.unwrap().key;
    let acting = async |key: &crate::ApiKey| {
        let acting = room.identity.acting(room.admin.project, key.principal, Some(key.id)).await;
        acting.err().map(|fault| fault.code())
    };
    assert_eq!((acting(&short).await, acting(&long).await), (None, None));
    room.clock.advance(Duration::from_secs(61));
    assert_eq!((acting(&short).await, acting(&long).await), (Some("identity-key-expired"), None));
    // Elsewhere: nothing of it is kept.
    room.elsewhere.revoke_key(&room.admin, long.id).await.unwrap();
    assert_eq!(acting(&long).await, Some("identity-key-revoked"));
    let nobody = room.identity.acting(room.admin.project, mainspring_kernel::id::PrincipalId::from_raw(9), Some(long.id)).await;
    assert_eq!(nobody.unwrap_err().code(), "identity-key-revoked", "a key belongs to its holder");
}

async fn the_single_user_goes_on_while_they_are_a_member(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let Actor { project, principal, .. } = room.admin;
    assert_eq!(room.identity.acting(project, principal, None).await.unwrap(), room.admin);
    let nobody = mainspring_kernel::id::PrincipalId::from_raw(9);
    assert_eq!(room.identity.acting(project, nobody, None).await.unwrap_err().code(), "identity-key-revoked");
}

async fn a_key_of_the_installation_goes_on_in_another_project(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let made = room.identity.create_key(&room.admin, &new_key(Role::Admin, Labels::All)).await.unwrap();
    let home = room.identity.authenticate(&made.secret).await.unwrap();
    let other = room.identity.create_project(&home, &name("other"), "").await.unwrap();
    let there = room.identity.enter(&home, &name("other")).await.unwrap();
    assert_eq!((there.project, &there.models), (other.id, &ModelScope::All));
    assert_eq!(room.identity.acting(there.project, there.principal, there.key).await.unwrap(), there);
    room.identity.revoke_key(&room.admin, made.key.id).await.unwrap();
    let ended = room.identity.acting(there.project, there.principal, there.key).await;
    assert_eq!(ended.unwrap_err().code(), "identity-key-revoked");
}

async fn an_admin_is_told_whom_a_key_of_the_project_lets_in(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let made = room.identity.create_key(&room.admin, &new_key(Role::Reader, Labels::none())).await.unwrap();
    let lets_in = room.identity.let_in_by(&room.admin, made.key.id).await.unwrap();
    assert_eq!(lets_in, room.identity.authenticate(&made.secret).await.unwrap());
    assert_eq!(room.identity.let_in_by(&lets_in, made.key.id).await.unwrap_err().code(), "identity-forbidden");
    let stranger = Actor { project: mainspring_kernel::id::ProjectId::from_raw(77), ..room.admin.clone() };
    assert_eq!(room.identity.let_in_by(&stranger, made.key.id).await.unwrap_err().code(), "identity-key-not-found");
    room.identity.revoke_key(&room.admin, made.key.id).await.unwrap();
    assert_eq!(room.identity.let_in_by(&room.admin, made.key.id).await.unwrap_err().code(), "identity-key-not-found");
}
