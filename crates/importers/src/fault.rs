use mainspring_kernel::{Fault, FaultKind};

/// Why nothing can be made of a file. None of these repeats what the file holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportFault {
    #[error("this is not {format}: {reason}")]
    Unreadable { format: &'static str, reason: String },
    #[error("this is not a configuration of {whose}: {reason}")]
    Foreign { whose: &'static str, reason: &'static str },
    #[error("the file has {given} bytes; at most {limit} are read")]
    TooLarge { limit: usize, given: usize },
    #[error("nothing in the file has an equivalent here")]
    Nothing { whose: &'static str, first: Option<String> },
}

impl Fault for ImportFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Unreadable { .. } | Self::Foreign { .. } | Self::Nothing { .. } => FaultKind::Invalid,
            Self::TooLarge { .. } => FaultKind::TooLarge,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "import-unreadable",
            Self::Foreign { .. } => "import-foreign",
            Self::TooLarge { .. } => "import-too-large",
            Self::Nothing { .. } => "import-nothing",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Nothing { first, .. } => first.clone(),
            Self::Foreign { whose: "LiteLLM", .. } => Some("a config.yaml has a `model_list`".into()),
            Self::Foreign { whose: "LiteLLM's list of keys", .. } => {
                Some("it is what `GET /key/list?return_full_object=true` answers: JSON with `keys`".into())
            }
            Self::Foreign { whose: "Portkey's list of keys", .. } => {
                Some("it is what `GET /v1/api-keys` answers: JSON with `data`".into())
            }
            Self::Foreign { whose: "TensorZero", .. } => Some("a tensorzero.toml has `[models…]` or `[functions…]`".into()),
            Self::Foreign { .. } => {
                Some("a config is a JSON object with `targets`, or with a `provider` or a `virtual_key`".into())
            }
            Self::Unreadable { .. } | Self::TooLarge { .. } => None,
        }
    }
}
