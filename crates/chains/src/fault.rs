use std::time::Duration;

use mainspring_kernel::{Fault, FaultKind};
use mainspring_llm::ModelFault;
use mainspring_prompts::PromptFault;
use mainspring_registry::RegistryFault;

#[derive(Debug, thiserror::Error)]
pub enum ChainFault {
    #[error("there is no app, prompt or model called `{name}`")]
    UnknownTarget { name: String, nearest: Option<String> },
    #[error("`{name}` is of the kind `{kind}`, and this process serves models only")]
    ModelsOnly { kind: &'static str, name: String },
    #[error("`{app}` answers with quotes and writes nothing, so it has no `{parameter}`")]
    QuotesOnly { app: String, parameter: &'static str },
    #[error("the request has no user message to answer")]
    NoQuestion,
    #[error("the prompt of {tokens} tokens does not leave room for an answer in the {window} tokens of `{model}`")]
    PromptTooLong { model: String, tokens: usize, window: usize },
    #[error("{spec} was stored by another version of Mainspring and cannot be read: {reason}")]
    Unreadable { spec: String, reason: String },
    #[error(transparent)]
    Registry(#[from] RegistryFault),
    #[error(transparent)]
    Prompt(#[from] PromptFault),
    #[error(transparent)]
    Model(#[from] ModelFault),
    #[error("{0}")]
    Retrieve(Box<dyn Fault>),
}

impl Fault for ChainFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::UnknownTarget { .. } | Self::ModelsOnly { .. } => FaultKind::NotFound,
            Self::NoQuestion | Self::QuotesOnly { .. } | Self::PromptTooLong { .. } => FaultKind::Invalid,
            Self::Unreadable { .. } => FaultKind::Internal,
            Self::Registry(fault) => fault.kind(),
            Self::Prompt(fault) => fault.kind(),
            Self::Model(fault) => fault.kind(),
            Self::Retrieve(fault) => fault.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::UnknownTarget { .. } => "chain-unknown-target",
            Self::ModelsOnly { .. } => "models-only",
            Self::QuotesOnly { .. } => "chain-quotes-only",
            Self::NoQuestion => "chain-no-question",
            Self::PromptTooLong { .. } => "context-length-exceeded",
            Self::Unreadable { .. } => "chain-unreadable-spec",
            Self::Registry(fault) => fault.code(),
            Self::Prompt(fault) => fault.code(),
            Self::Model(fault) => fault.code(),
            Self::Retrieve(fault) => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownTarget { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            Self::UnknownTarget { .. } => Some("`GET /v1/models` lists what can be called".into()),
            Self::ModelsOnly { .. } => Some("ask a process that was started with `mainspring serve`".into()),
            Self::QuotesOnly { .. } => Some("leave it out, or ask an app whose chain ends with a `model` step".into()),
            Self::PromptTooLong { .. } => Some("shorten the messages or lower `max_tokens`".into()),
            Self::Registry(fault) => fault.hint(),
            Self::Prompt(fault) => fault.hint(),
            Self::Model(fault) => fault.hint(),
            Self::Retrieve(fault) => fault.hint(),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Registry(fault) => fault.retry_after(),
            Self::Model(fault) => fault.retry_after(),
            Self::Retrieve(fault) => fault.retry_after(),
            _ => None,
        }
    }
}
