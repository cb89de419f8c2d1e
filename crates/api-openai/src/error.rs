//! Problems in OpenAI's shape. The one place of this surface that translates them.

use std::borrow::Cow;

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use mainspring_chains::ChainFault;
use mainspring_gateway::GatewayFault;
use mainspring_kernel::{Fault, FaultKind};
use mainspring_llm::{ModelFault, Told, TraceId};
use mainspring_providers::{FaultClass, UpstreamFault, peek::PeekFault};
use mainspring_web_kit::{Caller, Problem, told_headers};
use serde_json::{Value, json};

use crate::chat::TRACE;

#[derive(Debug)]
pub(crate) struct OpenAiError {
    problem: Problem,
    param: Option<Cow<'static, str>>,
    /// Beside `Retry-After`. Apart, so that results that carry no error stay small.
    headers: Box<HeaderMap>,
    /// What a provider of this dialect said, for clients that know what to make of it.
    said: Option<Box<(StatusCode, Bytes)>>,
    reader: Reader,
}

/// Whose client reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Reader {
    #[default]
    OpenAi,
    Anthropic,
    Cohere,
}

pub(crate) type Answer<T> = Result<T, OpenAiError>;

impl From<Problem> for OpenAiError {
    fn from(mut problem: Problem) -> Self {
        // Clients of this API ask again at any status from 500 on, and would hear the same again.
        if problem.code == "model-unsupported" {
            problem.status = StatusCode::BAD_REQUEST;
        }
        Self { problem, param: None, headers: Box::default(), said: None, reader: Reader::OpenAi }
    }
}

impl From<GatewayFault> for OpenAiError {
    fn from(fault: GatewayFault) -> Self {
        let mut error = match &fault {
            GatewayFault::BadRequest { parameter, reason } if !parameter.is_empty() => {
                Self::param(parameter.clone(), reason.clone())
            }
            GatewayFault::Local(fault) => Self::of_model(fault),
            fault => Self::of(fault),
        };
        error.headers.extend(fault.headers().cloned().unwrap_or_default());
        if let GatewayFault::Upstream(fault) = &fault {
            error.said = said(fault).map(Box::new);
        }
        error
    }
}

impl OpenAiError {
    pub(crate) fn of(fault: &dyn Fault) -> Self {
        Self::from(Problem::of(fault))
    }

    /// What kept an app, a prompt or a model of this process from answering.
    pub(crate) fn of_answer(fault: &ChainFault) -> Self {
        match fault {
            ChainFault::Model(fault) => Self::of_model(fault),
            fault => Self::of(fault),
        }
    }

    fn of_model(fault: &ModelFault) -> Self {
        match fault {
            ModelFault::InvalidParameter { parameter, reason } => Self::param(*parameter, reason.clone()),
            ModelFault::UnkeptSchema { .. } => Self::of_parameter(fault, "response_format"),
            fault => Self::of(fault),
        }
    }

    pub(crate) fn param(param: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::about(param.into(), Problem::new(FaultKind::Invalid, "openai-invalid-parameter", detail))
    }

    pub(crate) fn unsupported(param: impl Into<Cow<'static, str>>) -> Self {
        let param = param.into();
        let detail = format!("`{param}` cannot be honoured here and is refused rather than ignored");
        Self::about(param, Problem::new(FaultKind::Invalid, "openai-unsupported-parameter", detail))
    }

    fn about(param: Cow<'static, str>, problem: Problem) -> Self {
        Self { param: Some(param), ..Self::from(problem) }
    }

    /// A parameter that a room refuses.
    pub(crate) fn of_parameter(fault: &dyn Fault, param: &'static str) -> Self {
        Self::about(param.into(), Problem::of(fault))
    }

    /// A body that cannot be routed.
    pub(crate) fn unread(fault: &PeekFault) -> Self {
        Self { param: fault.field().map(|field| field.to_owned().into()), ..Self::of(fault) }
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

    pub(crate) fn for_anthropic(self) -> Self {
        Self { reader: Reader::Anthropic, ..self }
    }

    pub(crate) fn for_cohere(self) -> Self {
        Self { reader: Reader::Cohere, said: None, ..self }
    }

    /// Whether it is this parameter that is refused.
    pub(crate) fn is_of(&self, param: &str) -> bool {
        self.param.as_deref() == Some(param)
    }

    /// As an answer, or as the last event of a stream whose status line has gone out.
    pub(crate) fn body(&self) -> Value {
        if let Some(said) = &self.said
            && let Ok(body) = serde_json::from_slice(&said.1)
        {
            return body;
        }
        let kind = match self.problem.status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        match self.reader {
            Reader::OpenAi => {
                json!({"error": {"message": self.message(), "type": kind, "param": self.param, "code": self.code()}})
            }
            Reader::Anthropic => json!({"type": "error", "error": {"type": kind, "message": self.message()}}),
            Reader::Cohere => json!({"message": self.message(), "param": self.param, "code": self.code()}),
        }
    }

    /// The last event of a stream of responses.
    pub(crate) fn event(&self) -> Value {
        let error = &self.body()["error"];
        let (code, message, param) = (&error["code"], &error["message"], &error["param"]);
        json!({"type": "error", "code": code, "message": message, "param": param, "sequence_number": 0})
    }

    pub(crate) fn message(&self) -> String {
        match &self.problem.hint {
            Some(hint) => format!("{} ({hint})", self.problem.detail),
            None => self.problem.detail.clone(),
        }
    }

    /// OpenAI's own code where clients branch on it.
    pub(crate) fn code(&self) -> &'static str {
        match self.problem.code {
            "context-length-exceeded" => "context_length_exceeded",
            "chain-unknown-target" | "model-not-found" | "gateway-unknown-model" | "upstream-not-found" => "model_not_found",
            code => code,
        }
    }

    fn status(&self) -> StatusCode {
        self.said.as_ref().map_or(self.problem.status, |said| said.0)
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
    // Anthropic's errors have a type beside these two.
    let shaped = read["type"].is_null() && read["error"]["type"].is_string() && read["error"]["message"].is_string();
    (shaped && !status.is_success()).then_some((status, body))
}

/// Errors that no handler of this surface made, such as a bad key or an unknown address under `/v1`, in its shape; under
/// `/v2` in Cohere's.
#[must_use]
pub fn dialect(path: &str, problem: &Problem) -> Option<Value> {
    if path.starts_with("/v2/") {
        return Some(OpenAiError::from(problem.clone()).for_cohere().body());
    }
    let ours = path.starts_with("/v1/") && !["/v1/traces", "/v1/logs", "/v1/metrics"].contains(&path);
    ours.then(|| OpenAiError::from(problem.clone()).body())
}

impl IntoResponse for OpenAiError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.body().to_string()).into_response();
        response.headers_mut().extend(*self.headers);
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
