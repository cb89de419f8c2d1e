//! Drafts become versions, all of them or none.

use mainspring_catalog::{AuditEntry, AuditTrail, Catalog, CatalogFault, Tx};
use mainspring_kernel::{Actor, AssetKind, Fault, FaultKind, PageRequest, Selector};
use mainspring_testservers::on_every_engine;
use serde_json::json;
use std::sync::Arc;
use tokio::task::JoinSet;

use super::{Room, chain, draft, prompt};
use crate::{Action, Draft, Expect, LineChange, ProblemKind, RegistryFault};

on_every_engine!(Catalog: [
    applying_the_same_text_again_changes_nothing,
    each_change_is_a_new_version_and_the_old_ones_stay,
    going_back_to_an_old_text_is_a_new_number_with_the_old_digest,
    a_plan_says_what_apply_will_do_and_does_nothing,
    every_problem_of_every_draft_is_reported_at_once,
    one_bad_draft_keeps_all_the_others_out,
    kinds_without_a_descriptor_are_honestly_unsupported,
    what_a_version_exports_applies_as_unchanged,
    a_diff_shows_the_lines_that_changed,
    readers_cannot_write_and_strangers_see_nothing,
    lists_page_by_cursor,
    applies_at_once_make_consecutive_versions,
    a_plan_is_applied_as_it_was_seen_or_not_at_all,
    a_change_whose_audit_entry_fails_is_not_made,
    a_schema_describes_the_whole_manifest,
    a_mark_changes_with_every_new_version_and_with_nothing_else,
    every_statement_compiles,
]);

async fn applying_the_same_text_again_changes_nothing(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let drafts = [prompt("greeting", "hello"), chain("answer", &["prompt:greeting"])];
    let first = room.apply(&drafts).await.unwrap();
    assert!(first.changes.iter().all(|change| change.action == Action::Create));
    let second = room.apply(&drafts).await.unwrap();
    assert!(second.is_empty());
    // Defaults written out and fields in another order are the same text.
    let spelled = draft("prompt", "greeting", json!({"tone": "plain", "parameters": [], "text": "hello"}));
    let third = room.apply(&[spelled]).await.unwrap();
    assert_eq!(third.changes[0].action, Action::Unchanged);
    assert_eq!(third.changes[0].after, first.changes[0].after);
}

async fn each_change_is_a_new_version_and_the_old_ones_stay(catalog: Catalog) {
    let room = Room::over(catalog).await;
    for text in ["one", "two", "three"] {
        room.apply(&[prompt("greeting", text)]).await.unwrap();
    }
    let latest = room.version(AssetKind::Prompt, "greeting").await.unwrap();
    assert_eq!((latest.pin.number, &latest.spec["text"]), (3, &json!("three")));
    let first = room.version(AssetKind::Prompt, "greeting@v1").await.unwrap();
    assert_eq!((first.spec["text"].as_str(), first.message.as_str()), (Some("one"), "a test"));
    assert_eq!(first.author, room.editor.principal);
    let by_digest = room.version(AssetKind::Prompt, &format!("greeting@{}", first.pin.digest)).await.unwrap();
    assert_eq!(by_digest.pin, first.pin);
    assert_eq!(room.registry.get_pin(&room.reader, &first.pin).await.unwrap(), first);
    let mut forged = first.pin.clone();
    forged.digest = latest.pin.digest;
    let fault = room.registry.get_pin(&room.reader, &forged).await.unwrap_err();
    assert_eq!(fault.code(), "registry-version-not-found");
    // A description is part of what a version says.
    let mut described = prompt("greeting", "three");
    described.value["description"] = json!("says hello");
    let plan = room.apply(&[described]).await.unwrap();
    assert_eq!((plan.changes[0].action, plan.changes[0].after.number), (Action::Update, 4));
}

async fn going_back_to_an_old_text_is_a_new_number_with_the_old_digest(catalog: Catalog) {
    let room = Room::over(catalog).await;
    for text in ["one", "two", "one"] {
        room.apply(&[prompt("greeting", text)]).await.unwrap();
    }
    let latest = room.version(AssetKind::Prompt, "greeting").await.unwrap();
    let first = room.version(AssetKind::Prompt, "greeting@v1").await.unwrap();
    assert_eq!((latest.pin.number, latest.pin.digest), (3, first.pin.digest));
}

