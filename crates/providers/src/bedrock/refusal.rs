//! What AWS's exceptions mean, before an answer and within one.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use crate::{
    fault::{FaultClass, UpstreamFault},
    seam::Endpoint,
};

const ERROR_TYPE: &str = "x-amzn-errortype";

/// How models of several makers say that the prompt does not fit.
const TOO_LONG: [&str; 8] = [
    "input is too long",
    "prompt is too long",
    "input tokens exceeded",
    "exceed context limit",
    "exceeds the maximum number of tokens",
    "exceeds the maximum length",
    "maximum context length",
    "too many input tokens",
];

pub(super) fn read(endpoint: &Endpoint, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> UpstreamFault {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let name = header(ERROR_TYPE).or_else(|| text("__type")).or_else(|| text("code")).map(plain);
    // Some of AWS's servers write it large.
    let message = text("message").or_else(|| text("Message")).unwrap_or_default();
    let mut fault = of(endpoint, status.as_u16(), name.unwrap_or_default(), message);
    let after = header(header::RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok());
    fault.retry_after = after.map(Duration::from_secs);
    fault
}

/// An exception that came when the answer had begun; its name begins with a small letter there.
pub(super) fn within_stream(endpoint: &Endpoint, name: &str, payload: &[u8]) -> UpstreamFault {
    let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
    let message = payload.get("message").and_then(Value::as_str).unwrap_or_default();
    of(endpoint, status_of(name), name, message)
}

/// An error of the stream itself.
pub(super) fn unmodelled(endpoint: &Endpoint, code: &str, message: &str) -> UpstreamFault {
    of(endpoint, status_of(code), code, message)
}

/// `com.amazon.coral.service#ThrottlingException`, `ValidationException:http://internal.amazon.com/…`.
fn plain(name: &str) -> &str {
    let name = name.split(':').next().unwrap_or(name);
    name.rsplit('#').next().unwrap_or(name)
}

/// The status AWS documents for an exception.
fn status_of(name: &str) -> u16 {
    match name.to_ascii_lowercase().trim_end_matches("exception") {
        "throttling" | "modelnotready" => 429,
        "validation" => 400,
        "accessdenied" => 403,
        "resourcenotfound" => 404,
        "modeltimeout" => 408,
        "modelstreamerror" | "modelerror" => 424,
        "serviceunavailable" => 503,
        _ => 500,
    }
}

fn of(endpoint: &Endpoint, status: u16, name: &str, message: &str) -> UpstreamFault {
    let class = class(status, name, message);
    let message = if message.is_empty() { format!("it answers {status}") } else { endpoint.unquoted(message) };
    let mut fault = UpstreamFault::new(endpoint, class, message);
    fault.status = Some(status);
    fault.said = (!name.is_empty() && !endpoint.is_quoted(name.as_bytes())).then(|| name.to_owned());
    fault
}

fn class(status: u16, name: &str, message: &str) -> FaultClass {
    let message = message.to_ascii_lowercase();
    let mentions = |words: &str| message.contains(words);
    match name.to_ascii_lowercase().trim_end_matches("exception") {
        "throttling" | "toomanyrequests" if mentions("per day") => FaultClass::Quota,
        "throttling" | "toomanyrequests" => FaultClass::RateLimited,
        "servicequotaexceeded" => FaultClass::Quota,
        "serviceunavailable" | "modelnotready" => FaultClass::Overloaded,
        "modeltimeout" => FaultClass::Timeout,
        "modelerror" | "modelstreamerror" | "internalserver" | "internalfailure" => FaultClass::Server,
        "accessdenied"
        | "unrecognizedclient"
        | "invalidsignature"
        | "incompletesignature"
        | "signaturedoesnotmatch"
        | "expiredtoken"
        | "missingauthenticationtoken"
        | "invalidclienttokenid" => FaultClass::Auth,
        "resourcenotfound" => FaultClass::NotFound,
        "requestentitytoolarge" => FaultClass::TooLarge,
        "validation" => validation(&message),
        _ => by_status(status, &message),
    }
}

/// AWS says nearly everything about a request with one name.
fn validation(message: &str) -> FaultClass {
    let mentions = |words: &str| message.contains(words);
    if TOO_LONG.iter().any(|words| mentions(words)) {
        FaultClass::ContextWindow
    } else if mentions("content filter") {
        FaultClass::ContentFilter
    } else if mentions("model identifier is invalid") || mentions("on-demand throughput isn") {
        FaultClass::NotFound
    } else {
        FaultClass::Invalid
    }
}

fn by_status(status: u16, message: &str) -> FaultClass {
    match status {
        400 => validation(message),
        401 | 403 => FaultClass::Auth,
        402 => FaultClass::Quota,
        404 => FaultClass::NotFound,
        408 | 504 => FaultClass::Timeout,
        413 => FaultClass::TooLarge,
        429 => FaultClass::RateLimited,
        503 | 529 => FaultClass::Overloaded,
        424 | 500.. => FaultClass::Server,
        _ => FaultClass::Invalid,
    }
}
