//! What an answer that is none means.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use serde_json::Value;

use crate::{
    fault::{FaultClass, UpstreamFault},
    seam::Endpoint,
};

/// Nobody is told to come back later than this.
const LONGEST_WAIT: f64 = 24.0 * 3600.0;

/// An answer with a status that says no, or that is an error whatever its status says.
pub(super) fn refusal(endpoint: &Endpoint, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> UpstreamFault {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut fault = fault(endpoint, (!status.is_success()).then_some(status), &said);
    fault.status = Some(status.as_u16());
    fault.retry_after = retry_after(headers);
    fault.body = (!endpoint.is_quoted(body)).then(|| Bytes::copy_from_slice(body));
    fault
}

/// An error in a stream, or in an answer whose status says yes.
pub(super) fn said(endpoint: &Endpoint, said: &Value) -> UpstreamFault {
    fault(endpoint, None, said)
}

fn fault(endpoint: &Endpoint, status: Option<StatusCode>, said: &Value) -> UpstreamFault {
    let error = &said["error"];
    let kind = error["type"].as_str().unwrap_or_default();
    let message = error["message"].as_str().unwrap_or_default();
    let class = class(kind, message, status);
    let shown = match (message, status) {
        ("", Some(status)) => format!("it answered {status}"),
        ("", None) => "it broke off with an error".to_owned(),
        (message, _) => endpoint.unquoted(message),
    };
    let mut fault = UpstreamFault::new(endpoint, class, shown);
    fault.said = (!kind.is_empty() && !endpoint.is_quoted(kind.as_bytes())).then(|| kind.to_owned());
    fault
}

/// The error's type decides; the status where that says nothing, or there is none, as when a proxy answered.
fn class(kind: &str, message: &str, status: Option<StatusCode>) -> FaultClass {
    match kind {
        "authentication_error" | "permission_error" => FaultClass::Auth,
        "billing_error" => FaultClass::Quota,
        "not_found_error" => FaultClass::NotFound,
        "rate_limit_error" => FaultClass::RateLimited,
        "overloaded_error" => FaultClass::Overloaded,
        "request_too_large" => FaultClass::TooLarge,
        "timeout_error" => FaultClass::Timeout,
        "invalid_request_error" => invalid(message),
        // `api_error` too: servers of others give it to errors of every kind.
        _ => by_status(status, message),
    }
}

/// Several things share this type, told apart by their words alone.
fn invalid(message: &str) -> FaultClass {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if says(&["prompt is too long", "exceed context limit", "context window"]) {
        FaultClass::ContextWindow
    } else if says(&["credit balance", "billing", "usage limits"]) {
        FaultClass::Quota
    } else if says(&["content filter"]) {
        FaultClass::ContentFilter
    } else {
        FaultClass::Invalid
    }
}

fn by_status(status: Option<StatusCode>, message: &str) -> FaultClass {
    match status.map(|status| status.as_u16()) {
        None => FaultClass::Server,
        Some(400 | 422) => invalid(message),
        Some(401 | 403) => FaultClass::Auth,
        Some(402) => FaultClass::Quota,
        Some(404) => FaultClass::NotFound,
        Some(408 | 504) => FaultClass::Timeout,
        Some(413) => FaultClass::TooLarge,
        Some(429) => FaultClass::RateLimited,
        Some(503 | 529) => FaultClass::Overloaded,
        Some(405..=499) => FaultClass::Invalid,
        Some(_) => FaultClass::Server,
    }
}

/// In seconds, as Anthropic sends it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(LONGEST_WAIT)))
}
