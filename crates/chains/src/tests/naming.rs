//! Who answers to a name, and what is known of it while the catalog is away.

use std::{sync::Arc, time::Duration};

use mainspring_catalog::Catalog;
use mainspring_kernel::Actor;
use mainspring_llm::Models;
use serde_json::json;

use super::project::{NoDocuments, Project, draft};
use crate::{Answerer, Chains};

async fn room() -> (Chains, Catalog, Actor) {
    let messages = json!([{"role": "user", "content": "{{ question }}"}]);
    let steps = json!([{"prompt": {"use": "said"}}, {"model": {"name": "m"}}]);
    let drafts = [
        draft("prompt", "said", &json!({"parameters": {"question": {}}, "messages": messages})),
        draft("chain", "handbook", &json!({"steps": steps})),
        draft("app", "handbook", &json!({"chain": "handbook"})),
    ];
    let Project { catalog, registry, actor, .. } = Project::of(mainspring_prompts::descriptor(), &drafts).await;
    (Chains::new(registry, Arc::new(NoDocuments), Models::default(), "m".to_owned()), catalog, actor)
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
