//! A streamed answer: frames whose headers name the event and whose payload is its JSON.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use mainspring_llm::exchange::{Dialect, Event, Finish};
use serde_json::Value;

use super::{
    decode::{broken, finish, stop_sequence, tokens},
    frames::{Decoder, Frame},
    refusal,
};
use crate::{
    fault::{FaultClass, UpstreamFault},
    seam::{Endpoint, Events},
};

pub(super) struct Stream {
    endpoint: Endpoint,
    decoder: Decoder,
    began: bool,
    finished: bool,
    calls: u32,
    /// Blocks that are open, by their number in the stream.
    blocks: BTreeMap<u64, Block>,
}

#[derive(Debug)]
enum Block {
    /// `silent`: no arguments have come.
    Call {
        call: u32,
        silent: bool,
    },
    Thought {
        signature: String,
        sealed: Vec<String>,
    },
}

impl Stream {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        Self {
            endpoint: endpoint.clone(),
            decoder: Decoder::default(),
            began: false,
            finished: false,
            calls: 0,
            blocks: BTreeMap::new(),
        }
    }

    fn frame(&mut self, frame: &Frame, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        let header = |name: &str| frame.header(name).unwrap_or_default();
        match header(":message-type") {
            "exception" => return Err(refusal::within_stream(&self.endpoint, header(":exception-type"), &frame.payload)),
            "error" => return Err(refusal::unmodelled(&self.endpoint, header(":error-code"), header(":error-message"))),
            _ => {}
        }
        let event = header(":event-type");
        let payload: Value = serde_json::from_slice(&frame.payload)
            .map_err(|_| UpstreamFault::malformed(&self.endpoint, format!("the event `{event}` is not JSON")))?;
        match event {
            "messageStart" => self.begin(out),
            "contentBlockStart" => self.open(&payload, out),
            "contentBlockDelta" => self.go_on(&payload, out)?,
            "contentBlockStop" => self.close(&payload, out),
            "messageStop" => self.finish(&payload, out)?,
            "metadata" => out.extend(payload.get("usage").and_then(tokens).map(Event::Usage)),
            // Events are added without notice.
            _ => {}
        }
        Ok(())
    }

    /// Bedrock names an answer in a header only, and its model nowhere.
    fn begin(&mut self, out: &mut Vec<Event>) {
        if !self.began {
            self.began = true;
            out.push(Event::Began { id: String::new(), model: self.endpoint.model.clone() });
        }
    }

    fn open(&mut self, payload: &Value, out: &mut Vec<Event>) {
        self.begin(out);
        let start = payload.get("start").unwrap_or(&Value::Null);
        let Some(tool) = start.get("toolUse") else {
            if start.as_object().is_some_and(|start| !start.is_empty()) {
                out.push(Event::Other { said_in: Dialect::Bedrock, value: payload.clone() });
            }
            return;
        };
        let text = |name: &str| tool.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let call = self.calls;
        self.calls += 1;
        self.blocks.insert(number(payload), Block::Call { call, silent: true });
        out.push(Event::ToolCall { choice: 0, call, id: text("toolUseId"), name: text("name"), signature: None });
    }

    fn go_on(&mut self, payload: &Value, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        self.begin(out);
        let delta = payload.get("delta").unwrap_or(&Value::Null);
        let text = |place: &Value, name: &str| place.get(name).and_then(Value::as_str).map(str::to_owned);
        if let Some(text) = text(delta, "text") {
            out.extend((!text.is_empty()).then_some(Event::Text { choice: 0, text, logprobs: None }));
        } else if let Some(tool) = delta.get("toolUse") {
            let Some(Block::Call { call, silent }) = self.blocks.get_mut(&number(payload)) else {
                return Err(UpstreamFault::malformed(&self.endpoint, "arguments of a call that has not begun"));
            };
            let fragment = text(tool, "input").unwrap_or_default();
            *silent &= fragment.is_empty();
            out.extend((!fragment.is_empty()).then_some(Event::Arguments { choice: 0, call: *call, fragment }));
        } else if let Some(thought) = delta.get("reasoningContent") {
            self.think(number(payload), thought, out);
        } else {
            out.push(Event::Other { said_in: Dialect::Bedrock, value: payload.clone() });
        }
        Ok(())
    }

    fn think(&mut self, number: u64, thought: &Value, out: &mut Vec<Event>) {
        let text = |name: &str| thought.get(name).and_then(Value::as_str);
        let block = self.blocks.entry(number).or_insert_with(|| Block::Thought { signature: String::new(), sealed: Vec::new() });
        if let Block::Thought { signature, sealed } = block {
            signature.push_str(text("signature").unwrap_or_default());
            sealed.extend(text("redactedContent").map(str::to_owned));
        }
        if let Some(text) = text("text").filter(|text| !text.is_empty()) {
            out.push(Event::Reasoning { choice: 0, text: text.to_owned() });
        }
    }

    fn close(&mut self, payload: &Value, out: &mut Vec<Event>) {
        match self.blocks.remove(&number(payload)) {
            Some(Block::Thought { signature, sealed }) => {
                let signature = (!signature.is_empty()).then_some(signature);
                out.push(Event::ReasoningDone { choice: 0, id: None, signature, sealed: joined(sealed) });
            }
            // A tool without parameters; nothing at all is no JSON.
            Some(Block::Call { call, silent: true }) => {
                out.push(Event::Arguments { choice: 0, call, fragment: "{}".to_owned() });
            }
            Some(Block::Call { .. }) | None => {}
        }
    }

    fn finish(&mut self, payload: &Value, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        self.begin(out);
        if self.finished {
            return Ok(());
        }
        let reason = payload.get("stopReason").and_then(Value::as_str).unwrap_or("end_turn");
        let finish = finish(reason).ok_or_else(|| broken(&self.endpoint, reason))?;
        self.finished = true;
        let finish = if self.calls > 0 && finish == Finish::Stop { Finish::ToolCalls } else { finish };
        let stop_sequence = stop_sequence(payload.get("additionalModelResponseFields"));
        out.push(Event::Finished { choice: 0, finish, stop_sequence });
        Ok(())
    }
}

fn number(payload: &Value) -> u64 {
    payload.get("contentBlockIndex").and_then(Value::as_u64).unwrap_or(0)
}

/// Sealed thoughts as one piece of base64; what came in one piece stays as it came.
fn joined(mut pieces: Vec<String>) -> Option<String> {
    if pieces.len() < 2 {
        return pieces.pop();
    }
    let bytes: Result<Vec<Vec<u8>>, _> = pieces.iter().map(|piece| STANDARD.decode(piece)).collect();
    Some(bytes.map_or_else(|_| pieces.concat(), |bytes| STANDARD.encode(bytes.concat())))
}

impl Events for Stream {
    fn push(&mut self, chunk: &[u8], out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        let mut frames = Vec::new();
        let fault = self.decoder.push(chunk, &mut frames);
        for frame in &frames {
            self.frame(frame, out)?;
        }
        fault.map_err(|fault| UpstreamFault::malformed(&self.endpoint, fault.to_string()))
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        if !self.finished || !self.decoder.is_at_rest() {
            return Err(UpstreamFault::new(&self.endpoint, FaultClass::Reset, "the stream ended before the answer did"));
        }
        out.push(Event::Ended);
        Ok(())
    }
}
