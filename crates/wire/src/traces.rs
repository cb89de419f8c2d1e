//! Traces and replays.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::TablePin;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TraceSummary {
    pub trace_id: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// `ok`, `error` or `unset`.
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub start: String,
    pub duration_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TraceView {
    pub trace_id: String,
    pub spans: Vec<SpanView>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SpanView {
    pub span: String,
    pub trace: String,
    pub parent: Option<String>,
    pub name: String,
    pub kind: String,
    pub start: String,
    pub end: String,
    pub status: SpanStatus,
    /// By the names of the OpenTelemetry conventions; ours begin with `mainspring.`.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub attributes: Value,
    pub events: Vec<SpanEventView>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SpanStatus {
    pub code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SpanEventView {
    pub name: String,
    pub at: String,
    /// By the names of the OpenTelemetry conventions; ours begin with `mainspring.`.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub attributes: Value,
}
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReplayRequest {
    /// Swaps: `{"prompt": "answer@candidate"}`; kinds are app, chain, prompt, knowledge and model.
    /// `{"knowledge/handbook": "drafts"}` says which of several gives way.
    pub with: BTreeMap<String, String>,
    /// The answer that is meant, by its span, where the trace holds several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Replay {
    pub trace_id: String,
    pub replay_trace_id: String,
    pub same: bool,
    pub original: String,
    pub replayed: String,
    pub versions: Vec<ReplayVersion>,
    pub sources: ReplaySources,
    pub tables: Vec<TablePin>,
    pub notes: Vec<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplayVersion {
    pub what: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplaySources {
    pub original: Vec<String>,
    pub replayed: Vec<String>,
    /// Passages of then that the replay did not find.
    #[serde(default)]
    pub gone: Vec<ReplayPassage>,
    /// Passages that the replay found beside those of then.
    #[serde(default)]
    pub new: Vec<ReplayPassage>,
}
/// Where a passage stands; only its chunk is known of one whose search was not kept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ReplayPassage {
    pub chunk: String,
    pub title: String,
    pub uri: String,
    pub heading_path: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
}
