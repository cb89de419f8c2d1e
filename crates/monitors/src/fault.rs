use std::time::Duration;

use mainspring_catalog::CatalogFault;
use mainspring_kernel::{Fault, FaultKind, Role, page::PageFault};
use mainspring_registry::RegistryFault;

#[derive(Debug, thiserror::Error)]
pub enum MonitorFault {
    #[error("there is no monitor `{name}`")]
    NotFound { name: String },
    #[error("monitor `{name}` has a spec that this version cannot read")]
    Unreadable { name: String },
    #[error("somebody looks at monitor `{name}` just now")]
    Busy { name: String },
    #[error("monitor `{name}` is switched off")]
    Off { name: String },
    #[error("the look took too long")]
    Late,
    #[error("this takes the role {needed}")]
    Forbidden { needed: Role },
    #[error("what monitors find is counted of every trace, and your key may not see them all")]
    Unseen,
    #[error(transparent)]
    Page(#[from] PageFault),
    #[error(transparent)]
    Registry(#[from] RegistryFault),
    #[error("the catalog failed")]
    Catalog(#[from] CatalogFault),
    #[error("what it watches cannot be measured: {0}")]
    Data(Box<dyn Fault>),
    #[error("its alerts cannot be told: {0}")]
    Bell(Box<dyn Fault>),
}

impl Fault for MonitorFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::NotFound { .. } => FaultKind::NotFound,
            Self::Unreadable { .. } => FaultKind::Unsupported,
            Self::Busy { .. } | Self::Off { .. } => FaultKind::Conflict,
            Self::Late => FaultKind::Timeout,
            Self::Forbidden { .. } | Self::Unseen => FaultKind::Forbidden,
            Self::Page(_) => FaultKind::Invalid,
            Self::Registry(fault) => fault.kind(),
            Self::Catalog(fault) => fault.kind(),
            Self::Data(fault) | Self::Bell(fault) => fault.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "monitor-not-found",
            Self::Unreadable { .. } => "monitor-unreadable",
            Self::Busy { .. } => "monitor-busy",
            Self::Off { .. } => "monitor-off",
            Self::Late => "monitor-late",
            Self::Forbidden { .. } => "monitor-forbidden",
            Self::Unseen => "monitor-labels",
            Self::Page(_) => "monitor-bad-page",
            Self::Registry(fault) => fault.code(),
            Self::Catalog(fault) => fault.code(),
            Self::Data(fault) | Self::Bell(fault) => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => Some("`mainspring monitors list` lists those of the project".into()),
            Self::Busy { .. } => Some("ask again in a moment, or without raising".into()),
            Self::Off { .. } => Some("apply it with `enabled: true`, or ask without raising".into()),
            Self::Unseen => Some("a look without raising counts the traces that you may see".into()),
            Self::Late => Some("watch less at once: a shorter window, a narrower filter, fewer slices".into()),
            Self::Registry(fault) => fault.hint(),
            Self::Catalog(fault) => fault.hint(),
            Self::Data(fault) | Self::Bell(fault) => fault.hint(),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { .. } => Some(Duration::from_secs(5)),
            Self::Registry(fault) => fault.retry_after(),
            Self::Catalog(fault) => fault.retry_after(),
            Self::Data(fault) | Self::Bell(fault) => fault.retry_after(),
            _ => None,
        }
    }
}
