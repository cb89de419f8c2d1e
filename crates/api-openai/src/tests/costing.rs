//! What a stream cost is told in it, whoever answers.

use mainspring_llm::End;
use mainspring_testservers::upstream::Behaviour;
use serde_json::{Value, json};

use super::{
    surface::{LOCAL, Sent, Surface},
    walks::{hello, routed, upstream, with},
};

/// Twelve tokens read and eight written come to 28 millionths of a dollar.
async fn priced(surface: &Surface) {
    surface.apply(&[("prices", "default", json!({"models": [{"model": "*", "input": 1, "output": 2}]}))]).await;
}

#[track_caller]
fn told(sent: &Sent, cost: &str, ends: &str) {
    let note = format!(": mainspring-cost {cost}\n\n");
    assert_eq!((sent.status, sent.text.matches("mainspring-cost").count()), (200, 1), "{}", sent.text);
    assert!(sent.text.contains(&format!("\n\n{note}{ends}")), "{}", sent.text);
    assert_eq!(sent.header("x-mainspring-cost"), None, "it was not known when the answer began");
    assert_eq!(sent.ended, Some(End::Complete), "{}", sent.text);
}

fn asked() -> [(&'static str, Value, &'static str); 3] {
    [
        ("/v1/chat/completions", hello("chat"), "data: [DONE]\n\n"),
        ("/v1/completions", json!({"model": "chat", "prompt": "Hello."}), "data: [DONE]\n\n"),
        ("/v1/responses", json!({"model": "chat", "input": "Hello."}), "event: response.completed\n"),
    ]
}

#[tokio::test]
async fn a_stream_says_before_its_last_event_what_it_cost() {
    for kind in ["openai", "anthropic"] {
        let server = upstream(Behaviour::default());
        let surface = routed(kind, &server).await;
        priced(&surface).await;
        for (path, body, ends) in asked() {
            told(&surface.post(path, &with(body.clone(), &json!({"stream": true}))).await, "0.000028", ends);
            let whole = surface.post(path, &body).await;
            assert_eq!(whole.header("x-mainspring-cost"), Some("0.000028"), "{kind} {path}");
            assert!(!whole.text.contains("mainspring-cost"), "{kind} {path}: {}", whole.text);
        }
        let usage = with(hello("chat"), &json!({"stream": true, "stream_options": {"include_usage": true}}));
        told(&surface.post("/v1/chat/completions", &usage).await, "0.000028", "data: [DONE]\n\n");
    }
}

#[tokio::test]
async fn what_nobody_has_a_price_for_has_no_cost() {
    for kind in ["openai", "anthropic"] {
        let server = upstream(Behaviour::default());
        let surface = routed(kind, &server).await;
        for (path, body, _) in asked() {
            let streamed = surface.post(path, &with(body.clone(), &json!({"stream": true}))).await;
            assert!(!streamed.text.contains("mainspring-cost"), "{kind} {path}: {}", streamed.text);
            for sent in [streamed, surface.post(path, &body).await] {
                let told = (sent.status, sent.header("x-mainspring-price"), sent.header("x-mainspring-cost"));
                assert_eq!(told, (200, Some("unknown"), None), "{kind} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_of_responses_that_passes_through_says_it_too() {
    let server = upstream(Behaviour::default());
    let surface = Surface::open().await;
    let cloud = json!({"type": "azure", "base_url": format!("{}/openai/v1", server.url())});
    surface.apply(&[("provider", "cloud", cloud)]).await;
    priced(&surface).await;
    let sent = surface.post("/v1/responses", &json!({"model": "cloud/gpt-5", "input": "Hello.", "stream": true})).await;
    told(&sent, "0.000028", "event: response.completed\n");
}

#[tokio::test]
async fn an_app_says_it_in_what_is_known_of_its_answer() {
    let surface = Surface::open().await;
    let messages = json!([{"role": "user", "content": "{{ question }}"}]);
    surface.apply(&[("prompt", "echo", json!({"parameters": {"question": {}}, "messages": messages}))]).await;
    priced(&surface).await;
    // Three tokens read and two written, by a model of this process.
    let cost = json!("0.000007");
    let whole = surface.ask(&hello("echo")).await;
    assert_eq!((whole.status, &whole.json()["mainspring"]["cost"]), (200, &cost), "{}", whole.text);
    let streamed = surface.ask(&with(hello("echo"), &json!({"stream": true}))).await;
    let chunks = streamed.chunks();
    let known: Vec<&Value> = chunks.iter().map(|chunk| &chunk["mainspring"]["cost"]).filter(|cost| !cost.is_null()).collect();
    assert_eq!(known, [&cost], "{}", streamed.text);
    assert!(streamed.text.contains("\n\n: mainspring-cost 0.000007\n\ndata: [DONE]\n\n"), "{}", streamed.text);
    assert_eq!(streamed.ended, Some(End::Complete));
    let body = json!({"model": "echo", "input": "Hello."});
    assert_eq!(surface.post("/v1/responses", &body).await.json()["mainspring"]["cost"], cost);
    let streamed = surface.post("/v1/responses", &with(body, &json!({"stream": true}))).await;
    assert_eq!(streamed.events().last().unwrap().1["response"]["mainspring"]["cost"], cost, "{}", streamed.text);
    assert_eq!(streamed.ended, Some(End::Complete));
    // Of several answers together.
    let several = surface.ask(&with(hello("echo"), &json!({"n": 2}))).await.json();
    assert_eq!(several["mainspring"]["cost"], json!("0.000014"), "{several}");
    // The prompt is counted once, as OpenAI does.
    let used = |answer: &Value| (answer["usage"]["prompt_tokens"].clone(), answer["usage"]["completion_tokens"].clone());
    assert_eq!(used(&several), (json!(3), json!(4)), "{several}");
    let texts = json!({"model": LOCAL, "prompt": ["x", "y"], "n": 2});
    let texts = surface.post("/v1/completions", &texts).await.json();
    assert_eq!(used(&texts), (json!(6), json!(8)), "{texts}");
    let raw = surface.post("/v1/completions", &json!({"model": LOCAL, "prompt": "x", "stream": true})).await;
    assert!(raw.text.contains("\n\n: mainspring-cost 0.000007\n\ndata: [DONE]\n\n"), "{}", raw.text);
    assert_eq!(raw.ended, Some(End::Complete));
}
