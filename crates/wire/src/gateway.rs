//! Limits, usage and calls. Money is decimal text in US dollars: numbers would be rounded by most readers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A limit, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitView {
    pub id: String,
    /// `project`, `key`, `principal`, `user` or `model`.
    pub kind: String,
    /// A key's id, a member's name, an end user or a model; `*` for each there is.
    pub subject: String,
    /// `requests_per_minute`, `tokens_per_minute`, `concurrent`, `usd_per_day` or `usd_per_month`.
    pub metric: String,
    pub amount: String,
    /// Of a budget with one subject: spent since it began anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<String>,
    /// When a budget begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<String>,
    /// Of a limit that is no budget, with one subject: how many of its requests, tokens or calls are left at this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
    pub created_at: String,
    pub created_by: String,
}

/// A limit to be set. It takes the place of one with the same subject and metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLimit {
    /// `project`, `key`, `principal`, `user` or `model`.
    pub kind: String,
    /// A key's id, a member's name, an end user or a model. Absent: each there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub metric: String,
    /// A whole number, or dollars for budgets: `60`, `12.50`.
    pub amount: String,
}

/// What calls used and cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageView {
    /// What the rows stand for.
    pub by: String,
    pub since: String,
    pub until: String,
    pub total: UsageRow,
    /// The dearest first; days and hours in their order.
    pub rows: Vec<UsageRow>,
    /// There are more rows than these; the total is of all.
    pub cut: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct UsageRow {
    /// Empty for calls that had none: no key, no user, no route.
    pub name: String,
    /// What a key is called, whose id is the `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_name: Option<String>,
    pub calls: u64,
    pub failed: u64,
    /// Calls that used tokens nobody has a price for: `cost` is without them.
    pub unpriced: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Parts of the input.
    pub cache_read_tokens: u64,
    pub cache_write_tokens: u64,
    pub input_audio_tokens: u64,
    pub input_image_tokens: u64,
    /// Parts of the output.
    pub reasoning_tokens: u64,
    pub output_audio_tokens: u64,
    pub output_image_tokens: u64,
    /// Of the input and of the output: what was guessed, since nobody said.
    #[serde(default)]
    pub input_estimated_tokens: u64,
    #[serde(default)]
    pub output_estimated_tokens: u64,
    pub cost: String,
}

/// What calls would have cost otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepricedView {
    /// What the rows stand for.
    pub by: String,
    pub since: String,
    pub until: String,
    pub total: RepricedRow,
    /// In the order of their names.
    pub rows: Vec<RepricedRow>,
    /// There are more rows than these, which are the dearest; the total is of all.
    pub cut: bool,
    /// Calls that the other model could not take, such as embeddings, and what they cost: in no row and in no sum.
    #[serde(default)]
    pub apart_calls: u64,
    #[serde(default)]
    pub apart_cost: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepricedRow {
    /// Empty for calls that had none: no key, no user, no route.
    pub name: String,
    /// What a key is called, whose id is the `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_name: Option<String>,
    pub calls: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// As it was recorded.
    pub cost: String,
    /// At the other prices.
    pub repriced: String,
    /// Calls whose cost nobody knew when they were made: `cost` is without them.
    pub unpriced: u64,
    /// Calls nobody knows the other cost of: `repriced` is without them.
    pub still_unpriced: u64,
}

/// One model call, settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallView {
    pub id: String,
    pub started_at: String,
    pub ended_at: String,
    pub took_ms: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The member whose key it was.
    pub principal: String,
    /// The end user, as the client named them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// As the client named it.
    pub model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model, as the provider names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    pub operation: String,
    /// `ok`, `failed`, `cancelled` or `interrupted`.
    pub status: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    pub attempts: u32,
    pub usage: CallUsage,
    pub cost: String,
    /// Which price it was made with; absent where nobody knew one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<CallPrice>,
    /// What each attempt that was paid used, where that says more than the call's own fields: several were, or another target
    /// than the one that is shown. Together they are `usage` and `cost`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charges: Vec<AttemptCharge>,
    /// Answered from the cache.
    pub cached: bool,
    /// Priced as calls in a batch are.
    pub batch: bool,
    /// The batch of which a line made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
    pub trace_id: String,
}

/// What one attempt used, and what that cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttemptCharge {
    pub provider: String,
    /// The model, as the provider names it.
    pub target: String,
    pub usage: CallUsage,
    pub cost: String,
    /// Absent where nobody knew one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<CallPrice>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallUsage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_read_tokens: u64,
    pub cache_write_tokens: u64,
    pub input_audio_tokens: u64,
    pub input_image_tokens: u64,
    pub reasoning_tokens: u64,
    pub output_audio_tokens: u64,
    pub output_image_tokens: u64,
    /// Where the numbers come from: `reported`, `counted`, `instrumented` or `estimated`.
    pub input_from: Provenance,
    pub output_from: Provenance,
    /// The same of each part; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read_from: Option<Provenance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_from: Option<Provenance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_audio_from: Option<Provenance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_image_from: Option<Provenance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_from: Option<Provenance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_audio_from: Option<Provenance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_image_from: Option<Provenance>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// The provider said so.
    Reported,
    /// Counted with the model's own tokenizer.
    Counted,
    /// The program that made the call says so in its telemetry.
    Instrumented,
    /// Guessed from the length of the text.
    Estimated,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallPrice {
    /// The digest of the table's version.
    pub table: String,
    /// The model or pattern of its entry.
    pub entry: String,
}

/// What happened to the project's calls: one event of `GET /api/v1/calls/live`, named as its `event` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum LiveCall {
    /// What is under way: told first, now and then, and after something was missed.
    Open(OpenCalls),
    Started(StartedCall),
    Answering(AnsweringCall),
    Settled(Box<CallView>),
    Missed(MissedCalls),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenCalls {
    /// In the order in which they began.
    pub calls: Vec<StartedCall>,
    /// There are more than these, which are the newest.
    pub more: bool,
}

/// A call that was let in and has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StartedCall {
    pub id: String,
    pub started_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The member whose key it is.
    pub principal: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// As the client named it.
    pub model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    pub operation: String,
    /// Absent where it is not known any more: for calls that were under way before anyone looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// Priced as calls in a batch are.
    pub batch: bool,
    /// The batch of which a line made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
    pub trace_id: String,
}

/// How far a stream is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnsweringCall {
    pub id: String,
    pub provider: String,
    pub target: String,
    pub attempts: u32,
    /// From the call's start to its first token.
    pub first_ms: u32,
    /// Guessed from the length of the text so far.
    pub output_tokens: u64,
}

/// The reader was too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MissedCalls {
    /// So many of the events were not told.
    pub events: u64,
}
