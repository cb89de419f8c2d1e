//! The first start, members and projects.

use std::{sync::Arc, time::Duration};

use mainspring_catalog::{Catalog, CatalogFault};
use mainspring_kernel::{Actor, Fault, FaultKind, FrozenClock, Labels, PageRequest, Role};
use mainspring_testservers::on_every_engine;
use tokio::task::JoinSet;

use super::{Room, labels, name, new_key, start};
use crate::{Identity, PrincipalKind};

on_every_engine!(Catalog: [
    the_first_start_makes_a_project_and_its_admin,
    many_processes_may_start_first,
    before_the_first_start_there_is_nobody,
    members_come_change_and_go,
    the_last_admin_stays,
    the_user_without_a_key_is_what_they_are_now_here_and_within_five_seconds_elsewhere,
    a_removed_user_without_a_key_stays_away,
    an_admin_who_cannot_come_in_is_none,
    projects_are_made_by_admins_of_the_default_one,
    a_project_is_seen_by_its_members,
    a_project_is_entered_by_admins_of_the_default_one,
    only_admins_manage_members,
]);

async fn the_first_start_makes_a_project_and_its_admin(catalog: Catalog) {
    let room = Room::over(catalog).await;
    assert_eq!((room.admin.role, &room.admin.labels), (Role::Admin, &Labels::All));
    assert_eq!(room.identity.bootstrap().await.unwrap().unwrap(), room.admin);
    assert_eq!(room.elsewhere.local_actor().await.unwrap(), room.admin);
    let project = room.identity.project(&room.admin).await.unwrap();
    assert_eq!(project.name, name("default"));
}

async fn many_processes_may_start_first(catalog: Catalog) {
    let mut processes = JoinSet::new();
    for _ in 0..6 {
        let catalog = catalog.clone();
        processes.spawn(async move {
            let identity = Identity::open(catalog, Arc::new(FrozenClock::at(start())));
            loop {
                match identity.bootstrap().await {
                    Err(fault) if fault.code() == CatalogFault::CONTENTION => {}
                    other => return other.unwrap(),
                }
            }
        });
    }
    let actors = processes.join_all().await;
    assert!(actors.iter().all(|actor| *actor == actors[0]), "{actors:?}");
}

async fn before_the_first_start_there_is_nobody(catalog: Catalog) {
    let identity = Identity::open(catalog, Arc::new(FrozenClock::at(start())));
    let fault = identity.local_actor().await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Internal, "identity-not-bootstrapped"));
}

async fn members_come_change_and_go(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let person = PrincipalKind::Person;
    let add = async |name, role, held: &Labels| room.identity.add_member(&room.admin, (name, person), (role, held)).await;
    let change = async |who: &str, role, held: Option<&Labels>| room.identity.change_member(&room.admin, who, (role, held)).await;
    let ann = add("ann@example.org", Role::Editor, &labels(&["hr"])).await.unwrap();
    assert_eq!((ann.role, &ann.labels, ann.principal.kind), (Role::Editor, &labels(&["hr"]), person));
    let fault = add("ann@example.org", Role::Admin, &Labels::All).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Conflict, "identity-member-exists"));
    let again = change("ann@example.org", Some(Role::Reader), None).await.unwrap();
    assert_eq!((again.principal.id, again.role, &again.labels), (ann.principal.id, Role::Reader, &labels(&["hr"])));
    let again = change(&ann.principal.id.to_string(), None, Some(&Labels::none())).await.unwrap();
    assert_eq!((again.role, &again.labels), (Role::Reader, &Labels::none()));
    assert_eq!(room.identity.member(&room.admin, "ann@example.org").await.unwrap(), again);
    let page = room.identity.list_members(&room.admin, &PageRequest::new(Some(1), None).unwrap()).await.unwrap();
    assert_eq!(page.items[0].principal.name, "ann@example.org");
    let next = PageRequest::new(Some(1), page.next).unwrap();
    let page = room.identity.list_members(&room.admin, &next).await.unwrap();
    assert_eq!(page.items[0].principal.name, "local");
    assert!(page.next.is_none());
    room.identity.remove_member(&room.admin, "ann@example.org").await.unwrap();
    for fault in [
        room.identity.remove_member(&room.admin, "ann@example.org").await.unwrap_err(),
        change("ann@example.org", Some(Role::Editor), None).await.unwrap_err(),
        change("nobody", Some(Role::Editor), None).await.unwrap_err(),
    ] {
        assert_eq!(fault.code(), "identity-member-not-found");
    }
    // The name is known in the installation; who comes back is who left.
    assert_eq!(add("ann@example.org", Role::Reader, &Labels::none()).await.unwrap().principal.id, ann.principal.id);
    for bad in ["", " ann", "a\0", "a\u{7}"] {
        let fault = add(bad, Role::Reader, &Labels::none()).await.unwrap_err();
        assert_eq!(fault.code(), "identity-bad-principal-name", "{bad:?}");
    }
    let log = room.identity.list_audit(&room.admin, &PageRequest::first(9)).await.unwrap();
    let actions: Vec<&str> = log.items.iter().rev().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["member.put", "member.put", "member.put", "member.remove", "member.put"]);
}

