//! Aliases move by compare-and-set, and each move stays on record.

use std::{sync::Arc, time::Duration};

use mainspring_catalog::{Catalog, CatalogFault};
use mainspring_kernel::{AssetKind, Fault, FaultKind, Name, PageRequest, Selector};
use mainspring_testservers::on_every_engine;
use tokio::task::JoinSet;

use super::{Room, chain, prompt};
use crate::{Action, Alias, Draft, Expect, RegistryFault};

on_every_engine!(Catalog: [
    an_alias_moves_and_remembers,
    a_stale_move_is_refused,
    of_two_moves_at_once_one_wins,
    words_that_already_mean_a_version_are_no_aliases,
    an_alias_that_is_missing_names_the_nearest,
    a_removed_alias_is_gone_but_not_forgotten,
    a_draft_names_its_version_in_the_same_transaction,
    readers_do_not_move_aliases,
]);

const KIND: AssetKind = AssetKind::Prompt;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

impl Room {
    async fn with_versions(catalog: Catalog, count: usize) -> Self {
        let room = Self::over(catalog).await;
        for number in 1..=count {
            room.apply(&[prompt("greeting", &format!("text {number}"))]).await.unwrap();
        }
        room
    }

    async fn set(&self, alias: &str, to: u32, expect: Expect) -> Result<Alias, RegistryFault> {
        let (asset, alias) = (name("greeting"), name(alias));
        let to = Selector::Number(to);
        self.registry.set_alias(&self.editor, (KIND, &asset), (&alias, &to), expect, "because").await
    }

    async fn moves(&self, alias: &str) -> Vec<(u32, Option<u32>, Option<u32>)> {
        let (asset, alias) = (name("greeting"), name(alias));
        let page = PageRequest::first(50);
        let page = self.registry.alias_history(&self.reader, (KIND, &asset), &alias, &page).await.unwrap();
        page.items.iter().map(|step| (step.ordinal, step.from, step.to)).collect()
    }
}

async fn an_alias_moves_and_remembers(catalog: Catalog) {
    let room = Room::with_versions(catalog, 3).await;
    room.set("production", 1, Expect::Nothing).await.unwrap();
    room.clock.advance(Duration::from_secs(5));
    let moved = room.set("production", 3, Expect::Number(1)).await.unwrap();
    assert_eq!(moved.number, 3);
    // Saying again what is so already is a success, and no move.
    room.set("production", 3, Expect::Anything).await.unwrap();
    room.set("production", 2, Expect::Number(3)).await.unwrap();
    assert_eq!(room.moves("production").await, [(3, Some(3), Some(2)), (2, Some(1), Some(3)), (1, None, Some(1))]);
    assert_eq!(room.version(KIND, "greeting@production").await.unwrap().pin.number, 2);
    let version = room.version(KIND, "greeting@v2").await.unwrap();
    assert_eq!(version.aliases, [name("production")]);
    let listed = room.registry.list(&room.reader, None, &PageRequest::first(5)).await.unwrap();
    assert_eq!(listed.items[0].aliases[0].number, 2);
    let aliases = room.registry.aliases(&room.reader, KIND, &name("greeting")).await.unwrap();
    assert_eq!((aliases.len(), aliases[0].digest), (1, version.pin.digest));
}

async fn a_stale_move_is_refused(catalog: Catalog) {
    let room = Room::with_versions(catalog, 3).await;
    room.set("production", 1, Expect::Anything).await.unwrap();
    room.set("production", 2, Expect::Number(1)).await.unwrap();
    for expect in [Expect::Number(1), Expect::Nothing] {
        let fault = room.set("production", 3, expect).await.unwrap_err();
        assert_eq!((fault.kind(), fault.code()), (FaultKind::Conflict, "registry-alias-moved"));
        assert!(matches!(fault, RegistryFault::AliasMoved { found: Some(2), .. }), "{fault:?}");
    }
    let fault = room.set("candidate", 3, Expect::Number(1)).await.unwrap_err();
    assert!(matches!(fault, RegistryFault::AliasMoved { found: None, .. }), "{fault:?}");
    assert_eq!(room.moves("production").await.len(), 2);
}

async fn of_two_moves_at_once_one_wins(catalog: Catalog) {
    let room = Arc::new(Room::with_versions(catalog, 5).await);
    room.set("production", 1, Expect::Nothing).await.unwrap();
    let mut movers = JoinSet::new();
    for to in 2..=5 {
        let room = room.clone();
        movers.spawn(async move {
            loop {
                match room.set("production", to, Expect::Number(1)).await {
                    Err(fault) if fault.code() == CatalogFault::CONTENTION => {}
                    other => return other.map(|alias| alias.number),
                }
            }
        });
    }
    let outcomes = movers.join_all().await;
    let winners: Vec<u32> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok().copied()).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert_eq!(room.version(KIND, "greeting@production").await.unwrap().pin.number, winners[0]);
    assert_eq!(room.moves("production").await.len(), 2);
}

