use mainspring_kernel::{Fault, FaultKind};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromptFault {
    #[error("a prompt needs at least one message")]
    NoMessages,
    #[error("message {message}: {reason}")]
    Template { message: usize, reason: String },
    #[error("message {message} uses `{name}`, which is not a declared parameter{}", suggestion.as_ref().map(|s| format!(": did you mean `{s}`?")).unwrap_or_default())]
    Undeclared { message: usize, name: String, suggestion: Option<String> },
    #[error("parameter `{name}` has a default that is not of its type {kind:?}")]
    BadDefault { name: String, kind: crate::ParameterType },
    #[error("parameter `{name}` is missing")]
    Missing { name: String },
    #[error("parameter `{name}` must be of type {kind:?}")]
    WrongType { name: String, kind: crate::ParameterType },
    #[error("`{name}` is not a parameter of this prompt{}", suggestion.as_ref().map(|s| format!(": did you mean `{s}`?")).unwrap_or_default())]
    Unknown { name: String, suggestion: Option<String> },
    #[error("message {message} rendered to more than {limit} bytes")]
    TooLong { message: usize, limit: usize },
}

impl Fault for PromptFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::TooLong { .. } => FaultKind::TooLarge,
            _ => FaultKind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoMessages => "prompt-no-messages",
            Self::Template { .. } => "prompt-bad-template",
            Self::Undeclared { .. } => "prompt-undeclared-parameter",
            Self::BadDefault { .. } => "prompt-bad-default",
            Self::Missing { .. } => "prompt-missing-parameter",
            Self::WrongType { .. } => "prompt-wrong-parameter-type",
            Self::Unknown { .. } => "prompt-unknown-parameter",
            Self::TooLong { .. } => "prompt-too-long",
        }
    }
}
