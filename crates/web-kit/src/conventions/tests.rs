use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, middleware, routing::get};
use http::{HeaderMap, HeaderName, HeaderValue};
use mainspring_kernel::{
    Actor, FrozenClock, Labels, ModelScope, Role, Timestamp,
    id::{PrincipalId, ProjectId},
};
use mainspring_llm::{
    EventSink, Span, SpanContext, SpanId,
    trace::{SpanKind, names},
};
use proptest::prelude::*;
use serde_json::json;
use tower::ServiceExt;

use super::{Kept, Wished, Wishes, follow_conventions};

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[track_caller]
fn read(pairs: &[(&str, &str)]) -> Wished {
    Wished::of(&headers(pairs)).unwrap()
}

/// What one header becomes, and whether it is told as ignored.
#[track_caller]
fn check(name: &str, value: &str, is: impl Fn(&Wished) -> bool, ignored: &[&str]) {
    let wished = read(&[(name, value)]);
    assert!(is(&wished), "{name}: {value}: {wished:?}");
    assert_eq!(wished.ignored.iter().map(String::as_str).collect::<Vec<_>>(), ignored, "{name}: {value}");
}

fn nothing(wished: &Wished) -> bool {
    Wished { ignored: Default::default(), ..wished.clone() } == Wished::default()
}

