use std::time::Duration;

use http::HeaderMap;
use mainspring_kernel::{Fault, FaultKind, duration};
use mainspring_llm::ModelFault;
use mainspring_providers::{FaultClass, UpstreamFault};
use mainspring_registry::RegistryFault;

use crate::ledger::LedgerFault;

/// Why a call was not made, or gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GatewayFault {
    #[error("there is no model, route or provider called `{model}`")]
    UnknownModel { model: String, nearest: Option<String> },
    /// The client's request, as a surface reads it.
    #[error("`{parameter}`: {reason}")]
    BadRequest { parameter: String, reason: String },
    #[error("no target of `{model}` can take this call: {why}")]
    NoTarget { model: String, why: String, retry_after: Option<Duration> },
    #[error("`{model}` gave no answer within {}", duration::write(*within))]
    Late { model: String, within: Duration },
    /// Told to a client that comes back.
    #[error("nobody took the answer of `{model}`, and its call was ended")]
    NotTaken { model: String },
    /// Who made a response is not there any more, or is another account now.
    #[error("response `{response}` was made with an account that provider `{provider}` of this project does not use any more")]
    MakerGone { provider: String, response: String },
    /// What a target said that was tried.
    #[error(transparent)]
    Upstream(#[from] UpstreamFault),
    /// What a model of this process said.
    #[error(transparent)]
    Local(#[from] ModelFault),
    /// A limit, a budget, or the ledger itself.
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
    #[error(transparent)]
    Registry(#[from] RegistryFault),
}

impl GatewayFault {
    #[must_use]
    pub fn invalid(parameter: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::BadRequest { parameter: parameter.into(), reason: reason.into() }
    }

    /// Headers for the client beside `Retry-After`.
    #[must_use]
    pub fn headers(&self) -> Option<&HeaderMap> {
        match self {
            Self::Ledger(fault) => fault.headers(),
            _ => None,
        }
    }

    /// What the fault says of a target, where one was asked.
    #[must_use]
    pub const fn class(&self) -> Option<FaultClass> {
        match self {
            Self::Upstream(fault) => Some(fault.class),
            Self::Local(fault) => Some(local_class(fault)),
            Self::Late { .. } => Some(FaultClass::Timeout),
            _ => None,
        }
    }
}

/// What a fault of a model of this process would be at a provider.
pub(crate) const fn local_class(fault: &ModelFault) -> FaultClass {
    match fault {
        ModelFault::UnknownModel { .. } | ModelFault::OtherKind { .. } => FaultClass::NotFound,
        ModelFault::ContextExceeded { .. } => FaultClass::ContextWindow,
        ModelFault::InvalidParameter { .. } => FaultClass::Invalid,
        ModelFault::Unsupported { .. } | ModelFault::UnkeptSchema { .. } => FaultClass::Unsupported,
        ModelFault::Saturated { .. } => FaultClass::RateLimited,
        ModelFault::Timeout { .. } => FaultClass::Timeout,
        ModelFault::NotInstalled { .. }
        | ModelFault::Fetching { .. }
        | ModelFault::Damaged { .. }
        | ModelFault::Engine { .. }
        | ModelFault::Elsewhere(_) => FaultClass::Server,
    }
}

impl Fault for GatewayFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::UnknownModel { .. } | Self::MakerGone { .. } => FaultKind::NotFound,
            Self::BadRequest { .. } => FaultKind::Invalid,
            Self::NoTarget { .. } => FaultKind::Unavailable,
            Self::Late { .. } | Self::NotTaken { .. } => FaultKind::Timeout,
            Self::Upstream(fault) => fault.kind(),
            Self::Local(fault) => fault.kind(),
            Self::Ledger(fault) => fault.kind(),
            Self::Registry(fault) => fault.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::UnknownModel { .. } => "gateway-unknown-model",
            Self::BadRequest { .. } => "gateway-bad-request",
            Self::NoTarget { .. } => "gateway-no-target",
            Self::Late { .. } => "gateway-late",
            Self::NotTaken { .. } => "gateway-not-taken",
            Self::MakerGone { .. } => "response-maker-gone",
            Self::Upstream(fault) => fault.code(),
            Self::Local(fault) => fault.code(),
            Self::Ledger(fault) => fault.code(),
            Self::Registry(fault) => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownModel { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            Self::UnknownModel { .. } => Some("`GET /v1/models` lists what can be called".into()),
            Self::NoTarget { model, .. } => Some(format!("`mainspring route explain {model}` shows how its targets stand")),
            Self::NotTaken { .. } => Some("read a stream as it comes; `server.client_timeout` says how long it is kept".into()),
            Self::MakerGone { provider, .. } => {
                Some(format!("apply a provider `{provider}` again that uses the account which keeps the response"))
            }
            Self::BadRequest { .. } | Self::Late { .. } => None,
            Self::Upstream(fault) => fault.hint(),
            Self::Local(fault) => fault.hint(),
            Self::Ledger(fault) => fault.hint(),
            Self::Registry(fault) => fault.hint(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NoTarget { retry_after, .. } => *retry_after,
            Self::UnknownModel { .. }
            | Self::BadRequest { .. }
            | Self::Late { .. }
            | Self::NotTaken { .. }
            | Self::MakerGone { .. } => None,
            Self::Upstream(fault) => fault.retry_after(),
            Self::Local(fault) => fault.retry_after(),
            Self::Ledger(fault) => fault.retry_after(),
            Self::Registry(fault) => fault.retry_after(),
        }
    }
}
