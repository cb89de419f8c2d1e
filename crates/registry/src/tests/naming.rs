//! Models that specs name, and who has them.

use std::sync::Arc;

use mainspring_catalog::Catalog;
use mainspring_kernel::{AssetKind, Fault as _};
use mainspring_testservers::on_every_engine;
use serde_json::{Value, json};

use super::{Room, draft};
use crate::{
    Draft, KindDescriptor, ModelNames, ModelRole, NamedModel, Offer, ParsedSpec, ProblemKind, Reference, RegistryFault,
    SpecFault, SpecProblem,
};

on_every_engine!(Catalog: [
    a_model_that_nobody_has_is_refused_with_the_nearest,
    every_unknown_model_of_every_draft_is_named_at_once,
    routes_and_providers_answer_to_more_names,
    what_is_applied_with_a_spec_answers_for_it,
    a_target_is_looked_for_below_its_provider_only,
    without_a_list_every_name_is_taken,
    what_is_only_mentioned_is_warned_of_where_it_is_not_there,
    a_name_that_two_routes_answer_to_is_warned_of,
    what_an_earlier_version_took_answers_until_it_is_applied_again,
]);

/// What the process has.
#[derive(Debug)]
struct Few;

impl ModelNames for Few {
    fn names(&self, role: ModelRole) -> Vec<String> {
        let names: &[&str] = match role {
            ModelRole::Embed => &["small-embedder", "large-embedder"],
            ModelRole::Rerank => &["small-embedder", "cross"],
            ModelRole::Chat => &["talker"],
            ModelRole::Target => &["local/talker", "local/cross"],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }
}

/// A spec that says by itself what it names and offers.
fn parse(value: &Value) -> Result<ParsedSpec, SpecFault> {
    let texts = |field: &str| -> Vec<String> {
        value[field].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let roles =
        [("embed", ModelRole::Embed), ("rerank", ModelRole::Rerank), ("chat", ModelRole::Chat), ("target", ModelRole::Target)];
    let named = roles.into_iter().flat_map(|(field, role)| {
        texts(field).into_iter().enumerate().map(move |(at, name)| NamedModel { role, name, path: format!("{field}[{at}]") })
    });
    let named = named.collect();
    let mut offers: Vec<Offer> = texts("also").into_iter().map(Offer::Also).collect();
    offers.extend(texts("below").into_iter().map(Offer::Below));
    offers.extend(value["own"].as_bool().filter(|own| *own).map(|_| Offer::Name));
    let mentions = texts("mentions").into_iter().enumerate().map(|(at, name)| Reference {
        kind: AssetKind::Route,
        target: name.parse().unwrap(),
        path: format!("mentions[{at}]"),
    });
    let mentions = mentions.collect();
    Ok(ParsedSpec::of(value, Vec::new())?.naming(named).offering(offers).mentioning(mentions))
}

fn schema() -> Value {
    json!({ "type": "object" })
}

async fn room(catalog: Catalog) -> Room {
    let mut room = Room::over(catalog.clone()).await;
    let kinds = [AssetKind::Chain, AssetKind::Route, AssetKind::Provider].map(|kind| KindDescriptor { kind, schema, parse });
    room.registry = crate::Registry::open(catalog, Arc::new(room.clock.clone()), kinds.to_vec()).with_models(Arc::new(Few));
    room
}

/// What is wrong with the drafts, as people read it.
async fn problems(room: &Room, drafts: &[Draft]) -> Vec<String> {
    let planned = room.registry.plan(&room.reader, drafts).await.map(drop);
    let applied = room.apply(drafts).await.map(drop);
    let [planned, applied] = [planned, applied].map(|outcome| match outcome {
        Ok(()) => Vec::new(),
        Err(RegistryFault::Rejected { problems }) => {
            assert!(problems.iter().all(|problem| problem.kind == ProblemKind::UnknownModel), "{problems:?}");
            problems.iter().map(ToString::to_string).collect()
        }
        Err(other) => panic!("{other}"),
    });
    assert_eq!(planned, applied, "a plan says what applying would");
    applied
}

async fn a_model_that_nobody_has_is_refused_with_the_nearest(catalog: Catalog) {
    let room = room(catalog).await;
    for (spec, said) in [
        (
            json!({"embed": ["smal-embedder"]}),
            "c.yaml: spec.embed[0]: there is no embedding model `smal-embedder`: did you mean `small-embedder`?",
        ),
        (
            json!({"rerank": ["small-embedder", "corss"]}),
            "c.yaml: spec.rerank[1]: there is no reranker `corss`: did you mean `cross`?",
        ),
        (json!({"chat": ["taker"]}), "c.yaml: spec.chat[0]: there is no chat model or route `taker`: did you mean `talker`?"),
        (
            json!({"chat": ["small-embedder"]}),
            "c.yaml: spec.chat[0]: there is no chat model or route `small-embedder`: one of talker",
        ),
        (
            json!({"target": ["local/taker"]}),
            "c.yaml: spec.target[0]: there is no model `local/taker`: did you mean `local/talker`?",
        ),
    ] {
        assert_eq!(problems(&room, &[draft("chain", "c", spec)]).await, [said]);
    }
    assert_eq!(room.version(AssetKind::Chain, "c").await.unwrap_err().code(), "registry-not-found", "nothing was applied");
    let sound =
        json!({"embed": ["large-embedder"], "rerank": ["cross"], "chat": ["talker", "local/talker"], "target": ["local/cross"]});
    assert!(problems(&room, &[draft("chain", "c", sound)]).await.is_empty());
}

async fn every_unknown_model_of_every_draft_is_named_at_once(catalog: Catalog) {
    let room = room(catalog).await;
    let drafts = [
        draft("chain", "a", json!({"chat": ["xxxxxxxxxx"], "embed": ["cross"]})),
        draft("chain", "b", json!({"rerank": ["yyyyyyyyyy"]})),
    ];
    let found = problems(&room, &drafts).await;
    assert_eq!(found.len(), 3, "{found:?}");
}

async fn routes_and_providers_answer_to_more_names(catalog: Catalog) {
    let room = room(catalog).await;
    room.apply(&[
        draft("route", "assistant", json!({"own": true, "also": ["gpt-4o", "claude-*"]})),
        draft("provider", "open", json!({"below": ["*"]})),
        draft("provider", "few", json!({"below": ["vendor/one"]})),
    ])
    .await
    .unwrap();
    for known in ["assistant", "gpt-4o", "claude-", "claude-9", "open/anything", "open/a/b", "few/vendor/one", "local/talker"] {
        assert!(problems(&room, &[draft("chain", "c", json!({"chat": [known]}))]).await.is_empty(), "{known}");
    }
    for (unknown, near) in
        [("asistant", "assistant"), ("gpt-4", "gpt-4o"), ("few/vendor/on", "few/vendor/one"), ("local/taker", "local/talker")]
    {
        let found = problems(&room, &[draft("chain", "c", json!({"chat": [unknown]}))]).await;
        assert!(found.len() == 1 && found[0].ends_with(&format!("did you mean `{near}`?")), "{found:?}");
    }
    for unknown in ["open/", "nobody/x", "few/other", "clau", "open"] {
        assert_eq!(problems(&room, &[draft("chain", "c", json!({"chat": [unknown]}))]).await.len(), 1, "{unknown}");
    }
    // A route is no embedding model and no reranker.
    let elsewhere = json!({"embed": ["assistant"], "rerank": ["open/x"]});
    assert_eq!(problems(&room, &[draft("chain", "c", elsewhere)]).await.len(), 2);
    // What a route no longer answers to is gone, and another project's route was never here.
    room.apply(&[draft("route", "assistant", json!({"own": true}))]).await.unwrap();
    assert_eq!(problems(&room, &[draft("chain", "c", json!({"chat": ["gpt-4o"]}))]).await.len(), 1);
    let stranger = room.registry.plan(&room.stranger, &[draft("chain", "c", json!({"chat": ["assistant"]}))]).await;
    assert_eq!(stranger.unwrap_err().code(), "registry-rejected");
}

async fn what_is_applied_with_a_spec_answers_for_it(catalog: Catalog) {
    let room = room(catalog).await;
    let chain = |model: &str| draft("chain", "a", json!({"chat": [model]}));
    let route = |also: Value| draft("route", "desk", json!({"own": true, "also": also}));
    assert!(problems(&room, &[chain("desk"), route(json!([]))]).await.is_empty(), "in any order");
    assert!(problems(&room, &[chain("help-1"), route(json!(["help-*"]))]).await.is_empty());
    // The route as it is about to be counts, not as it was.
    assert_eq!(problems(&room, &[chain("help-1"), route(json!(["other"]))]).await.len(), 1);
}

async fn a_target_is_looked_for_below_its_provider_only(catalog: Catalog) {
    let room = room(catalog).await;
    // A route that takes every name does not make its own target's model be there.
    let route = |model: &str| draft("route", "all", json!({"own": true, "also": ["*"], "target": [model]}));
    assert_eq!(problems(&room, &[route("local/nothing-such")]).await.len(), 1);
    assert!(problems(&room, &[route("local/talker")]).await.is_empty());
    // A project's own provider of that name has models of its own, listed or not.
    let own = draft("provider", "local", json!({"below": ["one"]}));
    assert!(problems(&room, &[own, route("local/nothing-such")]).await.is_empty());
}

async fn without_a_list_every_name_is_taken(catalog: Catalog) {
    let mut room = room(catalog.clone()).await;
    let kinds = room.registry.kinds().to_vec();
    room.registry = crate::Registry::open(catalog, Arc::new(room.clock.clone()), kinds);
    assert!(problems(&room, &[draft("chain", "c", json!({"chat": ["anything"], "embed": ["at-all"]}))]).await.is_empty());
}

async fn what_is_only_mentioned_is_warned_of_where_it_is_not_there(catalog: Catalog) {
    let room = room(catalog).await;
    let mentioning = || draft("chain", "c", json!({"mentions": ["there", "their"]}));
    let route = |name: &str| draft("route", name, json!({}));
    let both = [route("there"), mentioning()];
    let warned = "spec.mentions[1]: route `their` does not exist: did you mean `there`?";
    let plan = room.registry.plan(&room.reader, &both).await.unwrap();
    assert_eq!((plan.changes[0].warnings.len(), plan.changes[1].warnings.as_slice()), (0, &[warned.to_owned()][..]));
    let applied = room.apply(&both).await.unwrap();
    assert_eq!(applied, plan, "and it is applied all the same");
    assert_eq!(room.version(AssetKind::Chain, "c").await.unwrap().pin.number, 1);
    let again = room.apply(&[mentioning()]).await.unwrap();
    assert_eq!(again.changes[0].warnings, [warned], "also where nothing changes");
    room.apply(&[route("their")]).await.unwrap();
    assert!(room.apply(&[mentioning()]).await.unwrap().changes[0].warnings.is_empty());
}

/// What is said of each draft, before and while it is applied all the same.
async fn warnings(room: &Room, drafts: &[Draft]) -> Vec<Vec<String>> {
    let plan = room.registry.plan(&room.reader, drafts).await.unwrap();
    assert_eq!(room.apply(drafts).await.unwrap(), plan);
    plan.changes.into_iter().map(|change| change.warnings).collect()
}

async fn a_name_that_two_routes_answer_to_is_warned_of(catalog: Catalog) {
    let room = room(catalog).await;
    let route = |name: &str, also: &[&str]| draft("route", name, json!({"own": true, "also": also}));
    // A pattern and a name that it fits are two names.
    assert_eq!(
        warnings(&room, &[route("b", &["gpt-4o", "claude-*", "b"]), route("c", &["gpt-*", "claude-9"])]).await,
        [Vec::<String>::new(), Vec::new()]
    );
    let hidden = [
        "`claude-*` is a name of route `b` too, and calls of it go there",
        "`gpt-4o` is a name of route `b` too, and calls of it go there",
    ];
    assert_eq!(warnings(&room, &[route("d", &["gpt-4o", "claude-*"])]).await, [hidden]);
    // Of two that want a name the first has it, whichever was there before.
    assert_eq!(
        warnings(&room, &[route("a", &["gpt-4o"])]).await,
        [["`gpt-4o` is a name of route `b`, route `d` too; calls of it come here"]]
    );
    // But a route's own name is its own.
    let (own, other) = (
        "`gpt-4o` is a name of route `a`, route `b`, route `d` too; calls of it come here",
        "`gpt-4o` is a name of route `gpt-4o` too, and calls of it go there",
    );
    assert_eq!(warnings(&room, &[route("a", &["gpt-4o"]), route("gpt-4o", &[])]).await, [[other], [own]]);
    // Routes of other projects have names of their own.
    let stranger = room.registry.plan(&room.stranger, &[route("z", &["gpt-4o"])]).await.unwrap();
    assert!(stranger.changes[0].warnings.is_empty());
}

/// A later version, which refuses what stands below a provider.
fn stricter(value: &Value) -> Result<ParsedSpec, SpecFault> {
    let parsed = parse(value)?;
    let fault = SpecProblem { path: "below".to_owned(), message: "is refused now".to_owned(), unknown_field: false };
    let faults = if value["below"].is_array() { vec![fault] } else { Vec::new() };
    Ok(parsed.faulty(faults))
}

async fn what_an_earlier_version_took_answers_until_it_is_applied_again(catalog: Catalog) {
    let mut room = room(catalog.clone()).await;
    let old = || draft("provider", "old", json!({"below": ["one"]}));
    let chain = |model: &str| draft("chain", "c", json!({"chat": [model]}));
    room.apply(&[old()]).await.unwrap();
    let kinds = room.registry.kinds().iter().map(|kind| KindDescriptor { parse: stricter, ..*kind }).collect();
    room.registry = crate::Registry::open(catalog, Arc::new(room.clock.clone()), kinds).with_models(Arc::new(Few));
    assert!(problems(&room, &[chain("old/one")]).await.is_empty());
    assert_eq!(problems(&room, &[chain("old/two")]).await.len(), 1, "and to no more than it did");
    let refused = room.apply(&[old()]).await.unwrap_err();
    let RegistryFault::Rejected { problems: found } = refused else { panic!("{refused}") };
    let found: Vec<_> = found.iter().map(|problem| (problem.kind, problem.to_string())).collect();
    assert_eq!(found, [(ProblemKind::Spec, "old.yaml: spec.below: is refused now".to_owned())]);
}
