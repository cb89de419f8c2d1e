//! Who answers to a name, and what is known of it while the catalog is away.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mainspring_catalog::{Catalog, params};
use mainspring_kernel::{
    Actor, AssetRef, Fault, FrozenClock, Labels, ModelScope, Role, Timestamp,
    id::{PrincipalId, ProjectId},
};
use mainspring_llm::{Budget, Models, RetrieveRequest, Retrieved, Retriever, SpanContext};
use mainspring_registry::{Draft, Registry};
use serde_json::{Value, json};

use crate::{Answerer, Chains};

#[derive(Debug)]
struct NoDocuments;

#[async_trait]
impl Retriever for NoDocuments {
    async fn retrieve(
        &self,
        _: &Actor,
        _: &AssetRef,
        _: RetrieveRequest,
        _: &SpanContext,
        _: Budget,
    ) -> Result<Retrieved, Box<dyn Fault>> {
        panic!("nobody asks for documents here")
    }
}

async fn room() -> (Chains, Catalog, Actor) {
    let now = Timestamp::from_micros(1_700_000_000_000_000);
    let project = ProjectId::new(now);
    let catalog = Catalog::open("sqlite::memory:").await.unwrap();
    let sql = "INSERT INTO project (id, name, description, created) VALUES ($1, $2, '', 0)";
    catalog.write(sql, params![project, "ours"]).await.unwrap();
    let kinds = crate::descriptors().into_iter().chain([mainspring_prompts::descriptor()]).collect();
    let registry = Registry::open(catalog.clone(), Arc::new(FrozenClock::at(now)), kinds);
    let models = ModelScope::All;
    let actor = Actor { principal: PrincipalId::from_raw(1), project, role: Role::Admin, labels: Labels::All, key: None, models };
    let draft = |kind: &str, name: &str, spec: Value| Draft {
        origin: format!("{name}.yaml"),
        value: json!({"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec}),
    };
    let messages = json!([{"role": "user", "content": "{{ question }}"}]);
    let steps = json!([{"prompt": {"use": "said"}}, {"model": {"name": "m"}}]);
    let drafts = [
        draft("prompt", "said", json!({"parameters": {"question": {}}, "messages": messages})),
        draft("chain", "handbook", json!({"steps": steps})),
        draft("app", "handbook", json!({"chain": "handbook"})),
    ];
    registry.apply(&actor, &drafts, "a test").await.unwrap();
    let chains = Chains::new(Arc::new(registry), Arc::new(NoDocuments), Models::default(), "m".to_owned());
    (chains, catalog, actor)
}

async fn check(chains: &Chains, actor: &Actor) {
    for (model, routed, answerer) in [
        ("handbook", true, Answerer::Chains),
        ("handbook@v1", true, Answerer::Chains),
        ("said", true, Answerer::Chains),
        ("app/handbook", false, Answerer::Chains),
        ("model/anything", true, Answerer::Chains),
        ("assistant", true, Answerer::Gateway),
        ("openai/gpt-4o", true, Answerer::Gateway),
        ("nobody", false, Answerer::Chains),
        ("no/body/at all", false, Answerer::Chains),
    ] {
        assert_eq!(chains.answerer(actor, model, routed).await.unwrap(), answerer, "{model}");
    }
}

#[tokio::test]
async fn apps_and_prompts_come_first_and_stay_known_while_the_catalog_is_away() {
    let (chains, catalog, actor) = room().await;
    check(&chains, &actor).await;
    catalog.close().await;
    // Long enough for the names to be looked for again.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    check(&chains, &actor).await;
}

#[tokio::test]
async fn a_catalog_that_was_never_there_is_said_and_not_guessed_at() {
    let (chains, catalog, actor) = room().await;
    catalog.close().await;
    chains.answerer(&actor, "assistant", true).await.unwrap_err();
    // What says itself who is meant, or is nobody's route, needs no look.
    assert_eq!(chains.answerer(&actor, "app/handbook", true).await.unwrap(), Answerer::Chains);
    assert_eq!(chains.answerer(&actor, "assistant", false).await.unwrap(), Answerer::Chains);
}
