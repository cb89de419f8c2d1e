//! What clients are told of calls that an app, a prompt or a model of this process made for them, on every surface alike.

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use mainspring_kernel::Money;
use mainspring_llm::{Facts, Told, TraceId};
use serde_json::Value;

const COST: HeaderName = HeaderName::from_static("x-mainspring-cost");
/// Where clients are told their trace.
pub(crate) const TRACE: HeaderName = HeaderName::from_static("x-mainspring-trace-id");

/// As headers: limits, who answered, and of an answer that is complete what it cost.
#[must_use]
pub fn told_headers(told: &Told) -> HeaderMap {
    let Facts { headers, cost } = told.facts();
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            all.insert(name, value);
        }
    }
    if let Some(cost) = cost.and_then(|cost| HeaderValue::try_from(cost.to_string()).ok()) {
        all.insert(COST, cost);
    }
    all
}

/// The same on a response, which is told how it ends as well.
#[must_use]
pub fn with_told(mut response: Response, told: &Told) -> Response {
    response.headers_mut().extend(told_headers(told));
    response.extensions_mut().insert(told.ending().clone());
    response
}

/// The trace id in a header: it is there before the first byte of a stream.
#[must_use]
pub fn with_trace(mut response: Response, trace: TraceId) -> Response {
    if let Ok(value) = HeaderValue::from_str(&trace.to_string()) {
        response.headers_mut().insert(TRACE, value);
    }
    response
}

/// What is known of an answer, with what all calls for it cost, where there were some.
#[must_use]
pub fn with_cost(mut known: Value, cost: Option<Money>) -> Value {
    if let (Some(cost), Some(fields)) = (cost, known.as_object_mut()) {
        fields.insert("cost".to_owned(), cost.to_string().into());
    }
    known
}
