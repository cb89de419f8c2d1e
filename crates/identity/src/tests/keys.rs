//! Keys from making to revoking.

use std::{collections::BTreeSet, time::Duration};

use mainspring_catalog::{Catalog, params};
use mainspring_kernel::{Actor, Fault, FaultKind, Labels, ModelScope, PageRequest, Role, id::ApiKeyId};
use mainspring_testservers::on_every_engine;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Room, labels, models, name, new_key};
use crate::{ApiKey, IdentityFault, NewKey, PrincipalKind};

on_every_engine!(Catalog: [
    a_key_becomes_an_actor_with_its_role_and_labels,
    the_secret_is_nowhere_in_the_catalog,
    a_wrong_key_is_refused_without_saying_why,
    an_expired_key_is_refused,
    a_revoked_key_stops_at_once_here_and_within_five_seconds_elsewhere,
    a_look_up_that_began_before_the_revocation_is_not_kept,
    a_rotated_key_stays_the_same_key_and_its_old_secret_ends_when_it_was_told_to,
    a_rotation_ends_the_old_secret_at_once_here_and_within_five_seconds_elsewhere,
    an_overlap_has_an_end,
    a_key_may_name_the_models_it_was_made_for,
    nobody_hands_out_models_their_own_key_may_not_name,
    a_key_never_allows_more_than_its_membership,
    nobody_hands_out_labels_they_do_not_hold,
    only_admins_manage_keys_and_only_their_projects,
    what_a_key_is_called_is_known_by_its_id,
    the_moment_of_last_use_is_written_now_and_then,
    keys_page_newest_first,
    every_statement_compiles,
]);

async fn a_key_becomes_an_actor_with_its_role_and_labels(catalog: Catalog) {
    let room = Room::over(catalog).await;
    assert_eq!(room.identity.count_usable_keys().await.unwrap(), 0);
    let issued = room.identity.create_key(&room.admin, &new_key(Role::Reader, labels(&["hr"]))).await.unwrap();
    assert!(issued.secret.expose_secret().starts_with(&issued.key.prefix));
    assert!(!format!("{issued:?}").contains(issued.secret.expose_secret()));
    for identity in [&room.identity, &room.elsewhere, &room.identity] {
        let holder = identity.identify(&issued.secret).await.unwrap();
        assert_eq!((holder.key, &holder.name), (issued.key.id, &name("ci")));
        assert_eq!((holder.actor.project, holder.actor.principal), (room.admin.project, room.admin.principal));
        assert_eq!((holder.actor.role, holder.actor.labels), (Role::Reader, labels(&["hr"])));
    }
    assert_eq!(room.identity.count_usable_keys().await.unwrap(), 1);
}

async fn the_secret_is_nowhere_in_the_catalog(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let issued = room.identity.create_key(&room.admin, &new_key(Role::Admin, Labels::All)).await.unwrap();
    // The secret's own alphabet has an underscore, too.
    let secret = issued.secret.expose_secret().splitn(3, '_').last().unwrap().to_owned();
    assert_eq!(secret.len(), 43);
    let keys = room.catalog.query("SELECT name, labels, lookup, hash FROM api_key", params![]).await.unwrap();
    let audit = room.catalog.query("SELECT detail, subject FROM audit_entry", params![]).await.unwrap();
    let everything = format!("{keys:?}{audit:?}");
    assert!(!everything.contains(&secret), "{everything}");
    assert_eq!(keys[0].bytes("hash").unwrap().len(), 32);
}

async fn a_wrong_key_is_refused_without_saying_why(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let issued = room.identity.create_key(&room.admin, &new_key(Role::Reader, Labels::All)).await.unwrap();
    room.identity.revoke_key(&room.admin, issued.key.id).await.unwrap();
    let right = issued.secret.expose_secret().to_owned();
    let (prefix, _) = right.split_at(17);
    let wrong_secret = format!("{prefix}{}", "A".repeat(43));
    let unknown = format!("msk_000000000000_{}", "A".repeat(43));
    for text in [String::new(), "sk-1".to_owned(), right.to_uppercase(), format!("{right}x"), wrong_secret, unknown] {
        let fault = room.identity.authenticate(&SecretString::from(text.clone())).await.unwrap_err();
        assert_eq!((fault.kind(), fault.code()), (FaultKind::Unauthenticated, "identity-invalid-key"), "{text}");
    }
}

