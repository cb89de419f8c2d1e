//! What was forgotten: receipts, and what keeps documents out.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Proof of a forgetting. It names documents by their ids only: their names are forgotten too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForgetReceipt {
    pub id: String,
    pub knowledge: String,
    /// Whoever asked for it.
    pub by: String,
    pub started: String,
    pub finished: String,
    pub documents: Vec<String>,
    /// Ids that these had before they were moved: what was theirs is gone too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<String>,
    /// Asked for, and not there.
    pub not_found: Vec<String>,
    pub rows: Vec<RemovedRows>,
    /// Texts removed; one that another document shares stays, and is counted in `shared_texts`.
    pub texts: u64,
    pub shared_texts: u64,
    /// Answers that read one of these cannot be replayed.
    pub dropped_states: Vec<DroppedState>,
    /// The next ingestion keeps the documents out.
    pub tombstones: bool,
    /// Spans of traces that lost what they showed of the documents, counted when the receipt was made. Absent where
    /// nobody could count them then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_spans: Option<u64>,
    /// Only when it is made: spans were still on their way then; upkeep takes out of them what they show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces_pending: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovedRows {
    pub table: String,
    pub rows: u64,
    /// States, tagged or not, that were cleaned up with it.
    pub pruned_versions: u64,
    pub freed_bytes: u64,
    /// Rows of these documents that are still there: none, or something is wrong.
    pub left: u64,
}

/// A state of a table that held a forgotten document and is gone now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DroppedState {
    pub table: String,
    pub version: u64,
    pub transaction: String,
    /// The run that ended on it.
    pub run: String,
    /// Of these documents. None where it showed nothing of them any more, but its files still held what was deleted.
    pub rows: u64,
}

/// What is left of a forgotten document, so that no ingestion brings it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TombstoneView {
    /// The id it had; a digest.
    pub document: String,
    pub source: String,
    pub labels: Vec<String>,
    pub forgotten_at: String,
}