async fn the_last_admin_stays(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let demote = async || room.identity.change_member(&room.admin, "local", (Some(Role::Reader), None)).await;
    assert_eq!(room.identity.remove_member(&room.admin, "local").await.unwrap_err().code(), "identity-last-admin");
    assert_eq!(demote().await.unwrap_err().code(), "identity-last-admin");
    second_admin(&room).await;
    demote().await.unwrap();
    assert_eq!(room.identity.local_actor().await.unwrap().role, Role::Reader);
    assert_eq!(room.identity.bootstrap().await.unwrap().unwrap().role, Role::Reader, "another start gives nothing back");
}

/// Ann, and a key of hers.
async fn second_admin(room: &Room) -> crate::IssuedKey {
    let ann = room.identity.add_member(&room.admin, ("ann", PrincipalKind::Person), (Role::Admin, &Labels::All)).await.unwrap();
    let key = crate::NewKey { principal: Some(ann.principal.id), ..new_key(Role::Admin, Labels::All) };
    room.identity.create_key(&room.admin, &key).await.unwrap()
}

async fn the_user_without_a_key_is_what_they_are_now_here_and_within_five_seconds_elsewhere(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ann = room.identity.authenticate(&second_admin(&room).await.secret).await.unwrap();
    let role = async |process: &Identity| process.local_now().await.unwrap().map(|local| local.role);
    let roles = async || (role(&room.identity).await, role(&room.elsewhere).await);
    assert_eq!(room.identity.local_now().await.unwrap().unwrap(), room.admin);
    assert_eq!(roles().await, (Some(Role::Admin), Some(Role::Admin)));
    room.identity.change_member(&ann, "local", (Some(Role::Reader), Some(&labels(&["hr"])))).await.unwrap();
    assert_eq!(roles().await, (Some(Role::Reader), Some(Role::Admin)), "the other process has not looked yet");
    room.clock.advance(Duration::from_secs(5));
    assert_eq!(roles().await, (Some(Role::Reader), Some(Role::Reader)));
    assert_eq!(room.elsewhere.local_now().await.unwrap().unwrap().labels, labels(&["hr"]));
    room.identity.remove_member(&ann, "local").await.unwrap();
    assert_eq!(roles().await, (None, Some(Role::Reader)));
    room.clock.advance(Duration::from_secs(5));
    assert_eq!(roles().await, (None, None), "that nobody is there is kept, too");
    room.identity.add_member(&ann, ("local", PrincipalKind::Person), (Role::Editor, &Labels::All)).await.unwrap();
    assert_eq!(roles().await, (Some(Role::Editor), None));
    // A clock that was set back does not make them what they were for longer.
    room.clock.set_back(Duration::from_secs(60));
    assert_eq!(roles().await, (Some(Role::Editor), Some(Role::Editor)));
}

