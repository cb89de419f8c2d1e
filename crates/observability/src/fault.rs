use std::time::Duration;

use mainspring_kernel::{Fault, FaultKind, page::PageFault};
use mainspring_lake::LakeFault;

#[derive(Debug, thiserror::Error)]
pub enum TraceFault {
    #[error("there is no trace {id}")]
    NotFound { id: String },
    #[error(transparent)]
    Page(#[from] PageFault),
    #[error("stored spans cannot be read: {reason}")]
    Unreadable { reason: String },
    #[error("the spill folder {path} cannot be used")]
    Spill {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the queue of spans is full")]
    Saturated,
    #[error("spans were not stored in time")]
    NotStored,
    #[error(transparent)]
    Lake(#[from] LakeFault),
}

impl Fault for TraceFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::NotFound { .. } => FaultKind::NotFound,
            Self::Page(_) => FaultKind::Invalid,
            Self::Unreadable { .. } => FaultKind::Internal,
            Self::Spill { .. } | Self::NotStored => FaultKind::Unavailable,
            Self::Saturated => FaultKind::Saturated,
            Self::Lake(fault) => fault.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "trace-not-found",
            Self::Page(_) => "paging-invalid",
            Self::Unreadable { .. } => "trace-unreadable",
            Self::Spill { .. } => "trace-spill-unusable",
            Self::Saturated => "trace-queue-full",
            Self::NotStored => "trace-not-stored",
            Self::Lake(fault) => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => {
                Some("it may be older than `traces.keep_for`, or show documents your key may not see".into())
            }
            Self::Lake(fault) => fault.hint(),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Lake(fault) => fault.retry_after(),
            Self::Saturated | Self::NotStored => Some(Duration::from_secs(1)),
            _ => None,
        }
    }
}
