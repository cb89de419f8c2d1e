//! Traces and replays.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{ScoreSummary, ScoreView, TablePin};

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Of the whole trace, in dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// Of the whole trace, as the tokens are.
    #[serde(default)]
    pub spans: u64,
    /// Spans that failed.
    #[serde(default)]
    pub errors: u64,
    /// Of the trace and of its spans, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<ScoreSummary>,
}
/// One page of a list of traces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TracePage {
    pub items: Vec<TraceSummary>,
    /// Give this as `cursor` for the page after; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How to find what is meant, where nothing was found as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TraceCount {
    pub count: u64,
    /// Otherwise it is within about two percent, or of less than was stored.
    pub exact: bool,
    /// So many spans at least were stored at this server, of any project, and are in no answer yet: the lake does not take them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
    /// How to count what is meant, where there is nothing as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
/// A span without what was written and read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SpanSummary {
    pub trace_id: String,
    pub span: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    pub name: String,
    /// `chat`, `embedding`, `tool`, `retriever`, `agent`, `chain`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// A trace is entered by it.
    pub entry: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// `ok`, `error` or `unset`.
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    pub start: String,
    pub duration_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// In dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
    /// Of the span itself, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<ScoreSummary>,
}
/// What the traces of a session have and used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionSummary {
    pub session: String,
    /// The last that was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(flatten)]
    pub used: GatheredTraces,
}
/// What the traces of a user have and used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UserSummary {
    pub user: String,
    #[serde(flatten)]
    pub used: GatheredTraces,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GatheredTraces {
    pub first: String,
    pub last: String,
    pub traces: u64,
    pub spans: u64,
    /// Spans that failed.
    pub errors: u64,
    /// How long the traces took, one after the other.
    pub duration_ms: f64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// In dollars; absent where nothing is priced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// Otherwise there are more spans than are read for a page, and it all is more than this.
    pub whole: bool,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    pub session: SessionSummary,
    /// In the order in which they began.
    pub items: Vec<TraceSummary>,
    /// Give this as `cursor` for the traces after; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
/// Measures over spans, in groups and over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TraceMetrics {
    pub from: String,
    pub to: String,
    pub by: Vec<String>,
    pub measures: Vec<String>,
    /// A bucket in which nothing happened is not there.
    pub rows: Vec<TraceMetricsRow>,
    /// Whether there are more rows than were asked for.
    pub more: bool,
    /// Whether numbers of some rows are estimates.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TraceMetricsRow {
    /// Where its bucket of time begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// By the fields that were asked for; null where spans have no such value.
    pub keys: BTreeMap<String, Option<String>>,
    /// Counts, shares between 0 and 1, milliseconds and dollars; null where there is nothing to measure.
    pub values: BTreeMap<String, Option<f64>>,
    /// Whether some of its spans stand for others that were not kept: then counts, sums, shares, means and percentiles are
    /// estimates.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}
/// What a live tail tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TailEvent {
    /// From now on spans are told; told again now and then, so that a quiet tail is known to be alive.
    Open(TailOpen),
    Span(Box<SpanSummary>),
    Missed(MissedSpans),
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TailOpen {
    pub at: String,
    /// The filter, as it was understood.
    pub filter: String,
}
/// This reader was too slow for so many spans, or more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MissedSpans {
    pub spans: u64,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TraceView {
    pub trace_id: String,
    /// How many spans the trace has, of which this page has some. One that its sender repeated may be counted twice.
    #[serde(default)]
    pub total_spans: u64,
    /// In the order in which they began.
    pub spans: Vec<SpanView>,
    /// Give this as `cursor` for the spans after; absent on the last page. `/tree` shows all of them in fewer bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Of the trace and of its spans, newest first; with the first page only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<ScoreView>,
    /// Whether there are more of them, which the list of scores has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more_scores: bool,
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<SpanLinkView>,
    /// In exports: of the span, and of its trace where the trace is entered by it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<ScoreView>,
}
/// What a span points to beside its parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SpanLinkView {
    pub trace: String,
    pub span: String,
    #[schema(value_type = BTreeMap<String, Value>)]
    pub attributes: Value,
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
