//! From what people write to what can be called.

use std::collections::BTreeMap;

use mainspring_kernel::{Digest, Fault, FaultKind, Name, id::ProjectId};
use secrecy::SecretString;
use serde_json::json;

use super::{ProviderKind, ProviderSpec};
use crate::{
    credential::{CredentialFault, CredentialRef, Credentials},
    preset::{Habits, Preset},
    seam::Endpoint,
};

/// Why a provider cannot be called.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EndpointFault {
    #[error("provider `{provider}` has no address: the type `{kind}` is no server")]
    NoAddress { provider: Name, kind: &'static str },
    #[error("`{field}` of provider `{provider}`: {fault}")]
    Credential { provider: Name, field: String, fault: CredentialFault },
}

impl Fault for EndpointFault {
    fn kind(&self) -> FaultKind {
        match self {
            Self::NoAddress { .. } => FaultKind::Invalid,
            Self::Credential { fault, .. } => fault.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoAddress { .. } => "provider-no-address",
            Self::Credential { fault, .. } => fault.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoAddress { .. } => None,
            Self::Credential { fault, .. } => fault.hint(),
        }
    }
}

/// Where a key usually lies, for a provider that does not say.
struct Usual {
    variable: &'static str,
    /// Nobody is answered without it.
    needed: bool,
}

const AWS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

impl ProviderSpec {
    /// The provider with one of its models, ready to be called. Keys are looked up now, not when the spec was written.
    pub async fn endpoint(
        &self,
        name: &Name,
        model: &str,
        credentials: &Credentials,
        project: ProjectId,
    ) -> Result<Endpoint, EndpointFault> {
        let Some(base_url) = self.address() else {
            return Err(EndpointFault::NoAddress { provider: name.clone(), kind: self.kind.as_str() });
        };
        let keys = Keys { provider: name, credentials, project };
        let [credential, secret_key, session_token] = self.keys(&keys).await?;
        let (headers, secret_headers) = self.headers(&keys).await?;
        let mut endpoint = Endpoint {
            headers,
            secret_headers,
            credential,
            secret_key,
            session_token,
            region: self.region.clone(),
            api_version: self.api_version.clone(),
            default_max_tokens: self.default_max_tokens,
            ..Endpoint::new(name.clone(), self.kind, base_url, model)
        };
        // A server behind another address keeps the habits that its spec says it has.
        if let Some(preset) = self.preset {
            endpoint.preset = Some(preset);
            endpoint.habits = Habits::of(self.kind, Some(preset));
        }
        if let Some(responses) = self.responses {
            endpoint.habits.responses = responses;
        }
        Ok(endpoint)
    }

