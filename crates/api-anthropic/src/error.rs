//! Problems in Anthropic's shape. The one place of this surface that translates them.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use mainspring_gateway::GatewayFault;
use mainspring_kernel::{Fault, FaultKind};
use mainspring_web_kit::{Problem, Refusal};
use serde_json::{Value, json};

/// Clients wait for it to be over before they ask again; HTTP has no word for it.
const OVERLOADED: u16 = 529;

/// Claude Code shortens its conversation when it reads these words.
const TOO_LONG: &str = "prompt is too long";

#[derive(Debug)]
pub(crate) struct AnthropicError {
    refusal: Refusal,
    request: Option<String>,
}

pub(crate) type Answer<T> = Result<T, AnthropicError>;

impl From<Problem> for AnthropicError {
    fn from(problem: Problem) -> Self {
        Self { refusal: problem.into(), request: None }
    }
}

impl AsMut<Refusal> for AnthropicError {
    fn as_mut(&mut self) -> &mut Refusal {
        &mut self.refusal
    }
}

impl From<GatewayFault> for AnthropicError {
    fn from(fault: GatewayFault) -> Self {
        let mut error = Self::of(&fault);
        error.refusal.headers.extend(fault.headers().cloned().unwrap_or_default());
        if let GatewayFault::Upstream(fault) = &fault {
            error.refusal.said = fault.words(is_ours).map(Box::new);
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

    pub(crate) fn on(mut self, request: Option<String>) -> Self {
        self.request = request;
        self
    }

    pub(crate) const fn code(&self) -> &'static str {
        self.refusal.problem.code
    }

    /// As an answer, or as the last event of a stream whose status line has gone out.
    pub(crate) fn body(&self) -> Value {
        self.refusal.words().unwrap_or_else(|| shape(&self.refusal.problem, self.request.as_deref()))
    }

    fn status(&self) -> StatusCode {
        if kind(&self.refusal.problem) == "overloaded_error" {
            StatusCode::from_u16(OVERLOADED).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
        } else {
            self.refusal.problem.status
        }
    }
}

/// Whether an error is in this dialect.
fn is_ours(error: &Value) -> bool {
    error["type"] == "error" && error["error"]["type"].is_string() && error["error"]["message"].is_string()
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
    let mut message = problem.message();
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
        let (status, body) = (self.status(), self.body());
        self.refusal.answer(status, &body)
    }
}
