//! What is known of a call: who made it, what it used, what it cost. The ledger writes these and nothing else.

use mainspring_kernel::{
    Digest, Money, Timestamp,
    id::{ApiKeyId, CallId, PrincipalId, ProjectId},
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
    /// Answered from the cache.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub batch: bool,
    pub trace: TraceId,
}
