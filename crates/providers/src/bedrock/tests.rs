//! What goes to Bedrock and what comes back, on payloads as AWS sends them.

mod answers;
mod calls;
mod framing;
mod losses;
mod refusals;
mod signatures;
mod streams;
mod usages;

use std::path::Path;

use mainspring_llm::exchange::{Call, Dialect, Media, Part, Role, Tool, Turn};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Bedrock;
use crate::{
    fault::UpstreamFault,
    seam::{Adapter, Encoded, Endpoint},
    spec::ProviderKind,
};

const ACCESS_KEY: &str = "AKIDEXAMPLE";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const CLAUDE: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";
const NOVA: &str = "eu.amazon.nova-lite-v1:0";

fn endpoint(model: &str) -> Endpoint {
    let base_url = "https://bedrock-runtime.eu-central-1.amazonaws.com";
    Endpoint {
        credential: Some(SecretString::from(ACCESS_KEY)),
        secret_key: Some(SecretString::from(SECRET_KEY)),
        region: Some("eu-central-1".to_owned()),
        ..Endpoint::new("aws".parse().unwrap(), ProviderKind::Bedrock, base_url, model)
    }
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bedrock").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn call(turns: Vec<Turn>) -> Call {
    Call { turns, ..Call::new("any", Dialect::OpenAiChat) }
}

fn hello() -> Call {
    call(vec![Turn::text(Role::User, "Hello")])
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts, name: None }
}

fn encoded(model: &str, call: &Call) -> Result<Encoded, UpstreamFault> {
    Bedrock.encode(&endpoint(model), call)
}

fn body(model: &str, call: &Call) -> Value {
    serde_json::from_slice(&encoded(model, call).unwrap().outgoing.body).unwrap()
}

fn lost(model: &str, call: &Call) -> Vec<String> {
    encoded(model, call).unwrap().lost.into_iter().map(|lost| lost.field).collect()
}

/// One line of a recorded stream: a frame, before it was framed.
#[derive(Deserialize)]
struct Recorded {
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    exception: Option<String>,
    payload: Value,
}

/// A recorded stream in the bytes AWS sends.
fn recorded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in fixture(name).lines() {
        let Recorded { event, exception, payload } = serde_json::from_str(line).unwrap();
        let (kind, field, value) = match (&event, &exception) {
            (Some(event), None) => ("event", ":event-type", event),
            (None, Some(exception)) => ("exception", ":exception-type", exception),
            _ => panic!("{line}"),
        };
        let headers = [(field, value.as_str()), (":content-type", "application/json"), (":message-type", kind)];
        bytes.extend(framed(&headers, payload.to_string().as_bytes()));
    }
    bytes
}

/// A frame as the specification has it.
fn framed(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut written = Vec::new();
    for (name, value) in headers {
        written.push(u8::try_from(name.len()).unwrap());
        written.extend_from_slice(name.as_bytes());
        written.push(7);
        written.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        written.extend_from_slice(value.as_bytes());
    }
    let mut frame = prelude(u32::try_from(16 + written.len() + payload.len()).unwrap(), u32::try_from(written.len()).unwrap());
    frame.extend_from_slice(&written);
    frame.extend_from_slice(payload);
    let checksum = crc32fast::hash(&frame);
    frame.extend_from_slice(&checksum.to_be_bytes());
    frame
}

/// Lengths, true or not, with their checksum.
fn prelude(length: u32, headers: u32) -> Vec<u8> {
    let mut prelude = [length.to_be_bytes(), headers.to_be_bytes()].concat();
    let checksum = crc32fast::hash(&prelude);
    prelude.extend_from_slice(&checksum.to_be_bytes());
    prelude
}

fn png() -> Media {
    Media::Base64 { media_type: "image/png".into(), data: "iVBORw0KGgo=".into() }
}

fn result(id: &str, parts: Vec<Part>, is_error: bool) -> Part {
    Part::ToolResult { id: id.into(), name: None, parts, is_error, cache: None }
}

fn asks(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall { id: id.into(), name: name.into(), arguments: arguments.into(), signature: None }
}

fn weather() -> Tool {
    Tool::Function {
        name: "weather".into(),
        description: Some("The weather now.".into()),
        parameters: Some(json!({"type": "object", "properties": {"city": {"type": "string"}}})),
        strict: None,
        cache: None,
    }
}
