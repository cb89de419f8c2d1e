//! Applications of other gateways, with the headers that they have always sent.

use mainspring_gateway::Clients;
use mainspring_kernel::id::PrincipalId;
use mainspring_testservers::upstream::{Behaviour, Trouble, Upstream, When};
use serde_json::json;

use super::{
    surface::{LOCAL, Sent, Surface},
    walks::{hello, routed, upstream},
};

const PATH: &str = "/v1/chat/completions";

async fn sent(surface: &Surface, model: &str, headers: &[(&'static str, &'static str)]) -> Sent {
    surface.send(PATH, headers, hello(model).to_string()).await
}

fn last_model(server: &Upstream) -> String {
    server.seen().last().unwrap().model.clone()
}

#[tokio::test]
async fn the_provider_and_the_route_that_headers_name_are_asked() {
    let server = upstream(Behaviour::saying("Hi."));
    let surface = routed("openai", &server).await;
    for (model, headers, asked, ignored) in [
        ("small", &[("x-portkey-provider", "main")][..], "small", None),
        ("@main/small", &[], "small", None),
        ("small", &[("x-portkey-virtual-key", "main")], "small", None),
        ("chat", &[("x-portkey-provider", "nobody")], "big", Some("x-portkey-provider")),
        ("gpt-4o", &[("x-portkey-config", "chat")], "big", None),
        ("gpt-4o", &[("x-portkey-config", "pc-nobody")], "big", Some("x-portkey-config")),
        (
            "small",
            &[("x-portkey-config", r#"{"provider": "main", "retry": {"attempts": 2}}"#)],
            "small",
            Some("x-portkey-config.retry"),
        ),
        ("chat", &[("x-portkey-config", r#"{"virtual_key": "main", "override_params": {"model": "small"}}"#)], "small", None),
        (
            "chat",
            &[("x-portkey-config", r#"{"override_params": {"model": "nobody-has-this"}}"#)],
            "big",
            Some("x-portkey-config.override_params"),
        ),
    ] {
        let sent = sent(&surface, model, headers).await;
        assert_eq!((sent.status, last_model(&server).as_str()), (200, asked), "{model} {headers:?}: {}", sent.text);
        assert_eq!(sent.header("x-mainspring-ignored"), ignored, "{model} {headers:?}");
    }
    // A model that the body does not name at all.
    let body = json!({"messages": [{"role": "user", "content": "Hello."}]}).to_string();
    let sent = surface.send(PATH, &[("x-portkey-config", "chat")], body).await;
    assert_eq!((sent.status, last_model(&server).as_str()), (200, "big"), "{}", sent.text);
}

#[tokio::test]
async fn a_key_for_some_models_is_not_widened_by_a_header() {
    let server = upstream(Behaviour::saying("Hi."));
    let surface = routed("openai", &server).await.with_key_for(&["chat"]);
    for headers in [
        &[("x-portkey-config", r#"{"provider": "main", "override_params": {"model": "small"}}"#)][..],
        &[("x-portkey-config", r#"{"override_params": {"model": "main/small"}}"#)],
    ] {
        let sent = sent(&surface, "chat", headers).await;
        assert_eq!((sent.status, &sent.json()["error"]["code"]), (403, &json!("model-not-allowed")), "{headers:?}");
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn what_has_no_effect_is_told_also_with_a_refusal() {
    let server = upstream(Behaviour::status(400));
    let surface = routed("openai", &server).await;
    let headers = [("helicone-retry-num", "3"), ("helicone-cache-enabled", "true"), ("x-litellm-num-retries", "2")];
    let refused = sent(&surface, "chat", &headers).await;
    assert_eq!(
        (refused.status, refused.header("x-mainspring-ignored")),
        (400, Some("helicone-retry-num, x-litellm-num-retries"))
    );
    let unread = surface.send(PATH, &headers, "{").await;
    assert_eq!((unread.status, unread.header("x-mainspring-ignored")), (400, Some("helicone-retry-num, x-litellm-num-retries")));
    let listed = surface.get("/v1/models", &headers).await;
    assert_eq!(listed.header("x-mainspring-ignored"), Some("helicone-retry-num, x-litellm-num-retries"));
}

#[tokio::test]
async fn caches_are_the_routes_and_a_client_may_pass_them_by() {
    let server = upstream(Behaviour::saying("Hi."));
    let surface = routed("openai", &server).await;
    let enabled = [("helicone-cache-enabled", "true")];
    let told = sent(&surface, "chat", &enabled).await;
    assert_eq!(told.header("x-mainspring-ignored"), Some("helicone-cache-enabled"));
    let target = json!([{"provider": "main", "model": "big"}]);
    surface.apply(&[("route", "kept", json!({"targets": target, "cache": {"ttl": "1h", "sampled": true}}))]).await;
    for (headers, cache, ignored) in [
        (&enabled[..], "miss", None),
        (&enabled, "hit", None),
        (&[("x-portkey-cache-force-refresh", "true")], "miss", None),
        (&[("helicone-cache-enabled", "false")], "off", None),
        (&[("x-portkey-cache-namespace", "u7")], "off", Some("x-portkey-cache-namespace")),
        (&[], "hit", None),
    ] {
        let sent = sent(&surface, "kept", headers).await;
        assert_eq!(
            (sent.header("x-mainspring-cache"), sent.header("x-mainspring-ignored")),
            (Some(cache), ignored),
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn a_client_that_waits_for_so_long_is_told_in_time() {
    let server = upstream(Behaviour::trouble(Trouble::Hang(When::BeforeHead)));
    let surface = routed("openai", &server).await;
    for headers in [[("x-portkey-request-timeout", "40")], [("x-litellm-timeout", "0.04")]] {
        let late = sent(&surface, "chat", &headers).await;
        assert_eq!((late.status, late.header("x-mainspring-ignored")), (504, None), "{}", late.text);
    }
}

#[tokio::test]
async fn nothing_of_these_headers_reaches_a_provider() {
    for kind in ["openai", "anthropic"] {
        let server = upstream(Behaviour::saying("Hi."));
        let surface = routed(kind, &server).await;
        let headers = [
            ("authorization", "Bearer sk-of-the-provider-123456"),
            ("helicone-auth", "Bearer sk-helicone-abcdef123456"),
            ("helicone-user-id", "ann"),
            ("helicone-property-team", "red"),
            ("helicone-fallbacks", r#"[{"headers": {"Authorization": "Bearer sk-fallback-123456"}}]"#),
            ("x-portkey-api-key", "pk-portkey-123456"),
            ("x-portkey-config", r#"{"provider": "main", "api_key": "sk-inline-123456"}"#),
            ("x-litellm-api-key", "sk-litellm-123456"),
        ];
        let answered = sent(&surface, "small", &headers).await;
        assert_eq!(answered.status, 200, "{kind}: {}", answered.text);
        assert_eq!(answered.header("x-mainspring-ignored"), Some("helicone-fallbacks, x-portkey-config.api_key"), "{kind}");
        let seen = &server.seen()[0];
        let all = format!("{:?} {}", seen.headers, String::from_utf8_lossy(&seen.body)).to_lowercase();
        for word in ["helicone", "portkey", "litellm", "123456", "ann", "authorization"] {
            assert!(!all.contains(word), "{kind}: `{word}` in {all}");
        }
        let told = format!("{:?} {}", answered.headers, answered.text);
        assert!(!told.contains("123456"), "{told}");
    }
}

#[tokio::test]
async fn a_trace_that_a_client_names_holds_its_own_calls_and_nobody_elses() {
    const NAMED: &str = "0af7651916cd43dd8448eb211c80319c";
    let server = upstream(Behaviour::saying("Hi."));
    let mut surface = routed("openai", &server).await;
    let named = [("x-portkey-trace-id", NAMED)];
    let trace = |sent: Sent| sent.header("x-mainspring-trace-id").unwrap().to_owned();
    // Of a provider, and of a model of this process.
    for model in ["chat", LOCAL] {
        let first = trace(sent(&surface, model, &named).await);
        assert_eq!(trace(sent(&surface, model, &named).await), first, "{model}");
        assert_ne!(first, NAMED, "{model}: it may be somebody's");
        let another = surface.actor.clone();
        surface.actor.principal = PrincipalId::from_raw(2);
        assert_ne!(trace(sent(&surface, model, &named).await), first, "{model}: of somebody else");
        surface.actor = another;
        assert_ne!(trace(sent(&surface, model, &[]).await), first, "{model}");
    }
    // Who traces the call across programs says so as the standard does.
    let parent = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    assert_eq!(trace(sent(&surface, "chat", &parent).await), NAMED);
    let surface = Surface::open_for(Clients { may_name_traces: false, ..Clients::default() }).await;
    let first = trace(sent(&surface, LOCAL, &named).await);
    assert_ne!(trace(sent(&surface, LOCAL, &named).await), first, "here nobody may");
}

#[tokio::test]
async fn what_traces_keep_is_left_out_only_where_the_server_lets_clients_say_so() {
    let omit = [("helicone-omit-request", "true"), ("x-portkey-debug", "false")];
    for (may_omit, ignored) in [(false, Some("helicone-omit-request, x-portkey-debug")), (true, None)] {
        let surface = Surface::open_for(Clients { may_omit, ..Clients::default() }).await;
        let sent = sent(&surface, LOCAL, &omit).await;
        assert_eq!((sent.status, sent.header("x-mainspring-ignored")), (200, ignored), "{}", sent.text);
    }
}
