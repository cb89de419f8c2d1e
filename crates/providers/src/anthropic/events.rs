//! A streamed answer.

use std::{collections::BTreeMap, mem};

use mainspring_llm::exchange::{Dialect, Event, Finish};
use serde_json::Value;

use super::{finish, refusal, usage};
use crate::{
    fault::{FaultClass, UpstreamFault},
    seam::{Endpoint, Events},
    sse::{Decoder, Frame},
};

/// The only answer there is.
const CHOICE: u32 = 0;

/// A content block that has begun and not ended.
#[derive(Debug)]
enum Block {
    Text,
    Thinking {
        signature: String,
    },
    Sealed {
        data: String,
    },
    Tool {
        call: u32,
        input: Value,
        /// Some of the arguments came in pieces; then `input` is none.
        pieces: bool,
    },
    /// Has no word among events and goes on as it comes.
    Other,
}

#[derive(Debug)]
pub(super) struct Stream {
    endpoint: Endpoint,
    decoder: Decoder,
    frames: Vec<Frame>,
    blocks: BTreeMap<u64, Block>,
    calls: u32,
    finished: bool,
    ended: bool,
}

impl Stream {
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        Self {
            endpoint: endpoint.clone(),
            decoder: Decoder::default(),
            frames: Vec::new(),
            blocks: BTreeMap::new(),
            calls: 0,
            finished: false,
            ended: false,
        }
    }

    fn frame(&mut self, frame: &Frame, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        let data = frame.data.trim();
        // Servers that speak this dialect besides OpenAI's now and then end with its mark.
        if self.ended || data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        let said: Value = serde_json::from_str(data)
            .map_err(|error| UpstreamFault::malformed(&self.endpoint, format!("an event of the stream: {error}")))?;
        let kind = said["type"].as_str().or(frame.event.as_deref()).unwrap_or_default().to_owned();
        match kind.as_str() {
            "message_start" => began(&self.endpoint, &said["message"], out),
            "content_block_start" => self.begin(said, out),
            "content_block_delta" => self.delta(said, out),
            "content_block_stop" => self.stop(said, out),
            "message_delta" => self.message(&said, out),
            "message_stop" => self.finish(out),
            "ping" => out.push(Event::Ping),
            "error" => return Err(refusal::said(&self.endpoint, &said)),
            // Events to come.
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, said: Value, out: &mut Vec<Event>) {
        let index = said["index"].as_u64().unwrap_or_default();
        let inner = &said["content_block"];
        let field = |name: &str| inner[name].as_str().unwrap_or_default().to_owned();
        let block = match inner["type"].as_str().unwrap_or_default() {
            "text" => {
                text(field("text"), out);
                Block::Text
            }
            "thinking" => {
                thought(field("thinking"), out);
                Block::Thinking { signature: field("signature") }
            }
            "redacted_thinking" => Block::Sealed { data: field("data") },
            "tool_use" => {
                let call = self.calls;
                self.calls += 1;
                out.push(Event::ToolCall { choice: CHOICE, call, id: field("id"), name: field("name"), signature: None });
                Block::Tool { call, input: inner["input"].clone(), pieces: false }
            }
            _ => {
                out.push(other(said));
                Block::Other
            }
        };
        self.blocks.insert(index, block);
    }

    fn delta(&mut self, said: Value, out: &mut Vec<Event>) {
        let index = said["index"].as_u64().unwrap_or_default();
        let inner = &said["delta"];
        let field = |name: &str| inner[name].as_str().unwrap_or_default().to_owned();
        match (inner["type"].as_str().unwrap_or_default(), self.blocks.get_mut(&index)) {
            (_, Some(Block::Other)) => out.push(other(said)),
            ("text_delta", _) => text(field("text"), out),
            ("thinking_delta", _) => thought(field("thinking"), out),
            ("signature_delta", Some(Block::Thinking { signature })) => signature.push_str(&field("signature")),
            ("input_json_delta", Some(Block::Tool { call, pieces, .. })) => {
                let fragment = field("partial_json");
                if !fragment.is_empty() {
                    *pieces = true;
                    out.push(Event::Arguments { choice: CHOICE, call: *call, fragment });
                }
            }
            ("citations_delta", _) => out.push(other(said)),
            // Deltas to come, and those of blocks that never began.
            _ => {}
        }
    }

    fn stop(&mut self, said: Value, out: &mut Vec<Event>) {
        match self.blocks.remove(&said["index"].as_u64().unwrap_or_default()) {
            Some(Block::Thinking { signature }) => {
                let signature = (!signature.is_empty()).then_some(signature);
                out.push(Event::ReasoningDone { choice: CHOICE, id: None, signature, sealed: None });
            }
            Some(Block::Sealed { data }) => {
                out.push(Event::ReasoningDone { choice: CHOICE, id: None, signature: None, sealed: Some(data) });
            }
            // A tool without parameters gets no pieces, and elsewhere nothing at all is no JSON.
            Some(Block::Tool { call, input, pieces: false }) => {
                let fragment = if input.is_object() { input.to_string() } else { "{}".to_owned() };
                out.push(Event::Arguments { choice: CHOICE, call, fragment });
            }
            Some(Block::Other) => out.push(other(said)),
            Some(Block::Text | Block::Tool { .. }) | None => {}
        }
    }

    fn message(&mut self, said: &Value, out: &mut Vec<Event>) {
        if said["usage"].is_object() {
            out.push(Event::Usage(usage::read(&said["usage"])));
        }
        let delta = &said["delta"];
        if let Some(reason) = delta["stop_reason"].as_str().filter(|_| !self.finished) {
            self.finished = true;
            let stop_sequence = delta["stop_sequence"].as_str().map(str::to_owned);
            out.push(Event::Finished { choice: CHOICE, finish: finish::read(reason), stop_sequence });
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        if !self.finished {
            out.push(Event::Finished { choice: CHOICE, finish: Finish::Stop, stop_sequence: None });
        }
        self.ended = true;
        out.push(Event::Ended);
    }

    fn frames(&mut self, mut frames: Vec<Frame>, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        for frame in frames.drain(..) {
            self.frame(&frame, out)?;
        }
        self.frames = frames;
        Ok(())
    }
}

impl Events for Stream {
    fn push(&mut self, chunk: &[u8], out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        let mut frames = mem::take(&mut self.frames);
        let pushed = self.decoder.push(chunk, &mut frames);
        self.frames(frames, out)?;
        pushed.map_err(|fault| UpstreamFault::malformed(&self.endpoint, fault.to_string()))
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        let mut frames = mem::take(&mut self.frames);
        let ended = self.decoder.end(&mut frames);
        self.frames(frames, out)?;
        ended.map_err(|fault| UpstreamFault::malformed(&self.endpoint, fault.to_string()))?;
        if self.ended {
            return Ok(());
        }
        Err(UpstreamFault::new(&self.endpoint, FaultClass::Reset, "the stream ended before the answer was complete"))
    }
}

fn began(endpoint: &Endpoint, message: &Value, out: &mut Vec<Event>) {
    out.push(Event::Began {
        id: message["id"].as_str().unwrap_or_default().to_owned(),
        model: message["model"].as_str().unwrap_or(&endpoint.model).to_owned(),
    });
    if message["usage"].is_object() {
        out.push(Event::Usage(usage::read(&message["usage"])));
    }
}

fn text(text: String, out: &mut Vec<Event>) {
    if !text.is_empty() {
        out.push(Event::Text { choice: CHOICE, text, logprobs: None });
    }
}

fn thought(text: String, out: &mut Vec<Event>) {
    if !text.is_empty() {
        out.push(Event::Reasoning { choice: CHOICE, text });
    }
}

fn other(value: Value) -> Event {
    Event::Other { said_in: Dialect::Anthropic, value }
}
