use axum::{
    body::Body,
    extract::{FromRequest, Request},
    response::IntoResponse,
};
use futures::executor::block_on;
use http::{HeaderMap, HeaderName, HeaderValue};
use mainspring_gateway::CacheWish;
use mainspring_kernel::{
    Actor, Labels, ModelScope, Role,
    id::{PrincipalId, ProjectId},
};
use mainspring_providers::Operation;
use mainspring_web_kit::{Caller, RequestTag};
use serde_json::{Value, json};

use super::text;
use crate::{
    asked::{Asked, passed_on},
    error::Answer,
};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for &(name, value) in pairs {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

pub(super) fn asked(body: Vec<u8>, given: &[(&'static str, &'static str)], known: bool) -> Answer<Asked> {
    let mut request = Request::new(Body::from(body));
    *request.headers_mut() = headers(given);
    request.extensions_mut().insert(RequestTag("req_7".to_owned()));
    if known {
        let (principal, project) = (PrincipalId::from_raw(1), ProjectId::from_raw(2));
        request.extensions_mut().insert(Caller(Actor {
            principal,
            project,
            role: Role::Reader,
            labels: Labels::none(),
            key: None,
            models: ModelScope::All,
        }));
    }
    block_on(Asked::from_request(request, &()))
}

fn refused(body: &str, known: bool) -> (u16, Value) {
    let response = asked(body.as_bytes().to_vec(), &[], known).unwrap_err().into_response();
    (response.status().as_u16(), serde_json::from_str(&text(response)).unwrap())
}

#[test]
fn a_body_is_kept_as_it_came_and_looked_at() {
    let body = json!({"model": "claude-sonnet-4-5", "stream": true, "max_tokens": 9, "metadata": {"user_id": "ann"}, "new": {"deep": [1]}});
    let given = [("x-claude-code-session-id", "s1"), ("anthropic-beta", "a,b")];
    let asked = asked(body.to_string().into_bytes(), &given, true).unwrap();
    assert_eq!(asked.body, body.to_string().into_bytes());
    let most = asked.peeked.bounds.each(Operation::Messages);
    assert_eq!((asked.peeked.model.as_str(), asked.peeked.stream, most), ("claude-sonnet-4-5", true, Some(9)));
    assert_eq!((asked.peeked.user.as_deref(), asked.peeked.session.as_deref()), (Some("ann"), Some("s1")));
    assert!(asked.peeked.include_usage);
    assert_eq!(asked.tag.as_deref(), Some("req_7"));
}

#[test]
fn what_cannot_be_asked_is_refused_in_anthropics_shape_with_the_requests_id() {
    for (body, known, status, kind, code) in [
        (r#"{"model":"m"}"#, false, 401, "authentication_error", "key-required"),
        ("{", true, 400, "invalid_request_error", "body-not-json"),
        ("", true, 400, "invalid_request_error", "body-not-json"),
        ("[]", true, 400, "invalid_request_error", "body-invalid"),
        (r#"{"messages":[]}"#, true, 400, "invalid_request_error", "anthropic-invalid-parameter"),
        (r#"{"model":"a","model":"b"}"#, true, 400, "invalid_request_error", "body-duplicate-field"),
    ] {
        let (sent, error) = refused(body, known);
        assert_eq!((sent, &error["error"]["type"], &error["error"]["code"]), (status, &json!(kind), &json!(code)), "{body}");
        assert_eq!((&error["type"], &error["request_id"]), (&json!("error"), &json!("req_7")));
    }
}

#[test]
fn providers_get_the_headers_of_their_dialect_and_no_key_of_ours() {
    let given = headers(&[
        ("x-api-key", "msk_secret"),
        ("authorization", "Bearer msk_secret"),
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "context-1m-2025-08-07"),
        ("anthropic-beta", "interleaved-thinking-2025-05-14"),
        ("anthropic-dangerous-direct-browser-access", "true"),
        ("cookie", "a=b"),
        ("user-agent", "claude-cli/2.1"),
    ]);
    let passed = passed_on(&given);
    assert_eq!(passed.keys_len(), 2);
    assert_eq!(passed["anthropic-version"], "2023-06-01");
    assert_eq!(passed.get_all("anthropic-beta").iter().count(), 2);
}

#[test]
fn the_cache_is_wished_for_by_header() {
    for (given, wish) in [
        (headers(&[]), CacheWish::AsConfigured),
        (headers(&[("cache-control", "no-cache")]), CacheWish::Refresh),
        (headers(&[("cache-control", "max-age=0, No-Store")]), CacheWish::Bypass),
        (headers(&[("x-mainspring-cache", "no-store"), ("cache-control", "no-cache")]), CacheWish::Bypass),
        (headers(&[("cache-control", "max-age=0")]), CacheWish::AsConfigured),
    ] {
        assert_eq!(CacheWish::of(&given), wish, "{given:?}");
    }
}
