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

/// What points of a metric are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MetricFormView {
    /// `gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`.
    pub kind: String,
    pub unit: String,
    /// `delta`: each point counts since the one before. `cumulative`: since its program began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporality: Option<String>,
    /// Of a sum: it never falls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monotonic: Option<bool>,
}

/// What programs send under one name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MetricView {
    pub name: String,
    /// Of its newest point.
    pub form: MetricFormView,
    /// What else is sent under this name, those first that were sent last: 19 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<MetricFormView>,
    /// How many more there are of these, about.
    #[serde(default)]
    pub more_forms: u64,
    /// Those that send it, by name: 20 at most.
    pub services: Vec<String>,
    /// Whether there are more services.
    pub more_services: bool,
    /// Series that sent points in this time, about.
    pub series: u64,
    pub last_seen: String,
    /// Of the points of that moment: the mean of a gauge, a sum together, the mean of what a histogram or a summary counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_value: Option<f64>,
}

/// What a metric came to over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MetricSeriesView {
    pub name: String,
    /// What is told of; nothing where no point came in this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<MetricFormView>,
    /// What else was sent under this name, those first that were sent last, about 20 at most: `kind`, `unit`, `monotonic` and
    /// `temporality` ask about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<MetricFormView>,
    /// How many more there are of these, about.
    #[serde(default)]
    pub more_forms: u64,
    pub from: String,
    pub to: String,
    pub step_ms: u64,
    /// The attribute whose values are told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What each step says, in the order of its `values`. Of gauges `mean`, `min`, `max`, `last`; of sums that only grow
    /// `increase` and `rate`, by the second; of other sums `last`; of histograms `count`, `mean`, `p50`, `p95`, `p99`; of
    /// summaries `count`, `mean` and the quantiles they name.
    pub measures: Vec<String>,
    /// How these were found, where they are not exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The largest first: 50 at most.
    pub groups: Vec<MetricGroupView>,
    /// Whether there are more groups.
    pub more: bool,
    /// Attributes of the newest points, by which groups can be told apart.
    pub attributes: Vec<String>,
    /// Points that were looked at.
    pub points: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MetricGroupView {
    /// The attribute's value; nothing where points have none, or where nothing is told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// By time. One of which nothing is known is not there.
    pub steps: Vec<MetricStepView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MetricStepView {
    /// What is after this moment, up to the next step's.
    pub start: String,
    /// In the order of the measures; null where there is nothing to say.
    pub values: Vec<Option<f64>>,
}
