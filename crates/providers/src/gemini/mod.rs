#![doc = include_str!("README.md")]

mod contents;
mod decode;
mod embed;
mod encode;
mod events;
mod logprobs;
mod media;
mod refusal;
mod schema;
mod thinking;
mod usage;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use mainspring_kernel::Timestamp;
use mainspring_llm::{
    TokenUsage,
    exchange::{Answer, Call, Dialect, EmbedAnswer, EmbedCall},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    fault::{FaultClass, UpstreamFault},
    plain,
    seam::{self, Adapter, Encoded, Endpoint, Events, Operation, Outgoing},
};

const API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

#[derive(Debug)]
pub struct Gemini;

impl Adapter for Gemini {
    fn dialect(&self) -> Dialect {
        Dialect::Gemini
    }

    /// No client speaks this dialect here.
    fn pass(&self, _: &Endpoint, _: Operation, _: Bytes, _: bool) -> Option<Result<Outgoing, UpstreamFault>> {
        None
    }

    fn encode(&self, endpoint: &Endpoint, call: &Call) -> Result<Encoded, UpstreamFault> {
        encode::encode(endpoint, &plain::of(call, self.dialect()))
    }

    fn decode(&self, endpoint: &Endpoint, body: &[u8]) -> Result<Answer, UpstreamFault> {
        decode::decode(endpoint, body)
    }

    fn events(&self, endpoint: &Endpoint) -> Box<dyn Events> {
        Box::new(events::Stream::new(endpoint))
    }

    fn counts(&self, _: &Endpoint, _: Dialect) -> bool {
        true
    }

    fn encode_count(&self, endpoint: &Endpoint, call: &Call) -> Result<Outgoing, UpstreamFault> {
        let body = self.encode(endpoint, call)?.outgoing.body;
        let mut fields = seam::only(endpoint, &body, &["contents", "systemInstruction", "tools", "toolConfig"])?;
        fields.insert("model".to_owned(), resource(&endpoint.model).into());
        post(endpoint, "countTokens", &json!({"generateContentRequest": fields}))
    }

    fn decode_count(&self, endpoint: &Endpoint, body: &[u8]) -> Result<u64, UpstreamFault> {
        seam::number(endpoint, body, "totalTokens")
    }

    fn usage(&self, _: Operation, body: &[u8]) -> Option<TokenUsage> {
        usage::read(body)
    }

    fn encode_embed(&self, endpoint: &Endpoint, call: &EmbedCall) -> Result<Outgoing, UpstreamFault> {
        embed::encode(endpoint, call)
    }

    fn decode_embed(&self, endpoint: &Endpoint, body: &[u8]) -> Result<EmbedAnswer, UpstreamFault> {
        embed::decode(endpoint, body)
    }

    fn refusal(&self, endpoint: &Endpoint, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> UpstreamFault {
        refusal::read(endpoint, status, headers, body)
    }

    fn authorize(&self, endpoint: &Endpoint, outgoing: &mut Outgoing, _: Timestamp) -> Result<(), UpstreamFault> {
        endpoint.add_secret_headers(outgoing)?;
        let Some(credential) = &endpoint.credential else {
            return Ok(());
        };
        // Google takes keys in the query too, where every log on the way would keep them.
        let mut value = HeaderValue::from_str(credential.expose_secret().trim())
            .map_err(|_| UpstreamFault::new(endpoint, FaultClass::Auth, "the key has characters that no header takes"))?;
        value.set_sensitive(true);
        outgoing.headers.insert(API_KEY, value);
        Ok(())
    }
}

/// The model as Google names its resource: `models/gemini-2.5-pro`, `tunedModels/mine`.
fn resource(model: &str) -> String {
    if model.contains('/') { model.to_owned() } else { format!("models/{model}") }
}

fn path(resource: &str) -> String {
    let mut path = String::with_capacity(resource.len());
    for byte in resource.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

/// A request to one of the model's methods, such as `generateContent`.
fn post(endpoint: &Endpoint, method: &str, body: &Value) -> Result<Outgoing, UpstreamFault> {
    let address = format!("{}/{}:{method}", endpoint.base_url, path(&resource(&endpoint.model)));
    Outgoing::to(endpoint, (Method::POST, &address), Bytes::from(body.to_string()))
}

#[cfg(test)]
mod tests;
