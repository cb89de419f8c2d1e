use std::time::Duration;

use mainspring_blobs::BlobFault;
use mainspring_catalog::CatalogFault;
use mainspring_jobs::JobFault;
use mainspring_kernel::{Fault, FaultKind, Role};
use mainspring_lake::LakeFault;
use mainspring_llm::ModelFault;
use mainspring_registry::RegistryFault;

use crate::source::SourceFault;

#[derive(Debug, thiserror::Error)]
pub enum KnowledgeFault {
    #[error("knowledge `{name}` has not been ingested yet")]
    NotIngested { name: String },
    #[error("knowledge `{name}` is being changed by run {run}")]
    Busy { name: String, run: String },
    #[error("run {run} lost its hold on the knowledge: another one goes on")]
    LostHold { run: String },
    #[error("`{field}`: {reason}")]
    BadRequest { field: &'static str, reason: String },
    #[error("this needs the role {needed}")]
    Forbidden { needed: Role },
    #[error("document `{id}` does not exist")]
    DocumentNotFound { id: String },
    #[error("source `{key}` does not exist")]
    SourceNotFound { key: String },
    #[error("run `{id}` does not exist")]
    RunNotFound { id: String },
    #[error("receipt `{id}` does not exist")]
    ReceiptNotFound { id: String },
    #[error("`{given}` is not kept out: it was not forgotten, or may come back already")]
    TombstoneNotFound { given: String },
    #[error("the text of document `{id}` is not kept any more")]
    TextGone { id: String },
    #[error("document `{id}` has no text: {why}")]
    NoText { id: String, why: String },
    #[error("the table version this asks for does not belong to knowledge `{name}` or is gone")]
    PinGone { name: String },
    #[error("knowledge `{name}` was embedded by another state of `{embedder}`")]
    EmbedderChanged { name: String, embedder: String },
    #[error("a stored spec of knowledge `{name}` cannot be read: {reason}")]
    Spec { name: String, reason: String },
    #[error("the rows of table `{table}` are not as they were written: {reason}")]
    Rows { table: String, reason: String },
    #[error("the search did not end in time")]
    Late,
    #[error("it was stopped with the server, and goes on when a server runs again")]
    Stopped,
    #[error("a worker stopped: {reason}")]
    Worker { reason: String },
    #[error("source `{key}`: {fault}")]
    Source { key: String, fault: SourceFault },
    #[error(transparent)]
    Catalog(#[from] CatalogFault),
    #[error(transparent)]
    Lake(#[from] LakeFault),
    #[error(transparent)]
    Blob(#[from] BlobFault),
    #[error(transparent)]
    Model(#[from] ModelFault),
    #[error(transparent)]
    Registry(#[from] RegistryFault),
    #[error(transparent)]
    Job(#[from] JobFault),
}

impl KnowledgeFault {
    pub(crate) fn rows(table: &str, reason: impl std::fmt::Display) -> Self {
        Self::Rows { table: table.to_owned(), reason: reason.to_string() }
    }

    /// Whether a store was away, or a model not here yet: nothing is wrong with what was asked, and it can be done later.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(
            self.code(),
            "lake-unavailable" | "blob-store-unavailable" | "catalog-unavailable" | "catalog-timeout" | "model-fetching"
        )
    }

    fn inner(&self) -> Option<&dyn Fault> {
        match self {
            Self::Source { fault, .. } => Some(fault),
            Self::Catalog(fault) => Some(fault),
            Self::Lake(fault) => Some(fault),
            Self::Blob(fault) => Some(fault),
            Self::Model(fault) => Some(fault),
            Self::Registry(fault) => Some(fault),
            Self::Job(fault) => Some(fault),
            _ => None,
        }
    }
}

impl Fault for KnowledgeFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::NotIngested { .. } | Self::Busy { .. } | Self::LostHold { .. } | Self::EmbedderChanged { .. } => {
                FaultKind::Conflict
            }
            Self::BadRequest { .. } => FaultKind::Invalid,
            Self::Late => FaultKind::Timeout,
            Self::Stopped => FaultKind::Unavailable,
            Self::Forbidden { .. } => FaultKind::Forbidden,
            Self::DocumentNotFound { .. }
            | Self::SourceNotFound { .. }
            | Self::RunNotFound { .. }
            | Self::ReceiptNotFound { .. }
            | Self::TombstoneNotFound { .. }
            | Self::TextGone { .. }
            | Self::NoText { .. }
            | Self::PinGone { .. } => FaultKind::NotFound,
            _ => self.inner().map_or(FaultKind::Internal, Fault::kind),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotIngested { .. } => "knowledge-not-ingested",
            Self::Busy { .. } => "knowledge-busy",
            Self::LostHold { .. } => "knowledge-lost-hold",
            Self::BadRequest { .. } => "knowledge-bad-request",
            Self::Forbidden { .. } => "knowledge-forbidden",
            Self::DocumentNotFound { .. } => "knowledge-document-not-found",
            Self::SourceNotFound { .. } => "knowledge-source-not-found",
            Self::RunNotFound { .. } => "knowledge-run-not-found",
            Self::ReceiptNotFound { .. } => "knowledge-receipt-not-found",
            Self::TombstoneNotFound { .. } => "knowledge-tombstone-not-found",
            Self::TextGone { .. } | Self::NoText { .. } => "knowledge-text-gone",
            Self::PinGone { .. } => "knowledge-pin-gone",
            Self::EmbedderChanged { .. } => "knowledge-embedder-changed",
            Self::Spec { .. } => "knowledge-bad-spec",
            Self::Rows { .. } => "knowledge-bad-rows",
            Self::Late => "knowledge-search-late",
            Self::Stopped => "knowledge-stopped",
            Self::Worker { .. } => "knowledge-worker-stopped",
            _ => self.inner().map_or("knowledge-worker-stopped", Fault::code),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotIngested { name } => Some(format!("run `mainspring ingest {name}`")),
            Self::Busy { name, .. } => Some(format!("wait for it, or follow it with `mainspring ingest {name}`")),
            Self::EmbedderChanged { name, .. } => {
                Some(format!("run `mainspring ingest {name}`: it builds a new table beside the old one"))
            }
            _ => self.inner().and_then(Fault::hint),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { .. } => Some(Duration::from_secs(5)),
            _ => self.inner().and_then(Fault::retry_after),
        }
    }
}
