//! What Google's errors mean: `google.rpc.Status` as JSON.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use crate::{
    fault::{FaultClass, UpstreamFault},
    seam::Endpoint,
};

pub(super) fn read(endpoint: &Endpoint, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> UpstreamFault {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    // A refused stream says it within an array.
    let body = body.get(0).unwrap_or(&body);
    let mut fault = of(endpoint, status.as_u16(), body.get("error").unwrap_or(&Value::Null));
    let after = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|text| text.trim().parse().ok());
    fault.retry_after = fault.retry_after.or_else(|| after.map(Duration::from_secs));
    fault
}

/// An error that came when the answer had begun.
pub(super) fn within_stream(endpoint: &Endpoint, error: &Value) -> UpstreamFault {
    let code = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    of(endpoint, code.unwrap_or(500), error)
}

fn of(endpoint: &Endpoint, status: u16, error: &Value) -> UpstreamFault {
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let (said, message) = (text("status"), text("message"));
    let details: Vec<&Value> = error.get("details").and_then(Value::as_array).into_iter().flatten().collect();
    let class = class(status, said, message, &details);
    let message = if message.is_empty() { format!("it answers {status}") } else { endpoint.unquoted(message) };
    let mut fault = UpstreamFault::new(endpoint, class, message);
    fault.status = Some(status);
    fault.said = (!said.is_empty() && !endpoint.is_quoted(said.as_bytes())).then(|| said.to_owned());
    fault.retry_after = details.iter().find_map(|detail| retry_delay(detail));
    fault
}

fn class(status: u16, said: &str, message: &str, details: &[&Value]) -> FaultClass {
    let mentions = |words: &str| message.to_ascii_lowercase().contains(words);
    let reason = |wanted: &str| details.iter().any(|detail| detail.get("reason").and_then(Value::as_str) == Some(wanted));
    if reason("API_KEY_INVALID") || mentions("api key not valid") || mentions("api key expired") {
        return FaultClass::Auth;
    }
    if mentions("payload size exceeds") {
        return FaultClass::TooLarge;
    }
    if mentions("token count") && mentions("exceeds the maximum") {
        return FaultClass::ContextWindow;
    }
    match said {
        "RESOURCE_EXHAUSTED" if exhausted(message, details) => FaultClass::Quota,
        "RESOURCE_EXHAUSTED" => FaultClass::RateLimited,
        "FAILED_PRECONDITION" if mentions("billing") => FaultClass::Quota,
        "FAILED_PRECONDITION" if mentions("location is not supported") => FaultClass::Auth,
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" | "ALREADY_EXISTS" | "UNIMPLEMENTED" => FaultClass::Invalid,
        "UNAUTHENTICATED" | "PERMISSION_DENIED" => FaultClass::Auth,
        "NOT_FOUND" => FaultClass::NotFound,
        "UNAVAILABLE" => FaultClass::Overloaded,
        "DEADLINE_EXCEEDED" => FaultClass::Timeout,
        "INTERNAL" | "UNKNOWN" | "ABORTED" | "DATA_LOSS" | "CANCELLED" => FaultClass::Server,
        _ => by_status(status),
    }
}

fn by_status(status: u16) -> FaultClass {
    match status {
        401 | 403 => FaultClass::Auth,
        402 => FaultClass::Quota,
        404 => FaultClass::NotFound,
        408 | 504 => FaultClass::Timeout,
        413 => FaultClass::TooLarge,
        429 => FaultClass::RateLimited,
        503 | 529 => FaultClass::Overloaded,
        500.. => FaultClass::Server,
        _ => FaultClass::Invalid,
    }
}

/// Waiting a minute does not help: the day's share is used up, or the key never had one.
fn exhausted(message: &str, details: &[&Value]) -> bool {
    let violations = details.iter().filter_map(|detail| detail.get("violations")).filter_map(Value::as_array).flatten();
    let daily = violations.filter_map(|violation| violation.get("quotaId")?.as_str()).any(|quota| quota.contains("PerDay"));
    daily || message.contains("limit: 0,") || message.contains("credits are depleted")
}

/// `google.rpc.RetryInfo`: `38s`, `47.434392449s`.
fn retry_delay(detail: &Value) -> Option<Duration> {
    let seconds: f64 = detail.get("retryDelay")?.as_str()?.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
