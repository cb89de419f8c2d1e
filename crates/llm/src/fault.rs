use std::time::Duration;

use mainspring_kernel::{Fault, FaultKind};

/// What a model behind a seam may answer instead of an answer.
#[derive(Debug, thiserror::Error)]
pub enum ModelFault {
    #[error("model `{model}` is not known")]
    UnknownModel { model: String, nearest: Option<String> },
    /// `known`: those of the wanted kind.
    #[error("`{model}` is {is} and no {wanted}")]
    OtherKind { model: String, is: &'static str, wanted: &'static str, known: Vec<String> },
    #[error("{tokens} tokens do not fit the context window of {window} of `{model}`")]
    ContextExceeded { model: String, tokens: usize, window: usize },
    #[error("`{parameter}`: {reason}")]
    InvalidParameter { parameter: &'static str, reason: String },
    #[error("`{model}` cannot do this: {what}")]
    Unsupported { model: String, what: String },
    /// Some other model may keep to it.
    #[error("`{model}` cannot keep to a schema with {what} at {at}")]
    UnkeptSchema { model: String, what: String, at: String },
    #[error("the queue of `{model}` is full")]
    Saturated { model: String, retry_after: Duration },
    #[error("`{model}` did not answer in time")]
    Timeout { model: String },
    #[error("the weights of `{model}` are not here")]
    NotInstalled { model: String },
    #[error("the weights of `{model}` are being fetched")]
    Fetching { model: String },
    #[error("the weights of `{model}` are damaged: {reason}")]
    Damaged { model: String, reason: String },
    #[error("the engine of `{model}` failed: {reason}")]
    Engine { model: String, reason: String },
    /// What is said of a model that another process answers for.
    #[error("{0}")]
    Elsewhere(Box<dyn Fault>),
}

impl Fault for ModelFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::UnknownModel { .. } => FaultKind::NotFound,
            Self::ContextExceeded { .. } | Self::InvalidParameter { .. } | Self::OtherKind { .. } => FaultKind::Invalid,
            Self::Unsupported { .. } | Self::UnkeptSchema { .. } => FaultKind::Unsupported,
            Self::Saturated { .. } => FaultKind::Saturated,
            Self::Timeout { .. } => FaultKind::Timeout,
            Self::NotInstalled { .. } | Self::Fetching { .. } | Self::Damaged { .. } => FaultKind::Unavailable,
            Self::Engine { .. } => FaultKind::Internal,
            Self::Elsewhere(fault) => fault.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::UnknownModel { .. } => "model-not-found",
            Self::OtherKind { .. } => "model-wrong-kind",
            Self::ContextExceeded { .. } => "context-length-exceeded",
            Self::InvalidParameter { .. } => "model-invalid-parameter",
            Self::Unsupported { .. } | Self::UnkeptSchema { .. } => "model-unsupported",
            Self::Saturated { .. } => "model-saturated",
            Self::Timeout { .. } => "model-timeout",
            Self::NotInstalled { .. } => "model-not-installed",
            Self::Fetching { .. } => "model-fetching",
            // As the weights themselves say it.
            Self::Damaged { .. } => "weights-damaged",
            Self::Engine { .. } => "model-engine-failed",
            Self::Elsewhere(fault) => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownModel { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            Self::UnknownModel { .. } => Some("`GET /v1/models` or `mainspring models list` shows what is there".into()),
            Self::OtherKind { known, .. } if !known.is_empty() => Some(format!("name one of {}", known.join(", "))),
            Self::OtherKind { .. } => Some("`mainspring models list` shows what each model does".into()),
            Self::ContextExceeded { .. } => {
                Some("shorten the text or the messages, lower `max_tokens`, or retrieve fewer chunks".into())
            }
            Self::Unsupported { .. } => Some(
                "leave it out, or name a route or a provider's model: models of this process read and write text, and call no tools".into(),
            ),
            Self::UnkeptSchema { .. } => {
                Some("leave it out of the schema, or name a route or a provider's model that keeps to it".into())
            }
            Self::Fetching { .. } => Some("ask again in a while; the log of the server says how far it is".into()),
            Self::NotInstalled { model } | Self::Damaged { model, .. } => Some(format!("run `mainspring models pull {model}`")),
            Self::Elsewhere(fault) => fault.hint(),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Saturated { retry_after, .. } => Some(*retry_after),
            Self::Fetching { .. } => Some(Duration::from_secs(5)),
            Self::Elsewhere(fault) => fault.retry_after(),
            _ => None,
        }
    }
}