async fn an_expired_key_is_refused(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let expires = Some(super::start().plus(Duration::from_secs(60)));
    let new = NewKey { expires, ..new_key(Role::Reader, Labels::All) };
    let issued = room.identity.create_key(&room.admin, &new).await.unwrap();
    room.clock.advance(Duration::from_secs(59));
    room.identity.authenticate(&issued.secret).await.unwrap();
    room.clock.advance(Duration::from_secs(1));
    // The cached look-up does not outlive the key.
    let fault = room.identity.authenticate(&issued.secret).await.unwrap_err();
    assert_eq!(fault.code(), "identity-key-expired");
    assert_eq!(room.identity.count_usable_keys().await.unwrap(), 0);
    let late = room.identity.create_key(&room.admin, &new).await.unwrap_err();
    assert_eq!(late.code(), "identity-expires-in-the-past");
    let fault = room.identity.rotate_key(&room.admin, issued.key.id, Duration::ZERO).await.unwrap_err();
    assert_eq!(fault.code(), "identity-key-expired");
}

async fn a_revoked_key_stops_at_once_here_and_within_five_seconds_elsewhere(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let issued = room.identity.create_key(&room.admin, &new_key(Role::Reader, Labels::All)).await.unwrap();
    room.identity.authenticate(&issued.secret).await.unwrap();
    room.elsewhere.authenticate(&issued.secret).await.unwrap();
    room.identity.revoke_key(&room.admin, issued.key.id).await.unwrap();
    let fault = room.identity.authenticate(&issued.secret).await.unwrap_err();
    assert_eq!(fault.code(), "identity-key-revoked");
    room.clock.advance(Duration::from_secs(5));
    assert_eq!(room.elsewhere.authenticate(&issued.secret).await.unwrap_err().code(), "identity-key-revoked");
    // Being sure twice is no mistake, and leaves one entry.
    room.identity.revoke_key(&room.admin, issued.key.id).await.unwrap();
    let audit = room.identity.list_audit(&room.admin, &PageRequest::first(9)).await.unwrap();
    assert_eq!(audit.items.iter().filter(|entry| entry.action == "key.revoke").count(), 1);
}

async fn a_look_up_that_began_before_the_revocation_is_not_kept(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let issued = room.identity.create_key(&room.admin, &new_key(Role::Reader, Labels::All)).await.unwrap();
    let parts = crate::secret::read(&issued.secret).unwrap();
    let now = super::start();
    let generation = room.identity.cache.generation();
    let row = crate::store::key_by_lookup(&room.catalog, &parts.lookup).await.unwrap().unwrap();
    room.identity.revoke_key(&room.admin, issued.key.id).await.unwrap();
    room.identity.cache.put(&parts.lookup, &row, (now, generation));
    assert!(room.identity.cache.get(&parts.lookup, now).is_none());
    // A clock that is set back does not bring an entry to life either.
    room.identity.cache.put(&parts.lookup, &row, (now, room.identity.cache.generation()));
    assert!(room.identity.cache.get(&parts.lookup, now.minus(Duration::from_secs(3600))).is_none());
    assert!(room.identity.cache.get(&parts.lookup, now).is_some());
}

async fn a_rotated_key_stays_the_same_key_and_its_old_secret_ends_when_it_was_told_to(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let old = room.identity.create_key(&room.admin, &new_key(Role::Editor, labels(&["hr"]))).await.unwrap();
    room.identity.authenticate(&old.secret).await.unwrap();
    let hour = Duration::from_secs(3600);
    let new = room.identity.rotate_key(&room.admin, old.key.id, hour).await.unwrap();
    assert_ne!(new.secret.expose_secret(), old.secret.expose_secret());
    // Limits and usage are of the key's id.
    let until = super::start().plus(hour);
    let expected = ApiKey { prefix: new.key.prefix.clone(), old_until: Some(until), ..old.key.clone() };
    assert_eq!(new.key, expected);
    assert!(new.secret.expose_secret().starts_with(&new.key.prefix));
    assert_eq!(room.identity.list_keys(&room.admin, &PageRequest::first(5)).await.unwrap().items, [expected]);
    for secret in [&old.secret, &new.secret] {
        assert_eq!(room.identity.authenticate(secret).await.unwrap().key, Some(old.key.id));
    }
    room.clock.advance(hour - Duration::from_secs(1));
    room.identity.authenticate(&old.secret).await.unwrap();
    room.clock.advance(Duration::from_secs(1));
    // The cached look-up does not outlive the secret.
    let fault = room.identity.authenticate(&old.secret).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Unauthenticated, "identity-key-rotated"));
    room.identity.authenticate(&new.secret).await.unwrap();
    // Of three secrets the oldest ends with the second rotation, however long it was to work.
    let second = room.identity.rotate_key(&room.admin, old.key.id, hour).await.unwrap();
    let third = room.identity.rotate_key(&room.admin, old.key.id, hour).await.unwrap();
    assert_eq!(room.identity.authenticate(&new.secret).await.unwrap_err().code(), "identity-invalid-key");
    for secret in [&second.secret, &third.secret] {
        room.identity.authenticate(secret).await.unwrap();
    }
    room.identity.revoke_key(&room.admin, old.key.id).await.unwrap();
    for secret in [&second.secret, &third.secret] {
        assert_eq!(room.identity.authenticate(secret).await.unwrap_err().code(), "identity-key-revoked");
    }
    let again = room.identity.rotate_key(&room.admin, old.key.id, Duration::ZERO).await.unwrap_err();
    assert_eq!(again.code(), "identity-key-not-found");
}

