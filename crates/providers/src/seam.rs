//! What every kind of provider can do: pure translation, without I/O.

mod losses;
mod outgoing;

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use mainspring_kernel::{Name, Timestamp};
use mainspring_llm::{
    TokenUsage,
    exchange::{Answer, Call, Dialect, EmbedAnswer, EmbedCall, Event, RerankAnswer, RerankCall},
};
use memchr::memmem;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

pub(crate) use losses::Losses;

use crate::{
    anthropic, bedrock,
    fault::{FaultClass, UpstreamFault},
    gemini, openai,
    preset::{Habits, Preset},
    spec::ProviderKind,
};

/// A model of a provider, ready to be called.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub provider: Name,
    pub kind: ProviderKind,
    /// Without a slash at its end: `https://api.openai.com/v1`.
    pub base_url: String,
    /// As the provider names it; a deployment on Azure.
    pub model: String,
    /// Beside the credential's own headers.
    pub headers: BTreeMap<String, String>,
    /// Headers whose values lie where keys do; `Adapter::authorize` adds them.
    pub secret_headers: BTreeMap<String, SecretString>,
    pub credential: Option<SecretString>,
    /// AWS: the secret half and the session, beside the access key in `credential`.
    pub secret_key: Option<SecretString>,
    pub session_token: Option<SecretString>,
    pub region: Option<String>,
    pub api_version: Option<String>,
    /// What the provider wants as `max_tokens` where the client names none; Anthropic insists on one.
    pub default_max_tokens: Option<u32>,
    /// The known server it is, by its spec or by its address.
    pub preset: Option<Preset>,
    /// Where it departs from OpenAI's dialect.
    pub habits: Habits,
}

/// Shorter secrets occur in any text.
const SECRET_MIN: usize = 6;

impl Endpoint {
    /// A model of a provider that asks for no credential. Its habits are those its address is known for.
    #[must_use]
    pub fn new(provider: Name, kind: ProviderKind, base_url: impl Into<String>, model: impl Into<String>) -> Self {
        let base_url = base_url.into();
        let preset = if kind == ProviderKind::OpenAi { Preset::of_address(&base_url) } else { None };
        Self {
            provider,
            kind,
            base_url,
            model: model.into(),
            headers: BTreeMap::new(),
            secret_headers: BTreeMap::new(),
            credential: None,
            secret_key: None,
            session_token: None,
            region: None,
            api_version: None,
            default_max_tokens: None,
            preset,
            habits: Habits::of(kind, preset),
        }
    }

    /// As they are sent: servers quote what they refuse.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        let keys = [&self.credential, &self.secret_key, &self.session_token];
        let keys = keys.into_iter().flatten().map(|secret| secret.expose_secret().trim());
        let headers = self.secret_headers.values().map(|secret| secret.expose_secret().trim());
        // Of `Bearer KEY` a server quotes the key alone.
        let bare = headers.clone().filter_map(|value| value.rsplit_once(' ')).map(|(_, key)| key);
        keys.chain(headers).chain(bare).filter(|secret| secret.len() >= SECRET_MIN)
    }

    /// Adds the headers whose values no log shows.
    pub(crate) fn add_secret_headers(&self, outgoing: &mut Outgoing) -> Result<(), UpstreamFault> {
        for (name, secret) in &self.secret_headers {
            let value = HeaderValue::from_str(secret.expose_secret().trim());
            let (Ok(header), Ok(mut value)) = (HeaderName::try_from(name.as_str()), value) else {
                return Err(UpstreamFault::new(self, FaultClass::Invalid, format!("`{name}` is not a header that can be sent")));
            };
            value.set_sensitive(true);
            outgoing.headers.insert(header, value);
        }
        Ok(())
    }

    /// Whether what a server says quotes a part of the credential.
    #[must_use]
    pub fn is_quoted(&self, said: &[u8]) -> bool {
        self.secrets().any(|secret| memmem::find(said, secret.as_bytes()).is_some())
    }

    /// The same words without any part of the credential.
    #[must_use]
    pub fn unquoted(&self, said: &str) -> String {
        self.secrets().fold(said.to_owned(), |said, secret| said.replace(secret, "[credential]"))
    }
}

/// A request ready for the wire.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A field that the target's dialect cannot say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// As the client wrote it: `top_k`, `messages[2].audio`.
    pub field: String,
    pub why: &'static str,
}

/// What a call has no word for at all, as it is named wherever the call goes.
pub(crate) fn unread(call: &Call) -> impl Iterator<Item = Lost> {
    call.unread.iter().map(|field| Lost { field: field.clone(), why: "a field that nobody here knows" })
}

/// A translated request, and what of it was left behind. What would change the meaning of the answer is never left
/// behind: it is an `UpstreamFault` of the class `Unsupported`.
#[derive(Debug, Clone)]
pub struct Encoded {
    pub outgoing: Outgoing,
    pub lost: Vec<Lost>,
}

/// What is asked of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    Chat,
    Responses,
    /// A conversation of the responses endpoint made shorter, as agents ask when it has grown too long.
    Compact,
    Messages,
    CountTokens,
    Completions,
    Embeddings,
    Rerank,
    Moderations,
}

impl Operation {
    /// As traces name it (`gen_ai.operation.name`) where the conventions have a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat | Self::Responses | Self::Compact | Self::Messages => "chat",
            Self::CountTokens => "count_tokens",
            Self::Completions => "text_completion",
            Self::Embeddings => "embeddings",
            Self::Rerank => "rerank",
            Self::Moderations => "moderation",
        }
    }
}