async fn a_removed_user_without_a_key_stays_away(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ann = room.identity.authenticate(&second_admin(&room).await.secret).await.unwrap();
    room.identity.remove_member(&ann, "local").await.unwrap();
    for process in [&room.identity, &room.elsewhere] {
        assert_eq!(process.bootstrap().await.unwrap(), None, "another start gives nothing back");
        assert_eq!(process.local_now().await.unwrap(), None);
    }
    let members = room.identity.list_members(&ann, &PageRequest::first(9)).await.unwrap();
    assert!(members.items.iter().all(|member| member.principal.name == "ann"), "{members:?}");
}

async fn an_admin_who_cannot_come_in_is_none(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let ann = room.identity.add_member(&room.admin, ("ann", PrincipalKind::Person), (Role::Admin, &Labels::All)).await.unwrap();
    let remove = async || room.identity.remove_member(&room.admin, "local").await.map_err(|fault| fault.code());
    let key = async |role, seconds| {
        let expires = Some(mainspring_kernel::Clock::now(&room.clock).plus(Duration::from_secs(seconds)));
        let key = crate::NewKey { principal: Some(ann.principal.id), expires, ..new_key(role, Labels::All) };
        room.identity.create_key(&room.admin, &key).await.unwrap().key.id
    };
    assert_eq!(remove().await.unwrap_err(), "identity-last-admin", "ann has no key");
    key(Role::Editor, 1_000).await;
    assert_eq!(remove().await.unwrap_err(), "identity-last-admin", "her key is no admin's");
    key(Role::Admin, 10).await;
    room.clock.advance(Duration::from_secs(11));
    assert_eq!(remove().await.unwrap_err(), "identity-last-admin", "her key has ended");
    let revoked = key(Role::Admin, 1_000).await;
    room.identity.revoke_key(&room.admin, revoked).await.unwrap();
    assert_eq!(remove().await.unwrap_err(), "identity-last-admin", "her key was revoked");
    // In another project a key of the installation's admin is enough.
    room.identity.create_project(&room.admin, &name("other"), "").await.unwrap();
    let inside = room.identity.enter(&room.admin, &name("other")).await.unwrap();
    room.identity.add_member(&inside, ("ann", PrincipalKind::Person), (Role::Admin, &Labels::All)).await.unwrap();
    let leave = async || room.identity.remove_member(&inside, "local").await.map_err(|fault| fault.code());
    assert_eq!(leave().await.unwrap_err(), "identity-last-admin");
    key(Role::Admin, 1_000).await;
    leave().await.unwrap();
    // The single user needs none.
    room.identity.remove_member(&room.admin, "ann").await.unwrap();
    assert_eq!(remove().await.unwrap_err(), "identity-last-admin");
}

async fn projects_are_made_by_admins_of_the_default_one(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let made = room.identity.create_project(&room.admin, &name("other"), "for tests").await.unwrap();
    let fault = room.identity.create_project(&room.admin, &name("other"), "").await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Conflict, "identity-project-exists"));
    let fault = room.identity.create_project(&room.with_role(Role::Editor), &name("third"), "").await.unwrap_err();
    assert_eq!(fault.code(), "identity-forbidden");
    let other = room.identity.local_actor_in(&name("other")).await.unwrap();
    assert_eq!((other.project, other.role), (made.id, Role::Admin));
    let fault = room.identity.create_project(&other, &name("third"), "").await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Forbidden, "identity-not-installation-admin"));
    let long = "x".repeat(3_000);
    let fault = room.identity.create_project(&room.admin, &name("third"), &long).await.unwrap_err();
    assert_eq!(fault.code(), "identity-too-long");
    assert_eq!(room.identity.local_actor_in(&name("third")).await.unwrap_err().code(), "identity-project-not-found");
}

