use std::time::Duration;

use mainspring_kernel::{Fault, FaultKind};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LakeFault {
    #[error("table `{table}` does not exist")]
    NoTable { table: String },
    #[error("table `{table}` has no version {version}")]
    NoVersion { table: String, version: String },
    #[error("table `{table}` has no tag `{tag}`")]
    NoTag { table: String, tag: String },
    #[error("table `{table}` has no column `{column}`")]
    NoColumn { table: String, column: String },
    #[error("rows do not fit table `{table}`: {reason}")]
    Schema { table: String, reason: String },
    #[error("this cannot be asked of table `{table}`: {reason}")]
    Query { table: String, reason: String },
    #[error("table `{table}` is being changed by others; gave up after several tries")]
    Contended { table: String },
    #[error("the lake at {location} cannot be reached: {reason}")]
    Unavailable { location: String, reason: String },
    #[error("the disk under the lake is full")]
    DiskFull,
    #[error("the lake engine failed on table `{table}`: {reason}")]
    Engine { table: String, reason: String },
}

impl Fault for LakeFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::NoTable { .. } | Self::NoVersion { .. } | Self::NoTag { .. } => FaultKind::NotFound,
            Self::NoColumn { .. } | Self::Query { .. } => FaultKind::Invalid,
            Self::Contended { .. } | Self::Unavailable { .. } | Self::DiskFull => FaultKind::Unavailable,
            Self::Schema { .. } | Self::Engine { .. } => FaultKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoTable { .. } => "lake-no-table",
            Self::NoVersion { .. } => "lake-no-version",
            Self::NoTag { .. } => "lake-no-tag",
            Self::NoColumn { .. } => "lake-no-column",
            Self::Schema { .. } => "lake-schema-mismatch",
            Self::Query { .. } => "lake-bad-query",
            Self::Contended { .. } => "lake-contended",
            Self::Unavailable { .. } => "lake-unavailable",
            Self::DiskFull => "lake-disk-full",
            Self::Engine { .. } => "lake-engine-failed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::DiskFull => Some("free space under the data directory; nothing that was acknowledged is lost".into()),
            Self::Unavailable { .. } => Some("the request can be repeated as it is".into()),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Contended { .. } | Self::Unavailable { .. } => Some(Duration::from_secs(2)),
            Self::DiskFull => Some(Duration::from_secs(10)),
            _ => None,
        }
    }
}
