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
    #[error("the question took longer than {} s", .within.as_secs_f32())]
    QueryTooLong { within: Duration },
    #[error("the question needs more memory than the {limit} bytes it may take")]
    QueryTooLarge { limit: usize },
    #[error("this is not a question in SQL that can be answered: {reason}")]
    Sql { reason: String, hint: String },
    #[error("table `{table}` is being changed by others; gave up after several tries")]
    Contended { table: String },
    #[error("the lake at {location} cannot be reached: {reason}")]
    Unavailable { location: String, reason: String },
    #[error("the disk under the lake is full")]
    DiskFull,
    #[error("the lake engine failed on table `{table}`: {reason}")]
    Engine { table: String, reason: String },
}

impl LakeFault {
    /// Whether a smaller question would be answered: this one would take too long or too much memory.
    #[must_use]
    pub const fn is_too_much(&self) -> bool {
        matches!(self, Self::QueryTooLong { .. } | Self::QueryTooLarge { .. })
    }
}

impl Fault for LakeFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::NoTable { .. } | Self::NoVersion { .. } | Self::NoTag { .. } => FaultKind::NotFound,
            Self::NoColumn { .. } | Self::Query { .. } | Self::Sql { .. } => FaultKind::Invalid,
            Self::QueryTooLong { .. } => FaultKind::Timeout,
            Self::QueryTooLarge { .. } => FaultKind::TooLarge,
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
            Self::QueryTooLong { .. } => "lake-query-too-long",
            Self::QueryTooLarge { .. } => "lake-query-too-large",
            Self::Sql { .. } => "lake-bad-sql",
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
            Self::QueryTooLong { .. } => Some("ask about less time, or group by fewer things".into()),
            Self::QueryTooLarge { .. } => Some("group by something with fewer values, or filter more rows out".into()),
            Self::Sql { hint, .. } if !hint.is_empty() => Some(hint.clone()),
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