async fn a_rotation_ends_the_old_secret_at_once_here_and_within_five_seconds_elsewhere(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let old = room.identity.create_key(&room.admin, &new_key(Role::Reader, Labels::All)).await.unwrap();
    room.elsewhere.authenticate(&old.secret).await.unwrap();
    let new = room.identity.rotate_key(&room.admin, old.key.id, Duration::ZERO).await.unwrap();
    assert_eq!(room.identity.authenticate(&old.secret).await.unwrap_err().code(), "identity-key-rotated");
    // What replaces it works everywhere at once.
    room.elsewhere.authenticate(&new.secret).await.unwrap();
    room.clock.advance(Duration::from_secs(5));
    assert_eq!(room.elsewhere.authenticate(&old.secret).await.unwrap_err().code(), "identity-key-rotated");
    assert_eq!(room.identity.count_usable_keys().await.unwrap(), 1);
    let audit = room.identity.list_audit(&room.admin, &PageRequest::first(1)).await.unwrap();
    assert_eq!((audit.items[0].action.as_str(), &audit.items[0].detail["key"]), ("key.rotate", &serde_json::json!(old.key.id)));
}

async fn an_overlap_has_an_end(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let day = Duration::from_secs(86_400);
    let expires = Some(super::start().plus(day));
    let issued = room.identity.create_key(&room.admin, &NewKey { expires, ..new_key(Role::Reader, Labels::All) }).await.unwrap();
    let fault = room.identity.rotate_key(&room.admin, issued.key.id, 31 * day).await.unwrap_err();
    assert_eq!(
        (fault.code(), fault.to_string().as_str()),
        ("identity-overlap-too-long", "the old secret would work for longer than 30 days")
    );
    room.identity.authenticate(&issued.secret).await.unwrap();
    // Neither secret lives longer than its key.
    let rotated = room.identity.rotate_key(&room.admin, issued.key.id, 30 * day).await.unwrap();
    room.clock.advance(day);
    for secret in [&issued.secret, &rotated.secret] {
        assert_eq!(room.identity.authenticate(secret).await.unwrap_err().code(), "identity-key-expired");
    }
}

async fn a_key_may_name_the_models_it_was_made_for(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let some = models(&["assistant", "claude-*"]);
    let new = NewKey { models: some.clone(), ..new_key(Role::Reader, Labels::All) };
    let issued = room.identity.create_key(&room.admin, &new).await.unwrap();
    assert_eq!(issued.key.models, some);
    assert_eq!(room.identity.list_keys(&room.admin, &PageRequest::first(5)).await.unwrap().items[0].models, some);
    for identity in [&room.identity, &room.elsewhere] {
        let actor = identity.authenticate(&issued.secret).await.unwrap();
        assert_eq!(actor.models, some);
    }
    // A new secret opens no more than the one before.
    let rotated = room.identity.rotate_key(&room.admin, issued.key.id, Duration::ZERO).await.unwrap();
    assert_eq!(room.identity.authenticate(&rotated.secret).await.unwrap().models, some);
    let open = room.identity.create_key(&room.admin, &new_key(Role::Reader, Labels::All)).await.unwrap();
    assert_eq!(room.identity.authenticate(&open.secret).await.unwrap().models, ModelScope::All);
    for bad in [models(&[]), models(&[""]), models(&["a b\0"]), models(&["a*b"]), models(&["**"]), models(&[&"x".repeat(201)])] {
        let new = NewKey { models: bad.clone(), ..new_key(Role::Reader, Labels::All) };
        assert_eq!(room.identity.create_key(&room.admin, &new).await.unwrap_err().code(), "identity-bad-model", "{bad:?}");
    }
}

