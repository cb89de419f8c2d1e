//! Where a request goes, and what proves who is asking.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header::AUTHORIZATION};
use secrecy::ExposeSecret;

use crate::{
    fault::{FaultClass, UpstreamFault},
    seam::{About, Endpoint, Kept, Operation, Outgoing},
};

/// The newest version of Azure's API that is no preview, where a provider's spec names none.
const AZURE_VERSION: &str = "2024-10-21";
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// `None` where the server has no such endpoint.
pub(super) fn outgoing(
    endpoint: &Endpoint,
    azure: bool,
    operation: Operation,
    body: Bytes,
) -> Option<Result<Outgoing, UpstreamFault>> {
    let address = if azure { on_azure(endpoint, operation)? } else { plain(endpoint, operation)? };
    Some(Outgoing::to(endpoint, (Method::POST, &address), body))
}

/// A request about a response, which lies beneath the address where responses are made.
pub(super) fn kept(endpoint: &Endpoint, azure: bool, kept: Kept<'_>) -> Option<Result<Outgoing, UpstreamFault>> {
    let responses = Operation::Responses;
    let address = if azure { on_azure(endpoint, responses)? } else { plain(endpoint, responses)? };
    let (address, own) = address.split_once('?').map_or((address.as_str(), None), |(address, own)| (address, Some(own)));
    let (method, beneath) = match kept.about {
        About::Read => (Method::GET, ""),
        About::Delete => (Method::DELETE, ""),
        About::Cancel => (Method::POST, "/cancel"),
        About::InputItems => (Method::GET, "/input_items"),
    };
    let query: Vec<&str> = [own, kept.query].into_iter().flatten().filter(|query| !query.is_empty()).collect();
    let behind = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let address = format!("{address}/{}{beneath}{behind}", escaped(kept.response));
    Some(Outgoing::to(endpoint, (method, &address), Bytes::new()))
}

const fn path(operation: Operation) -> Option<&'static str> {
    Some(match operation {
        Operation::Chat => "/chat/completions",
        Operation::Responses => "/responses",
        Operation::Compact => "/responses/compact",
        Operation::CountTokens => "/responses/input_tokens",
        Operation::Completions => "/completions",
        Operation::Embeddings => "/embeddings",
        Operation::Rerank => "/rerank",
        Operation::Moderations => "/moderations",
        Operation::Messages => return None,
    })
}

fn plain(endpoint: &Endpoint, operation: Operation) -> Option<String> {
    let base = endpoint.base_url.trim_end_matches('/');
    let path = path(operation)?;
    let has = match operation {
        Operation::Responses => endpoint.habits.responses,
        Operation::Compact | Operation::CountTokens => endpoint.habits.responses && endpoint.habits.compact,
        _ => true,
    };
    if !has {
        return None;
    }
    // Cohere speaks this dialect beside its own, and reranks in its own only.
    match base.strip_suffix("/compatibility/v1") {
        Some(root) if operation == Operation::Rerank => Some(format!("{root}/v2/rerank")),
        _ => Some(format!("{base}{path}")),
    }
}

/// Azure names the model in the path; under `/openai/v1` it takes it from the body, as others do.
fn on_azure(endpoint: &Endpoint, operation: Operation) -> Option<String> {
    let base = endpoint.base_url.trim_end_matches('/');
    let path = path(operation)?;
    if matches!(operation, Operation::Rerank | Operation::Moderations | Operation::CountTokens) {
        return None;
    }
    if base.ends_with("/openai/v1") {
        let version = endpoint.api_version.as_deref().map(|version| format!("?api-version={}", escaped(version)));
        return Some(format!("{base}{path}{}", version.unwrap_or_default()));
    }
    let root = base.strip_suffix("/openai").unwrap_or(base);
    if matches!(operation, Operation::Responses | Operation::Compact) {
        return Some(format!("{root}/openai/v1{path}"));
    }
    let (model, version) = (escaped(&endpoint.model), escaped(endpoint.api_version.as_deref().unwrap_or(AZURE_VERSION)));
    Some(format!("{root}/openai/deployments/{model}{path}?api-version={version}"))
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Azure takes keys in a header of its own, and tokens of its directory as everyone takes them.
pub(super) fn authorize(endpoint: &Endpoint, azure: bool, outgoing: &mut Outgoing) -> Result<(), UpstreamFault> {
    let Some(credential) = &endpoint.credential else {
        return Ok(());
    };
    let secret = credential.expose_secret().trim();
    let key = azure && !is_token(secret);
    let text = if key { secret.to_owned() } else { format!("Bearer {secret}") };
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| UpstreamFault::new(endpoint, FaultClass::Auth, "the credential has characters that no header takes"))?;
    value.set_sensitive(true);
    outgoing.headers.insert(if key { API_KEY } else { AUTHORIZATION }, value);
    Ok(())
}

/// A signed token has three parts and begins with a JSON object in base64.
fn is_token(secret: &str) -> bool {
    secret.starts_with("eyJ") && secret.bytes().filter(|byte| *byte == b'.').count() == 2
}
