//! What goes to Gemini and what comes back, on payloads as Google sends them.

mod answers;
mod calls;
mod losses;
mod refusals;
mod schemas;
mod streams;
mod usages;

use std::path::Path;

use mainspring_llm::exchange::{Call, Dialect, Part, Role, Tool, Turn};
use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    fault::UpstreamFault,
    seam::{Adapter, Encoded, Endpoint},
    spec::ProviderKind,
};

const KEY: &str = "AIzaSyFakeKeyForTests0123456789";

fn endpoint(model: &str) -> Endpoint {
    let base_url = "https://generativelanguage.googleapis.com/v1beta";
    Endpoint {
        credential: Some(SecretString::from(KEY)),
        ..Endpoint::new("google".parse().unwrap(), ProviderKind::Gemini, base_url, model)
    }
}

fn flash() -> Endpoint {
    endpoint("gemini-2.5-flash")
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/gemini").join(name);
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

fn encoded(endpoint: &Endpoint, call: &Call) -> Result<Encoded, UpstreamFault> {
    super::Gemini.encode(endpoint, call)
}

fn body(endpoint: &Endpoint, call: &Call) -> Value {
    serde_json::from_slice(&encoded(endpoint, call).unwrap().outgoing.body).unwrap()
}

fn lost(endpoint: &Endpoint, call: &Call) -> Vec<String> {
    encoded(endpoint, call).unwrap().lost.into_iter().map(|lost| lost.field).collect()
}

/// A fixture with one byte changed, or cut, or both.
fn damaged(names: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    (proptest::sample::select(names), any::<prop::sample::Index>(), any::<u8>(), any::<prop::sample::Index>(), any::<bool>())
        .prop_map(|(name, at, byte, cut, whole)| {
            let mut bytes = fixture(name).into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if !whole {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes
        })
}

fn result(id: &str, text: &str, is_error: bool) -> Part {
    Part::ToolResult { id: id.into(), name: None, parts: vec![Part::text(text)], is_error, cache: None }
}

fn asks(id: &str, name: &str, arguments: &str, signature: Option<&str>) -> Part {
    Part::ToolCall { id: id.into(), name: name.into(), arguments: arguments.into(), signature: signature.map(str::to_owned) }
}

fn weather() -> Tool {
    Tool::Function {
        name: "weather".into(),
        description: Some("The weather now.".into()),
        parameters: Some(json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})),
        strict: None,
        cache: None,
    }
}