async fn nobody_hands_out_models_their_own_key_may_not_name(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let narrow = Actor { models: models(&["assistant", "openai/*"]), ..room.admin.clone() };
    let with = |models| NewKey { models, ..new_key(Role::Reader, Labels::All) };
    for wanted in [ModelScope::All, models(&["other"]), models(&["assistant*"]), models(&["open*"]), models(&["assistant", "x"])]
    {
        let fault = room.identity.create_key(&narrow, &with(wanted.clone())).await.unwrap_err();
        assert_eq!((fault.kind(), fault.code()), (FaultKind::Forbidden, "identity-models-not-held"), "{wanted:?}");
    }
    for wanted in [models(&["assistant"]), models(&["openai/gpt-5", "openai/o*"])] {
        room.identity.create_key(&narrow, &with(wanted)).await.unwrap();
    }
    let wide = room.identity.create_key(&room.admin, &new_key(Role::Reader, Labels::All)).await.unwrap();
    let fault = room.identity.rotate_key(&narrow, wide.key.id, Duration::ZERO).await.unwrap_err();
    assert_eq!(fault.code(), "identity-models-not-held");
}

async fn a_key_never_allows_more_than_its_membership(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let rights = (Role::Editor, &labels(&["hr", "legal"]));
    let bot = room.identity.add_member(&room.admin, ("bot", PrincipalKind::Service), rights).await.unwrap().principal.id;
    let new = NewKey { principal: Some(bot), ..new_key(Role::Admin, Labels::All) };
    let issued = room.identity.create_key(&room.admin, &new).await.unwrap();
    let actor = room.identity.authenticate(&issued.secret).await.unwrap();
    assert_eq!((actor.principal, actor.role, actor.labels), (bot, Role::Editor, labels(&["hr", "legal"])));
    let legal = labels(&["legal"]);
    room.identity.change_member(&room.admin, "bot", (Some(Role::Reader), Some(&legal))).await.unwrap();
    let actor = room.identity.authenticate(&issued.secret).await.unwrap();
    assert_eq!((actor.role, actor.labels), (Role::Reader, labels(&["legal"])));
    room.identity.remove_member(&room.admin, "bot").await.unwrap();
    assert_eq!(room.identity.authenticate(&issued.secret).await.unwrap_err().code(), "identity-key-revoked");
    let stranger = NewKey { principal: Some(bot), ..new_key(Role::Reader, Labels::All) };
    let fault = room.identity.create_key(&room.admin, &stranger).await.unwrap_err();
    assert!(matches!(fault, IdentityFault::MemberNotFound { .. }), "{fault:?}");
}

async fn nobody_hands_out_labels_they_do_not_hold(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let narrow = mainspring_kernel::Actor { labels: labels(&["hr"]), ..room.admin.clone() };
    for wanted in [Labels::All, labels(&["hr", "legal"]), labels(&["legal"])] {
        let fault = room.identity.create_key(&narrow, &new_key(Role::Reader, wanted.clone())).await.unwrap_err();
        assert_eq!(fault.code(), "identity-labels-not-held", "{wanted:?}");
        let member = room.identity.add_member(&narrow, ("x", PrincipalKind::Person), (Role::Reader, &wanted)).await;
        assert_eq!(member.unwrap_err().code(), "identity-labels-not-held");
        let member = room.identity.change_member(&narrow, "local", (None, Some(&wanted))).await;
        assert_eq!(member.unwrap_err().code(), "identity-labels-not-held");
    }
    for wanted in [labels(&["hr"]), Labels::none()] {
        room.identity.create_key(&narrow, &new_key(Role::Reader, wanted)).await.unwrap();
    }
    // Rotating would hand out what the old key held.
    let wide = room.identity.create_key(&room.admin, &new_key(Role::Reader, Labels::All)).await.unwrap();
    let fault = room.identity.rotate_key(&narrow, wide.key.id, Duration::ZERO).await.unwrap_err();
    assert_eq!(fault.code(), "identity-labels-not-held");
    for bad in ["", " hr", "a\0b", "a\nb", &"x".repeat(201)] {
        let fault = room.identity.create_key(&room.admin, &new_key(Role::Reader, labels(&[bad]))).await.unwrap_err();
        assert_eq!(fault.code(), "identity-bad-label", "{bad:?}");
    }
    let many: BTreeSet<String> = (0..201).map(|number| number.to_string()).collect();
    let fault = room.identity.create_key(&room.admin, &new_key(Role::Reader, Labels::Some(many))).await.unwrap_err();
    assert_eq!(fault.code(), "identity-bad-label");
}

