//! What Google's errors mean.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::{KEY, damaged, fixture, flash};
use crate::{
    fault::{FaultClass, UpstreamFault},
    gemini::Gemini,
    seam::Adapter,
};

#[derive(Deserialize)]
struct Case {
    case: String,
    status: u16,
    body: Value,
    class: FaultClass,
    retry_after_ms: Option<u64>,
    said: Option<String>,
}

fn refusal(status: u16, headers: &HeaderMap, body: &[u8]) -> UpstreamFault {
    Gemini.refusal(&flash(), StatusCode::from_u16(status).unwrap(), headers, body)
}

#[test]
fn each_error_has_its_class() {
    let cases: Vec<Case> = serde_json::from_str(&fixture("errors.json")).unwrap();
    assert!(cases.len() > 15);
    for Case { case, status, body, class, retry_after_ms, said } in cases {
        // A text is what a proxy says on the way.
        let bytes = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        let fault = refusal(status, &HeaderMap::new(), bytes.as_bytes());
        assert_eq!(fault.class, class, "{case}");
        assert_eq!((fault.status, fault.said), (Some(status), said), "{case}");
        let waits = fault.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap());
        assert_eq!(waits, retry_after_ms, "{case}");
        assert!(!fault.message.is_empty() && !fault.message.contains(KEY), "{case}: {}", fault.message);
        assert!(fault.body.is_none(), "{case}");
    }
}

#[test]
fn the_header_says_when_where_the_body_does_not() {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", HeaderValue::from_static("12"));
    assert_eq!(refusal(429, &headers, b"{}").retry_after, Some(Duration::from_secs(12)));
    let body = br#"{"error": {"status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "3.5s"}]}}"#;
    assert_eq!(refusal(429, &headers, body).retry_after, Some(Duration::from_millis(3500)));
    for odd in ["-1s", "soon", "1e400s", "NaNs", "s", "5"] {
        let body = format!(r#"{{"error": {{"status": "RESOURCE_EXHAUSTED", "details": [{{"retryDelay": "{odd}"}}]}}}}"#);
        assert_eq!(refusal(429, &HeaderMap::new(), body.as_bytes()).retry_after, None, "{odd}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_refusal_panic(status in 300_u16..600, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = refusal(status, &HeaderMap::new(), &bytes);
    }

    #[test]
    fn no_damaged_error_panics(status in 300_u16..600, bytes in damaged(&["errors.json", "text.json"])) {
        let _ = refusal(status, &HeaderMap::new(), &bytes);
    }
}
