//! Keys that may name some models only.

use serde_json::{Value, json};

use super::surface::{LOCAL, Surface};

fn hello(model: &str) -> Value {
    json!({"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "Hello."}]})
}

#[tokio::test]
async fn a_key_is_refused_for_models_it_may_not_name_in_the_words_of_this_dialect() {
    let surface = Surface::open().await;
    let messages = json!([{"role": "user", "content": "Repeat: {{ question }}"}]);
    surface.apply(&[("prompt", "echo", json!({"parameters": {"question": {}}, "messages": messages}))]).await;
    let surface = surface.with_key_for(&["echo", "claude-*"]);
    for path in ["/v1/messages", "/v1/messages/count_tokens"] {
        for model in [LOCAL, "nothing", "prompt/echo"] {
            let sent = surface.send(path, &[], hello(model).to_string()).await;
            let body = sent.json();
            assert_eq!(
                (sent.status, &body["type"], &body["error"]["type"]),
                (403, &json!("error"), &json!("permission_error")),
                "{}",
                sent.text
            );
            assert_eq!(
                (&body["error"]["code"], &body["request_id"]),
                (&json!("model-not-allowed"), &json!("req_7")),
                "{}",
                sent.text
            );
        }
    }
    let sent = surface.ask(&hello("echo")).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    // What it may name and nobody has is missing, not forbidden.
    assert_eq!(surface.ask(&hello("claude-9")).await.status, 404);
}
