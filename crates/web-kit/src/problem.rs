//! Faults as RFC 9457 answers.

use std::{sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use mainspring_kernel::{Fault, FaultKind, fault::chain};
use serde::{Deserialize, Serialize};

pub type Answer<T> = Result<T, Problem>;

/// An error on its way out. `cause` is for the log; it travels in the response's extensions.
#[derive(Debug, Clone)]
pub struct Problem {
    pub status: StatusCode,
    pub code: &'static str,
    pub detail: String,
    pub hint: Option<String>,
    pub retry_after: Option<Duration>,
    pub cause: Option<Arc<str>>,
}

/// The body of an error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProblemBody {
    /// A page that explains the code; this server has it.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// Stable; branch on this.
    pub code: String,
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(default)]
    pub request_id: String,
}

const fn status(kind: FaultKind) -> StatusCode {
    match kind {
        FaultKind::Invalid => StatusCode::BAD_REQUEST,
        FaultKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        FaultKind::Forbidden => StatusCode::FORBIDDEN,
        FaultKind::NotFound => StatusCode::NOT_FOUND,
        FaultKind::Conflict => StatusCode::CONFLICT,
        FaultKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        FaultKind::Saturated => StatusCode::TOO_MANY_REQUESTS,
        FaultKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        FaultKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        FaultKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        FaultKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl<F: Fault> From<F> for Problem {
    fn from(fault: F) -> Self {
        Self::of(&fault)
    }
}

impl Problem {
    #[must_use]
    pub fn of(fault: &dyn Fault) -> Self {
        let kind = fault.kind();
        let chain = chain_of(fault);
        let detail = if kind.is_ours() {
            "internal error; the log has the details under this request id".to_owned()
        } else {
            fault.to_string()
        };
        Self {
            status: status(kind),
            code: fault.code(),
            detail,
            hint: fault.hint(),
            retry_after: fault.retry_after().or_else(|| kind.is_transient().then_some(Duration::from_secs(1))),
            cause: Some(chain.into()),
        }
    }

    /// A refusal that no room makes: a route that is not there, a body that does not parse.
    #[must_use]
    pub fn new(kind: FaultKind, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status: status(kind), code, detail: detail.into(), hint: None, retry_after: None, cause: None }
    }

    /// A refusal that no handler of ours made: a body over the limit, a method that a route does not take.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let problem = match status {
            StatusCode::UNAUTHORIZED => Self::new(FaultKind::Unauthenticated, "key-required", "this needs an API key"),
            StatusCode::NOT_FOUND => Self::new(FaultKind::NotFound, "route-not-found", "nothing answers here"),
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::new(FaultKind::Invalid, "method-not-allowed", "this address does not take that method")
                    .with_hint("the header `allow` lists those it takes")
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => {
                Self::new(FaultKind::Timeout, "request-timeout", "no answer came in time")
            }
            StatusCode::PAYLOAD_TOO_LARGE => Self::body_too_large(),
            status if status.is_server_error() => Self::internal(),
            _ => Self::new(FaultKind::Invalid, "request-invalid", "the request cannot be read"),
        };
        problem.with_status(status)
    }

    /// A body over the limit, whoever notices.
    #[must_use]
    pub fn body_too_large() -> Self {
        Self::new(FaultKind::TooLarge, "body-too-large", "the request body is larger than `server.body_limit`")
    }

    /// Our mistake, without a word of what it was.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(FaultKind::Internal, "internal", "internal error; the log has the details under this request id")
    }

    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The detail and the hint, for errors that have one text.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{} ({hint})", self.detail),
            None => self.detail.clone(),
        }
    }

    #[must_use]
    pub fn body(&self, request_id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("/errors/{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail.clone(),
            hint: self.hint.clone(),
            request_id: request_id.to_owned(),
        }
    }

    /// `Retry-After` in whole seconds, rounded up: a client that obeys it is not early.
    #[must_use]
    pub fn retry_after_header(&self) -> Option<HeaderValue> {
        self.retry_after.map(|wait| HeaderValue::from((wait.as_millis().div_ceil(1000)).max(1).min(u128::from(u32::MAX)) as u32))
    }
}

fn chain_of(fault: &dyn Fault) -> String {
    let mut text = fault.to_string();
    if let Some(source) = fault.source() {
        text.push_str(": ");
        text.push_str(&chain(source));
    }
    text
}

impl IntoResponse for Problem {
    /// The request id is filled in by the request layer, which alone knows it.
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body("")).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.retry_after_header() {
            headers.insert(header::RETRY_AFTER, wait);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}
