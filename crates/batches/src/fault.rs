use std::time::Duration;

use mainspring_blobs::BlobFault;
use mainspring_catalog::CatalogFault;
use mainspring_jobs::JobFault;
use mainspring_kernel::{
    Fault, FaultKind,
    id::{BatchId, PrincipalId},
    page::PageFault,
};

use crate::model::{FileId, Status};

/// Nobody knows when a batch ends; sooner than this it is not worth asking.
const TRY_A_BATCH_AGAIN: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum BatchFault {
    #[error("there is no file `{id}`")]
    FileNotFound { id: String },
    #[error("the file is larger than {limit} bytes")]
    FileTooLarge { limit: u64 },
    #[error("the project has as many files as it may have, {max}")]
    TooManyFiles { max: u64 },
    #[error("the files of the project would take more than {max} bytes")]
    StorageFull { max: u64 },
    #[error("{max} batches of the project have not ended, and it may have no more")]
    TooManyBatches { max: u64 },
    #[error("`{parameter}`: {reason}")]
    BadFile { parameter: &'static str, reason: String },
    #[error("batch {batch} reads the file {file}")]
    FileInUse { file: FileId, batch: BatchId },
    #[error("there is no batch `{id}`")]
    NotFound { id: String },
    #[error("`{parameter}`: {reason}")]
    Invalid { parameter: &'static str, reason: String },
    #[error("batch {id} is {}", status.as_str())]
    Ended { id: BatchId, status: Status },
    #[error("this belongs to {whom}: it takes the role editor")]
    Forbidden { whom: PrincipalId },
    /// Somebody else holds the batch now, or it has moved on.
    #[error("batch {id} is not where it was")]
    Stale { id: BatchId },
    #[error(transparent)]
    Page(#[from] PageFault),
    #[error(transparent)]
    Job(#[from] JobFault),
    #[error(transparent)]
    Blob(#[from] BlobFault),
    #[error("the catalog failed")]
    Catalog(#[from] CatalogFault),
}

impl BatchFault {
    /// What was wrong about which parameter.
    #[must_use]
    pub const fn parameter(&self) -> Option<&'static str> {
        match self {
            Self::BadFile { parameter, .. } | Self::Invalid { parameter, .. } => Some(parameter),
            _ => None,
        }
    }

    /// The file itself is gone or damaged, and stays so.
    pub(crate) const fn is_of_the_file(&self) -> bool {
        matches!(self, Self::FileNotFound { .. } | Self::Blob(BlobFault::Missing { .. } | BlobFault::Damaged { .. }))
    }
}

impl Fault for BatchFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::FileNotFound { .. } | Self::NotFound { .. } => FaultKind::NotFound,
            Self::FileTooLarge { .. } | Self::TooManyFiles { .. } | Self::StorageFull { .. } => FaultKind::TooLarge,
            Self::TooManyBatches { .. } => FaultKind::Saturated,
            Self::BadFile { .. } | Self::Invalid { .. } | Self::Page(_) => FaultKind::Invalid,
            Self::FileInUse { .. } | Self::Ended { .. } | Self::Stale { .. } => FaultKind::Conflict,
            Self::Forbidden { .. } => FaultKind::Forbidden,
            Self::Job(fault) => fault.kind(),
            Self::Blob(fault) => fault.kind(),
            Self::Catalog(fault) => fault.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::FileNotFound { .. } => "file-not-found",
            Self::FileTooLarge { .. } => "file-too-large",
            Self::TooManyFiles { .. } => "file-too-many",
            Self::StorageFull { .. } => "file-storage-full",
            Self::TooManyBatches { .. } => "batch-too-many",
            Self::BadFile { .. } => "file-invalid",
            Self::FileInUse { .. } => "file-in-use",
            Self::NotFound { .. } => "batch-not-found",
            Self::Invalid { .. } => "batch-invalid",
            Self::Ended { .. } => "batch-ended",
            Self::Forbidden { .. } => "batch-forbidden",
            Self::Stale { .. } => "batch-stale",
            Self::Page(_) => "batch-bad-page",
            Self::Job(fault) => fault.code(),
            Self::Blob(fault) => fault.code(),
            Self::Catalog(fault) => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::FileTooLarge { .. } => Some("the setting `gateway.file_limit` says how large files may be".into()),
            Self::TooManyFiles { .. } => {
                Some("delete some, or let them expire; the setting `gateway.files_per_project` says how many there may be".into())
            }
            Self::StorageFull { .. } => Some(
                "delete some, or let them expire; the setting `gateway.file_bytes_per_project` says how much there may be".into(),
            ),
            Self::TooManyBatches { .. } => Some(
                "wait for one to end, or cancel one; the setting `gateway.batches_per_project` says how many there may be".into(),
            ),
            Self::FileInUse { .. } => Some("cancel the batch first, or wait for its end".into()),
            Self::Job(fault) => fault.hint(),
            Self::Blob(fault) => fault.hint(),
            Self::Catalog(fault) => fault.hint(),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyBatches { .. } => Some(TRY_A_BATCH_AGAIN),
            Self::Job(fault) => fault.retry_after(),
            Self::Blob(fault) => fault.retry_after(),
            Self::Catalog(fault) => fault.retry_after(),
            _ => None,
        }
    }
}
