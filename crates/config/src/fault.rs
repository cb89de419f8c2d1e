use mainspring_kernel::{Fault, FaultKind};

#[derive(Debug, thiserror::Error)]
pub enum ConfigFault {
    #[error("the settings file {path} cannot be read")]
    Unreadable {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the settings file {path} is not TOML: {reason}")]
    Syntax { path: String, reason: String },
    #[error("{origin} sets `{key}`, which is not a setting{suggestion}")]
    Unknown { key: String, origin: String, suggestion: String },
    #[error("{origin} sets `{key}` to a value of the wrong type: {expected} is expected")]
    WrongType { key: String, origin: String, expected: &'static str },
    #[error("the settings do not hold together: {reason}")]
    Invalid { reason: String },
}

impl Fault for ConfigFault {
    fn kind(&self) -> FaultKind {
        FaultKind::Invalid
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "config-unreadable",
            Self::Syntax { .. } => "config-syntax",
            Self::Unknown { .. } => "config-unknown-setting",
            Self::WrongType { .. } => "config-wrong-type",
            Self::Invalid { .. } => "config-invalid",
        }
    }

    fn hint(&self) -> Option<String> {
        Some("`mainspring config show --origin` lists every setting and where its value came from".into())
    }
}
