//! Problems in OpenAI's shape. The one place of this surface that translates them.

use std::borrow::Cow;

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header, request::Parts};
use mainspring_kernel::{Fault, FaultKind};
use mainspring_web_kit::{Body, Caller, Problem};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

#[derive(Debug)]
pub(crate) struct OpenAiError {
    problem: Problem,
    param: Option<Cow<'static, str>>,
}

pub(crate) type Answer<T> = Result<T, OpenAiError>;

impl From<Problem> for OpenAiError {
    fn from(problem: Problem) -> Self {
        Self { problem, param: None }
    }
}

impl OpenAiError {
    pub(crate) fn of(fault: &dyn Fault) -> Self {
        Self::from(Problem::of(fault))
    }

    pub(crate) fn param(param: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { problem: Problem::new(FaultKind::Invalid, "openai-invalid-parameter", detail), param: Some(param.into()) }
    }

    pub(crate) fn unsupported(param: impl Into<Cow<'static, str>>) -> Self {
        let param = param.into();
        let detail = format!("`{param}` cannot be honoured here and is refused rather than ignored");
        Self { problem: Problem::new(FaultKind::Invalid, "openai-unsupported-parameter", detail), param: Some(param) }
    }

    /// The same refusal in other words.
    pub(crate) fn saying(mut self, detail: &str) -> Self {
        self.problem.detail = detail.to_owned();
        self
    }

    pub(crate) fn body(&self) -> Value {
        let kind = match self.problem.status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        let message = match &self.problem.hint {
            Some(hint) => format!("{} ({hint})", self.problem.detail),
            None => self.problem.detail.clone(),
        };
        // OpenAI's own code where clients branch on it.
        let code = match self.problem.code {
            "context-length-exceeded" => "context_length_exceeded",
            "chain-unknown-target" | "model-not-found" => "model_not_found",
            code => code,
        };
        json!({"error": {"message": message, "type": kind, "param": self.param, "code": code}})
    }
}

/// Errors that no handler of this surface made, such as a bad key or an unknown address under `/v1`, in its shape.
#[must_use]
pub fn dialect(path: &str, problem: &Problem) -> Option<Value> {
    let ours = path.starts_with("/v1/") && path != "/v1/traces";
    ours.then(|| OpenAiError::from(problem.clone()).body())
}

impl IntoResponse for OpenAiError {
    fn into_response(self) -> Response {
        let body = self.body().to_string();
        let mut response = (self.problem.status, body).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(wait) = self.problem.retry_after_header() {
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        response.extensions_mut().insert(self.problem);
        response
    }
}

/// The caller, with refusals in OpenAI's shape.
#[derive(Debug)]
pub(crate) struct Who(pub(crate) mainspring_kernel::Actor);

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = OpenAiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, OpenAiError> {
        Ok(Self(Caller::from_request_parts(parts, state).await?.0))
    }
}

#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = OpenAiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, OpenAiError> {
        Ok(Self(Body::from_request(request, state).await?.0))
    }
}
