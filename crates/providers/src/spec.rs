//! What people write of a provider.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{credential::CredentialRef, preset::Preset};

mod resolve;
mod validate;

#[cfg(test)]
mod tests;

pub use resolve::EndpointFault;

/// A place that answers model calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderSpec {
    /// The dialect it speaks.
    #[serde(rename = "type")]
    pub kind: ProviderKind,
    /// For `openai`: a known server, which brings its address, its credential's usual name and its habits. With a `base_url`
    /// it is that server behind another address, and brings its habits alone. The page of providers lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// For `openai`: whether the server has `/responses` and is sent requests of that endpoint as they come. Absent: as the
    /// preset or the address is known for; a server that has it not is asked in chat completions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responses: Option<bool>,
    /// Where it listens, with the version in the path: `https://api.openai.com/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Where the key lies: `env:OPENAI_API_KEY`, `file:/run/secrets/openai` or `secret:openai`. Never the key itself.
    /// Absent: where it usually lies (`env:OPENAI_API_KEY`, `env:ANTHROPIC_API_KEY`…), if `base_url` is absent too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialRef>,
    /// Bedrock: the secret access key and the session token; `credential` is the access key id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key: Option<CredentialRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<CredentialRef>,
    /// Bedrock: `eu-central-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Azure: `2024-10-21`; Anthropic: `2023-06-01`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Headers to send along. Specs are shown to everyone in the project, so that a value which is a secret is written as the
    /// place where it lies, as `credential` is: `env:NAME`, `file:/path` or `secret:name`. The credential's own header comes
    /// before one of the same name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Models that clients may call as `provider/model` without a route. Absent: any; empty: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// What a call may write where the client does not say and the provider insists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_max_tokens: Option<u32>,
    /// Calls at once; more wait or go to another target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_concurrent: Option<u32>,
}

impl ProviderSpec {
    /// A provider of which nothing else is said.
    #[must_use]
    pub const fn of(kind: ProviderKind) -> Self {
        Self {
            kind,
            preset: None,
            responses: None,
            base_url: None,
            credential: None,
            secret_key: None,
            session_token: None,
            region: None,
            api_version: None,
            headers: BTreeMap::new(),
            models: None,
            default_max_tokens: None,
            max_concurrent: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// OpenAI and everything that speaks its dialect.
    #[serde(rename = "openai")]
    OpenAi,
    Azure,
    Anthropic,
    Gemini,
    Bedrock,
    /// The models in this process.
    Local,
}

impl ProviderKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Azure => "azure",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::Local => "local",
        }
    }
}
