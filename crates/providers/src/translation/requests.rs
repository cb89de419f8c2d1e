//! Requests: what each provider is told of what a client said.

use mainspring_llm::exchange::Call;

use super::{
    Client, Fate, Server, holds, merged,
    samples::{ROWS, Row},
};
use crate::{anthropic, fault::FaultClass, openai, seam::adapter};

const CHAT: &str = r#"{"model": "m", "messages": [{"role": "user", "content": "hello"}]}"#;
const RESPONSES: &str = r#"{"model": "m", "input": [{"role": "user", "content": "hello"}]}"#;
const MESSAGES: &str = r#"{"model": "m", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}"#;

/// What clients of this dialect can say, and what becomes of it at each of its servers.
pub(super) fn table(client: Client) -> Vec<(&'static str, Vec<Fate>)> {
    let row = |row: &'static Row| {
        let call = read(client, row.said(client)?)?;
        let fates = client.servers().iter().map(|server| fate(*server, &call, row.marks));
        Some((row.what, fates.collect()))
    };
    ROWS.iter().filter_map(row).collect()
}

/// A request that says nothing but this.
pub(super) fn read(client: Client, said: &str) -> Option<Call> {
    match client {
        Client::Chat => openai::chat::read(merged(CHAT, said)?.to_string().as_bytes()).ok(),
        Client::Responses => openai::responses::read(merged(RESPONSES, said)?.to_string().as_bytes()).ok(),
        Client::Messages => anthropic::read(merged(MESSAGES, said)?.to_string().as_bytes()).ok(),
    }
}

pub(super) fn fate(server: Server, call: &Call, marks: &[&str]) -> Fate {
    let (Some(endpoint), Some(adapter)) = (server.endpoint(), adapter(server.kind())) else { return Fate::Gone };
    let encoded = match adapter.encode(&endpoint, call) {
        Ok(encoded) => encoded,
        Err(fault) if fault.class == FaultClass::Unsupported => return Fate::Refused,
        Err(_) => return Fate::Gone,
    };
    let said = format!("{} {}", encoded.outgoing.uri, String::from_utf8_lossy(&encoded.outgoing.body));
    let mut lost: Vec<String> = encoded.lost.into_iter().map(|lost| lost.field).collect();
    lost.dedup();
    match (holds(&said, marks), lost.is_empty()) {
        (true, true) => Fate::Kept,
        (true, false) => Fate::Changed(lost),
        (false, false) => Fate::Lost(lost),
        (false, true) => Fate::Gone,
    }
}
