//! Questions in SQL, dashboards, and what Prometheus' API answers.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{MetricFormView, TraceMetricsRow};

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SqlRequest {
    /// One `SELECT`, in the dialect of PostgreSQL.
    pub query: String,
    /// Only rows from this moment on, RFC 3339, and before that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Rows at most: 1,000 unless it is said, and never more than 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SqlColumnView {
    pub name: String,
    /// As SQL calls it: `BIGINT`, `DOUBLE`, `TEXT`, `TIMESTAMP`.
    #[serde(rename = "type")]
    pub kind: String,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SqlAnswer {
    pub columns: Vec<SqlColumnView>,
    /// Values in the order of the columns; times are RFC 3339.
    pub rows: Vec<Vec<Value>>,
    /// Whether the limits of rows and bytes cut the answer.
    pub more: bool,
}
/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SqlSchema {
    pub tables: Vec<SqlTableView>,
}
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SqlTableView {
    pub name: String,
    pub description: String,
    pub columns: Vec<SqlColumnView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DashboardSummary {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether nobody wrote it.
    pub built_in: bool,
    /// None of what is built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}
/// A dashboard, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DashboardView {
    pub name: String,
    pub built_in: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    #[schema(value_type = BTreeMap<String, Value>)]
    pub spec: Value,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DashboardData {
    pub name: String,
    pub title: String,
    /// Where the first bucket of time begins.
    pub from: String,
    pub to: String,
    /// How long a bucket of time is.
    pub bucket_ms: u64,
    pub panels: Vec<PanelData>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PanelData {
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `line`, `bar`, `number` or `table`.
    pub chart: String,
    /// `count`, `share`, `milliseconds` or `dollars`.
    pub unit: String,
    /// `data`, `nothing` (there is none in that time) or `failed`.
    pub state: String,
    pub measures: Vec<String>,
    /// The field, or the attribute, whose values are told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Which spans are measured; empty: all of them.
    pub filter: String,
    /// The metric that it shows, in place of spans: neither the filter nor the groups of the page are about its points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<PanelMetricView>,
    /// How long its buckets of time are, where they are not as long as those of the other panels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_ms: Option<u64>,
    /// Of a panel that measures. A bucket in which nothing happened is not there.
    pub rows: Vec<TraceMetricsRow>,
    /// Of a panel that asks in SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<SqlAnswer>,
    /// Whether there are more values, or rows, than are told.
    pub more: bool,
    /// Whether its numbers are estimates: some of the spans stand for others that were not kept. A panel that asks in SQL does
    /// not say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<PanelProblem>,
}
/// The metric that a panel shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PanelMetricView {
    pub name: String,
    /// What its points are; absent where none came in this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<MetricFormView>,
    /// What is to be said of the numbers: that percentiles are estimates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PanelProblem {
    /// Stable; branch on this.
    pub code: String,
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// As Prometheus writes an answer: `data` by what was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PromReply {
    /// `success`.
    pub status: String,
    pub data: Value,
    /// What is to be said of the answer: that it is an estimate, or does not have everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub infos: Vec<String>,
}
