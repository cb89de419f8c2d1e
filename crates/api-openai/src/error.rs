//! Problems in OpenAI's shape. The one place of this surface that translates them.

use std::borrow::Cow;

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::request::Parts;
use mainspring_chains::ChainFault;
use mainspring_gateway::GatewayFault;
use mainspring_kernel::{Fault, FaultKind};
use mainspring_llm::ModelFault;
use mainspring_providers::peek::PeekFault;
use mainspring_web_kit::{Caller, Problem, Refusal};
use serde_json::{Value, json};

#[derive(Debug)]
pub(crate) struct OpenAiError {
    refusal: Refusal,
    param: Option<Cow<'static, str>>,
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
    fn from(problem: Problem) -> Self {
        Self { refusal: problem.into(), param: None, reader: Reader::OpenAi }
    }
}

impl AsMut<Refusal> for OpenAiError {
    fn as_mut(&mut self) -> &mut Refusal {
        &mut self.refusal
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
        error.refusal.headers.extend(fault.headers().cloned().unwrap_or_default());
        if let GatewayFault::Upstream(fault) = &fault {
            error.refusal.said = fault.words(is_ours).map(Box::new);
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

    pub(crate) fn for_anthropic(self) -> Self {
        Self { reader: Reader::Anthropic, ..self }
    }

    pub(crate) fn for_cohere(self) -> Self {
        Self { reader: Reader::Cohere, refusal: Refusal { said: None, ..self.refusal }, ..self }
    }

    /// Whether it is this parameter that is refused.
    pub(crate) fn is_of(&self, param: &str) -> bool {
        self.param.as_deref() == Some(param)
    }

    /// As an answer, or as the last event of a stream whose status line has gone out.
    pub(crate) fn body(&self) -> Value {
        if let Some(words) = self.refusal.words() {
            return words;
        }
        let kind = match self.refusal.problem.status.as_u16() {
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
        self.refusal.problem.message()
    }

    /// OpenAI's own code where clients branch on it.
    pub(crate) fn code(&self) -> &'static str {
        match self.refusal.problem.code {
            "context-length-exceeded" => "context_length_exceeded",
            "chain-unknown-target" | "model-not-found" | "gateway-unknown-model" | "upstream-not-found" => "model_not_found",
            code => code,
        }
    }
}

/// Whether an error is in this dialect. Anthropic's have a type beside these two.
fn is_ours(error: &Value) -> bool {
    error["type"].is_null() && error["error"]["type"].is_string() && error["error"]["message"].is_string()
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
        let (status, body) = (self.refusal.problem.status, self.body());
        self.refusal.answer(status, &body)
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
