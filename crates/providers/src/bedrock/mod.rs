#![doc = include_str!("README.md")]

mod blocks;
mod decode;
mod embed;
mod encode;
mod events;
mod family;
mod frames;
mod inference;
mod messages;
mod refusal;
mod sigv4;
mod usage;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use mainspring_kernel::Timestamp;
use mainspring_llm::{
    TokenUsage,
    exchange::{Answer, Call, Dialect, EmbedAnswer, EmbedCall},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    fault::{FaultClass, UpstreamFault},
    plain,
    seam::{self, Adapter, Encoded, Endpoint, Events, Operation, Outgoing},
};

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SESSION: HeaderName = HeaderName::from_static("x-amz-security-token");

#[derive(Debug)]
pub struct Bedrock;

impl Adapter for Bedrock {
    fn dialect(&self) -> Dialect {
        Dialect::Bedrock
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

    /// Of the models there, Anthropic's alone can be asked.
    fn counts(&self, endpoint: &Endpoint, _: Dialect) -> bool {
        endpoint.model.contains("anthropic.claude")
    }

    fn encode_count(&self, endpoint: &Endpoint, call: &Call) -> Result<Outgoing, UpstreamFault> {
        let body = self.encode(endpoint, call)?.outgoing.body;
        let fields = seam::only(endpoint, &body, &["messages", "system", "toolConfig"])?;
        post(endpoint, "count-tokens", &json!({"input": {"converse": fields}}))
    }

    fn decode_count(&self, endpoint: &Endpoint, body: &[u8]) -> Result<u64, UpstreamFault> {
        seam::number(endpoint, body, "inputTokens")
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

    fn authorize(&self, endpoint: &Endpoint, outgoing: &mut Outgoing, now: Timestamp) -> Result<(), UpstreamFault> {
        endpoint.add_secret_headers(outgoing)?;
        match (&endpoint.credential, &endpoint.secret_key) {
            (Some(access_key), Some(secret_key)) => sign(endpoint, outgoing, now, access_key, secret_key),
            (Some(key), None) => bear(endpoint, outgoing, key),
            (None, Some(_)) => Err(UpstreamFault::new(endpoint, FaultClass::Auth, "a secret key without its access key")),
            (None, None) => Ok(()),
        }
    }
}

/// A Bedrock API key, as `AWS_BEARER_TOKEN_BEDROCK` holds it.
fn bear(endpoint: &Endpoint, outgoing: &mut Outgoing, key: &SecretString) -> Result<(), UpstreamFault> {
    let value = secret(endpoint, &format!("Bearer {}", key.expose_secret().trim()))?;
    outgoing.headers.insert(header::AUTHORIZATION, value);
    Ok(())
}

fn sign(
    endpoint: &Endpoint,
    outgoing: &mut Outgoing,
    now: Timestamp,
    access_key: &SecretString,
    secret_key: &SecretString,
) -> Result<(), UpstreamFault> {
    let region = region(endpoint)
        .ok_or_else(|| UpstreamFault::new(endpoint, FaultClass::Auth, "`region` is missing: a signature holds in one region"))?;
    let stamp = stamp(endpoint, now)?;
    outgoing.headers.insert(DATE, secret(endpoint, &stamp)?);
    if let Some(token) = &endpoint.session_token {
        outgoing.headers.insert(SESSION, secret(endpoint, token.expose_secret().trim())?);
    }
    let host = host(&outgoing.uri);
    let mut headers = vec![("host", host.as_str())];
    for (name, value) in &outgoing.headers {
        // Others may be changed or added on the way.
        if *name == header::CONTENT_TYPE || name.as_str().starts_with("x-amz-") {
            headers.extend(value.to_str().ok().map(|value| (name.as_str(), value)));
        }
    }
    let request = sigv4::Request {
        method: outgoing.method.as_str(),
        path: outgoing.uri.path(),
        query: outgoing.uri.query().unwrap_or_default(),
        headers,
        body: &outgoing.body,
    };
    let scope = sigv4::Scope { stamp: &stamp, region: &region, service: "bedrock" };
    let (access_key, secret_key) = (access_key.expose_secret().trim(), secret_key.expose_secret().trim());
    let authorization = secret(endpoint, &sigv4::authorization(&request, scope, access_key, secret_key))?;
    outgoing.headers.insert(header::AUTHORIZATION, authorization);
    Ok(())
}

/// A header that no log shows.
fn secret(endpoint: &Endpoint, text: &str) -> Result<HeaderValue, UpstreamFault> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| UpstreamFault::new(endpoint, FaultClass::Auth, "the credential has characters that no header takes"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// As it was set, or as the address has it.
fn region(endpoint: &Endpoint) -> Option<String> {
    let of_address = || {
        let (_, rest) = endpoint.base_url.split_once("://")?;
        let mut labels = rest.split(['/', ':']).next()?.split('.');
        labels.next().filter(|service| service.starts_with("bedrock-runtime"))?;
        labels.next().map(str::to_owned)
    };
    endpoint.region.clone().or_else(of_address)
}

fn stamp(endpoint: &Endpoint, now: Timestamp) -> Result<String, UpstreamFault> {
    let now = jiff::Timestamp::from_second(now.as_seconds())
        .map_err(|_| UpstreamFault::new(endpoint, FaultClass::Auth, "the clock is beyond all dates that can be signed"))?;
    Ok(now.strftime("%Y%m%dT%H%M%SZ").to_string())
}

/// As it will stand in the request: with the port where it is not the usual one.
fn host(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let usual = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    match uri.port_u16() {
        Some(port) if port != usual => format!("{host}:{port}"),
        _ => host.to_owned(),
    }
}

/// A request to one of the model's operations. The model's name is one segment of the path, whatever is in it.
fn post(endpoint: &Endpoint, operation: &str, body: &Value) -> Result<Outgoing, UpstreamFault> {
    let address = format!("{}/model/{}/{operation}", endpoint.base_url, sigv4::encode(endpoint.model.as_bytes()));
    Outgoing::to(endpoint, (Method::POST, &address), Bytes::from(body.to_string()))
}

#[cfg(test)]
mod tests;
