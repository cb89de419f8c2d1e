//! Models of this process go through the same door as everyone else's: their calls are let in, written down and told of.

use mainspring_gateway::{
    CallStatus,
    ledger::{Amount, EACH, Metric, NewLimit, SubjectKind},
};
use mainspring_kernel::Money;
use serde_json::{Value, json};

use super::{
    surface::{EMBEDDER, LOCAL, RERANKER, Surface, settled},
    walks::{hello, with},
};

/// An app, its chain and its prompt; their model is one of this process.
fn app() -> [(&'static str, &'static str, Value); 3] {
    let prompt = json!({"parameters": {"question": {}}, "messages": [{"role": "user", "content": "{{ question }}"}]});
    let chain = json!({"steps": [{"prompt": {"use": "plain"}}, {"model": {"name": LOCAL}}]});
    [("prompt", "plain", prompt), ("chain", "manual", chain), ("app", "manual", json!({"chain": "manual"}))]
}

async fn opened() -> Surface {
    let surface = Surface::open().await;
    surface.apply(&app()).await;
    surface
}

async fn limited(surface: &Surface, metric: Metric, amount: &str) {
    let amount = Amount::read(metric, amount).unwrap();
    let new = NewLimit { kind: SubjectKind::Project, subject: EACH.to_owned(), metric, amount };
    surface.openai.gateway.ledger().set_limit(&surface.actor, new).await.unwrap();
}

/// Every way to a model of this process: the endpoint, a body, and who is written down as having been called.
fn ways() -> Vec<(&'static str, Value, &'static str)> {
    let mut ways = Vec::new();
    for model in [LOCAL, "model/parrot", "plain", "manual"] {
        let bodies = [
            ("/v1/chat/completions", hello(model)),
            ("/v1/responses", json!({"model": model, "input": "Hello."})),
            ("/v1/completions", json!({"model": model, "prompt": "Hello."})),
        ];
        for (path, body) in bodies {
            ways.push((path, with(body.clone(), &json!({"stream": true})), LOCAL));
            ways.push((path, body, LOCAL));
        }
    }
    ways.push(("/v1/embeddings", json!({"model": EMBEDDER, "input": "Hello."}), EMBEDDER));
    ways.push(("/v1/rerank", json!({"model": RERANKER, "query": "a", "documents": ["b"]}), RERANKER));
    ways
}

#[tokio::test]
async fn whoever_asks_it_and_how_a_call_is_written_down_and_told_of() {
    let surface = opened().await;
    limited(&surface, Metric::RequestsPerMinute, "1000").await;
    let mut live = surface.openai.gateway.live();
    for (path, body, target) in ways() {
        let sent = surface.post(path, &body).await;
        let what = format!("{path} {body}: {}", sent.text);
        assert_eq!(sent.status, 200, "{what}");
        let record = settled(&mut live).await;
        assert_eq!((record.provider.as_deref(), record.target.as_deref()), (Some("local"), Some(target)), "{what}");
        assert_eq!((record.status, record.model.as_str(), record.cost), (CallStatus::Ok, target, Money::ZERO), "{what}");
        assert!(record.usage.total() > 0 && record.price.is_some(), "{what}: {record:?}");
        assert_eq!(record.caller.app.as_deref(), (body["model"] == "manual").then_some("manual"), "{what}");
        assert_eq!(sent.header("x-ratelimit-limit-requests"), Some("1000"), "{what}");
        assert_eq!(sent.header("x-mainspring-provider"), Some("local"), "{what}");
        let streamed = body["stream"] == json!(true);
        assert_eq!(sent.header("x-mainspring-cost"), (!streamed).then_some("0.00"), "{what}");
    }
}

#[tokio::test]
async fn a_limit_that_is_spent_refuses_it_before_it_begins() {
    for (path, body, _) in ways() {
        let surface = opened().await;
        limited(&surface, Metric::RequestsPerMinute, "1").await;
        assert_eq!(surface.post(path, &body).await.status, 200, "{path} {body}");
        let refused = surface.post(path, &body).await;
        let what = format!("{path} {body}: {}", refused.text);
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (429, &json!("limit-requests")), "{what}");
        assert!(refused.header("retry-after").is_some(), "{what}");
        assert_eq!(refused.header("x-ratelimit-remaining-requests"), Some("0"), "{what}");
        assert_eq!(refused.header("content-type"), Some("application/json"), "no stream has begun: {what}");
    }
}

#[tokio::test]
async fn its_names_share_a_limit_and_a_project_may_price_it() {
    let surface = opened().await;
    let mut live = surface.openai.gateway.live();
    surface.apply(&[("prices", "default", json!({"models": [{"model": LOCAL, "input": 1, "output": 2}]}))]).await;
    let paid = surface.ask(&hello(LOCAL)).await;
    // Three tokens, of which one was cached, and two.
    assert_eq!(paid.header("x-mainspring-cost"), Some("0.000007"), "{:?}", paid.headers);
    assert_eq!(settled(&mut live).await.cost, "0.000007".parse::<Money>().unwrap());
    let amount = Amount::read(Metric::RequestsPerMinute, "1").unwrap();
    let new = NewLimit { kind: SubjectKind::Model, subject: LOCAL.to_owned(), metric: Metric::RequestsPerMinute, amount };
    surface.openai.gateway.ledger().set_limit(&surface.actor, new).await.unwrap();
    assert_eq!(surface.ask(&hello("model/parrot")).await.status, 200);
    for model in [LOCAL, "local/parrot", "model/parrot", "manual"] {
        assert_eq!(surface.ask(&hello(model)).await.status, 429, "{model}");
    }
}

#[tokio::test]
async fn a_key_for_an_app_runs_the_apps_model_and_names_no_other() {
    let surface = opened().await.with_key_for(&["manual", "other*"]);
    assert_eq!(surface.ask(&hello("manual")).await.status, 200);
    for (path, body, _) in ways().into_iter().filter(|(_, body, _)| body["model"] != "manual") {
        let refused = surface.post(path, &body).await;
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (403, &json!("model-not-allowed")), "{path} {body}");
    }
}