async fn a_plan_says_what_apply_will_do_and_does_nothing(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.apply(&[prompt("kept", "same"), prompt("changed", "before")]).await.unwrap();
    let drafts = [prompt("kept", "same"), prompt("changed", "after"), chain("new", &["prompt:changed"])];
    let plan = room.registry.plan(&room.reader, &drafts).await.unwrap();
    let actions: Vec<Action> = plan.changes.iter().map(|change| change.action).collect();
    assert_eq!(actions, [Action::Unchanged, Action::Update, Action::Create]);
    assert_eq!(plan.changes[2].references[0].pin, plan.changes[1].after);
    let changed: Vec<(LineChange, &str)> = plan.changes[1]
        .diff
        .iter()
        .filter(|line| line.change != LineChange::Same)
        .map(|line| (line.change, line.text.trim()))
        .collect();
    assert_eq!(changed, [(LineChange::Removed, "text: before"), (LineChange::Added, "text: after")]);
    assert_eq!(room.version(AssetKind::Prompt, "changed").await.unwrap().pin.number, 1);
    let applied = room.apply(&drafts).await.unwrap();
    assert_eq!(applied.changes, plan.changes);
}

async fn every_problem_of_every_draft_is_reported_at_once(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let text = "
apiVersion: mainspring/v1
kind: promt
name: one
spec: {}
---
apiVersion: mainspring/v2
kind: prompt
nam: two
spec:
  txt: hello
  tone: frmal
  parameters: [{nme: x}, {name: 7}]
  limit: {tokens: many, tokns: 1}
---
apiVersion: mainspring/v1
kind: prompt
name: Not A Name
spec: [1]
---
apiVersion: mainspring/v1
kind: chain
name: four
spec:
  steps:
    - prompt: {use: 'no such ref!'}
";
    let drafts = Draft::read("app.yaml", text).unwrap();
    let RegistryFault::Rejected { problems } = room.apply(&drafts).await.unwrap_err() else { panic!() };
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let expected = [
        "app.yaml#1: kind: unknown kind `promt`: did you mean `prompt`?",
        "app.yaml#2: unknown field `nam`: did you mean `name`?",
        "app.yaml#2: apiVersion: apiVersion must be `mainspring/v1`, not \"mainspring/v2\"",
        "app.yaml#2: name: missing field `name`",
        "app.yaml#2: spec: unknown field `txt`: did you mean `text`?",
        "app.yaml#2: spec: missing field `text`",
        "app.yaml#2: spec.parameters[0]: unknown field `nme`: did you mean `name`?",
        "app.yaml#2: spec.parameters[1].name: this must be a string, not a number",
        "app.yaml#2: spec.limit: unknown field `tokns`: did you mean `tokens`?",
        "app.yaml#2: spec.limit.tokens: this must be an integer, not a string",
        "app.yaml#3: spec: this must be an object, not an array",
        "app.yaml#4: spec.steps[0].prompt.use: `no such ref!` is not a reference: write `name`, `name@alias`, `name@v3` or `name@sha256:…`",
    ];
    for line in expected {
        assert!(said.iter().any(|said| said == line), "{line}\nis not among\n{}", said.join("\n"));
    }
    assert!(said.iter().any(|line| line.starts_with("app.yaml#3: name: `Not A Name` is not a name")), "{said:?}");
    assert_eq!(problems.iter().find(|p| p.path == "kind").unwrap().kind, ProblemKind::UnknownKind);
}

async fn one_bad_draft_keeps_all_the_others_out(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.apply(&[prompt("greeting", "hello")]).await.unwrap();
    let drafts = [prompt("fine", "fine"), chain("broken", &["prompt:greting", "prompt:greeting@v7", "prompt:fnie"])];
    let RegistryFault::Rejected { problems } = room.apply(&drafts).await.unwrap_err() else { panic!() };
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "broken.yaml: spec.steps[0].prompt.use: prompt `greting` does not exist: did you mean `greeting`?",
            "broken.yaml: spec.steps[1].prompt.use: prompt `greeting` has no version `v7`: did you mean `v1`?",
            "broken.yaml: spec.steps[2].prompt.use: prompt `fnie` does not exist: did you mean `fine`?",
        ]
    );
    assert_eq!(room.version(AssetKind::Prompt, "fine").await.unwrap_err().code(), "registry-not-found");
    let twice = [prompt("same", "a"), prompt("same", "b")];
    let RegistryFault::Rejected { problems } = room.apply(&twice).await.unwrap_err() else { panic!() };
    assert_eq!(problems[0].kind, ProblemKind::Duplicate);
}

async fn kinds_without_a_descriptor_are_honestly_unsupported(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let fault = room.apply(&[draft("recipe", "bread", json!({}))]).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Unsupported);
    assert!(fault.to_string().contains("not supported by this build"), "{fault}");
    let fault = room.registry.schema(AssetKind::Recipe).unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Unsupported, "registry-unsupported-kind"));
}

