use std::{fmt, io::ErrorKind, time::Duration};

use mainspring_blobs::BlobFault;
use mainspring_kernel::{Fault, FaultKind, page::PageFault, text::elide};
use mainspring_lake::LakeFault;

use crate::filter::FilterFault;

/// Services that a hint names, and how much of each name.
const SHOWN: usize = 10;
const SHOWN_LETTERS: usize = 60;

/// Why spans cannot be stored just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// As much waits for the lake as may wait.
    SpillFull,
    DiskFull,
    Unwritable,
}

#[derive(Debug, thiserror::Error)]
pub enum TraceFault {
    #[error("there is no trace {id}")]
    NotFound { id: String },
    #[error("{what} is not found, and {waiting} spans at least that are stored cannot be found yet: it may be among them")]
    NotFoundYet { what: String, waiting: u64 },
    #[error("there is no session {id}")]
    NoSession { id: String },
    #[error("the span has no value {digest}")]
    NoValue { digest: String },
    #[error("there is no score {id}")]
    NoScore { id: String },
    #[error("{reason}")]
    Score { reason: String },
    #[error("{reason}: what the project captures says so")]
    ScoreNotCaptured { reason: &'static str },
    #[error(transparent)]
    Page(#[from] PageFault),
    #[error(transparent)]
    Filter(#[from] FilterFault),
    #[error("{reason}")]
    Question { reason: String },
    #[error("several services have releases in this time, and those of one are not compared with those of another")]
    SeveralServices { services: Vec<String> },
    #[error("that is about more than {rows} spans, traces, sessions or scores, and more than one answer may look at")]
    TooMuch { rows: usize },
    #[error(
        "that is about more than {most} points of the metric, or more buckets than memory holds, and more than one answer may look at"
    )]
    TooManyPoints { most: u64 },
    #[error("{most} readers follow spans already")]
    TooManyTails { most: usize },
    #[error("{most} exports of spans are under way already")]
    TooManyExports { most: usize },
    #[error("stored spans cannot be read: {reason}")]
    Unreadable { reason: String },
    #[error("the spill folder {path} cannot be used")]
    Spill {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("another process works at the spill folder {path} and does not end{}", known(*process))]
    Held { path: String, process: Option<u32> },
    #[error("the process that works at the traces failed: {reason}")]
    Errand { reason: String },
    #[error("the queue of spans is full")]
    Saturated,
    #[error("the lake is away, and as many spans wait on disk as may")]
    SpillFull,
    #[error("the disk under the spill folder is full")]
    DiskFull,
    #[error("spans were not stored in time")]
    NotStored,
    #[error(transparent)]
    Lake(#[from] LakeFault),
    #[error(transparent)]
    Blob(#[from] BlobFault),
    #[error("who may see it could not be asked: {0}")]
    Access(Box<dyn Fault>),
}

impl TraceFault {
    /// What is not there may be among so many spans that wait.
    pub(crate) fn while_waiting(self, waiting: u64) -> Self {
        match self {
            Self::NotFound { id } if waiting > 0 => Self::NotFoundYet { what: format!("trace {id}"), waiting },
            Self::NoSession { id } if waiting > 0 => Self::NotFoundYet { what: format!("session {id}"), waiting },
            other => other,
        }
    }

    /// Whether less time would be answered.
    pub(crate) const fn is_too_much(&self) -> bool {
        match self {
            Self::TooMuch { .. } => true,
            Self::Lake(fault) => fault.is_too_much(),
            _ => false,
        }
    }
}

impl Fault for TraceFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::NotFound { .. } | Self::NoSession { .. } | Self::NoScore { .. } | Self::NoValue { .. } => FaultKind::NotFound,
            Self::Page(_)
            | Self::Question { .. }
            | Self::SeveralServices { .. }
            | Self::Score { .. }
            | Self::ScoreNotCaptured { .. } => FaultKind::Invalid,
            Self::Filter(fault) => fault.kind(),
            Self::TooMuch { .. } | Self::TooManyPoints { .. } => FaultKind::TooLarge,
            Self::Unreadable { .. } => FaultKind::Internal,
            Self::NotFoundYet { .. }
            | Self::Spill { .. }
            | Self::Held { .. }
            | Self::Errand { .. }
            | Self::DiskFull
            | Self::NotStored => FaultKind::Unavailable,
            Self::Saturated | Self::SpillFull | Self::TooManyTails { .. } | Self::TooManyExports { .. } => FaultKind::Saturated,
            Self::Lake(fault) => fault.kind(),
            Self::Blob(fault) => fault.kind(),
            Self::Access(fault) => fault.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "trace-not-found",
            Self::NotFoundYet { .. } => "trace-not-found-yet",
            Self::NoSession { .. } => "session-not-found",
            Self::NoScore { .. } => "score-not-found",
            Self::Score { .. } => "score-invalid",
            Self::ScoreNotCaptured { .. } => "score-not-captured",
            Self::NoValue { .. } => "trace-value-not-found",
            Self::Page(_) => "paging-invalid",
            Self::Filter(fault) => fault.code(),
            Self::Question { .. } => "trace-question-invalid",
            Self::SeveralServices { .. } => "drift-several-services",
            Self::TooMuch { .. } => "trace-too-much",
            Self::TooManyPoints { .. } => "metric-too-many-points",
            Self::TooManyTails { .. } => "trace-too-many-tails",
            Self::TooManyExports { .. } => "trace-too-many-exports",
            Self::Unreadable { .. } => "trace-unreadable",
            Self::Spill { .. } => "trace-spill-unusable",
            Self::Held { .. } => "trace-spill-held",
            Self::Errand { .. } => "trace-errand-failed",
            Self::Saturated => "trace-queue-full",
            Self::SpillFull => "trace-spill-full",
            Self::DiskFull => "trace-disk-full",
            Self::NotStored => "trace-not-stored",
            Self::Lake(fault) => fault.code(),
            Self::Blob(fault) => fault.code(),
            Self::Access(fault) => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => {
                Some("it may be older than `traces.keep_for`, or show documents your key may not see".into())
            }
            Self::NotFoundYet { .. } => {
                Some("`mainspring doctor` says why the lake does not take them; nothing is lost, ask again later".into())
            }
            Self::SpillFull => Some("see why the lake does not take spans; `traces.spill_limit` says how much may wait".into()),
            Self::DiskFull => Some("free space under the data directory".into()),
            Self::Held { process, .. } => {
                let process = process.map_or_else(|| "PROCESS".to_owned(), |process| process.to_string());
                Some(format!("an earlier server started it to bring traces, and it was stopped or hangs: `kill -KILL {process}`"))
            }
            Self::NoSession { .. } => Some("`mainspring traces sessions` lists those you may see".into()),
            Self::NoScore { .. } => Some("`mainspring scores list` lists those you may see".into()),
            Self::ScoreNotCaptured { .. } => {
                Some("send a number, true or false, or one of a few words; `mainspring capture show` says what is kept".into())
            }
            Self::Filter(fault) => fault.hint(),
            Self::SeveralServices { services } => Some(format!("name one as `service`: {}", listed(services))),
            Self::TooMuch { .. } => Some("ask about less time, or filter more out".into()),
            Self::TooManyPoints { .. } => Some("ask about less time, or name a service or a model".into()),
            Self::Lake(fault) => fault.hint(),
            Self::Blob(fault) => fault.hint(),
            Self::Access(fault) => fault.hint(),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Lake(fault) => fault.retry_after(),
            Self::Blob(fault) => fault.retry_after(),
            Self::Access(fault) => fault.retry_after(),
            Self::Saturated | Self::NotStored => Some(Duration::from_secs(1)),
            Self::NotFoundYet { .. }
            | Self::SpillFull
            | Self::DiskFull
            | Self::TooManyTails { .. }
            | Self::TooManyExports { .. } => Some(Duration::from_secs(10)),
            _ => None,
        }
    }
}

/// Senders choose these names: they are cut where they are long.
fn listed(services: &[String]) -> String {
    let shown: Vec<String> = services.iter().take(SHOWN).map(|service| format!("`{}`", elide(service, SHOWN_LETTERS))).collect();
    format!("{}{}", shown.join(", "), if services.len() > SHOWN { " and others" } else { "" })
}

fn known(process: Option<u32>) -> String {
    process.map(|process| format!(": {process}")).unwrap_or_default()
}

impl Trouble {
    pub(crate) fn of(error: &std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Unwritable,
        }
    }

    /// A word for it, for metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::SpillFull => "spill_limit",
            Self::DiskFull => "disk_full",
            Self::Unwritable => "unwritable",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SpillFull => "as many spans wait on disk as `traces.spill_limit` allows; more are refused",
            Self::DiskFull => "the disk is full; spans are refused",
            Self::Unwritable => "the spill folder cannot be written; spans are refused",
        })
    }
}

impl From<Trouble> for TraceFault {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::SpillFull => Self::SpillFull,
            Trouble::DiskFull => Self::DiskFull,
            Trouble::Unwritable => Self::NotStored,
        }
    }
}
