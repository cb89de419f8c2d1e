use mainspring_catalog::CatalogFault;
use mainspring_kernel::{Fault, FaultKind, Role};

use super::Capture;

/// Why a capture policy is not shown, tried or set.
#[derive(Debug, thiserror::Error)]
pub enum CaptureFault {
    #[error("this takes the role {needed}")]
    Forbidden { needed: Role },
    #[error("{reason}")]
    Invalid { reason: String },
    #[error("this server keeps `{}` at most, and the policy says `{}`", bound.as_str(), asked.as_str())]
    AboveServer { bound: Capture, asked: Capture },
    #[error("the policy is at revision {found}, not {expected}")]
    Moved { found: u64, expected: u64 },
    #[error("the catalog failed")]
    Catalog(#[from] CatalogFault),
}

impl Fault for CaptureFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Forbidden { .. } => FaultKind::Forbidden,
            Self::Invalid { .. } | Self::AboveServer { .. } => FaultKind::Invalid,
            Self::Moved { .. } => FaultKind::Conflict,
            Self::Catalog(source) => source.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Forbidden { .. } => "capture-forbidden",
            Self::Invalid { .. } => "capture-invalid",
            Self::AboveServer { .. } => "capture-above-server",
            Self::Moved { .. } => "capture-moved",
            Self::Catalog(source) => source.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::AboveServer { .. } => {
                Some("`traces.capture` is the most that any project keeps; its operator may change it".into())
            }
            Self::Moved { .. } => Some("`mainspring capture show` tells how it is now".into()),
            Self::Catalog(source) => source.hint(),
            Self::Forbidden { .. } | Self::Invalid { .. } => None,
        }
    }

    fn retry_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Catalog(source) => source.retry_after(),
            _ => None,
        }
    }
}