async fn what_a_version_exports_applies_as_unchanged(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let mut described = prompt("greeting", "grüße\n\n- \"quoted\": 1\n");
    described.value["description"] = json!("says hello");
    room.apply(&[described]).await.unwrap();
    let exported = room.version(AssetKind::Prompt, "greeting").await.unwrap().manifest();
    let text = yaml_serde::to_string(&exported).unwrap();
    let drafts = Draft::read("exported.yaml", &text).unwrap();
    assert!(room.apply(&drafts).await.unwrap().is_empty());
}

async fn a_diff_shows_the_lines_that_changed(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.apply(&[prompt("greeting", "hello")]).await.unwrap();
    room.apply(&[draft("prompt", "greeting", json!({"text": "hello", "tone": "formal"}))]).await.unwrap();
    let name = "greeting".parse().unwrap();
    let sides = (Selector::Number(1), Selector::Latest);
    let diff = room.registry.diff(&room.reader, AssetKind::Prompt, &name, sides).await.unwrap();
    assert_eq!((diff.from.number, diff.to.number), (1, 2));
    let changed: Vec<String> = diff
        .lines
        .iter()
        .filter(|line| line.change != LineChange::Same)
        .map(|line| format!("{:?} {:?} {}", line.old, line.new, line.text))
        .collect();
    assert_eq!(changed.len(), 2, "{changed:?}");
    assert!(changed[0].starts_with("Some(") && changed[0].ends_with("None   tone: plain"), "{changed:?}");
    assert!(changed[1].starts_with("None Some(") && changed[1].ends_with("  tone: formal"), "{changed:?}");
}

async fn readers_cannot_write_and_strangers_see_nothing(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let registry = &room.registry;
    let fault = registry.apply(&room.reader, &[prompt("greeting", "x")], "").await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Forbidden, "registry-forbidden"));
    room.apply(&[prompt("greeting", "ours")]).await.unwrap();
    let target = "greeting".parse().unwrap();
    let fault = registry.get(&room.stranger, AssetKind::Prompt, &target).await.unwrap_err();
    // Not even the nearest name is told to another project.
    assert!(matches!(fault, RegistryFault::NotFound { nearest: None, .. }), "{fault:?}");
    let page = registry.list(&room.stranger, None, &PageRequest::first(10)).await.unwrap();
    assert!(page.items.is_empty());
    // The same name there is another asset.
    registry.apply(&room.stranger, &[prompt("greeting", "theirs")], "").await.unwrap();
    assert_eq!(room.version(AssetKind::Prompt, "greeting").await.unwrap().spec["text"], json!("ours"));
}

async fn lists_page_by_cursor(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let names = ["b", "a-1", "a.1", "a_1", "c", "a"];
    let drafts: Vec<Draft> = names.iter().map(|name| prompt(name, name)).chain([chain("z", &["prompt:a"])]).collect();
    room.apply(&drafts).await.unwrap();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let request = PageRequest::new(Some(2), cursor).unwrap();
        let page = room.registry.list(&room.reader, None, &request).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.iter().map(|asset| format!("{} {}", asset.kind, asset.name)));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    // Byte order on both engines, whatever the server's language.
    assert_eq!(seen, ["chain z", "prompt a", "prompt a-1", "prompt a.1", "prompt a_1", "prompt b", "prompt c"]);
    let only = room.registry.list(&room.reader, Some(AssetKind::Chain), &PageRequest::first(9)).await.unwrap();
    assert_eq!(only.items.len(), 1);
    for text in ["1", "2", "3"] {
        room.apply(&[prompt("a", text)]).await.unwrap();
    }
    let name = "a".parse().unwrap();
    let first = PageRequest::new(Some(3), None).unwrap();
    let page = room.registry.history(&room.reader, AssetKind::Prompt, &name, &first).await.unwrap();
    assert_eq!(page.items.iter().map(|version| version.number).collect::<Vec<_>>(), [4, 3, 2]);
    let second = PageRequest::new(Some(3), page.next).unwrap();
    let page = room.registry.history(&room.reader, AssetKind::Prompt, &name, &second).await.unwrap();
    assert_eq!(page.items.iter().map(|version| version.number).collect::<Vec<_>>(), [1]);
    assert!(page.next.is_none());
    let forged = PageRequest::new(None, Some("bm90IGEgY3Vyc29y".to_owned())).unwrap();
    let fault = room.registry.list(&room.reader, None, &forged).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Invalid, "registry-bad-page"));
}

