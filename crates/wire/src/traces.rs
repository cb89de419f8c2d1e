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
    pub with: BTreeMap<String, String>,
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
}