    /// Where its keys usually lie, of a provider that says nothing of them.
    pub(crate) fn variables(&self) -> Vec<&'static str> {
        match self.usual() {
            Some(_) if self.kind == ProviderKind::Bedrock => AWS.to_vec(),
            Some(usual) => vec![usual.variable],
            None => Vec::new(),
        }
    }

    /// Which known server it is, as the spec says, or its address.
    #[must_use]
    pub fn server(&self) -> Option<Preset> {
        match self.kind {
            ProviderKind::OpenAi => self.preset.or_else(|| Preset::of_address(&self.address()?)),
            _ => None,
        }
    }

    /// Where it listens, without a slash at the end; absent for the local engine, which is no server.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        if let Some(written) = &self.base_url {
            return Some(written.trim_end_matches('/').to_owned());
        }
        Some(match self.kind {
            ProviderKind::OpenAi => self.preset.unwrap_or(Preset::OpenAi).known().base_url.to_owned(),
            ProviderKind::Anthropic => "https://api.anthropic.com/v1".to_owned(),
            ProviderKind::Gemini => "https://generativelanguage.googleapis.com/v1beta".to_owned(),
            ProviderKind::Bedrock => {
                let region = self.region.as_deref()?;
                let china = if region.starts_with("cn-") { ".cn" } else { "" };
                format!("https://bedrock-runtime.{region}.amazonaws.com{china}")
            }
            ProviderKind::Azure | ProviderKind::Local => return None,
        })
    }

    /// Which account at which server is meant: where requests go, and where the keys lie that they go with. It stays the same
    /// when a key is exchanged where it lies, and says nothing of the key. Headers belong to it, since some choose the account.
    #[must_use]
    pub fn account(&self) -> Digest {
        let written = |key: &Option<CredentialRef>| key.as_ref().map(ToString::to_string);
        let keys = match (&self.credential, self.usual()) {
            (None, Some(usual)) => [Some(format!("env:{}", usual.variable)), None, None],
            _ => [written(&self.credential), written(&self.secret_key), written(&self.session_token)],
        };
        let Self { kind, region, headers, .. } = self;
        let (kind, address) = (kind.as_str(), self.address());
        Digest::of_json(&json!({"kind": kind, "address": address, "keys": keys, "region": region, "headers": headers}))
    }

    /// The usual places are for the usual addresses only: a key of this server's environment is sent to an address that a
    /// spec names only where the spec names the key too.
    fn usual(&self) -> Option<Usual> {
        if self.base_url.is_some() {
            return None;
        }
        match self.kind {
            ProviderKind::OpenAi => {
                let known = self.preset.unwrap_or(Preset::OpenAi).known();
                known.credential.map(|variable| Usual { variable, needed: known.needs_credential })
            }
            ProviderKind::Anthropic => Some(Usual { variable: "ANTHROPIC_API_KEY", needed: true }),
            ProviderKind::Gemini => Some(Usual { variable: "GEMINI_API_KEY", needed: true }),
            ProviderKind::Bedrock => Some(Usual { variable: AWS[0], needed: true }),
            ProviderKind::Azure | ProviderKind::Local => None,
        }
    }

    /// The credential, and for AWS the secret access key and the session token.
    async fn keys(&self, keys: &Keys<'_>) -> Result<[Option<SecretString>; 3], EndpointFault> {
        if self.credential.is_some() {
            return Ok([
                keys.written("credential", self.credential.as_ref()).await?,
                keys.written("secret_key", self.secret_key.as_ref()).await?,
                keys.written("session_token", self.session_token.as_ref()).await?,
            ]);
        }
        let Some(usual) = self.usual() else {
            return Ok([None, None, None]);
        };
        let credential = keys.usual("credential", usual.variable, usual.needed).await?;
        if self.kind != ProviderKind::Bedrock {
            return Ok([credential, None, None]);
        }
        let secret_key = keys.usual("secret_key", AWS[1], true).await?;
        Ok([credential, secret_key, keys.usual("session_token", AWS[2], false).await?])
    }

    async fn headers(&self, keys: &Keys<'_>) -> Result<Headers, EndpointFault> {
        let (mut plain, mut secret) = Headers::default();
        for (name, value) in &self.headers {
            match CredentialRef::of_value(value) {
                Some(Ok(reference)) => {
                    secret.insert(name.clone(), keys.look_up(&format!("headers.{name}"), &reference).await?);
                }
                // What was kept before such values were references is sent as it was.
                Some(Err(_)) | None => {
                    plain.insert(name.clone(), value.clone());
                }
            }
        }
        Ok((plain, secret))
    }
}

/// Headers with what stands in the spec, and those with what lies where keys do.
type Headers = (BTreeMap<String, String>, BTreeMap<String, SecretString>);

/// Looks keys up for one provider.
struct Keys<'k> {
    provider: &'k Name,
    credentials: &'k Credentials,
    project: ProjectId,
}

impl Keys<'_> {
    async fn written(&self, field: &str, reference: Option<&CredentialRef>) -> Result<Option<SecretString>, EndpointFault> {
        match reference {
            None => Ok(None),
            Some(reference) => self.look_up(field, reference).await.map(Some),
        }
    }

    async fn usual(&self, field: &str, variable: &str, needed: bool) -> Result<Option<SecretString>, EndpointFault> {
        match self.look_up(field, &CredentialRef::Env(variable.to_owned())).await {
            Ok(key) => Ok(Some(key)),
            Err(EndpointFault::Credential { fault, .. }) if !needed && is_absent(&fault) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn look_up(&self, field: &str, reference: &CredentialRef) -> Result<SecretString, EndpointFault> {
        let found = self.credentials.resolve(self.project, reference).await;
        found.map_err(|fault| EndpointFault::Credential { provider: self.provider.clone(), field: field.to_owned(), fault })
    }
}

fn is_absent(fault: &CredentialFault) -> bool {
    matches!(fault, CredentialFault::NoVariable { .. } | CredentialFault::Empty { .. } | CredentialFault::NotAllowed { .. })
}
