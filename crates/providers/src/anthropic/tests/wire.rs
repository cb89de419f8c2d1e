use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER};
use mainspring_kernel::Timestamp;
use mainspring_llm::exchange::Dialect;
use secrecy::SecretString;

use super::{call, endpoint};
use crate::{
    anthropic::Anthropic,
    fault::{FaultClass, UpstreamFault},
    seam::{Adapter, Endpoint, Operation, Outgoing},
};

fn passed(endpoint: &Endpoint, operation: Operation) -> Outgoing {
    Anthropic.pass(endpoint, operation, Bytes::from_static(b"{\"x\":1}"), true).unwrap().unwrap()
}

#[test]
fn the_version_in_the_address_may_be_left_out() {
    for (base, expected) in [
        ("https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/v1/", "https://api.anthropic.com/v1/messages"),
        ("http://127.0.0.1:9/anthropic", "http://127.0.0.1:9/anthropic/v1/messages"),
    ] {
        let endpoint = Endpoint { base_url: base.to_owned(), ..endpoint("m") };
        assert_eq!(passed(&endpoint, Operation::Messages).uri.to_string(), expected);
        let count = passed(&endpoint, Operation::CountTokens).uri.to_string();
        assert_eq!(count, format!("{expected}/count_tokens"));
        assert_eq!(Anthropic.encode(&endpoint, &call()).unwrap().outgoing.uri.to_string(), expected);
    }
    let nowhere = Endpoint { base_url: "not an address".to_owned(), ..endpoint("m") };
    let fault = Anthropic.pass(&nowhere, Operation::Messages, Bytes::new(), false).unwrap().unwrap_err();
    assert_eq!(fault.class, FaultClass::Connect);
}

#[test]
fn what_is_in_this_dialect_goes_out_as_it_came() {
    let mut endpoint = endpoint("m");
    endpoint.headers.insert("x-team".to_owned(), "blue".to_owned());
    let outgoing = passed(&endpoint, Operation::Messages);
    assert_eq!(outgoing.body, Bytes::from_static(b"{\"x\":1}"));
    assert_eq!((outgoing.method.as_str(), &outgoing.headers["x-team"]), ("POST", &HeaderValue::from_static("blue")));
    assert_eq!(outgoing.headers["content-type"], "application/json");
    assert_eq!(Anthropic.dialect(), Dialect::Anthropic);
    for other in [
        Operation::Chat,
        Operation::Responses,
        Operation::Completions,
        Operation::Embeddings,
        Operation::Rerank,
        Operation::Moderations,
    ] {
        assert!(Anthropic.pass(&endpoint, other, Bytes::new(), false).is_none(), "{other:?}");
    }
    endpoint.headers.insert("bad header".to_owned(), "x".to_owned());
    assert!(Anthropic.pass(&endpoint, Operation::Messages, Bytes::new(), false).unwrap().is_err());
}

fn authorized(endpoint: &Endpoint, given: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut outgoing = passed(endpoint, Operation::Messages);
    for &(name, value) in given {
        outgoing.headers.append(name, HeaderValue::from_static(value));
    }
    Anthropic.authorize(endpoint, &mut outgoing, Timestamp::from_micros(0)).unwrap();
    outgoing.headers
}

fn with_key(key: &str) -> Endpoint {
    Endpoint { credential: Some(SecretString::from(key.to_owned())), ..endpoint("m") }
}

#[test]
fn a_key_stands_where_its_kind_is_looked_for() {
    let headers = authorized(&with_key("sk-ant-api03-x\n"), &[]);
    assert_eq!((&headers["x-api-key"], headers.get("authorization")), (&HeaderValue::from_static("sk-ant-api03-x"), None));
    assert!(headers["x-api-key"].is_sensitive());
    assert_eq!(headers["anthropic-version"], "2023-06-01");
    assert_eq!(headers.get("anthropic-beta"), None);

    let headers = authorized(&with_key("sk-ant-oat01-x"), &[("anthropic-beta", "context-1m-2025-08-07")]);
    assert_eq!((&headers["authorization"], headers.get("x-api-key")), (&HeaderValue::from_static("Bearer sk-ant-oat01-x"), None));
    assert!(headers["authorization"].is_sensitive());
    let betas: Vec<&str> = headers.get_all("anthropic-beta").iter().map(|beta| beta.to_str().unwrap()).collect();
    assert_eq!(betas, ["context-1m-2025-08-07", "oauth-2025-04-20"]);
    let headers = authorized(&with_key("sk-ant-oat01-x"), &[("anthropic-beta", "a,oauth-2025-04-20")]);
    assert_eq!(headers.get_all("anthropic-beta").iter().count(), 1);

    let mut proxied = with_key("any");
    proxied.headers.insert("Authorization".to_owned(), "Bearer".to_owned());
    let headers = authorized(&proxied, &[]);
    assert_eq!((&headers["authorization"], headers.get("x-api-key")), (&HeaderValue::from_static("Bearer any"), None));

    let open = authorized(&endpoint("m"), &[]);
    assert!(open.get("x-api-key").is_none() && open.get("authorization").is_none());
}

