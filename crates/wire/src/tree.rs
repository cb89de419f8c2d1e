//! A trace as a tree, in pages, without what was written and read; and what a filter may ask for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ScoreSummary;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TraceTree {
    pub trace_id: String,
    /// Of the whole trace; with the first page only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<TraceTotals>,
    /// In the order in which they began.
    pub spans: Vec<TreeSpan>,
    /// Give this as `cursor` for the spans after; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
/// What a whole trace has and used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TraceTotals {
    pub spans: u64,
    /// Spans that failed.
    pub errors: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// In dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    pub start: String,
    /// From the first start to the last end.
    pub duration_ms: f64,
    /// As `kind/name@vN#digest`.
    pub versions: Vec<String>,
    /// Whether there may be more of them: the trace is entered by more spans than were asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more_versions: bool,
    /// Whether a question was kept that can be asked again.
    pub replayable: bool,
    /// Of the trace and of its spans, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<ScoreSummary>,
}
/// What of a span is drawn; the rest of it comes when it is opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TreeSpan {
    pub span: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    pub name: String,
    /// `chat`, `embedding`, `tool`, `retriever`, `agent`, `chain`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// `ok`, `error` or `unset`.
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub start: String,
    pub duration_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// In dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// The first words of what was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
}
/// What a filter of spans may ask for by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilterFields {
    pub fields: Vec<FilterField>,
}
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilterField {
    pub name: String,
    /// `text`, `flag`, `number`, `duration`, `money`, `time`, `list` or `severity`.
    pub kind: String,
    /// What it is.
    pub says: String,
}
