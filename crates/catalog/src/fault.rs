use std::time::Duration;

use mainspring_kernel::{Fault, FaultKind};

/// What can go wrong between a room and its tables. Variants that rooms never construct say nothing
/// of the values bound, so they are safe to log.
#[derive(Debug, thiserror::Error)]
pub enum CatalogFault {
    #[error("the catalog address is wrong: {reason}")]
    BadUrl { reason: String },
    #[error("text that contains a NUL character cannot be stored")]
    NulText,
    #[error("the database is away")]
    Unavailable(#[source] sqlx::Error),
    #[error("the database refused the connection")]
    Refused(#[source] sqlx::Error),
    #[error("the catalog is busy with other writes")]
    Busy,
    #[error("another transaction changed the same facts first")]
    Contention(#[source] sqlx::Error),
    #[error("the database did not answer within {} s", limit.as_secs())]
    Timeout { limit: Duration },
    #[error("the disk that holds the catalog is full")]
    DiskFull(#[source] sqlx::Error),
    #[error("the catalog's files cannot be used")]
    Storage(#[source] sqlx::Error),
    #[error("the catalog's files are damaged")]
    Corrupt(#[source] sqlx::Error),
    #[error("the catalog was written by a newer version of mainspring (migration {version})")]
    Newer { version: i64 },
    #[error("the catalog's schema could not be brought up to date")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// `names` holds the constraints that may have been meant: one, unless the engine cannot tell.
    #[error("a {kind} constraint refused the change")]
    Constraint {
        kind: ConstraintKind,
        names: Vec<String>,
        #[source]
        source: sqlx::Error,
    },
    #[error("a statement failed")]
    Statement(#[source] sqlx::Error),
    #[error("a statement names ${wanted} but {given} values were bound")]
    Binding { wanted: usize, given: usize },
    #[error("column `{column}`: {reason}")]
    Column { column: String, reason: String },
    #[error("the transaction had already failed")]
    Aborted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintKind {
    Unique,
    ForeignKey,
    Check,
    NotNull,
}

impl std::fmt::Display for ConstraintKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unique => "unique",
            Self::ForeignKey => "foreign key",
            Self::Check => "check",
            Self::NotNull => "not-null",
        })
    }
}

impl CatalogFault {
    pub const CONTENTION: &'static str = "catalog-contention";

    #[must_use]
    pub fn is_constraint(&self, name: &str) -> bool {
        matches!(self, Self::Constraint { names, .. } if names.iter().any(|known| known == name))
    }
}

impl Fault for CatalogFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::BadUrl { .. } | Self::NulText => FaultKind::Invalid,
            Self::Unavailable(_) | Self::Refused(_) | Self::DiskFull(_) | Self::Storage(_) => FaultKind::Unavailable,
            Self::Busy | Self::Contention(_) => FaultKind::Saturated,
            Self::Timeout { .. } => FaultKind::Timeout,
            Self::Newer { .. } => FaultKind::Unsupported,
            Self::Constraint { .. } => FaultKind::Conflict,
            Self::Corrupt(_)
            | Self::Migration(_)
            | Self::Statement(_)
            | Self::Binding { .. }
            | Self::Column { .. }
            | Self::Aborted => FaultKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BadUrl { .. } => "catalog-bad-url",
            Self::NulText => "catalog-nul-text",
            Self::Unavailable(_) => "catalog-unavailable",
            Self::Refused(_) => "catalog-refused",
            Self::Busy => "catalog-busy",
            Self::Contention(_) => Self::CONTENTION,
            Self::Timeout { .. } => "catalog-timeout",
            Self::DiskFull(_) => "catalog-disk-full",
            Self::Storage(_) => "catalog-storage",
            Self::Corrupt(_) => "catalog-corrupt",
            Self::Newer { .. } => "catalog-newer",
            Self::Migration(_) => "catalog-migration",
            Self::Constraint { .. } => "catalog-constraint",
            Self::Statement(_) => "catalog-statement",
            Self::Binding { .. } => "catalog-binding",
            Self::Column { .. } => "catalog-column",
            Self::Aborted => "catalog-aborted",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::BadUrl { .. } => "write sqlite:///absolute/path.db or postgres://user@host/database",
            Self::Refused(_) => "check the user, the password and the database name in MAINSPRING_CATALOG",
            Self::DiskFull(_) => "free some space: nothing was lost, and the next write will be accepted",
            Self::Newer { .. } => "start the newer version, or restore the backup made before the upgrade",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy | Self::Contention(_) => Some(Duration::from_secs(1)),
            Self::Unavailable(_) | Self::Timeout { .. } => Some(Duration::from_secs(2)),
            _ => None,
        }
    }
}

/// Turns a violated constraint into the fault of the room that owns the table.
pub trait OnConstraint<T> {
    fn on_constraint<E: From<CatalogFault>>(self, name: &str, fault: impl FnOnce() -> E) -> Result<T, E>;
}

impl<T> OnConstraint<T> for Result<T, CatalogFault> {
    fn on_constraint<E: From<CatalogFault>>(self, name: &str, fault: impl FnOnce() -> E) -> Result<T, E> {
        self.map_err(|found| if found.is_constraint(name) { fault() } else { E::from(found) })
    }
}
