mod answers;
mod calls;
mod clients;
mod customs;
mod later;
mod older;
mod properties;
mod refusals;
mod responses;
mod spaces;
mod streams;
mod usages;
mod wire;

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
        credential: Some(SecretString::from("sk-secret-123456".to_owned())),
        ..Endpoint::new("upstream".parse().unwrap(), ProviderKind::OpenAi, base_url, "target-model")
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
