//! Keys that may name some models only.

use mainspring_testservers::upstream::Behaviour;
use serde_json::{Value, json};

use super::{
    surface::{EMBEDDER, LOCAL, RERANKER, Surface},
    walks::{hello, routed, upstream, with},
};

/// Every endpoint that takes a model, with a body it can read.
fn asked(model: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("/v1/chat/completions", hello(model)),
        ("/v1/chat/completions", with(hello(model), &json!({"stream": true}))),
        ("/v1/responses", json!({"model": model, "input": "Hello."})),
        ("/v1/completions", json!({"model": model, "prompt": "Hello."})),
        ("/v1/embeddings", json!({"model": model, "input": "Hello."})),
        ("/v1/rerank", json!({"model": model, "query": "a", "documents": ["b"]})),
        ("/v1/moderations", json!({"model": model, "input": "Hello."})),
    ]
}

#[tokio::test]
async fn a_key_is_refused_for_models_it_may_not_name_whether_they_are_there_or_not() {
    let server = upstream(Behaviour::saying("Hi there."));
    let surface = routed("openai", &server).await;
    let messages = json!([{"role": "user", "content": "Repeat."}]);
    surface.apply(&[("prompt", "echo", json!({"messages": messages}))]).await;
    let surface = surface.with_key_for(&["chat", "gpt-5*"]);
    let others =
        ["main/big", "gpt-4", "chat2", "nothing", "echo", "prompt/echo", "echo@v1", "model/chat", LOCAL, EMBEDDER, RERANKER];
    for model in others {
        for (path, body) in asked(model) {
            let sent = surface.post(path, &body).await;
            let error = &sent.json()["error"];
            assert_eq!(
                (sent.status, &error["code"], &error["type"]),
                (403, &json!("model-not-allowed"), &json!("permission_error")),
                "{path} {model}: {}",
                sent.text
            );
            assert!(error["message"].as_str().unwrap().contains(&format!("`{model}`")), "{}", sent.text);
        }
    }
    // A body without a model means another one, which the key may not name either.
    let sent = surface.post("/v1/moderations", &json!({"input": "Hello."})).await;
    assert_eq!((sent.status, &sent.json()["error"]["code"]), (403, &json!("model-not-allowed")), "{}", sent.text);
    assert!(server.seen().is_empty(), "nobody was asked");
    for model in ["chat", "gpt-5-mini"] {
        let sent = surface.ask(&hello(model)).await;
        assert_eq!(sent.status, 200, "{model}: {}", sent.text);
    }
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn the_list_of_models_has_what_the_key_may_name() {
    let server = upstream(Behaviour::default());
    let surface = routed("openai", &server).await.with_key_for(&["chat", "main/b*", "nothing"]);
    for headers in [[].as_slice(), &[("anthropic-version", "2023-06-01")]] {
        let list = surface.get("/v1/models", headers).await.json();
        let names: Vec<&str> = list["data"].as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap()).collect();
        assert_eq!(names, ["chat", "main/big"]);
    }
    assert_eq!(surface.get("/v1/models/main/big", &[]).await.status, 200);
    let hidden = surface.get("/v1/models/main/small", &[]).await;
    assert_eq!((hidden.status, &hidden.json()["error"]["code"]), (404, &json!("model_not_found")), "{}", hidden.text);
}

#[tokio::test]
async fn a_prompt_runs_the_model_it_names_for_a_key_that_may_name_the_prompt() {
    let surface = Surface::open().await;
    let messages = json!([{"role": "user", "content": "Repeat: {{ question }}"}]);
    surface.apply(&[("prompt", "echo", json!({"parameters": {"question": {}}, "messages": messages}))]).await;
    let surface = surface.with_key_for(&["echo"]);
    let sent = surface.ask(&hello("echo")).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    assert_eq!(surface.ask(&hello(LOCAL)).await.status, 403);
}
