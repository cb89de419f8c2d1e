//! What people write of a route.

use std::collections::BTreeMap;

use mainspring_kernel::Name;
use mainspring_providers::FaultClass;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::duration::Span;

/// A model name clients use, and the targets that may answer it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// Further names clients may use, beside the route's own. One may end in `*`: `claude-*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    pub targets: Vec<Target>,
    /// How the first target of a call is chosen among those of the lowest tier.
    #[serde(default)]
    pub choose: Choose,
    /// Calls with the same of these go to the same target, as long as it is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    #[serde(default)]
    pub retry: Retry,
    #[serde(default)]
    pub fallback: Fallback,
    #[serde(default)]
    pub timeouts: Timeouts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hedge: Option<Hedge>,
    #[serde(default)]
    pub breaker: Breaker,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
}

/// A provider's model that may answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    #[schemars(with = "String")]
    pub provider: Name,
    /// As the provider names it. Absent: as the client named it, which needs a route with `models`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its share among the targets of its tier.
    #[serde(default = "one")]
    pub weight: u32,
    /// Targets of tier 1 are asked when those of tier 0 have failed or are not well, and so on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tier: u32,
    /// Asked only after one of these faults of another target, such as `[context_window]`. Absent: first in its turn, and
    /// after every fault that the route's `fallback` names. Needs a tier above the lowest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<FaultClass>,
    /// What is always sent: `temperature: 0.2`. Fields as in OpenAI's chat completions, and other endpoints are told in their
    /// own words; what they do not know is left out and named. `null` takes a field away.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// In tokens. A call that is surely longer skips the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u32>,
    /// What it can write at most; what is set aside for a call that names no `max_tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// The name under which `prices` has it; absent: `model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_as: Option<String>,
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Choose {
    /// At random, by weight.
    #[default]
    Weighted,
    /// The first that is well, in the order written.
    First,
    /// The one that lately began to answer soonest, of two drawn by weight. Streams and answers that come whole have times of
    /// their own.
    Latency,
    /// The cheapest by price for this call.
    Cost,
}

impl Choose {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Weighted => "weight",
            Self::First => "order",
            Self::Latency => "latency",
            Self::Cost => "cost",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sticky {
    Key,
    /// The `user` of the request, or the caller.
    User,
    /// The conversation: the header `x-mainspring-session` or `mainspring.session`.
    Session,
}

/// Further attempts at the same target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// After the first.
    pub attempts: u32,
    /// The wait before the first of them; doubles each time, with jitter. A provider's `Retry-After` comes first.
    pub backoff: Span,
    /// The longest wait. A `Retry-After` beyond it is not waited for: another target is asked, or the client is told to come
    /// back then.
    pub max_backoff: Span,
    pub on: Vec<FaultClass>,
}

impl Default for Retry {
    fn default() -> Self {
        use FaultClass::{Connect, Malformed, Overloaded, RateLimited, Reset, Server};
        Self {
            attempts: 1,
            backoff: Span::millis(250),
            max_backoff: Span::seconds(8),
            // No `timeout`: who was late has most likely done the work, and would be paid for doing it again.
            on: vec![Connect, Reset, Malformed, RateLimited, Overloaded, Server],
        }
    }
}

/// Which faults lead to another target, where the target itself does not say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fallback {
    pub on: Vec<FaultClass>,
}

impl Default for Fallback {
    fn default() -> Self {
        use FaultClass::{
            Auth, Connect, ContextWindow, Malformed, NotFound, Overloaded, Quota, RateLimited, Reset, Server, Timeout,
            Unsupported,
        };
        Self {
            on: vec![
                Connect,
                Timeout,
                Reset,
                Malformed,
                RateLimited,
                Overloaded,
                Server,
                Auth,
                Quota,
                NotFound,
                ContextWindow,
                Unsupported,
            ],
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    pub connect: Span,
    /// Until an attempt's answer begins, where it need not be written first: the first event of a stream, or the head of an
    /// answer that is no text, such as an embedding. Whatever a stream brings before that, a comment or a ping, gives it as
    /// much time again. Absent: ten minutes for a stream, since models that think say nothing meanwhile, and one for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Span>,
    /// Until a text that comes in one piece is there: providers say nothing before all of it is written. Absent: as long as
    /// an attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<Span>,
    /// Between two pieces of a stream. Comments and pings are pieces.
    pub idle: Span,
    /// One attempt, to its last byte.
    pub attempt: Span,
    /// The whole call with all attempts; a stream that has begun may go on until then.
    pub total: Span,
}

/// As long as the official clients wait for the next byte: models that think have been silent for minutes.
const SILENCE: Span = Span::seconds(600);
/// An answer that is no text takes seconds.
const BRIEF: Span = Span::seconds(60);

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Span::seconds(5),
            first: None,
            whole: None,
            // Some begin at once and think then.
            idle: SILENCE,
            // Models that think write for more than ten minutes, and what is left of `total` is for another target.
            attempt: Span::seconds(900),
            total: Span::seconds(1_200),
        }
    }
}

impl Timeouts {
    /// How long the first event of a stream is waited for.
    #[must_use]
    pub fn for_stream(&self) -> Span {
        self.first.unwrap_or(SILENCE)
    }

    /// How long the head of an answer that is no text is waited for.
    pub(crate) fn for_brief(&self) -> Span {
        self.first.unwrap_or(BRIEF)
    }

    /// How long a text that comes in one piece is waited for.
    pub(crate) fn for_whole(&self) -> Span {
        self.whole.unwrap_or(self.attempt)
    }
}

/// A second attempt at another target when the first is late to begin; whichever begins first is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hedge {
    /// `p95` of the target's own recent times to begin, of streams for a stream and of whole answers for one that comes whole;
    /// or a time such as `800ms`.
    pub after: HedgeAfter,
    /// Share of calls that may be hedged at most, so that a slow provider does not double the bill.
    #[serde(default = "tenth")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub at_most: f64,
}

const fn tenth() -> f64 {
    0.1
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum HedgeAfter {
    Percentile(Percentile),
    Span(Span),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Percentile {
    P50,
    P90,
    P95,
    P99,
}

/// When a target is left alone for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// Share of failed attempts within `window` that opens it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub failure_rate: f64,
    /// Fewer attempts than these within `window` open nothing.
    pub min_attempts: u32,
    pub window: Span,
    /// How long it stays open before a probe; doubles with each failed probe up to eight times.
    pub open_for: Span,
    /// Attempts let through at once while half open.
    pub probes: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failure_rate: 0.5, min_attempts: 5, window: Span::seconds(30), open_for: Span::seconds(15), probes: 1 }
    }
}

/// Answers that are given again. Never across projects or access labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    #[serde(default)]
    pub mode: CacheMode,
    pub ttl: Span,
    /// How long after `ttl` an old answer may still be given while a new one is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_for: Option<Span>,
    /// `semantic`: how alike the last user messages must be (cosine).
    #[serde(default = "alike")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: f64,
    /// `semantic`: the embedding model; absent: the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<String>,
    /// Also keep answers to requests with a temperature above zero and no seed.
    #[serde(default)]
    pub sampled: bool,
    /// Each user of the key has a cache of their own.
    #[serde(default)]
    pub per_user: bool,
}

const fn alike() -> f64 {
    0.95
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CacheMode {
    #[default]
    Exact,
    Semantic,
}

/// Names of a route's problems, by their place.
pub type Problems = BTreeMap<String, String>;
