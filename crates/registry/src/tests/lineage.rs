//! References between versions, locks and circles.

use mainspring_catalog::Catalog;
use mainspring_kernel::{AssetKind, Fault, PageRequest, Selector};
use mainspring_testservers::on_every_engine;

use super::{Room, chain, prompt};
use crate::{Action, Expect, Lock, ProblemKind, RegistryFault};

on_every_engine!(Catalog: [
    references_inside_one_apply_may_be_in_any_order,
    a_reference_remembers_what_it_meant_when_applied,
    a_lock_follows_references_as_they_stand_now,
    a_circle_within_one_apply_is_refused,
    a_circle_closed_by_a_later_apply_is_refused,
    an_old_version_of_oneself_is_no_circle,
    a_circle_closed_by_an_alias_is_found_by_the_lock,
    a_version_knows_who_named_it,
]);

async fn lock(room: &Room, target: &str) -> Result<Lock, RegistryFault> {
    room.registry.lock(&room.reader, AssetKind::Chain, &target.parse().unwrap()).await
}

fn pins(lock: &Lock) -> Vec<String> {
    lock.pins().iter().map(ToString::to_string).collect()
}

async fn references_inside_one_apply_may_be_in_any_order(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let drafts = [
        chain("outer", &["chain:inner", "prompt:greeting@v1"]),
        chain("inner", &["prompt:greeting"]),
        prompt("greeting", "hello"),
    ];
    let plan = room.apply(&drafts).await.unwrap();
    assert_eq!(plan.changes[0].references[0].pin, plan.changes[1].after);
    let by_digest = format!("prompt:greeting@{}", plan.changes[2].after.digest);
    let plan = room.apply(&[chain("exact", &[&by_digest])]).await.unwrap();
    assert_eq!(plan.changes[0].references[0].pin.number, 1);
}

async fn a_reference_remembers_what_it_meant_when_applied(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.apply(&[prompt("greeting", "one"), chain("answer", &["prompt:greeting"])]).await.unwrap();
    room.apply(&[prompt("greeting", "two")]).await.unwrap();
    let version = room.version(AssetKind::Chain, "answer").await.unwrap();
    assert_eq!(version.references[0].path, "steps[0].prompt.use");
    assert_eq!(version.references[0].target.to_string(), "greeting");
    assert_eq!(version.references[0].pin.number, 1);
    // The text of the chain did not change, so neither does its version.
    let plan = room.apply(&[chain("answer", &["prompt:greeting"])]).await.unwrap();
    assert_eq!(plan.changes[0].action, Action::Unchanged);
}

async fn a_lock_follows_references_as_they_stand_now(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let drafts = [
        prompt("greeting", "one"),
        chain("inner", &["prompt:greeting", "prompt:greeting@v1"]),
        chain("outer", &["chain:inner", "prompt:greeting"]),
    ];
    room.apply(&drafts).await.unwrap();
    let before = lock(&room, "outer").await.unwrap();
    assert_eq!(pins(&before), ["chain outer@v1", "chain inner@v1", "prompt greeting@v1"]);
    assert_eq!(before.references.len(), 4);
    room.apply(&[prompt("greeting", "two")]).await.unwrap();
    let after = lock(&room, "outer").await.unwrap();
    assert_eq!(pins(&after), ["chain outer@v1", "chain inner@v1", "prompt greeting@v2", "prompt greeting@v1"]);
    assert_eq!(after.find(&after.root, "steps[1].prompt.use").unwrap().number, 2);
    assert_ne!(before.digest(), after.digest());
    assert_eq!(after.digest(), lock(&room, "outer@v1").await.unwrap().digest());
}

async fn a_circle_within_one_apply_is_refused(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let drafts = [chain("a", &["chain:b"]), chain("b", &["chain:c"]), chain("c", &["chain:a"])];
    let RegistryFault::Rejected { problems } = room.apply(&drafts).await.unwrap_err() else { panic!() };
    assert_eq!(problems.len(), 1, "one circle is one problem: {problems:?}");
    assert_eq!(problems[0].kind, ProblemKind::Cycle);
    assert!(problems[0].message.contains("chain a@v1 > chain b@v1 > chain c@v1 > chain a@v1"), "{problems:?}");
    let itself = room.apply(&[chain("me", &["chain:me"])]).await.unwrap_err();
    assert!(itself.to_string().contains("chain me@v1 > chain me@v1"), "{itself}");
}

async fn a_circle_closed_by_a_later_apply_is_refused(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.apply(&[prompt("p", "p"), chain("b", &["prompt:p"]), chain("a", &["chain:b"])]).await.unwrap();
    let fault = room.apply(&[chain("b", &["chain:a"])]).await.unwrap_err();
    assert!(fault.to_string().contains("chain b@v2 > chain a@v1 > chain b@v2"), "{fault}");
    assert_eq!(room.version(AssetKind::Chain, "b").await.unwrap().pin.number, 1);
}

async fn an_old_version_of_oneself_is_no_circle(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.apply(&[prompt("p", "p"), chain("a", &["prompt:p"])]).await.unwrap();
    room.apply(&[chain("a", &["chain:a@v1"])]).await.unwrap();
    assert_eq!(pins(&lock(&room, "a").await.unwrap()), ["chain a@v2", "chain a@v1", "prompt p@v1"]);
}

async fn a_circle_closed_by_an_alias_is_found_by_the_lock(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let (a, next) = ("a".parse().unwrap(), "next".parse().unwrap());
    room.apply(&[prompt("p", "p"), chain("a", &["prompt:p"])]).await.unwrap();
    let set = async |to| {
        let to = Selector::Number(to);
        room.registry.set_alias(&room.editor, (AssetKind::Chain, &a), (&next, &to), Expect::Anything, "").await
    };
    set(1).await.unwrap();
    room.apply(&[chain("b", &["chain:a@next"])]).await.unwrap();
    room.apply(&[chain("a", &["chain:b"])]).await.unwrap();
    lock(&room, "a").await.unwrap();
    set(2).await.unwrap();
    let fault = lock(&room, "a").await.unwrap_err();
    assert_eq!(fault.code(), "registry-cycle");
    // A reference that lost its target is named too.
    room.registry.remove_alias(&room.editor, (AssetKind::Chain, &a), &next, Expect::Anything, "").await.unwrap();
    assert_eq!(lock(&room, "b").await.unwrap_err().code(), "registry-version-not-found");
}

async fn a_version_knows_who_named_it(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let drafts =
        [prompt("p", "p"), chain("a", &["prompt:p", "prompt:p@v1"]), chain("b", &["prompt:p"]), chain("c", &["chain:a"])];
    room.apply(&drafts).await.unwrap();
    let target = "p".parse().unwrap();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let request = PageRequest::new(Some(2), cursor).unwrap();
        let page = room.registry.used_by(&room.reader, AssetKind::Prompt, &target, &request).await.unwrap();
        seen.extend(page.items.iter().map(|(pin, path)| format!("{pin} {path}")));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["chain a@v1 steps[0].prompt.use", "chain a@v1 steps[1].prompt.use", "chain b@v1 steps[0].prompt.use"]);
}
