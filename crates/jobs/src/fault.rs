use mainspring_catalog::CatalogFault;
use mainspring_kernel::{Fault, FaultKind, Name, Role, id::JobId, page::PageFault};

use crate::every::EveryFault;

#[derive(Debug, thiserror::Error)]
pub enum JobFault {
    #[error("job {id} does not exist")]
    NotFound { id: JobId },
    #[error("job {id} has ended")]
    Ended { id: JobId },
    #[error("the lease on job {id} was lost")]
    LeaseLost { id: JobId },
    #[error("{what} may be at most {limit} bytes, not {given}")]
    TooLarge { what: &'static str, limit: usize, given: usize },
    #[error("this takes the role {needed}")]
    Forbidden { needed: Role },
    #[error("schedule `{name}` does not exist")]
    ScheduleNotFound { name: Name },
    #[error("the schedule cannot be read")]
    BadSchedule(#[from] EveryFault),
    #[error(transparent)]
    Page(#[from] PageFault),
    #[error("the catalog failed")]
    Catalog(#[from] CatalogFault),
}

impl Fault for JobFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::NotFound { .. } | Self::ScheduleNotFound { .. } => FaultKind::NotFound,
            Self::Ended { .. } | Self::LeaseLost { .. } => FaultKind::Conflict,
            Self::TooLarge { .. } => FaultKind::TooLarge,
            Self::Forbidden { .. } => FaultKind::Forbidden,
            Self::BadSchedule(_) | Self::Page(_) => FaultKind::Invalid,
            Self::Catalog(source) => source.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "job-not-found",
            Self::Ended { .. } => "job-ended",
            Self::LeaseLost { .. } => "job-lease-lost",
            Self::TooLarge { .. } => "job-too-large",
            Self::Forbidden { .. } => "job-forbidden",
            Self::ScheduleNotFound { .. } => "job-schedule-not-found",
            Self::BadSchedule(_) => "job-bad-schedule",
            Self::Page(_) => "job-bad-page",
            Self::Catalog(source) => source.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::BadSchedule(source) => Some(source.to_string()),
            Self::Catalog(source) => source.hint(),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Catalog(source) => source.retry_after(),
            _ => None,
        }
    }
}