async fn applies_at_once_make_consecutive_versions(catalog: Catalog) {
    let room = Arc::new(Room::over(catalog).await);
    let mut writers = JoinSet::new();
    for number in 0..6 {
        let room = room.clone();
        writers.spawn(async move {
            let drafts = [prompt("shared", &format!("text {number}")), chain("user", &["prompt:shared"])];
            loop {
                match room.apply(&drafts).await {
                    Ok(plan) => return plan.changes[0].after.number,
                    Err(fault) => assert_eq!(fault.code(), CatalogFault::CONTENTION, "{fault:?}"),
                }
            }
        });
    }
    let mut numbers = writers.join_all().await;
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

async fn a_plan_is_applied_as_it_was_seen_or_not_at_all(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.apply(&[prompt("greeting", "one")]).await.unwrap();
    let drafts = [prompt("greeting", "two"), chain("answer", &["prompt:greeting@production"])];
    let apply = async |expected| room.registry.apply_planned(&room.editor, &drafts, "", Some(expected)).await;
    let set = async |number: u32| {
        let (name, alias) = ("greeting".parse().unwrap(), "production".parse().unwrap());
        let to = Selector::Number(number);
        room.registry.set_alias(&room.editor, (AssetKind::Prompt, &name), (&alias, &to), Expect::Anything, "").await.unwrap()
    };
    set(1).await;
    let seen = room.registry.plan(&room.reader, &drafts).await.unwrap();
    assert_eq!(room.registry.plan(&room.reader, &drafts).await.unwrap().digest(), seen.digest());
    // A version in between, then an alias that the plan's references went through.
    room.apply(&[prompt("greeting", "between")]).await.unwrap();
    let fault = apply(seen.digest()).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (FaultKind::Conflict, "registry-plan-moved"));
    let seen = room.registry.plan(&room.reader, &drafts).await.unwrap();
    set(2).await;
    assert_eq!(apply(seen.digest()).await.unwrap_err().code(), "registry-plan-moved");
    assert_eq!(room.version(AssetKind::Chain, "answer").await.unwrap_err().code(), "registry-not-found");
    let seen = room.registry.plan(&room.reader, &drafts).await.unwrap();
    assert_eq!(apply(seen.digest()).await.unwrap().changes, seen.changes);
    assert_eq!(room.version(AssetKind::Prompt, "greeting").await.unwrap().pin.number, 3);
}

#[derive(Debug)]
struct FullAudit;

#[async_trait::async_trait]
impl AuditTrail for FullAudit {
    async fn record(&self, _: &mut Tx, _: &Actor, _: AuditEntry) -> Result<(), CatalogFault> {
        Err(CatalogFault::Busy)
    }
}

async fn a_change_whose_audit_entry_fails_is_not_made(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.apply(&[prompt("greeting", "hello")]).await.unwrap();
    let registry = room.registry.clone().with_audit(Arc::new(FullAudit));
    registry.apply(&room.editor, &[prompt("greeting", "other"), prompt("new", "new")], "").await.unwrap_err();
    assert_eq!(room.version(AssetKind::Prompt, "greeting").await.unwrap().pin.number, 1);
    assert_eq!(room.version(AssetKind::Prompt, "new").await.unwrap_err().code(), "registry-not-found");
}

async fn a_schema_describes_the_whole_manifest(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let schema = room.registry.schema(AssetKind::Prompt).unwrap();
    assert_eq!(schema["properties"]["kind"]["const"], json!("prompt"));
    let parameters = &schema["properties"]["spec"]["properties"]["parameters"];
    let reference = parameters["items"]["$ref"].as_str().unwrap();
    assert!(schema.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference} points nowhere");
}

async fn a_mark_changes_with_every_new_version_and_with_nothing_else(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let marks = async || room.registry.marks(AssetKind::Prompt).await.unwrap();
    assert!(marks().await.is_empty());
    let mut seen = Vec::new();
    for (name, text) in [("greeting", "one"), ("greeting", "two"), ("farewell", "one"), ("greeting", "one")] {
        room.apply(&[prompt(name, text)]).await.unwrap();
        let found = marks().await;
        assert_eq!(found.len(), 1, "only projects that have any");
        assert_eq!(found[0].0, room.editor.project);
        assert!(!seen.contains(&found[0].1), "{name} {text}");
        seen.push(found[0].1);
        room.apply(&[prompt(name, text), chain(&format!("answer-{}", seen.len()), &["prompt:greeting"])]).await.unwrap();
        assert_eq!(marks().await, found, "nothing of this kind changed");
    }
}

async fn every_statement_compiles(catalog: Catalog) {
    for statements in crate::store::STATEMENTS {
        let failed = mainspring_catalog::testing::prepare_all(&catalog, statements).await;
        assert!(failed.is_empty(), "{failed:#?}");
    }
}