async fn only_admins_manage_keys_and_only_their_projects(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let issued = room.identity.create_key(&room.admin, &new_key(Role::Reader, Labels::All)).await.unwrap();
    room.identity.create_project(&room.admin, &name("other"), "").await.unwrap();
    let other = room.identity.local_actor_in(&name("other")).await.unwrap();
    for role in [Role::Reader, Role::Editor] {
        let actor = room.with_role(role);
        let faults = [
            room.identity.create_key(&actor, &new_key(Role::Reader, Labels::none())).await.map(drop).unwrap_err(),
            room.identity.rotate_key(&actor, issued.key.id, Duration::ZERO).await.map(drop).unwrap_err(),
            room.identity.revoke_key(&actor, issued.key.id).await.map(drop).unwrap_err(),
            room.identity.list_keys(&actor, &PageRequest::first(5)).await.map(drop).unwrap_err(),
            room.identity.list_audit(&actor, &PageRequest::first(5)).await.map(drop).unwrap_err(),
            room.identity.verify_audit(&actor).await.map(drop).unwrap_err(),
        ];
        for fault in faults {
            assert_eq!((fault.kind(), fault.code()), (FaultKind::Forbidden, "identity-forbidden"));
        }
    }
    let fault = room.identity.revoke_key(&other, issued.key.id).await.unwrap_err();
    assert_eq!(fault.code(), "identity-key-not-found");
    let fault = room.identity.rotate_key(&other, issued.key.id, Duration::ZERO).await.unwrap_err();
    assert_eq!(fault.code(), "identity-key-not-found");
    assert!(room.identity.list_keys(&other, &PageRequest::first(5)).await.unwrap().items.is_empty());
    room.identity.authenticate(&issued.secret).await.unwrap();
}

async fn what_a_key_is_called_is_known_by_its_id(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let made = room.identity.create_key(&room.admin, &new_key(Role::Reader, Labels::All)).await.unwrap().key;
    room.identity.revoke_key(&room.admin, made.id).await.unwrap();
    let names = room.identity.key_names(vec![made.id, ApiKeyId::from_raw(7)]).await.unwrap();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), [(made.id, made.name.to_string())]);
}

async fn the_moment_of_last_use_is_written_now_and_then(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let issued = room.identity.create_key(&room.admin, &new_key(Role::Reader, Labels::All)).await.unwrap();
    let last_used = async || {
        let keys = room.identity.list_keys(&room.admin, &PageRequest::first(5)).await.unwrap();
        keys.items[0].last_used
    };
    for _ in 0..3 {
        room.clock.advance(Duration::from_secs(1));
        room.identity.authenticate(&issued.secret).await.unwrap();
    }
    assert_eq!(last_used().await, None);
    room.identity.record_usage().await.unwrap();
    let used = super::start().plus(Duration::from_secs(3));
    assert_eq!(last_used().await, Some(used));
    // A slower process does not turn it back.
    room.elsewhere.cache.mark_used(issued.key.id, super::start());
    room.elsewhere.record_usage().await.unwrap();
    assert_eq!(last_used().await, Some(used));
}

async fn keys_page_newest_first(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let mut made = Vec::new();
    for _ in 0..3 {
        room.clock.advance(Duration::from_millis(5));
        made.push(room.identity.create_key(&room.admin, &new_key(Role::Reader, Labels::All)).await.unwrap().key.id);
    }
    let first = PageRequest::new(Some(2), None).unwrap();
    let page = room.identity.list_keys(&room.admin, &first).await.unwrap();
    assert_eq!(page.items.iter().map(|key| key.id).collect::<Vec<_>>(), [made[2], made[1]]);
    let second = PageRequest::new(Some(2), page.next).unwrap();
    let page = room.identity.list_keys(&room.admin, &second).await.unwrap();
    assert_eq!(page.items.iter().map(|key| key.id).collect::<Vec<_>>(), [made[0]]);
    let forged = PageRequest::new(None, Some("e30".to_owned())).unwrap();
    assert_eq!(room.identity.list_keys(&room.admin, &forged).await.unwrap_err().code(), "identity-bad-page");
}

async fn every_statement_compiles(catalog: Catalog) {
    for statements in crate::store::STATEMENTS {
        let failed = mainspring_catalog::testing::prepare_all(&catalog, statements).await;
        assert!(failed.is_empty(), "{failed:#?}");
    }
}
