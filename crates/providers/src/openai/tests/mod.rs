mod answers;
mod calls;
mod clients;
mod customs;
mod properties;
mod refusals;
mod responses;
mod spaces;
mod streams;
mod usages;
mod wire;

use std::collections::BTreeMap;

use mainspring_llm::exchange::{Answer, Event};
use secrecy::SecretString;
use serde_json::Value;

use super::OpenAi;
use crate::{
    fault::UpstreamFault,
    seam::{Adapter, Endpoint},
    spec::ProviderKind,
};

const PLAIN: OpenAi = OpenAi { azure: false };
const AZURE: OpenAi = OpenAi { azure: true };

/// Somewhere nobody knows.
const UNKNOWN: &str = "http://gpu-7.example:8000/v1";
const OPENAI: &str = "https://api.openai.com/v1";

fn at(base_url: &str) -> Endpoint {
    Endpoint {
        provider: "upstream".parse().unwrap(),
        kind: ProviderKind::OpenAi,
        base_url: base_url.to_owned(),
        model: "target-model".to_owned(),
        headers: BTreeMap::new(),
        credential: Some(SecretString::from("sk-secret-123456".to_owned())),
        secret_key: None,
        session_token: None,
        region: None,
        api_version: None,
        default_max_tokens: None,
        no_stream_options: false,
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/openai/", $name))
    };
}
use fixture;

fn decoded(text: &str) -> Answer {
    PLAIN.decode(&at(UNKNOWN), text.as_bytes()).unwrap()
}

/// All events of a stream that comes in these pieces.
fn streamed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Option<UpstreamFault>) {
    let endpoint = at(UNKNOWN);
    let mut reader = PLAIN.events(&endpoint);
    let mut out = Vec::new();
    for piece in pieces {
        if let Err(fault) = reader.push(piece, &mut out) {
            return (out, Some(fault));
        }
    }
    let fault = reader.end(&mut out).err();
    (out, fault)
}

#[track_caller]
fn events(stream: &str) -> Vec<Event> {
    let (events, fault) = streamed([stream.as_bytes()]);
    assert!(fault.is_none(), "{fault:?}");
    events
}