/// What is asked about a response that a provider keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    Read,
    Delete,
    /// To end one that is made in the background.
    Cancel,
    /// What it was asked.
    InputItems,
}

impl About {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Delete => "delete",
            Self::Cancel => "cancel",
            Self::InputItems => "input items",
        }
    }
}

/// A response that a provider keeps, by its name there, and what the client says behind `?`.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    pub about: About,
    pub response: &'a str,
    pub query: Option<&'a str>,
}

/// The number that an answer to a count has under a name.
pub(crate) fn number(endpoint: &Endpoint, body: &[u8], name: &str) -> Result<u64, UpstreamFault> {
    let read: Value = serde_json::from_slice(body).unwrap_or_default();
    read[name].as_u64().ok_or_else(|| UpstreamFault::malformed(endpoint, format!("it has no number `{name}`")))
}

/// Some fields of a body that was written for an answer.
pub(crate) fn only(endpoint: &Endpoint, body: &[u8], names: &[&str]) -> Result<Map<String, Value>, UpstreamFault> {
    let mut fields: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| UpstreamFault::new(endpoint, FaultClass::Invalid, error.to_string()))?;
    fields.retain(|name, _| names.contains(&name.as_str()));
    Ok(fields)
}

/// One kind of provider. Every function is pure; `authorize` alone sees the credential.
pub trait Adapter: Send + Sync + fmt::Debug {
    /// The dialect this kind speaks when it is translated to.
    fn dialect(&self) -> Dialect;

    /// A request that is already in this provider's own dialect: the body goes out as it came, but for the model's name,
    /// which the caller has replaced. `None` where this kind has no such endpoint.
    fn pass(
        &self,
        endpoint: &Endpoint,
        operation: Operation,
        body: Bytes,
        stream: bool,
    ) -> Option<Result<Outgoing, UpstreamFault>>;

    /// A request about a response that the provider keeps. `None` where this kind keeps none.
    fn kept(&self, _: &Endpoint, _: Kept<'_>) -> Option<Result<Outgoing, UpstreamFault>> {
        None
    }

    fn encode(&self, endpoint: &Endpoint, call: &Call) -> Result<Encoded, UpstreamFault>;
    fn decode(&self, endpoint: &Endpoint, body: &[u8]) -> Result<Answer, UpstreamFault>;
    /// Reads a streamed answer from its first byte.
    fn events(&self, endpoint: &Endpoint) -> Box<dyn Events>;

    /// Whether the provider itself counts the tokens of a request that was said in this dialect.
    fn counts(&self, _: &Endpoint, _: Dialect) -> bool {
        false
    }

    /// Asks how many tokens a call has, where the provider counts and the client spoke another dialect.
    fn encode_count(&self, endpoint: &Endpoint, _: &Call) -> Result<Outgoing, UpstreamFault> {
        Err(UpstreamFault::unsupported(endpoint, "count_tokens"))
    }
    fn decode_count(&self, endpoint: &Endpoint, _: &[u8]) -> Result<u64, UpstreamFault> {
        Err(UpstreamFault::unsupported(endpoint, "count_tokens"))
    }

    /// What an answer that passes through says it used; whole, or one event of a stream. Reads no more than it must.
    fn usage(&self, operation: Operation, body: &[u8]) -> Option<TokenUsage>;

    fn encode_embed(&self, endpoint: &Endpoint, _: &EmbedCall) -> Result<Outgoing, UpstreamFault> {
        Err(UpstreamFault::unsupported(endpoint, "embeddings"))
    }
    fn decode_embed(&self, endpoint: &Endpoint, _: &[u8]) -> Result<EmbedAnswer, UpstreamFault> {
        Err(UpstreamFault::unsupported(endpoint, "embeddings"))
    }
    fn encode_rerank(&self, endpoint: &Endpoint, _: &RerankCall) -> Result<Outgoing, UpstreamFault> {
        Err(UpstreamFault::unsupported(endpoint, "rerank"))
    }
    fn decode_rerank(&self, endpoint: &Endpoint, _: &[u8]) -> Result<RerankAnswer, UpstreamFault> {
        Err(UpstreamFault::unsupported(endpoint, "rerank"))
    }

    /// What an answer that is not 2xx means, or one that is an error all the same.
    fn refusal(&self, endpoint: &Endpoint, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> UpstreamFault;

    /// Adds what proves who is asking. `now` is for signatures.
    fn authorize(&self, endpoint: &Endpoint, outgoing: &mut Outgoing, now: Timestamp) -> Result<(), UpstreamFault>;
}

/// Reads one streamed answer. Chunks may be cut anywhere.
pub trait Events: Send {
    /// Reads a chunk; appends what it makes of it.
    fn push(&mut self, chunk: &[u8], out: &mut Vec<Event>) -> Result<(), UpstreamFault>;
    /// The connection ended: a stream that was not complete is a fault of the class `Reset`.
    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), UpstreamFault>;
}

/// The adapter of a kind; `None` for the local engine, which is no server.
#[must_use]
pub fn adapter(kind: ProviderKind) -> Option<&'static dyn Adapter> {
    match kind {
        ProviderKind::OpenAi => Some(&openai::OpenAi { azure: false }),
        ProviderKind::Azure => Some(&openai::OpenAi { azure: true }),
        ProviderKind::Anthropic => Some(&anthropic::Anthropic),
        ProviderKind::Gemini => Some(&gemini::Gemini),
        ProviderKind::Bedrock => Some(&bedrock::Bedrock),
        ProviderKind::Local => None,
    }
}

#[cfg(test)]
mod tests;
