//! What went wrong on the other side, sorted by what one can do about it.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use mainspring_kernel::{Fault, FaultKind, Name, text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::seam::Endpoint;

/// Longer messages of providers are cut: they may quote the whole request.
const MESSAGE_MAX: usize = 600;

/// Routes name these in `retry.on` and `fallback.on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultClass {
    /// No connection: the name does not resolve, nothing listens, or the certificate is not to be trusted.
    Connect,
    /// Nothing, or nothing more, came in time.
    Timeout,
    /// The connection broke before the answer was complete.
    Reset,
    /// What came is not what the dialect says.
    Malformed,
    /// Too many requests or tokens (429).
    RateLimited,
    /// The provider has no capacity now (503, 529).
    Overloaded,
    /// Another error of the provider (5xx).
    Server,
    /// The provider does not take our credential (401, 403).
    Auth,
    /// The account has no money or quota left (402, `insufficient_quota`).
    Quota,
    /// The provider has no such model.
    NotFound,
    /// The request does not fit the model's context window.
    ContextWindow,
    /// The request itself is wrong; no other target would take it.
    Invalid,
    /// The provider's filter refused the request.
    ContentFilter,
    /// The target's dialect cannot say what was asked.
    Unsupported,
    /// The request is too large for the provider (413).
    TooLarge,
}

impl FaultClass {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Malformed => "malformed",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Server => "server",
            Self::Auth => "auth",
            Self::Quota => "quota",
            Self::NotFound => "not_found",
            Self::ContextWindow => "context_window",
            Self::Invalid => "invalid",
            Self::ContentFilter => "content_filter",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "too_large",
        }
    }
}

/// A call to a provider that gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("provider `{provider}`: {message}")]
pub struct UpstreamFault {
    pub provider: Name,
    pub class: FaultClass,
    /// Of the provider's answer, where there was one.
    pub status: Option<u16>,
    /// For people; never holds a credential.
    pub message: String,
    /// The provider's own code: `rate_limit_exceeded`.
    pub said: Option<String>,
    pub retry_after: Option<Duration>,
    /// The provider's answer as it came, for clients that speak its dialect.
    pub body: Option<Bytes>,
}

impl UpstreamFault {
    #[must_use]
    pub fn new(endpoint: &Endpoint, class: FaultClass, message: impl AsRef<str>) -> Self {
        Self {
            provider: endpoint.provider.clone(),
            class,
            status: None,
            message: text::elide(&endpoint.unquoted(message.as_ref()), MESSAGE_MAX),
            said: None,
            retry_after: None,
            body: None,
        }
    }

    #[must_use]
    pub fn unsupported(endpoint: &Endpoint, what: &str) -> Self {
        Self::new(
            endpoint,
            FaultClass::Unsupported,
            format!("a provider of the type {} cannot do this: {what}", endpoint.kind.as_str()),
        )
    }

    #[must_use]
    pub fn malformed(endpoint: &Endpoint, what: impl AsRef<str>) -> Self {
        Self::new(endpoint, FaultClass::Malformed, format!("the answer cannot be read: {}", what.as_ref()))
    }

    /// The provider's own words, where they have this shape and are about the client's request. That the provider does not
    /// take our key, or that our account there is empty, is nothing a client could mend.
    #[must_use]
    pub fn words(&self, shaped: impl FnOnce(&Value) -> bool) -> Option<(StatusCode, Bytes)> {
        if matches!(self.class, FaultClass::Auth | FaultClass::Quota) {
            return None;
        }
        let (status, body) = (StatusCode::from_u16(self.status?).ok()?, self.body.clone()?);
        let read: Value = serde_json::from_slice(&body).ok()?;
        (shaped(&read) && !status.is_success()).then_some((status, body))
    }
}

impl Fault for UpstreamFault {
    fn kind(&self) -> FaultKind {
        match self.class {
            FaultClass::Connect | FaultClass::Reset | FaultClass::Malformed | FaultClass::Overloaded | FaultClass::Server => {
                FaultKind::Unavailable
            }
            FaultClass::Auth | FaultClass::Quota => FaultKind::Unavailable,
            FaultClass::Timeout => FaultKind::Timeout,
            FaultClass::RateLimited => FaultKind::Saturated,
            FaultClass::NotFound => FaultKind::NotFound,
            FaultClass::ContextWindow | FaultClass::Invalid | FaultClass::ContentFilter | FaultClass::Unsupported => {
                FaultKind::Invalid
            }
            FaultClass::TooLarge => FaultKind::TooLarge,
        }
    }

    fn code(&self) -> &'static str {
        match self.class {
            FaultClass::Connect => "upstream-connect",
            FaultClass::Timeout => "upstream-timeout",
            FaultClass::Reset => "upstream-reset",
            FaultClass::Malformed => "upstream-malformed",
            FaultClass::RateLimited => "upstream-rate-limited",
            FaultClass::Overloaded => "upstream-overloaded",
            FaultClass::Server => "upstream-server",
            FaultClass::Auth => "upstream-auth",
            FaultClass::Quota => "upstream-quota",
            FaultClass::NotFound => "upstream-not-found",
            // As every other model here says it.
            FaultClass::ContextWindow => "context-length-exceeded",
            FaultClass::Invalid => "upstream-invalid",
            FaultClass::ContentFilter => "upstream-content-filter",
            FaultClass::Unsupported => "upstream-unsupported",
            FaultClass::TooLarge => "upstream-too-large",
        }
    }

    fn hint(&self) -> Option<String> {
        let provider = &self.provider;
        Some(match self.class {
            FaultClass::Auth => format!("check what the credential of provider `{provider}` refers to"),
            FaultClass::Quota => format!("the account behind provider `{provider}` has run out"),
            FaultClass::Connect => format!("check `base_url` of provider `{provider}`"),
            FaultClass::ContextWindow => "shorten the messages, or give the route a target with a larger window".into(),
            _ => return None,
        })
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}
