//! How long telemetry is kept, and how it is erased before its time.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a project holds of one kind of telemetry, and how long it stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionView {
    /// `spans`, `logs` or `points`.
    pub kind: String,
    pub rows: u64,
    /// About: what a row of the table takes on the average, and the large values of these.
    pub bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<String>,
    /// In force now: `30d`.
    pub keep_for: String,
    /// The project has not said so itself; it is the setting `traces.keep_for`.
    pub by_default: bool,
    /// Beyond this the oldest go first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// The last run that deleted something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<RemovalView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovalView {
    pub at: String,
    pub rows: u64,
    pub bytes: u64,
    /// Of all runs together.
    pub all_rows: u64,
    pub all_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionList {
    pub items: Vec<RetentionView>,
}

/// What is left out is as the settings have it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRetention {
    /// `12h`, `30d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_for: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

/// Exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewErasure {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// `knowledge/doc_…`, or the whole name it has or had there: it is forgotten by its knowledge too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErasureView {
    pub id: String,
    /// `user`, `session`, `trace` or `document`.
    pub kind: String,
    /// Until it is done; then nothing says any longer whose it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// A digest of the project, the kind and the subject.
    pub fingerprint: String,
    /// `waiting`, `running`, `done` (no file holds any of it) or `failed`.
    pub state: String,
    pub asked_at: String,
    pub asked_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// With log records.
    pub spans: u64,
    pub points: u64,
    /// What the files took that went.
    pub bytes: u64,
    /// Large values that went, since no span names them any longer.
    pub values: u64,
    /// What it is at: `asking` servers for what they hold, `looking` for whose rows are, `deleting`, `rewriting` files, `sweeping`
    /// large values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// How much of the time that rows are of was looked through, 0 to 1; a server that is killed goes on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked: Option<f64>,
    /// Why it waits or has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// While it is under way: servers that have not said yet that their own disk holds none of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_for: Vec<ErasureServer>,
    /// When it is done: servers that had not been heard of for a week. They carry it out when they are back, before they bring
    /// anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<ErasureServer>,
}

/// A server whose own disk may hold something of what is erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasureServer {
    /// The same one after a restart: its name lies in its data directory.
    pub server: String,
    /// Which process of which machine it was last.
    pub name: String,
    /// When it was heard of last.
    pub seen_at: String,
    /// That was within a minute.
    pub alive: bool,
}

/// A value of a span that is too large to stand in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LargeValue {
    pub digest: String,
    /// The whole of it.
    pub text: String,
    /// The text is JSON: the value was a list or an object.
    pub json: bool,
}
