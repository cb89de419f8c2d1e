use std::time::Duration;

use mainspring_catalog::CatalogFault;
use mainspring_kernel::{
    Fault, FaultKind, Role,
    id::{IncidentId, SilenceId},
    page::PageFault,
};
use mainspring_registry::RegistryFault;

#[derive(Debug, thiserror::Error)]
pub enum AlertFault {
    #[error("there is no incident `{id}`")]
    NotFound { id: String },
    #[error("incident {id} is resolved")]
    Resolved { id: IncidentId },
    #[error("no delivery of incident {id} was given up")]
    NothingFailed { id: IncidentId },
    #[error("there is no silence `{id}`")]
    SilenceNotFound { id: String },
    #[error("silence {id} has ended")]
    SilenceEnded { id: SilenceId },
    #[error("the silence cannot be made: {reason}")]
    BadSilence { reason: String },
    #[error("there is no receiver `{name}`")]
    ReceiverNotFound { name: String },
    #[error("receiver `{name}` has a spec that this version cannot read")]
    ReceiverUnreadable { name: String },
    #[error("this takes the role {needed}")]
    Forbidden { needed: Role },
    #[error("incidents tell of every trace of the project, and your key may not see them all")]
    Unseen,
    #[error(transparent)]
    Page(#[from] PageFault),
    #[error(transparent)]
    Registry(#[from] RegistryFault),
    #[error("the catalog failed")]
    Catalog(#[from] CatalogFault),
}

impl Fault for AlertFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::NotFound { .. } | Self::SilenceNotFound { .. } | Self::ReceiverNotFound { .. } => FaultKind::NotFound,
            Self::Resolved { .. } | Self::NothingFailed { .. } | Self::SilenceEnded { .. } => FaultKind::Conflict,
            Self::BadSilence { .. } | Self::Page(_) => FaultKind::Invalid,
            Self::ReceiverUnreadable { .. } => FaultKind::Unsupported,
            Self::Forbidden { .. } | Self::Unseen => FaultKind::Forbidden,
            Self::Registry(fault) => fault.kind(),
            Self::Catalog(fault) => fault.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "incident-not-found",
            Self::Resolved { .. } => "incident-resolved",
            Self::NothingFailed { .. } => "incident-nothing-failed",
            Self::SilenceNotFound { .. } => "silence-not-found",
            Self::SilenceEnded { .. } => "silence-ended",
            Self::BadSilence { .. } => "silence-invalid",
            Self::ReceiverNotFound { .. } => "receiver-not-found",
            Self::ReceiverUnreadable { .. } => "receiver-unreadable",
            Self::Forbidden { .. } => "incident-forbidden",
            Self::Unseen => "incident-labels",
            Self::Page(_) => "incident-bad-page",
            Self::Registry(fault) => fault.code(),
            Self::Catalog(fault) => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Resolved { .. } => Some("it opens again by itself when one of its alerts is raised".into()),
            Self::NothingFailed { .. } => Some("deliveries that are pending are tried again by themselves".into()),
            Self::Unseen => Some("ask with a key that was made without `--label` and `--no-labels`".into()),
            Self::ReceiverNotFound { .. } => Some("`mainspring receivers list` lists those of the project".into()),
            Self::Registry(fault) => fault.hint(),
            Self::Catalog(fault) => fault.hint(),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Registry(fault) => fault.retry_after(),
            Self::Catalog(fault) => fault.retry_after(),
            _ => None,
        }
    }
}
