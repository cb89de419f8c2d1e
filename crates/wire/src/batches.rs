//! Batches: requests that are answered line by line while nobody waits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BatchView {
    pub id: String,
    /// Where its lines go: `/v1/chat/completions`, and others of OpenAI's dialect.
    pub endpoint: String,
    /// `validating`, `in_progress`, `finalizing`, `cancelling`; or how it ended: `completed`, `failed`, `expired`,
    /// `cancelled`.
    pub status: String,
    pub input_file: String,
    /// What lines gave that went well, once the batch has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_file: Option<String>,
    /// What the other lines gave, once the batch has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_file: Option<String>,
    /// Lines; nothing while the file is looked at.
    pub total: u64,
    pub completed: u64,
    pub failed: u64,
    /// Why it failed as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<BatchError>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The key that made it; its lines are made with what that key may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// No line is begun before this: a limit has no room. Told where one batch is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<String>,
    /// What the limit says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    pub created_by: String,
    pub created_at: String,
    /// No line is begun after this.
    pub expires_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_progress_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelling_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalizing_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchError {
    pub code: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub param: Option<String>,
    /// The line of the file, counted from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

/// What one line gave, as the batch's files have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BatchResult {
    pub id: String,
    pub custom_id: String,
    /// Absent where nobody was asked.
    #[serde(default)]
    pub response: Option<BatchResponse>,
    /// Why nobody was asked.
    #[serde(default)]
    pub error: Option<BatchError>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BatchResponse {
    pub status_code: u16,
    /// The trace of the call, where it has one.
    pub request_id: String,
    #[schema(value_type = Object)]
    pub body: Value,
}
