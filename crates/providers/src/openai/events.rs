//! A streamed chat completion, read.

use std::collections::BTreeMap;

use mainspring_llm::{TokenUsage, exchange::Event};
use serde_json::{Map, Value};

use super::{
    chat::turns::{arguments, signature_of},
    decode, extra, refusal, thoughts, usage,
};
use crate::{
    fault::{FaultClass, UpstreamFault},
    seam::{Endpoint, Events},
    sse,
};

/// OpenAI pads chunks with it so that their lengths tell nothing.
const PADDING: &str = "obfuscation";

pub(super) struct Stream {
    endpoint: Endpoint,
    decoder: sse::Decoder,
    frames: Vec<sse::Frame>,
    id: String,
    began: bool,
    ended: bool,
    choices: BTreeMap<u32, Choice>,
    /// Fields of the last chunk that have no word; most servers repeat them in each.
    said: Map<String, Value>,
}

#[derive(Default)]
struct Choice {
    finished: bool,
    calls: Vec<Call>,
}

/// A tool call under way.
struct Call {
    index: u64,
    id: String,
    /// Arguments that came before the name; `None` once the call has been told.
    waiting: Option<String>,
    /// No arguments have come.
    silent: bool,
}

impl Stream {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        Self {
            endpoint: endpoint.clone(),
            decoder: sse::Decoder::default(),
            frames: Vec::new(),
            id: String::new(),
            began: false,
            ended: false,
            choices: BTreeMap::new(),
            said: Map::new(),
        }
    }

    fn drain(&mut self, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        let frames = std::mem::take(&mut self.frames);
        frames.iter().try_for_each(|frame| self.frame(frame, out))
    }

    fn frame(&mut self, frame: &sse::Frame, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        let data = frame.data.trim();
        if self.ended || data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            self.finish(out);
            return Ok(());
        }
        let value: Value =
            serde_json::from_str(data).map_err(|error| UpstreamFault::malformed(&self.endpoint, error.to_string()))?;
        let Value::Object(chunk) = value else {
            return Err(UpstreamFault::malformed(&self.endpoint, "a chunk is no object"));
        };
        let fault = match refusal::within(&self.endpoint, &chunk) {
            // Some name the event and leave the object out.
            None if frame.event.as_deref() == Some("error") => Some(refusal::bare(&self.endpoint, &chunk)),
            fault => fault,
        };
        match fault {
            Some(fault) => Err(fault),
            None => self.chunk(chunk, out),
        }
    }

    fn chunk(&mut self, mut chunk: Map<String, Value>, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        let id = chunk.shift_remove("id");
        let model = chunk.shift_remove("model");
        let listed = match chunk.shift_remove("choices") {
            Some(Value::Array(listed)) => listed,
            None | Some(Value::Null) => Vec::new(),
            Some(_) => return Err(UpstreamFault::malformed(&self.endpoint, "`choices` of a chunk is no list")),
        };
        let id = id.as_ref().and_then(Value::as_str).unwrap_or_default();
        // Azure's first chunk is about the prompt and says nothing of the answer.
        if !self.began && (!listed.is_empty() || !id.is_empty()) {
            let model = model.as_ref().and_then(Value::as_str).filter(|model| !model.is_empty());
            self.begin(id, model, out);
        }
        let used = chunk.shift_remove("usage").filter(|used| !used.is_null());
        let used = used.or_else(|| chunk.get_mut("x_groq")?.as_object_mut()?.shift_remove("usage"));
        let tier = chunk.get("service_tier").and_then(usage::tier);
        self.note(chunk, out);
        for (at, value) in listed.into_iter().enumerate() {
            self.choice(value, at, out)?;
        }
        let used = used.as_ref().filter(|used| used.is_object()).and_then(usage::of);
        out.extend(used.map(|used| Event::Usage(TokenUsage { tier, ..used })));
        Ok(())
    }

    fn begin(&mut self, id: &str, model: Option<&str>, out: &mut Vec<Event>) {
        self.began = true;
        id.clone_into(&mut self.id);
        let model = model.unwrap_or(&self.endpoint.model).to_owned();
        out.push(Event::Began { id: id.to_owned(), model });
    }

    /// Hands on what a chunk says beside its choices, once.
    fn note(&mut self, mut chunk: Map<String, Value>, out: &mut Vec<Event>) {
        for name in ["object", "created", "error", PADDING] {
            chunk.shift_remove(name);
        }
        chunk.retain(|name, value| !value.is_null() && self.said.get(name) != Some(&*value));
        if !chunk.is_empty() {
            self.said.extend(chunk.clone());
            out.push(extra::chunk(chunk));
        }
    }

    fn choice(&mut self, mut value: Value, at: usize, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        let index = value.get("index").and_then(Value::as_u64).unwrap_or(at as u64);
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let logprobs = value.get_mut("logprobs").map(Value::take).filter(|logprobs| !logprobs.is_null());
        match value.get_mut("delta").map(Value::take) {
            Some(Value::Object(delta)) => self.delta(index, delta, logprobs, out)?,
            None | Some(Value::Null) => {}
            Some(_) => return Err(UpstreamFault::malformed(&self.endpoint, "a `delta` is no object")),
        }
        let reason = value.get("finish_reason").and_then(Value::as_str).filter(|reason| !reason.is_empty());
        let choice = self.choices.entry(index).or_default();
        if let Some(reason) = reason
            && !choice.finished
        {
            choice.finished = true;
            for (number, call) in choice.calls.iter_mut().enumerate() {
                call.tell("", index, number, out);
                if call.silent {
                    // Databricks's way with a tool without parameters; elsewhere nothing at all is no JSON.
                    out.push(Event::Arguments { choice: index, call: number as u32, fragment: "{}".to_owned() });
                }
            }
            let finish = decode::finish(reason, !choice.calls.is_empty());
            out.push(Event::Finished { choice: index, finish, stop_sequence: decode::stop_sequence(&value) });
        }
        Ok(())
    }

    fn delta(
        &mut self,
        choice: u32,
        mut delta: Map<String, Value>,
        logprobs: Option<Value>,
        out: &mut Vec<Event>,
    ) -> Result<(), UpstreamFault> {
        let thought = thoughts::take_text(&mut delta);
        let pieces = thoughts::take_details(&mut delta);
        let told = thought.is_some();
        out.extend(thought.map(|text| Event::Reasoning { choice, text }));
        for piece in pieces {
            let bound = thoughts::is_bound(&piece);
            if !told && !piece.text.is_empty() {
                out.push(Event::Reasoning { choice, text: piece.text });
            }
            if bound {
                out.push(Event::ReasoningDone { choice, id: piece.id, signature: piece.signature, sealed: piece.sealed });
            }
        }
        content(choice, delta.shift_remove("content"), logprobs, out);
        if let Some(Value::String(text)) = delta.shift_remove("refusal") {
            out.push(Event::Refusal { choice, text });
        }
        match delta.shift_remove("tool_calls") {
            None | Some(Value::Null) => {}
            Some(Value::Array(calls)) => {
                for call in calls {
                    self.call(choice, call, out);
                }
            }
            Some(_) => return Err(UpstreamFault::malformed(&self.endpoint, "`tool_calls` of a delta is no list")),
        }
        delta.shift_remove("role");
        out.extend(extra::delta(choice, delta));
        Ok(())
    }

    fn call(&mut self, choice: u32, mut value: Value, out: &mut Vec<Event>) {
        if !value.get("function").is_some_and(Value::is_object) {
            // Another kind of tool.
            out.extend(extra::delta(choice, Map::from_iter([("tool_calls".to_owned(), Value::Array(vec![value]))])));
            return;
        }
        let id = value.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let index = value.get("index").and_then(Value::as_u64);
        let signature = value.get("extra_content").and_then(signature_of);
        let mut function = value.get_mut("function").map(Value::take).unwrap_or_default();
        let name = function.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let fragment = arguments(function.get_mut("arguments").map(Value::take));
        let (answer, calls) = (&self.id, &mut self.choices.entry(choice).or_default().calls);
        let number = which(calls, index, &id, !name.is_empty()).unwrap_or_else(|| {
            let id = if id.is_empty() { decode::call_id(answer, choice as usize, calls.len()) } else { id };
            let index = index.unwrap_or_else(|| calls.last().map_or(0, |last| last.index.saturating_add(1)));
            calls.push(Call { index, id, waiting: Some(String::new()), silent: true });
            calls.len() - 1
        });
        let call = &mut calls[number];
        if !name.is_empty() {
            call.tell_signed(&name, choice, number, signature, out);
        }
        call.silent &= fragment.is_empty();
        match &mut call.waiting {
            Some(waiting) => waiting.push_str(&fragment),
            None if fragment.is_empty() => {}
            None => out.push(Event::Arguments { choice, call: number as u32, fragment }),
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        if !self.began {
            self.begin("", None, out);
        }
        self.ended = true;
        out.push(Event::Ended);
    }
}

