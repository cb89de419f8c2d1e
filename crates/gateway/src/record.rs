//! What is known of a call: who made it, what it used, what it cost. The ledger writes these and nothing else.

use mainspring_kernel::{
    Digest, Money, Timestamp,
    id::{ApiKeyId, BatchId, CallId, PrincipalId, ProjectId},
};
use mainspring_llm::{TokenUsage, TraceId};
use mainspring_providers::FaultClass;
use serde::{Deserialize, Serialize};

/// On whose behalf a call is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    pub project: ProjectId,
    pub principal: PrincipalId,
    /// Absent for the single user of a loopback server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ApiKeyId>,
    /// The end user, as the client names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The app whose chain makes the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The batch of which a line makes the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_of: Option<BatchId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallStatus {
    Ok,
    Failed,
    /// The client went away.
    Cancelled,
    /// The process died; settled with what had been set aside.
    Interrupted,
}

impl CallStatus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Which prices a cost was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceStamp {
    /// The digest of the table's version.
    pub table: Digest,
    /// The entry's `model` pattern.
    pub entry: String,
}

/// What one attempt used, and what that cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptCharge {
    pub provider: String,
    /// As the provider names it.
    pub target: String,
    pub usage: TokenUsage,
    pub cost: Money,
    /// Absent where no table has a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceStamp>,
}

/// The same, wherever a record has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'r> {
    pub(crate) provider: Option<&'r str>,
    pub(crate) target: Option<&'r str>,
    pub(crate) usage: &'r TokenUsage,
    pub(crate) cost: Money,
    pub(crate) price: Option<&'r PriceStamp>,
}

/// One call, settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    pub id: CallId,
    #[serde(flatten)]
    pub caller: Caller,
    pub at: Timestamp,
    pub took_ms: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<u32>,
    /// As the client named it.
    pub model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The target that answered, or the last that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    pub operation: String,
    pub status: CallStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<FaultClass>,
    pub attempts: u32,
    /// Of all attempts together.
    pub usage: TokenUsage,
    pub cost: Money,
    /// Absent where no table has a price: the cost is then zero, and said to be unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceStamp>,
    /// What each attempt used that was paid, where that says more than the call's own fields: several were, or another target
    /// than the one that is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charges: Vec<AttemptCharge>,
    /// Answered from the cache.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// Priced as calls in a batch are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub batch: bool,
    /// The name of the response that was made, where its provider keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// The account of the provider that keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Digest>,
    /// What was set aside for it, where its answer is made while its client is away. Of such a call the catalog knows which
    /// process waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Money>,
    pub trace: TraceId,
}

impl CallRecord {
    /// What was paid, and to whom: together it is the call's usage and cost.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let own = self.charges.is_empty().then_some(Part {
            provider: self.provider.as_deref(),
            target: self.target.as_deref(),
            usage: &self.usage,
            cost: self.cost,
            price: self.price.as_ref(),
        });
        self.charges.iter().map(AttemptCharge::part).chain(own)
    }

    /// Nothing where tokens were used that nobody has a price for: zero would say that they were free.
    pub(crate) fn known_cost(&self) -> Option<Money> {
        let unpriced = !self.cached && self.parts().any(|part| part.is_unpriced());
        (!unpriced).then_some(self.cost)
    }

    /// Says nothing twice: what the target that is shown was paid alone stands in the call's own fields.
    pub(crate) fn conclude(&mut self) {
        let is_shown = |charge: &AttemptCharge| {
            self.provider.as_deref() == Some(charge.provider.as_str()) && self.target.as_deref() == Some(charge.target.as_str())
        };
        let shown = self.charges.iter().rfind(|charge| is_shown(charge));
        let alone = shown.is_some() && self.charges.len() == 1;
        if let Some(charge) = shown.or(self.charges.last()) {
            self.price = charge.price.clone();
        }
        if alone {
            self.charges.clear();
        }
    }
}

impl AttemptCharge {
    fn part(&self) -> Part<'_> {
        let Self { provider, target, usage, cost, price } = self;
        Part { provider: Some(provider), target: Some(target), usage, cost: *cost, price: price.as_ref() }
    }
}

impl Part<'_> {
    /// Whether tokens were used that nobody has a price for.
    pub(crate) const fn is_unpriced(&self) -> bool {
        self.price.is_none() && !self.usage.is_nothing()
    }
}
