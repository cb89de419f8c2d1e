//! The first start, members and projects.

use std::sync::Arc;

use mainspring_catalog::{Catalog, CatalogFault};
use mainspring_kernel::{Fault, FaultKind, FrozenClock, Labels, PageRequest, Role};
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
    projects_are_made_by_admins_of_the_default_one,
    a_project_is_seen_by_its_members,
    only_admins_manage_members,
]);

async fn the_first_start_makes_a_project_and_its_admin(catalog: Catalog) {
    let room = Room::over(catalog).await;
    assert_eq!((room.admin.role, &room.admin.labels), (Role::Admin, &Labels::All));
    assert_eq!(room.identity.bootstrap().await.unwrap(), room.admin);
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
    let ann = room.identity.put_member(&room.admin, ("ann@example.org", person), (Role::Editor, &labels(&["hr"]))).await;
    let ann = ann.unwrap();
    assert_eq!((ann.role, &ann.labels, ann.principal.kind), (Role::Editor, &labels(&["hr"]), person));
    let again = room.identity.put_member(&room.admin, ("ann@example.org", person), (Role::Reader, &Labels::none())).await;
    let again = again.unwrap();
    assert_eq!((again.principal.id, again.role, &again.labels), (ann.principal.id, Role::Reader, &Labels::none()));
    let page = room.identity.list_members(&room.admin, &PageRequest::new(Some(1), None).unwrap()).await.unwrap();
    assert_eq!(page.items[0].principal.name, "ann@example.org");
    let next = PageRequest::new(Some(1), page.next).unwrap();
    let page = room.identity.list_members(&room.admin, &next).await.unwrap();
    assert_eq!(page.items[0].principal.name, "local");
    assert!(page.next.is_none());
    room.identity.remove_member(&room.admin, ann.principal.id).await.unwrap();
    let fault = room.identity.remove_member(&room.admin, ann.principal.id).await.unwrap_err();
    assert_eq!(fault.code(), "identity-member-not-found");
    for bad in ["", " ann", "a\0", "a\u{7}"] {
        let fault = room.identity.put_member(&room.admin, (bad, person), (Role::Reader, &Labels::none())).await;
        assert_eq!(fault.unwrap_err().code(), "identity-bad-principal-name", "{bad:?}");
    }
}

async fn the_last_admin_stays(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let demote =
        async || room.identity.put_member(&room.admin, ("local", PrincipalKind::Local), (Role::Reader, &Labels::All)).await;
    assert_eq!(room.identity.remove_member(&room.admin, room.admin.principal).await.unwrap_err().code(), "identity-last-admin");
    assert_eq!(demote().await.unwrap_err().code(), "identity-last-admin");
    room.identity.put_member(&room.admin, ("ann", PrincipalKind::Person), (Role::Admin, &Labels::All)).await.unwrap();
    demote().await.unwrap();
    assert_eq!(room.identity.local_actor().await.unwrap().role, Role::Reader);
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
    let list = async |actor| {
        let page = room.identity.list_projects(actor, &PageRequest::first(9)).await.unwrap();
        page.items.into_iter().map(|project| project.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(list(&room.admin).await, ["a", "b", "default"]);
    let bot = room.identity.put_member(&room.admin, ("bot", PrincipalKind::Service), (Role::Admin, &Labels::All)).await;
    let principal = Some(bot.unwrap().principal.id);
    let key = crate::NewKey { principal, ..new_key(Role::Reader, Labels::All) };
    let issued = room.identity.create_key(&room.admin, &key).await.unwrap();
    let actor = room.identity.authenticate(&issued.secret).await.unwrap();
    assert_eq!(list(&actor).await, ["default"]);
}

async fn only_admins_manage_members(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let actor = room.with_role(Role::Editor);
    let put = room.identity.put_member(&actor, ("x", PrincipalKind::Person), (Role::Reader, &Labels::none())).await;
    assert_eq!(put.unwrap_err().kind(), FaultKind::Forbidden);
    let removed = room.identity.remove_member(&actor, room.admin.principal).await;
    assert_eq!(removed.unwrap_err().kind(), FaultKind::Forbidden);
    let listed = room.identity.list_members(&actor, &PageRequest::first(5)).await;
    assert_eq!(listed.unwrap_err().kind(), FaultKind::Forbidden);
}
