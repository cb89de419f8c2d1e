//! Problems in Anthropic's shape. The one place of this surface that translates them.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use mainspring_gateway::GatewayFault;
use mainspring_kernel::{Fault, FaultKind};
use mainspring_llm::{Told, TraceId};
use mainspring_providers::{FaultClass, UpstreamFault};
use mainspring_web_kit::{Problem, told_headers};
use serde_json::{Value, json};

use crate::answer::TRACE;

/// Clients wait for it to be over before they ask again; HTTP has no word for it.
const OVERLOADED: u16 = 529;

/// Claude Code shortens its conversation when it reads these words.
const TOO_LONG: &str = "prompt is too long";

#[derive(Debug)]
pub(crate) struct AnthropicError {
    problem: Problem,
    /// Beside `Retry-After`. Apart, so that results that carry no error stay small.
    headers: Box<HeaderMap>,
    /// What a provider of this dialect said, for clients that know what to make of it.
    said: Option<Box<(StatusCode, Bytes)>>,
    request: Option<String>,
}

pub(crate) type Answer<T> = Result<T, AnthropicError>;

impl From<Problem> for AnthropicError {
    fn from(mut problem: Problem) -> Self {
        // Clients of this API ask again at any status from 500 on, and would hear the same again.
        if problem.code == "model-unsupported" {
            problem.status = StatusCode::BAD_REQUEST;
        }
        Self { problem, headers: Box::default(), said: None, request: None }
    }
}

impl From<GatewayFault> for AnthropicError {
    fn from(fault: GatewayFault) -> Self {
        let mut error = Self::of(&fault);
        error.headers.extend(fault.headers().cloned().unwrap_or_default());
        if let GatewayFault::Upstream(fault) = &fault {
            error.said = said(fault).map(Box::new);
        }
        error
    }
}

impl AnthropicError {
    pub(crate) fn of(fault: &dyn Fault) -> Self {
        Self::from(Problem::of(fault))
    }

    pub(crate) fn invalid(parameter: &str, detail: impl Into<String>) -> Self {
        let detail = format!("{parameter}: {}", detail.into());
        Self::from(Problem::new(FaultKind::Invalid, "anthropic-invalid-parameter", detail))
    }

    pub(crate) fn unsupported(parameter: &str) -> Self {
        let detail = format!("{parameter}: this cannot be honoured here and is refused rather than ignored");
        Self::from(Problem::new(FaultKind::Invalid, "anthropic-unsupported-parameter", detail))
    }

    /// The same refusal in other words.
    pub(crate) fn saying(mut self, detail: &str) -> Self {
        self.problem.detail = detail.to_owned();
        self
    }

    /// With what is told of the call that was refused.
    pub(crate) fn telling(mut self, told: &Told) -> Self {
        self.headers.extend(told_headers(told));
        self
    }

    /// As the end of a stream.
    pub(crate) fn ending(self, told: &Told) -> Self {
        told.ending().breaks(self.problem.code);
        self
    }

    /// With the trace that tells the rest.
    pub(crate) fn in_trace(mut self, trace: TraceId) -> Self {
        if let Ok(value) = HeaderValue::from_str(&trace.to_string()) {
            self.headers.insert(TRACE, value);
        }
        self
    }

    pub(crate) fn on(mut self, request: Option<String>) -> Self {
        self.request = request;
        self
    }

    pub(crate) const fn code(&self) -> &'static str {
        self.problem.code
    }

    /// As an answer, or as the last event of a stream whose status line has gone out.
    pub(crate) fn body(&self) -> Value {
        if let Some(said) = &self.said
            && let Ok(body) = serde_json::from_slice(&said.1)
        {
            return body;
        }
        shape(&self.problem, self.request.as_deref())
    }

    fn status(&self) -> StatusCode {
        let ours = if kind(&self.problem) == "overloaded_error" {
            StatusCode::from_u16(OVERLOADED).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
        } else {
            self.problem.status
        };
        self.said.as_ref().map_or(ours, |said| said.0)
    }
}

/// A provider's own words, where they are in this dialect and about the client's request. That the provider does not take
/// our key, or that our account there is empty, is nothing a client could mend.
fn said(fault: &UpstreamFault) -> Option<(StatusCode, Bytes)> {
    if matches!(fault.class, FaultClass::Auth | FaultClass::Quota) {
        return None;
    }
    let (status, body) = (StatusCode::from_u16(fault.status?).ok()?, fault.body.clone()?);
    let read: Value = serde_json::from_slice(&body).ok()?;
    let shaped = read["type"] == "error" && read["error"]["type"].is_string() && read["error"]["message"].is_string();
    (shaped && !status.is_success()).then_some((status, body))
}

/// Anthropic's word for a problem.
fn kind(problem: &Problem) -> &'static str {
    match (problem.code, problem.status.as_u16()) {
        ("upstream-overloaded" | "gateway-no-target", _) => "overloaded_error",
        (_, 401) => "authentication_error",
        (_, 402) => "billing_error",
        (_, 403) => "permission_error",
        (_, 404) => "not_found_error",
        (_, 413) => "request_too_large",
        (_, 429) => "rate_limit_error",
        (_, 504) => "timeout_error",
        (_, 500..) => "api_error",
        _ => "invalid_request_error",
    }
}

fn shape(problem: &Problem, request: Option<&str>) -> Value {
    let mut message = match &problem.hint {
        Some(hint) => format!("{} ({hint})", problem.detail),
        None => problem.detail.clone(),
    };
    if problem.code == "context-length-exceeded" && !message.contains(TOO_LONG) {
        message = format!("{TOO_LONG}: {message}");
    }
    json!({
        "type": "error",
        "error": {"type": kind(problem), "message": message, "code": problem.code},
        "request_id": request,
    })
}

/// Errors that no handler of this surface made, such as a bad key or a body over the limit, in its shape.
#[must_use]
pub fn dialect(path: &str, problem: &Problem) -> Option<Value> {
    let ours = path == "/v1/messages" || path.starts_with("/v1/messages/");
    ours.then(|| shape(problem, None))
}

impl IntoResponse for AnthropicError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.body().to_string()).into_response();
        let headers = response.headers_mut();
        headers.extend(*self.headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(wait) = self.problem.retry_after_header() {
            headers.insert(header::RETRY_AFTER, wait);
        }
        response.extensions_mut().insert(self.problem);
        response
    }
}
