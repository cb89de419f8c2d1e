//! Monitors: what they watch, where they stand and what they found.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A monitor and where it stood at its last look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MonitorView {
    pub name: String,
    pub version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it is looked at by itself.
    pub enabled: bool,
    /// `ok`, `warming` (too little came, or too little to compare it with), `missing` (nothing came, or the last look found
    /// nothing out) or `firing`: that of its worst slice. Absent where nobody has looked yet, and where it is hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Of its worst slice, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// `info`, `warning`, `error` or `critical`; absent where this version cannot read its spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// How many slices are in each state.
    pub slices: MonitorSlices,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<String>,
    /// The version that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_version: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_look_at: Option<String>,
    /// Why the last look found nothing out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Incidents that its alerts are part of.
    pub incidents: Vec<String>,
    /// What it found is of every trace of the project and not told to this caller, who may not see them all.
    #[serde(default)]
    pub hidden: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MonitorSlices {
    pub ok: u64,
    pub warming: u64,
    pub missing: u64,
    pub firing: u64,
}

/// A monitor with its spec, its slices and its alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MonitorDetail {
    pub monitor: MonitorView,
    /// As it was applied, with every default; absent where this version cannot read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub spec: Option<Value>,
    pub slices: Vec<MonitorSlice>,
    pub alerts: Vec<MonitorAlert>,
}

/// What a look saw of one slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MonitorSlice {
    /// The value of the field; absent where everything is watched together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    pub state: String,
    /// Before this look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// Since when it is in this state.
    pub since: String,
    /// As a sentence; absent for what an earlier version of the spec found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// How much was measured; of a sample, how much that is worth to a test.
    pub count: u64,
    /// Whether some of it stands for what was not kept: the value is an estimate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Where the value surely lies, or where there is a reference its difference from that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Where the value itself surely lies, where `low` and `high` are of a difference: of the rate of a slice beside all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_low: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_high: Option<f64>,
    /// What it may not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// Of a sequential test: how much speaks against its limit, as a logarithm, and how much it takes to fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_needed: Option<f64>,
    /// The releases that were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// How a distribution moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub drift: Option<Value>,
    /// The parts of a distribution that moved, those that moved most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<MonitorMoved>,
}

/// A part of a distribution that moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MonitorMoved {
    /// In words: a category, the words that tell a topic from others, or a range of numbers.
    pub what: String,
    /// Shares of all that was measured.
    pub before: f64,
    pub after: f64,
}

/// An alert of a monitor that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MonitorAlert {
    pub fingerprint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// It is that nothing comes.
    pub missing: bool,
    /// The incident that it is part of; absent where nobody was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
}

/// What one look found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MonitorEvaluation {
    pub at: String,
    pub version: u32,
    pub state: String,
    pub slices: Vec<MonitorSlice>,
}

/// How to look at a monitor now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitorLookRequest {
    /// Whether it is remembered, and alerts are raised and resolved. Otherwise it only says what would be.
    #[serde(default)]
    pub raise: bool,
}

/// What a look that somebody asked for found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MonitorLook {
    pub name: String,
    pub evaluation: MonitorEvaluation,
    /// Whether it was remembered and told.
    pub raised: bool,
    /// The alerts that go on by it, or would.
    pub alerts: Vec<MonitorAlert>,
}
