use std::time::Duration;

use mainspring_kernel::{Digest, Fault, FaultKind};

#[derive(Debug, thiserror::Error)]
pub enum BlobFault {
    #[error("there is no blob {digest}")]
    Missing { digest: Digest },
    #[error("the blob {digest} is damaged: its bytes have the digest {found}")]
    Damaged { digest: Digest, found: Digest },
    #[error("the disk under the blobs is full")]
    DiskFull,
    #[error("the blob store does not answer")]
    Unavailable(#[source] object_store::Error),
    #[error("the blob store at {place} cannot be opened")]
    Open {
        place: String,
        #[source]
        source: object_store::Error,
    },
}

impl Fault for BlobFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Missing { .. } => FaultKind::NotFound,
            Self::Damaged { .. } => FaultKind::Internal,
            Self::DiskFull | Self::Unavailable(_) | Self::Open { .. } => FaultKind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "blob-missing",
            Self::Damaged { .. } => "blob-damaged",
            Self::DiskFull => "blob-disk-full",
            Self::Unavailable(_) => "blob-store-unavailable",
            Self::Open { .. } => "blob-store-unusable",
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable(_) => Some(Duration::from_secs(2)),
            Self::DiskFull => Some(Duration::from_secs(10)),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::DiskFull => Some("free space under the data directory; nothing that was acknowledged is lost".into()),
            Self::Damaged { .. } => Some("ingest the document again with `--full`; check the disk".into()),
            _ => None,
        }
    }
}

impl BlobFault {
    pub(crate) fn of(error: object_store::Error, digest: Digest) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing { digest },
            error if is_full(&error) => Self::DiskFull,
            error => Self::Unavailable(error),
        }
    }
}

fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| matches!(io.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded))
        {
            return true;
        }
        cause = error.source();
    }
    false
}