async fn a_project_is_seen_by_its_members(catalog: Catalog) {
    let room = Room::over(catalog).await;
    for project in ["b", "a"] {
        room.identity.create_project(&room.admin, &name(project), "").await.unwrap();
    }
    let list = async |actor: &Actor| {
        let page = room.identity.list_projects(actor, &PageRequest::first(9)).await.unwrap();
        page.items.into_iter().map(|own| (own.project.name.to_string(), own.role)).collect::<Vec<_>>()
    };
    let all = ["a", "b", "default"].map(|name| (name.to_owned(), Role::Admin));
    assert_eq!(list(&room.admin).await, all);
    let own = |name: &str, role| vec![(name.to_owned(), role)];
    // A key is of its project, whatever else its holder is a member of.
    assert_eq!(list(&room.with_role(Role::Reader)).await, own("default", Role::Reader));
    let in_b = room.identity.enter(&room.admin, &name("b")).await.unwrap();
    assert_eq!(list(&in_b).await, own("b", Role::Admin));
    let bot = room.identity.add_member(&room.admin, ("bot", PrincipalKind::Service), (Role::Admin, &Labels::All)).await;
    let principal = Some(bot.unwrap().principal.id);
    let key = crate::NewKey { principal, ..new_key(Role::Admin, Labels::All) };
    let issued = room.identity.create_key(&room.admin, &key).await.unwrap();
    let actor = room.identity.authenticate(&issued.secret).await.unwrap();
    assert_eq!(list(&actor).await, own("default", Role::Admin));
}

async fn a_project_is_entered_by_admins_of_the_default_one(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let made = room.identity.create_project(&room.admin, &name("other"), "").await.unwrap();
    let enter = async |actor: &Actor, project: &str| room.identity.enter(actor, &name(project)).await;
    assert_eq!(enter(&room.admin, "default").await.unwrap(), room.admin);
    let inside = enter(&room.admin, "other").await.unwrap();
    assert_eq!((inside.project, inside.role, inside.principal), (made.id, Role::Admin, room.admin.principal));
    assert_eq!(enter(&inside, "other").await.unwrap(), inside);
    assert_eq!(enter(&room.admin, "third").await.unwrap_err().code(), "identity-project-not-found");
    // What a key may not see at home, it does not see elsewhere.
    let narrow = Actor { labels: labels(&["hr"]), ..room.admin.clone() };
    assert_eq!(enter(&narrow, "other").await.unwrap().labels, labels(&["hr"]));
    for (actor, project) in [(&inside, "default"), (&inside, "third"), (&room.with_role(Role::Editor), "other")] {
        let fault = enter(actor, project).await.unwrap_err();
        assert_eq!((fault.kind(), fault.code()), (FaultKind::Forbidden, "identity-not-installation-admin"), "{project}");
    }
    let stranger = room.identity.add_member(&room.admin, ("ann", PrincipalKind::Person), (Role::Admin, &Labels::All)).await;
    let stranger = Actor { principal: stranger.unwrap().principal.id, ..room.admin.clone() };
    assert_eq!(enter(&stranger, "other").await.unwrap_err().code(), "identity-project-not-found");
    let caretakers = room.identity.caretakers().await.unwrap();
    assert!(caretakers.iter().all(|actor| actor.role == Role::Admin) && caretakers.len() == 2, "{caretakers:?}");
}

async fn only_admins_manage_members(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let actor = room.with_role(Role::Editor);
    let faults = [
        room.identity.add_member(&actor, ("x", PrincipalKind::Person), (Role::Reader, &Labels::none())).await.map(drop),
        room.identity.change_member(&actor, "local", (Some(Role::Reader), None)).await.map(drop),
        room.identity.remove_member(&actor, "local").await.map(drop),
        room.identity.member(&actor, "local").await.map(drop),
        room.identity.list_members(&actor, &PageRequest::first(5)).await.map(drop),
    ];
    for fault in faults {
        assert_eq!(fault.unwrap_err().kind(), FaultKind::Forbidden);
    }
}