#[test]
fn headers_of_helicone_take_effect_or_are_told() {
    check("Helicone-User-Id", "ann", |wished| wished.user.as_deref() == Some("ann"), &[]);
    check("Helicone-Session-Id", "s1", |wished| wished.session.as_deref() == Some("s1"), &[]);
    check("Helicone-Session-Path", "/a/b", |wished| wished.metadata["session_path"] == "/a/b", &[]);
    check("Helicone-Session-Name", "Plan", |wished| wished.metadata["session_name"] == "Plan", &[]);
    check("Helicone-Property-Environment", "prod", |wished| wished.metadata["environment"] == "prod", &[]);
    check("Helicone-Request-Id", "r1", |wished| wished.metadata["request_id"] == "r1", &[]);
    check("Helicone-Prompt-Id", "p1", |wished| wished.metadata["prompt_id"] == "p1", &[]);
    check("Helicone-Cache-Enabled", "true", |wished| wished.wants_cache.is_some() && wished.kept.is_none(), &[]);
    check("Helicone-Cache-Enabled", "false", |wished| wished.kept == Some(Kept::Bypass), &[]);
    check("Helicone-Cache-Seed", "u7", |wished| wished.kept == Some(Kept::Bypass), &["helicone-cache-seed"]);
    check(
        "Helicone-Omit-Request",
        "true",
        |wished| wished.omit_request == Some("helicone-omit-request") && wished.omit_response.is_none(),
        &[],
    );
    check("Helicone-Omit-Response", "true", |wished| wished.omit_response.is_some() && wished.omit_request.is_none(), &[]);
    // A key is for whoever tells callers apart.
    check("Helicone-Auth", "Bearer sk-helicone-xyz", nothing, &[]);
    for (name, value) in [
        ("helicone-retry-enabled", "true"),
        ("helicone-retry-num", "3"),
        ("helicone-fallbacks", r#"[{"target-url": "https://x", "headers": {"Authorization": "Bearer sk-x"}}]"#),
        ("helicone-target-url", "https://api.openai.com"),
        ("helicone-ratelimit-policy", "10;w=1000"),
        ("helicone-moderations-enabled", "true"),
        ("helicone-llm-security-enabled", "true"),
        ("helicone-cache-bucket-max-size", "10"),
        ("helicone-model-override", "gpt-4"),
        ("helicone-something-new", "x"),
    ] {
        check(name, value, nothing, &[name]);
    }
    for (name, value) in
        [("helicone-retry-enabled", "false"), ("helicone-moderations-enabled", "0"), ("helicone-stream-usage", "true")]
    {
        check(name, value, nothing, &[]);
    }
    let aged = read(&[("helicone-cache-enabled", "true"), ("cache-control", "max-age=3600")]);
    assert_eq!(aged.ignored.into_iter().collect::<Vec<_>>(), ["cache-control"]);
}

#[test]
fn headers_of_portkey_take_effect_or_are_told() {
    let provider = |name: &'static str| move |wished: &Wished| wished.provider.as_ref().is_some_and(|(known, _)| known == name);
    check("x-portkey-provider", "openai", provider("openai"), &[]);
    check("x-portkey-provider", "@Anthropic-Prod", provider("anthropic-prod"), &[]);
    check("x-portkey-virtual-key", "openai-3f2a", provider("openai-3f2a"), &[]);
    check("x-portkey-config", "pc-prod-1a2b", |wished| wished.config.as_deref() == Some("pc-prod-1a2b"), &[]);
    check(
        "x-portkey-metadata",
        r#"{"_user": "ann", "environment": "prod", "n": 3}"#,
        |wished| wished.user.as_deref() == Some("ann") && json!(wished.metadata) == json!({"environment": "prod", "n": 3}),
        &[],
    );
    check("x-portkey-metadata", "not json", nothing, &["x-portkey-metadata"]);
    check("x-portkey-trace-id", "my trace", |wished| wished.metadata["trace_id"] == "my trace" && wished.trace.is_none(), &[]);
    let id = "0af7651916cd43dd8448eb211c80319c";
    check("x-portkey-trace-id", id, |wished| wished.trace.is_some_and(|trace| trace.to_string() == id), &[]);
    check(
        "x-portkey-trace-id",
        "0AF76519-16CD-43DD-8448-EB211C80319C",
        |wished| wished.trace.is_some_and(|trace| trace.to_string() == id),
        &[],
    );
    check("x-portkey-cache", "semantic", |wished| wished.wants_cache == Some("x-portkey-cache"), &[]);
    check("x-portkey-cache-force-refresh", "true", |wished| wished.kept == Some(Kept::Refresh), &[]);
    check("x-portkey-cache-namespace", "u7", |wished| wished.kept == Some(Kept::Bypass), &["x-portkey-cache-namespace"]);
    check("x-portkey-request-timeout", "1500", |wished| wished.timeout == Some(Duration::from_millis(1_500)), &[]);
    check("x-portkey-request-timeout", "soon", nothing, &["x-portkey-request-timeout"]);
    check("x-portkey-debug", "false", |wished| wished.omit_request.is_some() && wished.omit_response.is_some(), &[]);
    for (name, value) in [
        ("x-portkey-forward-headers", r#"["x-custom"]"#),
        ("x-portkey-custom-host", "http://10.0.0.1/v1"),
        ("x-portkey-retry-count", "3"),
        ("x-portkey-azure-resource-name", "eu"),
        ("x-portkey-new", "x"),
    ] {
        check(name, value, nothing, &[name]);
    }
    check("x-portkey-api-key", "pk-secret", nothing, &[]);
    let both = read(&[("x-portkey-virtual-key", "vk"), ("x-portkey-provider", "openai")]);
    assert_eq!(both.provider.unwrap().0, "vk");
}

#[test]
fn a_config_of_one_target_is_read_and_the_rest_of_it_is_told() {
    let wished = read(&[(
        "x-portkey-config",
        r#"{"provider": "openai", "api_key": "sk-secret", "request_timeout": 900, "cache": {"mode": "simple"}, "retry": {"attempts": 3},
            "override_params": {"model": "gpt-4o", "temperature": 0}, "metadata": {"_user": "ann"}}"#
            .replace('\n', " ")
            .as_str(),
    )]);
    assert_eq!((wished.provider, wished.model.as_deref()), (Some(("openai".to_owned(), "x-portkey-config")), Some("gpt-4o")));
    assert_eq!((wished.timeout, wished.user.as_deref()), (Some(Duration::from_millis(900)), Some("ann")));
    let expected = ["x-portkey-config.api_key", "x-portkey-config.override_params", "x-portkey-config.retry"];
    assert_eq!(wished.ignored.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    let one = read(&[(
        "x-portkey-config",
        r#"{"strategy": {"mode": "single"}, "targets": [{"virtual_key": "vk", "override_params": {"model": "m"}}]}"#,
    )]);
    assert_eq!((one.provider.unwrap().0.as_str(), one.model.as_deref(), one.ignored.len()), ("vk", Some("m"), 0));
    let many =
        read(&[("x-portkey-config", r#"{"strategy": {"mode": "fallback"}, "targets": [{"provider": "a"}, {"provider": "b"}]}"#)]);
    assert_eq!(many.ignored.into_iter().collect::<Vec<_>>(), ["x-portkey-config.strategy", "x-portkey-config.targets"]);
    assert!(many.provider.is_none());
    let odd = read(&[("x-portkey-config", r#"{"a: b": 1}"#)]);
    assert_eq!(odd.ignored.into_iter().collect::<Vec<_>>(), ["x-portkey-config"]);
}

#[test]
fn headers_of_litellm_and_of_coding_agents_take_effect_or_are_told() {
    check("x-litellm-end-user-id", "ann", |wished| wished.user.as_deref() == Some("ann"), &[]);
    check("x-litellm-customer-id", "ann", |wished| wished.user.as_deref() == Some("ann"), &[]);
    check("x-litellm-session-id", "s1", |wished| wished.session.as_deref() == Some("s1"), &[]);
    check("x-litellm-timeout", "1.5", |wished| wished.timeout == Some(Duration::from_millis(1_500)), &[]);
    check("x-litellm-tags", "a, b,", |wished| wished.metadata["tags"] == json!(["a", "b"]), &[]);
    check("x-litellm-spend-logs-metadata", r#"{"team": "red"}"#, |wished| wished.metadata["team"] == "red", &[]);
    check(
        "x-litellm-enable-message-redaction",
        "true",
        |wished| wished.omit_request.is_some() && wished.omit_response.is_some(),
        &[],
    );
    check("x-litellm-num-retries", "3", nothing, &["x-litellm-num-retries"]);
    check("x-litellm-stream-timeout", "3", nothing, &["x-litellm-stream-timeout"]);
    check("x-litellm-api-key", "sk-1234", nothing, &[]);
    check("session_id", "c1", |wished| wished.session.as_deref() == Some("c1"), &[]);
    let both = read(&[("session_id", "c1"), ("helicone-session-id", "s1")]);
    assert_eq!(both.session.as_deref(), Some("s1"));
    let ours = read(&[("x-mainspring-session", "m1"), ("helicone-session-id", "s1")]);
    assert_eq!((ours.session.as_deref(), ours.ignored.len()), (Some("m1"), 0));
    assert_eq!(Wished::of(&headers(&[("x-api-key", "x"), ("authorization", "y"), ("cache-control", "max-age=1")])), None);
}

#[derive(Debug, Default)]
struct Spans(Mutex<Vec<Span>>);

impl EventSink for Spans {
    fn record(&self, span: Span) {
        self.0.lock().unwrap().push(span);
    }
}

fn traced(wished: Wished, parent: Option<SpanId>) -> Vec<Span> {
    traced_by(&Wishes::new(wished), parent, true)
}

fn traced_by(wishes: &Wishes, parent: Option<SpanId>, may_omit: bool) -> Vec<Span> {
    let spans = Arc::new(Spans::default());
    let sink = wishes.sink(Arc::clone(&spans) as Arc<dyn EventSink>, parent, may_omit);
    let clock = Arc::new(FrozenClock::at(Timestamp::from_micros(0)));
    let mut context = SpanContext::root(ProjectId::from_raw(1), sink, clock);
    if let Some(parent) = parent {
        let trace = context.trace;
        context = context.continuing(trace, parent);
    }
    let mut root = context.start("root", SpanKind::Server);
    root.set(names::INPUT_MESSAGES, "asked");
    root.set(names::OUTPUT_MESSAGES, "answered");
    root.set(names::USER, "known");
    root.context().start("child", SpanKind::Internal).finish();
    root.finish();
    let all = spans.0.lock().unwrap().clone();
    all
}

#[test]
fn the_trace_holds_what_the_client_says_and_not_what_it_wants_left_out() {
    let given = [("helicone-property-app", "mobile"), ("helicone-session-id", "s1"), ("helicone-user-id", "ann")];
    for parent in [None, Some(SpanId::random())] {
        let spans = traced(read(&given), parent);
        assert_eq!((spans[0].name.as_str(), spans[0].attributes.len()), ("child", 0));
        let root = &spans[1].attributes;
        assert_eq!((&root["mainspring.metadata.app"], &root[names::CONVERSATION]), (&json!("mobile"), &json!("s1")));
        assert_eq!((&root[names::USER], &root[names::INPUT_MESSAGES]), (&json!("known"), &json!("asked")));
    }
    let omitted = traced(read(&[("helicone-omit-request", "true")]), None);
    assert!(
        omitted[1].attributes.get(names::INPUT_MESSAGES).is_none() && omitted[1].attributes.get(names::OUTPUT_MESSAGES).is_some()
    );
    let omitted = traced(read(&[("helicone-omit-response", "true")]), None);
    assert!(
        omitted[1].attributes.get(names::INPUT_MESSAGES).is_some() && omitted[1].attributes.get(names::OUTPUT_MESSAGES).is_none()
    );
    let long = traced(read(&[("helicone-property-app", &"x".repeat(5_000))]), None);
    assert!(long[1].attributes["mainspring.metadata.app"].as_str().unwrap().chars().count() <= 512);
}

#[test]
fn what_the_owner_wants_kept_is_kept_and_the_client_is_told() {
    for (name, value) in [
        ("helicone-omit-request", "true"),
        ("helicone-omit-response", "true"),
        ("x-portkey-debug", "false"),
        ("x-litellm-enable-message-redaction", "true"),
    ] {
        let wishes = Wishes::new(read(&[(name, value)]));
        let spans = traced_by(&wishes, None, false);
        let root = &spans[1].attributes;
        let kept = (&root[names::INPUT_MESSAGES], &root[names::OUTPUT_MESSAGES]);
        assert_eq!(kept, (&json!("asked"), &json!("answered")), "{name}");
        assert_eq!(wishes.told().unwrap(), name);
        let wishes = Wishes::new(read(&[(name, value)]));
        assert!(traced_by(&wishes, None, true)[1].attributes.len() < root.len(), "{name}");
        assert!(wishes.told().is_none(), "{name}");
    }
}

#[test]
fn a_trace_that_a_client_names_is_its_own() {
    let id = "0af7651916cd43dd8448eb211c80319c";
    let actor = |project: u128, principal: u128| Actor {
        principal: PrincipalId::from_raw(principal),
        project: ProjectId::from_raw(project),
        role: Role::Editor,
        labels: Labels::none(),
        key: None,
        models: ModelScope::All,
    };
    for header in ["x-portkey-trace-id", "x-litellm-trace-id"] {
        let wishes = Wishes::new(read(&[(header, id)]));
        let named = wishes.trace(&actor(1, 1)).unwrap();
        assert_eq!(wishes.trace(&actor(1, 1)), Some(named), "calls of one client stand together");
        let others = [wishes.trace(&actor(2, 1)).unwrap(), wishes.trace(&actor(1, 2)).unwrap(), id.parse().unwrap()];
        assert!(!others.contains(&named) && others[0] != others[1], "{named} {others:?}");
        assert_eq!(wishes.wished().metadata["trace_id"], id, "by which it can be found");
    }
    assert_eq!(Wishes::new(read(&[("x-portkey-trace-id", "my trace")])).trace(&actor(1, 1)), None);
}

async fn answer(request: Request) -> axum::response::Response {
    let wishes = |request: Request| async move {
        Wishes::of(request.extensions()).not_kept();
        "answered"
    };
    Router::new().route("/", get(wishes)).route_layer(middleware::from_fn(follow_conventions)).oneshot(request).await.unwrap()
}

#[tokio::test]
async fn what_has_no_effect_is_told_in_one_header() {
    let ask = |pairs: &[(&str, &str)]| {
        let mut request = Request::get("/").body(Body::empty()).unwrap();
        *request.headers_mut() = headers(pairs);
        answer(request)
    };
    let told =
        ask(&[("helicone-retry-num", "3"), ("helicone-cache-enabled", "true"), ("x-portkey-custom-host", "http://x")]).await;
    assert_eq!(told.headers()["x-mainspring-ignored"], "helicone-cache-enabled, helicone-retry-num, x-portkey-custom-host");
    assert!(ask(&[("helicone-user-id", "ann")]).await.headers().get("x-mainspring-ignored").is_none());
    assert!(ask(&[("accept", "*/*")]).await.headers().get("x-mainspring-ignored").is_none());
    let names: Vec<String> = (0..200).map(|number| format!("x-portkey-option-{number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    let told = ask(&many).await.headers()["x-mainspring-ignored"].to_str().unwrap().to_owned();
    assert!(told.len() < 1_100 && told.ends_with("..."), "{told}");
}

proptest! {
    #[test]
    fn any_header_is_read(name in "(helicone|x-portkey|x-litellm)-[a-z-]{1,20}", value in prop::collection::vec(32_u8..=255, 0..80)) {
        let mut given = HeaderMap::new();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(&value)) {
            given.insert(name.clone(), value);
            let wished = Wished::of(&given).unwrap();
            prop_assert!(wished.ignored.iter().all(|ignored| HeaderValue::from_str(ignored).is_ok()));
        }
    }

    #[test]
    fn any_config_is_read(provider in "\\PC{0,20}", field in "\\PC{0,30}", value in any::<i64>(), depth in 0_usize..6) {
        let mut config = json!({"provider": provider, "api_key": "sk-secret-of-a-client"});
        config[field.as_str()] = json!(value);
        for _ in 0..depth {
            config = json!({"targets": [config]});
        }
        if let Ok(value) = HeaderValue::from_str(&config.to_string()) {
            let mut given = HeaderMap::new();
            given.insert("x-portkey-config", value);
            let wished = Wished::of(&given).unwrap();
            prop_assert!(wished.ignored.iter().all(|ignored| HeaderValue::from_str(ignored).is_ok()));
            let shown = format!("{wished:?}");
            prop_assert!(!shown.contains("sk-secret-of-a-client"));
        }
    }
}
