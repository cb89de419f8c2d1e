//! What AWS's errors mean.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::{ACCESS_KEY, CLAUDE, SECRET_KEY, endpoint, fixture};
use crate::{
    bedrock::Bedrock,
    fault::{FaultClass, UpstreamFault},
    seam::Adapter,
};

#[derive(Deserialize)]
struct Case {
    case: String,
    status: u16,
    #[serde(rename = "type")]
    kind: Option<String>,
    body: Value,
    class: FaultClass,
    said: Option<String>,
}

fn refusal(status: u16, kind: Option<&str>, body: &[u8]) -> UpstreamFault {
    let mut headers = HeaderMap::new();
    if let Some(kind) = kind {
        headers.insert("x-amzn-errortype", HeaderValue::from_str(kind).unwrap());
    }
    Bedrock.refusal(&endpoint(CLAUDE), StatusCode::from_u16(status).unwrap(), &headers, body)
}

#[test]
fn each_error_has_its_class() {
    let cases: Vec<Case> = serde_json::from_str(&fixture("errors.json")).unwrap();
    assert!(cases.len() > 25);
    for Case { case, status, kind, body, class, said } in cases {
        // A text is what a proxy says on the way.
        let bytes = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        let fault = refusal(status, kind.as_deref(), bytes.as_bytes());
        assert_eq!(fault.class, class, "{case}");
        assert_eq!((fault.status, fault.said), (Some(status), said), "{case}");
        assert!(!fault.message.is_empty(), "{case}");
        assert!(!fault.message.contains(SECRET_KEY) && !fault.message.contains(ACCESS_KEY), "{case}: {}", fault.message);
    }
}

#[test]
fn the_header_says_when_to_come_back() {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", HeaderValue::from_static("12"));
    let fault = Bedrock.refusal(&endpoint(CLAUDE), StatusCode::TOO_MANY_REQUESTS, &headers, b"{}");
    assert_eq!(fault.retry_after, Some(Duration::from_secs(12)));
    headers.insert("retry-after", HeaderValue::from_static("soon"));
    let fault = Bedrock.refusal(&endpoint(CLAUDE), StatusCode::TOO_MANY_REQUESTS, &headers, b"{}");
    assert_eq!(fault.retry_after, None);
}

proptest! {
    #[test]
    fn no_bytes_make_a_refusal_panic(status in 300_u16..600, kind in "[ -~]{0,40}", bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = refusal(status, Some(&kind), &bytes);
    }

    #[test]
    fn no_damaged_error_panics(status in 300_u16..600, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = br#"{"__type": "com.amazon.coral.service#ValidationException", "message": "1 validation error detected"}"#.to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = refusal(status, None, &bytes);
    }
}