/// A text, or Mistral's list of texts and thoughts.
fn content(choice: u32, content: Option<Value>, mut logprobs: Option<Value>, out: &mut Vec<Event>) {
    match content {
        Some(Value::Array(pieces)) => {
            for piece in pieces {
                let text = |value: &Value| value.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
                match piece.get("thinking") {
                    Some(Value::Array(thoughts)) => {
                        let text: String = thoughts.iter().map(text).collect();
                        out.push(Event::Reasoning { choice, text });
                    }
                    _ => out.push(Event::Text { choice, text: text(&piece), logprobs: logprobs.take() }),
                }
            }
        }
        Some(Value::String(text)) if !text.is_empty() || logprobs.is_some() => {
            out.push(Event::Text { choice, text, logprobs });
        }
        // Cloudflare's way with JSON of a schema.
        Some(object @ Value::Object(_)) => out.push(Event::Text { choice, text: object.to_string(), logprobs }),
        // The first chunk and the last have an empty text as a rule.
        _ if logprobs.is_some() => out.push(Event::Text { choice, text: String::new(), logprobs }),
        _ => {}
    }
}

/// Which call a piece belongs to: the one with its index or, where it has none, with its id; otherwise the last. A piece
/// with a name begins a call where its id is new: some give every call the same index, and some every piece a new id.
fn which(calls: &[Call], index: Option<u64>, id: &str, named: bool) -> Option<usize> {
    let begins = |call: &Call| named && !id.is_empty() && call.id != id;
    match index {
        Some(index) => calls.iter().rposition(|call| call.index == index && !begins(call)),
        None => {
            let known = calls.iter().rposition(|call| !id.is_empty() && call.id == id);
            if named { known } else { known.or(calls.len().checked_sub(1)) }
        }
    }
}

