use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a target stands, and what it lately did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TargetView {
    /// Absent for calls of `provider/model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    pub provider: String,
    /// `*`: as the client names it.
    pub model: String,
    /// `closed`: it is asked; `open`: it is left alone; `half_open`: it is being tried.
    pub breaker: String,
    /// How long an open breaker stays so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    pub in_flight: u32,
    /// Attempts that are remembered one by one, and how many of them failed, by class.
    pub recent: u32,
    pub failed: std::collections::BTreeMap<String, u32>,
    /// Until a stream begins, over the recent ones that did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin_p50_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin_p95_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin_p99_ms: Option<u32>,
    /// Until an answer is complete, over the recent ones that were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_p50_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_p95_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f32>,
    /// Since this process started.
    pub attempts: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// In dollars; what nobody has a price for is not in it.
    pub spend: String,
    /// Whether there is a price for it now; absent where the client names the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priced: Option<bool>,
}

/// A process that serves calls. How targets stand, and which calls are under way, each knows of itself only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProcessView {
    /// The same again after a restart over the same data folder.
    pub id: String,
    /// The one that answers.
    pub here: bool,
    pub seen_at: String,
}

/// What a target did in the last hour, as this process saw it. Minutes without an attempt are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetHistory {
    /// Absent for calls of `provider/model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    pub provider: String,
    /// `*`: as the client names it.
    pub model: String,
    /// The oldest first.
    pub minutes: Vec<TargetMinute>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetMinute {
    /// Its beginning, a whole minute.
    pub at: String,
    pub attempts: u32,
    /// By class. A stream that broke off counts although its attempt began well.
    pub failed: std::collections::BTreeMap<String, u32>,
}

/// A call somebody thinks of making.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// As a client would name it.
    pub model: String,
    #[serde(default)]
    pub input_tokens: Option<u64>,
    #[serde(default)]
    pub max_tokens: Option<u32>,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub session: Option<String>,
    /// The id of the key that would make the call; absent: whoever asks. Naming one is the admins' to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Which target a call would take now, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RouteExplanation {
    pub model: String,
    /// Which version of which route, or `provider/model`.
    pub route: String,
    pub choose: String,
    /// In the order in which they would be asked, then those left out.
    pub targets: Vec<ExplainedTargetView>,
    pub cached: bool,
    /// Which calls' answers are kept, where the route keeps any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<String>,
    pub retries: u32,
    pub hedged: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedTargetView {
    pub provider: String,
    pub model: String,
    /// From 1; absent for one that would not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u32>,
    pub why: String,
    pub tier: u32,
    pub weight: u32,
    pub breaker: String,
    pub in_flight: u32,
    /// How soon its streams lately began, bad moments weighing more; absent while none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin_ms: Option<f64>,
    /// In dollars, as far as anyone can tell before the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
}