#[test]
fn the_clients_version_comes_before_the_providers_and_that_before_ours() {
    let dated = Endpoint { api_version: Some("2024-01-01".to_owned()), ..endpoint("m") };
    assert_eq!(authorized(&dated, &[])["anthropic-version"], "2024-01-01");
    assert_eq!(authorized(&dated, &[("anthropic-version", "2023-01-01")])["anthropic-version"], "2023-01-01");
    let broken = Endpoint { api_version: Some("\n".to_owned()), ..endpoint("m") };
    let mut outgoing = passed(&broken, Operation::Messages);
    assert!(Anthropic.authorize(&broken, &mut outgoing, Timestamp::from_micros(0)).is_err());
    let mut outgoing = passed(&broken, Operation::Messages);
    let fault = Anthropic.authorize(&with_key("a\u{1}b"), &mut outgoing, Timestamp::from_micros(0)).unwrap_err();
    assert_eq!(fault.class, FaultClass::Auth);
    assert!(!format!("{fault:?} {fault}").contains("a\u{1}b"));
}

fn refused(status: u16, headers: &HeaderMap, body: &str) -> UpstreamFault {
    Anthropic.refusal(&with_key("sk-ant-api03-secret"), StatusCode::from_u16(status).unwrap(), headers, body.as_bytes())
}

fn error(kind: &str, message: &str) -> String {
    serde_json::json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).to_string()
}

#[test]
fn a_refusal_is_sorted_by_what_one_can_do_about_it() {
    const CONTEXT: &str = include_str!("../../../fixtures/anthropic/error_context.json");
    const CREDIT: &str = include_str!("../../../fixtures/anthropic/error_credit.json");
    const RATE: &str = include_str!("../../../fixtures/anthropic/error_rate.json");
    let over = error("invalid_request_error", "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000");
    for (status, body, class) in [
        (400, CONTEXT.to_owned(), FaultClass::ContextWindow),
        (400, CREDIT.to_owned(), FaultClass::Quota),
        (429, RATE.to_owned(), FaultClass::RateLimited),
        (400, over, FaultClass::ContextWindow),
        (400, error("invalid_request_error", "max_tokens: Field required"), FaultClass::Invalid),
        (400, error("invalid_request_error", "Output blocked by content filtering policy"), FaultClass::ContentFilter),
        (401, error("authentication_error", "invalid x-api-key"), FaultClass::Auth),
        (403, error("permission_error", "no"), FaultClass::Auth),
        (402, error("billing_error", "no"), FaultClass::Quota),
        (404, error("not_found_error", "model: claude-9"), FaultClass::NotFound),
        (413, error("request_too_large", "too big"), FaultClass::TooLarge),
        (500, error("api_error", "Internal server error"), FaultClass::Server),
        (429, error("api_error", "Slow down"), FaultClass::RateLimited),
        (401, error("api_error", "no"), FaultClass::Auth),
        (400, error("api_error", "prompt is too long"), FaultClass::ContextWindow),
        (503, error("api_error", "no"), FaultClass::Overloaded),
        (504, error("timeout_error", "slow"), FaultClass::Timeout),
        (529, error("overloaded_error", "Overloaded"), FaultClass::Overloaded),
        (400, error("some_day_error", "prompt is too long"), FaultClass::ContextWindow),
        (401, "".to_owned(), FaultClass::Auth),
        (404, "<html>".to_owned(), FaultClass::NotFound),
        (418, "{}".to_owned(), FaultClass::Invalid),
        (502, "<html>bad gateway</html>".to_owned(), FaultClass::Server),
        (503, "null".to_owned(), FaultClass::Overloaded),
        (504, "[]".to_owned(), FaultClass::Timeout),
        (302, "".to_owned(), FaultClass::Server),
    ] {
        let fault = refused(status, &HeaderMap::new(), &body);
        assert_eq!((fault.class, fault.status), (class, Some(status)), "{status} {body}");
        assert_eq!(fault.body.as_deref(), Some(body.as_bytes()));
        assert!(!fault.message.is_empty());
    }
    assert_eq!(refused(529, &HeaderMap::new(), &error("overloaded_error", "x")).said.as_deref(), Some("overloaded_error"));
    assert!(refused(502, &HeaderMap::new(), "<html>").message.contains("502"));
}

#[test]
fn when_to_come_back_is_read() {
    for (header, wait) in [
        ("7", Some(Duration::from_secs(7))),
        (" 0.5 ", Some(Duration::from_millis(500))),
        ("1e300", Some(Duration::from_secs(24 * 3600))),
        ("-1", None),
        ("NaN", None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
    ] {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(header))]);
        assert_eq!(refused(429, &headers, "").retry_after, wait, "{header}");
    }
}

#[test]
fn a_key_that_is_quoted_goes_no_further() {
    let fault = refused(401, &HeaderMap::new(), &error("authentication_error", "no such key: sk-ant-api03-secret"));
    assert_eq!((fault.message.as_str(), &fault.body), ("no such key: [credential]", &None));
    assert!(!format!("{fault:?}").contains("secret"));
}