impl Call {
    fn tell(&mut self, name: &str, choice: u32, number: usize, out: &mut Vec<Event>) {
        self.tell_signed(name, choice, number, None, out);
    }

    /// Says that the call begins, and what was waiting for that.
    fn tell_signed(&mut self, name: &str, choice: u32, number: usize, signature: Option<String>, out: &mut Vec<Event>) {
        let Some(waiting) = self.waiting.take() else { return };
        let call = number as u32;
        out.push(Event::ToolCall { choice, call, id: self.id.clone(), name: name.to_owned(), signature });
        if !waiting.is_empty() {
            out.push(Event::Arguments { choice, call, fragment: waiting });
        }
    }
}

impl Events for Stream {
    fn push(&mut self, chunk: &[u8], out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        if self.ended {
            return Ok(());
        }
        let read = self.decoder.push(chunk, &mut self.frames);
        self.drain(out)?;
        read.map_err(|fault| UpstreamFault::malformed(&self.endpoint, fault.to_string()))
    }

    /// Not every server says `[DONE]`: an answer whose choices have all finished is whole.
    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
        let read = self.decoder.end(&mut self.frames);
        self.drain(out)?;
        if self.ended {
            return Ok(());
        }
        read.map_err(|fault| UpstreamFault::malformed(&self.endpoint, fault.to_string()))?;
        if self.choices.is_empty() || self.choices.values().any(|choice| !choice.finished) {
            return Err(UpstreamFault::new(&self.endpoint, FaultClass::Reset, "the stream ended before the answer did"));
        }
        self.finish(out);
        Ok(())
    }
}