async fn words_that_already_mean_a_version_are_no_aliases(catalog: Catalog) {
    let room = Room::with_versions(catalog, 1).await;
    for alias in ["latest", "v1", "v12"] {
        let fault = room.set(alias, 1, Expect::Anything).await.unwrap_err();
        assert_eq!(fault.code(), "registry-alias-reserved", "{alias}");
    }
    room.set("v1-final", 1, Expect::Anything).await.unwrap();
}

async fn an_alias_that_is_missing_names_the_nearest(catalog: Catalog) {
    let room = Room::with_versions(catalog, 1).await;
    room.set("production", 1, Expect::Anything).await.unwrap();
    let fault = room.version(KIND, "greeting@prodution").await.unwrap_err();
    assert_eq!(fault.to_string(), "prompt `greeting` has no version `prodution`: did you mean `production`?");
    let fault = room.set("production", 9, Expect::Anything).await.unwrap_err();
    assert_eq!(fault.code(), "registry-version-not-found");
}

async fn a_removed_alias_is_gone_but_not_forgotten(catalog: Catalog) {
    let room = Room::with_versions(catalog, 2).await;
    room.set("candidate", 2, Expect::Anything).await.unwrap();
    let (asset, alias) = (name("greeting"), name("candidate"));
    let remove = async |expect| room.registry.remove_alias(&room.editor, (KIND, &asset), &alias, expect, "done").await;
    assert_eq!(remove(Expect::Number(1)).await.unwrap_err().code(), "registry-alias-moved");
    remove(Expect::Number(2)).await.unwrap();
    assert_eq!(remove(Expect::Anything).await.unwrap_err().code(), "registry-alias-not-found");
    assert_eq!(room.version(KIND, "greeting@candidate").await.unwrap_err().code(), "registry-version-not-found");
    room.set("candidate", 1, Expect::Nothing).await.unwrap();
    assert_eq!(room.moves("candidate").await, [(3, None, Some(1)), (2, Some(2), None), (1, None, Some(2))]);
}

async fn readers_do_not_move_aliases(catalog: Catalog) {
    let room = Room::with_versions(catalog, 1).await;
    let (asset, alias) = (name("greeting"), name("production"));
    let to = Selector::Latest;
    let set = room.registry.set_alias(&room.reader, (KIND, &asset), (&alias, &to), Expect::Anything, "").await;
    assert_eq!(set.unwrap_err().kind(), FaultKind::Forbidden);
    let removed = room.registry.remove_alias(&room.reader, (KIND, &asset), &alias, Expect::Anything, "").await;
    assert_eq!(removed.unwrap_err().kind(), FaultKind::Forbidden);
}

fn named(mut draft: Draft, aliases: &[&str]) -> Draft {
    draft.value["aliases"] = serde_json::json!(aliases);
    draft
}

async fn a_draft_names_its_version_in_the_same_transaction(catalog: Catalog) {
    let room = Room::over(catalog).await;
    // A reference by the alias is to the version that the same apply makes.
    let drafts = [chain("answer", &["prompt:greeting@production"]), named(prompt("greeting", "one"), &["production", "stable"])];
    let plan = room.apply(&drafts).await.unwrap();
    assert_eq!(plan.changes[0].references[0].pin, plan.changes[1].after);
    assert_eq!(room.moves("production").await, [(1, None, Some(1))]);
    assert!(room.apply(&drafts).await.unwrap().is_empty(), "saying it again moves nothing");

    let moved = room.apply(&[named(prompt("greeting", "two"), &["production"])]).await.unwrap();
    assert_eq!((moved.changes[0].action, moved.changes[0].aliases[0].from), (Action::Update, Some(1)));
    let version = async |target: &str| room.version(KIND, target).await.unwrap().pin.number;
    assert_eq!((version("greeting@production").await, version("greeting@stable").await), (2, 1));
    // The text is the same, the name is new: a change, though no new version.
    let named_only = room.apply(&[named(prompt("greeting", "two"), &["candidate"])]).await.unwrap();
    assert_eq!((named_only.changes[0].action, named_only.is_empty()), (Action::Unchanged, false));
    assert_eq!(version("greeting@candidate").await, 2);

    for wrong in [&["v3"][..], &["latest"], &["Not A Name"]] {
        let fault = room.apply(&[named(prompt("greeting", "three"), wrong)]).await.unwrap_err();
        assert_eq!(fault.code(), "registry-rejected", "{wrong:?}");
    }
    let bad = [named(prompt("greeting", "three"), &["production"]), chain("broken", &["prompt:nothing"])];
    room.apply(&bad).await.unwrap_err();
    assert_eq!(version("greeting@production").await, 2, "what is refused moves no alias");
}
