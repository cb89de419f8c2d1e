//! Anthropic's Messages API from both sides: what a provider of this kind is sent and says, and what a client of this
//! dialect sends and is told.
//!
//! Start with `encode.rs` and `decode.rs`; `read.rs` and `write.rs` are the client's side.

mod arguments;
mod balance;
mod blocks;
mod decode;
mod encode;
mod events;
mod finish;
mod parts;
mod read;
pub(crate) mod reasoning;
mod refusal;
pub(crate) mod schema;
mod sealed;
mod turns;
mod usage;
mod write;
mod writer;

#[cfg(test)]
mod tests;

pub use arguments::RAW_ARGUMENTS;
pub use read::{ReadFault, read};
pub use write::write;
pub use writer::{Writer, Written};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use mainspring_kernel::Timestamp;
use mainspring_llm::{
    TokenUsage,
    exchange::{Answer, Call, Dialect},
};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::{
    fault::{FaultClass, UpstreamFault},
    plain,
    seam::{self, Adapter, Encoded, Endpoint, Events, Operation, Outgoing},
};

/// The version of the API that is asked for where neither the provider's spec nor the client names one.
const VERSION: &str = "2023-06-01";
const VERSION_HEADER: HeaderName = HeaderName::from_static("anthropic-version");
const BETA_HEADER: HeaderName = HeaderName::from_static("anthropic-beta");
const KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// Tokens of a subscription begin so; they are taken as a bearer only, and only with this beta.
const OAUTH_PREFIX: &str = "sk-ant-oat";
const OAUTH_BETA: &str = "oauth-2025-04-20";

/// What may be written where nobody says: Anthropic insists on a number.
const MAX_TOKENS: u32 = 4096;

/// Anthropic, and servers that speak its dialect.
#[derive(Debug, Clone, Copy)]
pub struct Anthropic;

impl Adapter for Anthropic {
    fn dialect(&self) -> Dialect {
        Dialect::Anthropic
    }

    fn pass(&self, endpoint: &Endpoint, operation: Operation, body: Bytes, _: bool) -> Option<Result<Outgoing, UpstreamFault>> {
        let path = match operation {
            Operation::Messages => "messages",
            Operation::CountTokens => "messages/count_tokens",
            _ => return None,
        };
        Some(outgoing(endpoint, path, body))
    }

    fn encode(&self, endpoint: &Endpoint, call: &Call) -> Result<Encoded, UpstreamFault> {
        let (body, mut lost) = encode::encode(endpoint, &plain::of(call, self.dialect()))?;
        lost.extend(seam::unread(call));
        let body =
            serde_json::to_vec(&body).map_err(|error| UpstreamFault::new(endpoint, FaultClass::Invalid, error.to_string()))?;
        Ok(Encoded { outgoing: outgoing(endpoint, "messages", body.into())?, lost })
    }

    fn decode(&self, endpoint: &Endpoint, body: &[u8]) -> Result<Answer, UpstreamFault> {
        decode::decode(endpoint, body)
    }

    fn events(&self, endpoint: &Endpoint) -> Box<dyn Events> {
        Box::new(events::Stream::of(endpoint))
    }

    fn counts(&self, _: &Endpoint, _: Dialect) -> bool {
        true
    }

    /// It refuses what says how to answer.
    fn encode_count(&self, endpoint: &Endpoint, call: &Call) -> Result<Outgoing, UpstreamFault> {
        let body = self.encode(endpoint, call)?.outgoing.body;
        let fields = seam::only(endpoint, &body, &["model", "messages", "system", "tools", "tool_choice", "thinking"])?;
        outgoing(endpoint, "messages/count_tokens", Value::Object(fields).to_string().into())
    }

    fn decode_count(&self, endpoint: &Endpoint, body: &[u8]) -> Result<u64, UpstreamFault> {
        seam::number(endpoint, body, "input_tokens")
    }

    fn usage(&self, operation: Operation, body: &[u8]) -> Option<TokenUsage> {
        // Counting tokens uses none.
        (operation != Operation::CountTokens).then(|| usage::peek(body)).flatten()
    }

    fn refusal(&self, endpoint: &Endpoint, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> UpstreamFault {
        refusal::refusal(endpoint, status, headers, body)
    }

    fn authorize(&self, endpoint: &Endpoint, outgoing: &mut Outgoing, _: Timestamp) -> Result<(), UpstreamFault> {
        endpoint.add_secret_headers(outgoing)?;
        let headers = &mut outgoing.headers;
        if !headers.contains_key(&VERSION_HEADER) {
            let version = endpoint.api_version.as_deref().unwrap_or(VERSION);
            let version = HeaderValue::from_str(version)
                .map_err(|_| UpstreamFault::new(endpoint, FaultClass::Invalid, "`api_version` cannot stand in a header"))?;
            headers.insert(VERSION_HEADER, version);
        }
        let Some(credential) = &endpoint.credential else { return Ok(()) };
        let secret = credential.expose_secret().trim();
        let oauth = secret.starts_with(OAUTH_PREFIX);
        let bearer = oauth || endpoint.headers.iter().any(|(name, value)| asks_for_bearer(name, value));
        let text = if bearer { format!("Bearer {secret}") } else { secret.to_owned() };
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| UpstreamFault::new(endpoint, FaultClass::Auth, "the credential cannot stand in a header"))?;
        value.set_sensitive(true);
        headers.insert(if bearer { AUTHORIZATION } else { KEY_HEADER }, value);
        let named = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains(OAUTH_BETA));
        if oauth && !headers.get_all(&BETA_HEADER).iter().any(named) {
            headers.append(BETA_HEADER, HeaderValue::from_static(OAUTH_BETA));
        }
        Ok(())
    }
}

/// A spec says with the header `authorization: Bearer` that its credential goes there; the key itself is no part of it.
fn asks_for_bearer(name: &str, value: &str) -> bool {
    name.eq_ignore_ascii_case("authorization") && value.trim().eq_ignore_ascii_case("bearer")
}

/// The address may be written with the version in its path or without: Anthropic's own clients leave it out.
fn outgoing(endpoint: &Endpoint, path: &str, body: Bytes) -> Result<Outgoing, UpstreamFault> {
    let base = endpoint.base_url.trim_end_matches('/');
    let base = base.strip_suffix("/v1").unwrap_or(base);
    let uri: Uri = format!("{base}/v1/{path}")
        .parse()
        .map_err(|_| UpstreamFault::new(endpoint, FaultClass::Connect, "`base_url` is not an address"))?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in endpoint.headers.iter().filter(|(name, value)| !asks_for_bearer(name, value)) {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) else {
            return Err(UpstreamFault::new(endpoint, FaultClass::Invalid, "a header of the provider cannot be sent"));
        };
        headers.insert(name, value);
    }
    Ok(Outgoing { method: Method::POST, uri, headers, body })
}
