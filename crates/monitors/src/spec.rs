//! What people write of a monitor.

use std::collections::BTreeMap;

use mainspring_kernel::Name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{metric::MetricMeasure, stretch::Stretch};

/// What is watched, what it is compared with, and who is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitorSpec {
    /// Whether it is looked at by itself. One that is not has no alerts.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Which traces, in the filter language; absent: all. Points of a metric have `attributes` of their own instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// What is counted of them.
    #[serde(default)]
    pub of: Of,
    pub measure: Measure,
    /// A field, each value of which is watched by itself: `model`. Of a metric an attribute of its points. Absent: everything
    /// together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slices: Option<String>,
    pub compare: Compare,
    /// How much time is looked at together.
    #[serde(default = "window")]
    pub window: Stretch,
    /// How often a sequential test looks. No longer than the window, which has to be a minute at least where this is left out.
    #[serde(default = "every")]
    pub every: Stretch,
    /// How long to wait for what arrives late.
    #[serde(default = "delay")]
    pub delay: Stretch,
    /// With less than this nothing is said but that it is too little. Of a metric it is of the numbers that a histogram counted,
    /// where their mean or a percentile is watched.
    #[serde(default = "minimum")]
    pub minimum: u64,
    /// While nothing is wrong, there is one false alarm in this time at most, on average, over all slices together. Counts
    /// against a threshold, sums and budgets have limits and no test; a release has an `error` of its own.
    #[serde(default = "false_alarm_every")]
    pub false_alarm_every: Stretch,
    /// How long it has to be wrong before it fires.
    #[serde(default = "at_once")]
    pub hold: Stretch,
    /// How long it has to be well again before it is over.
    #[serde(default = "recover")]
    pub recover: Stretch,
    #[serde(default)]
    pub severity: Severity,
    /// Labels of its alerts, by which receivers and silences match: `app: desk`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Alerts of any monitor that agree in these labels are one incident: `app`. `name`, `severity` and the field of `slices`
    /// count as labels. Empty: the alerts of this monitor are one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_by: Vec<String>,
    /// Receivers of alerts, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub notify: Vec<Name>,
    /// Whether receivers are told, too, when there is nothing to measure, of slices in none of them, or when nobody can look for
    /// long.
    #[serde(default = "yes")]
    pub notify_missing: bool,
    /// Whether they are told of each slice that falls silent while others do not. For slices that always have something, as
    /// regions do; a user comes and goes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub notify_missing_slices: bool,
}

const fn window() -> Stretch {
    Stretch::minutes(15)
}
/// Where nobody says how often a sequential test looks.
pub(crate) const fn every() -> Stretch {
    Stretch::minutes(1)
}
const fn delay() -> Stretch {
    Stretch::minutes(1)
}
const fn minimum() -> u64 {
    30
}
const fn false_alarm_every() -> Stretch {
    Stretch::days(30)
}
const fn at_once() -> Stretch {
    Stretch::seconds(0)
}
const fn recover() -> Stretch {
    Stretch::minutes(5)
}
const fn yes() -> bool {
    true
}

/// What is one thing that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Each trace, by the span that it is entered by: a request.
    #[default]
    Traces,
    /// Each span: a call of a model, of a tool, a search. Tokens and cost are on these.
    Spans,
}

/// What is measured of the traces. A `field` is one of theirs, or what was said of them: `score.relevance`. A score counts when
/// it was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Measure {
    /// How many there are.
    Count,
    /// The share of those that also satisfy a further filter: `status = error`.
    Rate { hits: String },
    /// A field added up: `cost`.
    Sum { field: String },
    /// The mean of a field.
    Mean { field: String },
    /// What this share of a field's values does not exceed: 0.95 of `duration`.
    Percentile { field: String, at: f64 },
    /// How the numbers of a field are distributed.
    Numbers { field: String },
    /// How often each value of a field occurs.
    Categories { field: String },
    /// What texts are about, by their embeddings: `input` or `output`.
    Topics { field: String },
    /// A metric that programs send, in place of traces: `name: shop.orders`, `value: rate`.
    Metric(MetricMeasure),
}

impl Measure {
    /// Whether it is a whole distribution, which can drift, and not one figure.
    #[must_use]
    pub const fn drifts(&self) -> bool {
        matches!(self, Self::Numbers { .. } | Self::Categories { .. } | Self::Topics { .. })
    }

    /// Of a percentile its share.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        match self {
            Self::Percentile { at, .. } => Some(*at),
            Self::Metric(metric) => metric.share(),
            _ => None,
        }
    }
}

/// What it is compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// A figure.
    Threshold(Threshold),
    /// The same window earlier.
    Previous(Previous),
    /// Another release: the newest one since it was first seen, with one before it.
    Release(Release),
    /// Each slice with all others: whether some are served worse.
    Rest(Rest),
    /// An error budget: how fast it is used up, over three pairs of windows.
    Budget(Budget),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    #[serde(default)]
    pub test: Test,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// One look at every whole window.
    #[default]
    Fixed,
    /// A look whenever something came, with as few false alarms.
    Sequential,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Previous {
    /// How much earlier; absent: the window before. `7d` compares with the same hour of last week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Stretch>,
    #[serde(default)]
    pub worse: Worse,
    /// How much worse matters: of a figure, in parts of the reference (0.2: a fifth); of a distribution, a population
    /// stability index (absent: 0.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// What is a release.
    #[serde(default)]
    pub of: ReleaseOf,
    /// Absent: the release seen before the newest one, of the same service or prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    #[serde(default)]
    pub worse: Worse,
    /// As in `previous`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<f64>,
    /// The probability that a release which is no worse is ever said to be.
    #[serde(default = "one_percent")]
    pub error: f64,
    #[serde(default)]
    pub test: Test,
}

/// What is compared as a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseOf {
    /// The version of the program that sent it: `release`.
    #[default]
    Release,
    /// The version of the prompt: `prompt`, as `name@version`.
    Prompt,
}

impl ReleaseOf {
    /// The field of spans.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Prompt => "prompt",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rest {
    #[serde(default)]
    pub worse: Worse,
    /// By how much a slice's rate has to differ from that of all others, as a difference of shares: 0.05.
    #[serde(default)]
    pub by: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The share that may not be a hit: 0.999.
    pub objective: f64,
}

const fn one_percent() -> f64 {
    0.01
}

/// In which direction it gets worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Worse {
    #[default]
    Up,
    Down,
    Either,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    #[default]
    Warning,
    Error,
    Critical,
}
