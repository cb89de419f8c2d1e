//! Applications of other gateways, with the headers that they have always sent.

use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Upstream, When};
use serde_json::json;

use super::surface::{Sent, Surface};

async fn routed(behaviour: Behaviour) -> (Upstream, Surface) {
    let server = Upstream::start(Script::always(behaviour)).unwrap();
    let surface = Surface::open().await;
    let target = json!([{"provider": "main", "model": "big"}]);
    surface
        .apply(&[
            ("provider", "main", json!({"type": "anthropic", "base_url": server.url()})),
            ("route", "chat", json!({"models": ["claude-*"], "targets": target, "retry": {"attempts": 0}})),
            ("route", "kept", json!({"targets": target, "cache": {"ttl": "1h", "sampled": true}})),
        ])
        .await;
    (server, surface)
}

async fn sent(surface: &Surface, model: &str, headers: &[(&'static str, &'static str)]) -> Sent {
    let body = json!({"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "Hello."}]});
    surface.send("/v1/messages", headers, body.to_string()).await
}

#[tokio::test]
async fn headers_of_other_gateways_take_effect_or_are_told() {
    let (server, surface) = routed(Behaviour::saying("Hi.")).await;
    for (model, headers, asked, ignored) in [
        ("small", &[("x-portkey-provider", "main")][..], "small", None),
        ("claude-sonnet-4-5", &[("x-portkey-provider", "@main")], "claude-sonnet-4-5", None),
        ("claude-sonnet-4-5", &[("x-portkey-config", "chat")], "big", None),
        (
            "claude-sonnet-4-5",
            &[("x-portkey-provider", "nobody"), ("helicone-retry-num", "3")],
            "big",
            Some("helicone-retry-num, x-portkey-provider"),
        ),
        ("chat", &[("helicone-cache-enabled", "true")], "big", Some("helicone-cache-enabled")),
        ("kept", &[("helicone-cache-enabled", "true")], "big", None),
    ] {
        let sent = sent(&surface, model, headers).await;
        assert_eq!(
            (sent.status, server.seen().last().unwrap().model.as_str()),
            (200, asked),
            "{model} {headers:?}: {}",
            sent.text
        );
        assert_eq!(sent.header("x-mainspring-ignored"), ignored, "{model} {headers:?}");
    }
    let hit = sent(&surface, "kept", &[("helicone-cache-enabled", "true")]).await;
    assert_eq!(hit.header("x-mainspring-cache"), Some("hit"));
    let passed = sent(&surface, "kept", &[("helicone-cache-enabled", "false")]).await;
    assert_eq!(passed.header("x-mainspring-cache"), Some("off"));
}

#[tokio::test]
async fn nothing_of_these_headers_reaches_a_provider() {
    let (server, surface) = routed(Behaviour::saying("Hi.")).await;
    let headers = [
        ("x-api-key", "sk-ant-of-the-provider-123456"),
        ("helicone-auth", "Bearer sk-helicone-123456"),
        ("helicone-user-id", "ann"),
        ("helicone-property-team", "red"),
        ("anthropic-beta", "context-1m-2025-08-07"),
    ];
    assert_eq!(sent(&surface, "chat", &headers).await.status, 200);
    let seen = &server.seen()[0];
    let all = format!("{:?} {}", seen.headers, String::from_utf8_lossy(&seen.body)).to_lowercase();
    for word in ["helicone", "123456", "\"ann\"", "team"] {
        assert!(!all.contains(word), "`{word}` in {all}");
    }
    assert_eq!(seen.header("anthropic-beta"), Some("context-1m-2025-08-07"));
}

#[tokio::test]
async fn a_client_that_waits_for_so_long_is_told_in_time() {
    let (_server, surface) = routed(Behaviour::trouble(Trouble::Hang(When::BeforeHead))).await;
    let late = sent(&surface, "chat", &[("x-portkey-request-timeout", "40")]).await;
    assert_eq!((late.status, &late.json()["error"]["type"]), (504, &json!("timeout_error")), "{}", late.text);
}
