mod client;
mod decode;
mod encode;
mod events;
mod grammar;
mod parameters;
mod property;
mod wire;
mod writer;

use mainspring_llm::exchange::{Call, Dialect, Event, Role, Turn};
use serde_json::Value;

use super::Anthropic;
use crate::{
    fault::UpstreamFault,
    seam::{Adapter, Endpoint},
    spec::ProviderKind,
};

const STREAM_TEXT: &str = include_str!("../../../fixtures/anthropic/stream_text.sse");
const STREAM_TOOLS: &str = include_str!("../../../fixtures/anthropic/stream_tools.sse");
const STREAM_SEARCH: &str = include_str!("../../../fixtures/anthropic/stream_search.sse");
const STREAM_OVERLOADED: &str = include_str!("../../../fixtures/anthropic/stream_overloaded.sse");
const MESSAGE_CACHED: &str = include_str!("../../../fixtures/anthropic/message_cached.json");
const MESSAGE_TOOLS: &str = include_str!("../../../fixtures/anthropic/message_tools.json");
const MESSAGE_SEARCH: &str = include_str!("../../../fixtures/anthropic/message_search.json");
const REQUEST_AGENT: &str = include_str!("../../../fixtures/anthropic/request_agent.json");

const SIGNATURE: &str = "EqQBCgIYAhIkN2ZlMGI5/+Zz09YzE3ZTk4NDdjZGY1YmE0NWU4OGFkMTQyY2U=";
const SEALED: &str = "EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3rAFBa8cr3qpP";

fn endpoint(model: &str) -> Endpoint {
    Endpoint::new("claude".parse().unwrap(), ProviderKind::Anthropic, "https://api.anthropic.com", model)
}

/// A call as a client of another dialect makes it.
fn call() -> Call {
    let mut call = Call::new("any", Dialect::OpenAiChat);
    call.turns.push(Turn::text(Role::User, "Hi."));
    call
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The events of a stream that comes in pieces which end at `cuts`.
fn read_in_pieces(stream: &[u8], cuts: &[usize]) -> Result<Vec<Event>, UpstreamFault> {
    let mut reader = Anthropic.events(&endpoint("claude-sonnet-4-5"));
    let mut out = Vec::new();
    let mut from = 0;
    for to in cuts.iter().copied().chain([stream.len()]) {
        reader.push(&stream[from..to], &mut out)?;
        from = to;
    }
    reader.end(&mut out)?;
    Ok(out)
}

fn read(stream: &str) -> Vec<Event> {
    read_in_pieces(stream.as_bytes(), &[]).unwrap()
}
