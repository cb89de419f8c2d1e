use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{OPENAI, PLAIN, at, fixture};
use crate::{
    fault::{FaultClass, UpstreamFault},
    seam::Adapter,
};

#[derive(Deserialize)]
struct Row {
    name: String,
    status: u16,
    headers: BTreeMap<String, String>,
    /// A text is a body that is no JSON.
    body: Value,
    class: FaultClass,
    said: Option<String>,
    wait_ms: Option<u64>,
    message: Option<String>,
}

fn rows() -> Vec<Row> {
    serde_json::from_str(fixture!("errors.json")).unwrap()
}

fn bytes(body: &Value) -> Vec<u8> {
    body.as_str().map_or_else(|| body.to_string(), str::to_owned).into_bytes()
}

fn refused(status: u16, headers: &BTreeMap<String, String>, body: &[u8]) -> UpstreamFault {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap()))
        .collect();
    PLAIN.refusal(&at(OPENAI), StatusCode::from_u16(status).unwrap(), &headers, body)
}

#[test]
fn refusals_are_sorted_by_what_one_can_do() {
    for row in rows() {
        let body = bytes(&row.body);
        let fault = refused(row.status, &row.headers, &body);
        assert_eq!(fault.class, row.class, "{}: {fault:?}", row.name);
        assert_eq!(fault.said, row.said, "{}", row.name);
        assert_eq!(fault.retry_after, row.wait_ms.map(Duration::from_millis), "{}", row.name);
        assert_eq!(fault.status, Some(row.status));
        assert!(!fault.message.is_empty(), "{}", row.name);
        if let Some(message) = row.message {
            assert_eq!(fault.message, message, "{}", row.name);
        }
        let shown = fault.body.as_deref() == Some(&body[..]);
        assert_eq!(shown, row.class != FaultClass::Auth, "{}: the answer goes on to clients, but for keys", row.name);
    }
}

#[test]
fn a_credential_that_a_server_quotes_is_not_repeated() {
    let secret = "sk-secret-123456";
    let body = json!({"error": {"message": format!("no access with {secret}"), "code": format!("bad:{secret}")}});
    for status in [400, 401, 404, 429, 500] {
        let fault = refused(status, &BTreeMap::new(), body.to_string().as_bytes());
        assert!(!format!("{fault:?}").contains(secret), "{fault:?}");
        assert_eq!(fault.body, None);
    }
    let fault = refused(400, &BTreeMap::new(), body.to_string().as_bytes());
    assert_eq!(fault.message, "no access with [credential]");
}

#[track_caller]
fn check_wait(headers: &[(&str, &str)], want: Option<u64>) {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let fault = refused(429, &headers, b"{}");
    assert_eq!(fault.retry_after, want.map(Duration::from_millis), "{headers:?}");
}

#[test]
fn waits_are_read_as_servers_write_them() {
    check_wait(&[], None);
    check_wait(&[("retry-after", "0")], Some(0));
    check_wait(&[("retry-after", "1.5")], Some(1500));
    check_wait(&[("retry-after", "-3")], Some(0));
    check_wait(&[("retry-after", "soon")], None);
    check_wait(&[("retry-after", "NaN")], None);
    check_wait(&[("retry-after", "1e300")], None);
    check_wait(&[("retry-after-ms", "250"), ("retry-after", "9")], Some(250));
    check_wait(&[("retry-after-ms", "x"), ("retry-after", "9")], Some(9000));
    let past = [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:49:30 GMT")];
    check_wait(&past, Some(0));
    check_wait(&[("x-ratelimit-reset-requests", "1m2.5s")], Some(62_500));
    check_wait(&[("x-ratelimit-reset-requests", "120ms"), ("x-ratelimit-reset-tokens", "2s")], Some(120));
    check_wait(&[("x-ratelimit-reset-tokens", "1d")], Some(86_400_000));
    check_wait(&[("x-ratelimit-reset-tokens", "5x")], None);
    check_wait(&[("x-ratelimit-reset-tokens", "")], None);
    check_wait(&[("x-ratelimit-reset", "30")], Some(30_000));
    let epoch = [("date", "Wed, 02 Jul 2025 10:00:00 GMT"), ("x-ratelimit-reset", "1751450430")];
    check_wait(&epoch, Some(30_000));
    let both = [
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "9s"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", "4s"),
    ];
    check_wait(&both, Some(9000));
    let neither = [("x-ratelimit-remaining-requests", "5"), ("x-ratelimit-reset-requests", "9s")];
    check_wait(&neither, None);
}

proptest! {
    #[test]
    fn bytes_of_any_kind_never_panic(status in 300_u16..600, wait in "\\PC{0,30}", body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut headers = HeaderMap::new();
        for name in ["retry-after", "retry-after-ms", "x-ratelimit-reset-tokens", "date"] {
            if let Ok(value) = HeaderValue::from_str(&wait) {
                headers.insert(name, value);
            }
        }
        let _ = PLAIN.refusal(&at(OPENAI), StatusCode::from_u16(status).unwrap(), &headers, &body);
    }

    #[test]
    fn cut_and_changed_refusals_never_panic(row in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let rows = rows();
        let row = row.get(&rows);
        let mut body = bytes(&row.body);
        if !body.is_empty() {
            let at = at.index(body.len());
            let _ = refused(row.status, &row.headers, &body[..at]);
            body[at] = byte;
        }
        prop_assert!(!refused(row.status, &row.headers, &body).message.is_empty());
    }
}
