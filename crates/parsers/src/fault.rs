use mainspring_kernel::{Fault, FaultKind};
use serde::{Deserialize, Serialize};

/// Why a file could not be parsed. It crosses the process border.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ParseFault {
    #[error("the file has {bytes} bytes; {limit} are allowed")]
    TooLarge { bytes: u64, limit: u64 },
    #[error("its text would have more than {limit} bytes")]
    TextTooLarge { limit: u64 },
    #[error("it is nested deeper than {limit} levels")]
    TooDeep { limit: u32 },
    #[error("it unpacks to more than {limit} bytes or {entries} entries")]
    Expansion { limit: u64, entries: u32 },
    #[error("it is encrypted")]
    Encrypted,
    #[error("files of type {media_type} are not read")]
    Unsupported { media_type: String },
    #[error("it is not a whole {format} file: {reason}")]
    Malformed { format: String, reason: String },
    #[error("it took longer than {seconds} s")]
    TimedOut { seconds: u64 },
    #[error("the parser died: {reason}")]
    Crashed { reason: String },
    #[error("parser processes cannot be started: {reason}")]
    Pool { reason: String },
}

impl Fault for ParseFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::TooLarge { .. } | Self::TextTooLarge { .. } | Self::TooDeep { .. } | Self::Expansion { .. } => {
                FaultKind::TooLarge
            }
            Self::Encrypted | Self::Malformed { .. } | Self::Crashed { .. } => FaultKind::Invalid,
            Self::Unsupported { .. } => FaultKind::Unsupported,
            Self::TimedOut { .. } => FaultKind::Timeout,
            Self::Pool { .. } => FaultKind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "parse-too-large",
            Self::TextTooLarge { .. } => "parse-text-too-large",
            Self::TooDeep { .. } => "parse-too-deep",
            Self::Expansion { .. } => "parse-expands-too-much",
            Self::Encrypted => "parse-encrypted",
            Self::Unsupported { .. } => "parse-unsupported",
            Self::Malformed { .. } => "parse-malformed",
            Self::TimedOut { .. } => "parse-timed-out",
            Self::Crashed { .. } => "parse-crashed",
            Self::Pool { .. } => "parse-no-workers",
        }
    }
}

impl ParseFault {
    pub(crate) fn malformed(format: &str, reason: impl std::fmt::Display) -> Self {
        Self::Malformed { format: format.to_owned(), reason: mainspring_kernel::text::elide(&reason.to_string(), 300) }
    }
}
