//! Points of metrics.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MetricPointView {
    /// The same for all points of a series: one metric of one sender with the same attributes.
    pub series: String,
    pub time: String,
    /// Since when it counts, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    pub name: String,
    pub unit: String,
    /// `gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`.
    pub kind: String,
    /// `delta`: since the point before. `cumulative`: since `since`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporality: Option<String>,
    /// Of a sum: it never falls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monotonic: Option<bool>,
    #[schema(value_type = BTreeMap<String, Value>)]
    pub attributes: Value,
    /// Of gauges and sums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Of histograms and summaries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Of histograms bounds and counts, of summaries quantiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub buckets: Option<Value>,
}
