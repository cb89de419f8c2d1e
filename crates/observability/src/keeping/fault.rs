use std::time::Duration;

use mainspring_catalog::CatalogFault;
use mainspring_jobs::JobFault;
use mainspring_kernel::{Fault, FaultKind, page::PageFault};

use crate::fault::TraceFault;

#[derive(Debug, thiserror::Error)]
pub enum KeepingFault {
    #[error("there is no erasure `{id}`")]
    NoErasure { id: String },
    #[error("{reason}")]
    Invalid { reason: String },
    #[error("`max_bytes` is a byte at least: with none, everything there is would be deleted")]
    NoBytes,
    #[error("an erasure waits: {reason}")]
    Waits { reason: String },
    #[error(transparent)]
    Page(#[from] PageFault),
    #[error(transparent)]
    Trace(#[from] TraceFault),
    #[error(transparent)]
    Job(#[from] JobFault),
    #[error("what others made of it is still there: {0}")]
    Derived(Box<dyn Fault>),
    #[error("the catalog failed")]
    Catalog(#[from] CatalogFault),
}

impl Fault for KeepingFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::NoErasure { .. } => FaultKind::NotFound,
            Self::Invalid { .. } | Self::NoBytes | Self::Page(_) => FaultKind::Invalid,
            Self::Waits { .. } => FaultKind::Unavailable,
            Self::Trace(fault) => fault.kind(),
            Self::Job(fault) => fault.kind(),
            Self::Derived(fault) => fault.kind(),
            Self::Catalog(fault) => fault.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoErasure { .. } => "erasure-not-found",
            Self::Invalid { .. } | Self::NoBytes => "keeping-invalid",
            Self::Waits { .. } => "erasure-waits",
            Self::Page(_) => "paging-invalid",
            Self::Trace(fault) => fault.code(),
            Self::Job(fault) => fault.code(),
            Self::Derived(fault) => fault.code(),
            Self::Catalog(fault) => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoErasure { .. } => Some("`mainspring erasures list` lists those of the project".into()),
            Self::NoBytes => Some("leave it out where bytes are no limit; `mainspring erase` deletes what is there".into()),
            Self::Waits { .. } => Some("it goes on by itself".into()),
            Self::Trace(fault) => fault.hint(),
            Self::Job(fault) => fault.hint(),
            Self::Derived(fault) => fault.hint(),
            Self::Catalog(fault) => fault.hint(),
            Self::Invalid { .. } | Self::Page(_) => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Waits { .. } => Some(Duration::from_secs(5)),
            Self::Trace(fault) => fault.retry_after(),
            Self::Job(fault) => fault.retry_after(),
            Self::Derived(fault) => fault.retry_after(),
            Self::Catalog(fault) => fault.retry_after(),
            Self::NoErasure { .. } | Self::Invalid { .. } | Self::NoBytes | Self::Page(_) => None,
        }
    }
}
