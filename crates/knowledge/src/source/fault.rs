use std::time::Duration;

use mainspring_kernel::{Fault, FaultKind};

/// Why a source, or one document of it, could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceFault {
    #[error("`{place}` does not exist")]
    Missing { place: String },
    #[error("`{place}` may not be read: {reason}")]
    Denied { place: String, reason: String },
    #[error("`{place}` needs a key that is missing or wrong")]
    Unauthorized { place: String },
    #[error("`{place}` is larger than {limit} bytes")]
    TooLarge { place: String, limit: u64 },
    #[error("`{place}` did not answer within {} s", limit.as_secs())]
    Timeout { place: String, limit: Duration },
    #[error("`{place}` is asked too much: its host wants to be left alone{}", lasting(*after))]
    Busy { place: String, after: Option<Duration> },
    #[error("`{place}` cannot be reached: {reason}")]
    Unreachable { place: String, reason: String },
    #[error("`{place}` changed while it was read")]
    Moved { place: String },
    #[error("`{place}` cannot be used: {reason}")]
    Unusable { place: String, reason: String },
    #[error("the environment variable `{variable}` is not set on the server")]
    NoVariable { variable: String },
    #[error("the program `{program}` is not installed on the server")]
    NoProgram { program: &'static str },
}

impl Fault for SourceFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Missing { .. } => FaultKind::NotFound,
            Self::Denied { .. } | Self::Unauthorized { .. } => FaultKind::Forbidden,
            Self::TooLarge { .. } => FaultKind::TooLarge,
            Self::Busy { .. } => FaultKind::Saturated,
            Self::Timeout { .. } => FaultKind::Timeout,
            Self::Unreachable { .. } | Self::Moved { .. } => FaultKind::Unavailable,
            Self::Unusable { .. } | Self::NoVariable { .. } => FaultKind::Invalid,
            Self::NoProgram { .. } => FaultKind::Unsupported,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "source-missing",
            Self::Denied { .. } => "source-denied",
            Self::Unauthorized { .. } => "source-unauthorized",
            Self::TooLarge { .. } => "source-too-large",
            Self::Timeout { .. } => "source-timeout",
            Self::Busy { .. } => "source-busy",
            Self::Unreachable { .. } => "source-unreachable",
            Self::Moved { .. } => "source-moved",
            Self::Unusable { .. } => "source-unusable",
            Self::NoVariable { .. } => "source-no-variable",
            Self::NoProgram { .. } => "source-no-program",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Denied { .. } => Some("the server's source policy decides which places may be read".into()),
            Self::NoVariable { variable } => Some(format!("start the server with `{variable}` set")),
            Self::Busy { .. } => {
                Some("the next ingestion tries again; a lower `per_host` of the source asks for less at once".into())
            }
            Self::Moved { .. } | Self::Timeout { .. } | Self::Unreachable { .. } => Some("the next ingestion tries again".into()),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { after, .. } => *after,
            _ => None,
        }
    }
}

fn lasting(after: Option<Duration>) -> String {
    after.map(|after| format!(" for {} s", after.as_secs())).unwrap_or_default()
}

impl SourceFault {
    /// Whether trying again, with nothing changed here, may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind().is_transient()
    }

    pub(crate) fn of_io(place: impl Into<String>, fault: &std::io::Error) -> Self {
        let place = place.into();
        match fault.kind() {
            std::io::ErrorKind::NotFound => Self::Missing { place },
            std::io::ErrorKind::PermissionDenied => Self::Denied { place, reason: "the server's user has no permission".into() },
            _ => Self::Unreachable { place, reason: fault.to_string() },
        }
    }
}
