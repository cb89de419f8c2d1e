//! What people write of a metric that is watched.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is measured of a metric that programs send. It is measured of its points, and not of traces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricMeasure {
    /// As its programs call it: `shop.orders`.
    pub name: String,
    /// What it came to in the window. Of a gauge `last`, `mean`, `min` or `max`; of a counter `increase` or `rate`, which is of
    /// each second; of another sum `last`; of a histogram `count`, `sum`, `mean` or a percentile: `p95`.
    pub value: String,
    /// Which of what is sent under the name, where it is sent in several kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<MetricKind>,
    /// The same, where it is sent in several units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The same, where sums that never fall are sent, and others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monotonic: Option<bool>,
    /// Only points that count so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporality: Option<MetricTemporality>,
    /// Only points that have one of these values under each of these names: `region: [eu, us]`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Vec<String>>,
}

/// What the points of a metric are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
}

/// How the points of a metric count: since their program began, since the one before, or as nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricTemporality {
    Cumulative,
    Delta,
    Unspecified,
}

impl MetricMeasure {
    /// Of a percentile its share: 0.95 of `p95`.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let percent: f64 = self.value.strip_prefix('p')?.parse().ok()?;
        (percent > 0.0 && percent < 100.0).then_some(percent / 100.0)
    }

    /// Whether it is a number of things that happened, of which two can be compared by a test.
    pub(crate) fn counts(&self) -> bool {
        self.value == "count"
    }

    /// Whether it surely is a percentile of which it is known how many numbers lie beyond a limit.
    pub(crate) fn is_spread(&self) -> bool {
        self.share().is_some() && matches!(self.kind, Some(MetricKind::Histogram | MetricKind::ExponentialHistogram))
    }
}
