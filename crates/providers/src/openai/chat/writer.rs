//! An answer as it is made, for a client.

use std::collections::BTreeSet;

use mainspring_llm::{
    TokenUsage,
    exchange::{Dialect, Event, Reasoning},
};
use serde_json::{Map, Value, json};

use super::{
    super::{extra, thoughts, usage},
    older,
    turns::signed,
    write,
};

/// Writes a stream's chunks. Each text it gives is the data of one server-sent event; the last is `[DONE]`.
#[derive(Debug)]
pub struct Writer {
    id: String,
    created: i64,
    model: String,
    include_usage: bool,
    /// The client has functions and knows of no tools.
    older: bool,
    opened: BTreeSet<u32>,
    used: Option<TokenUsage>,
    /// Fields of every chunk from now on: the tier and the fingerprint.
    always: Map<String, Value>,
    /// Fields of the next chunk.
    next: Map<String, Value>,
}

impl Writer {
    /// `created` is in seconds; `model` is the name the client knows; `include_usage` is what it asked for.
    #[must_use]
    pub fn new(created: i64, model: &str, include_usage: bool) -> Self {
        Self {
            id: write::id("", created),
            created,
            model: model.to_owned(),
            include_usage,
            older: false,
            opened: BTreeSet::new(),
            used: None,
            always: Map::new(),
            next: Map::new(),
        }
    }

    /// For a client that has functions, which is told of the first call.
    #[must_use]
    pub fn older(self) -> Self {
        Self { older: true, ..self }
    }

    pub fn push(&mut self, event: Event) -> Vec<String> {
        let mut out = Vec::new();
        match event {
            Event::Began { id, .. } => {
                self.id = write::id(&id, self.created);
                self.open(0, &mut out);
            }
            Event::Text { choice, text, logprobs } => {
                self.open(choice, &mut out);
                out.push(self.chunk(choice, json!({"content": text}), logprobs, None));
            }
            Event::Refusal { choice, text } => self.delta(choice, json!({"refusal": text}), &mut out),
            Event::Reasoning { choice, text } => self.delta(choice, json!({(thoughts::TEXT): text}), &mut out),
            Event::ReasoningDone { choice, id, signature, sealed } => {
                if let Some(details) = closing(id, signature, sealed) {
                    self.delta(choice, json!({(thoughts::DETAILS): details}), &mut out);
                }
            }
            Event::ToolCall { choice, call: 0, name, .. } if self.older => {
                self.delta(choice, json!({(older::CALL): {"name": name, "arguments": ""}}), &mut out);
            }
            Event::Arguments { choice, call: 0, fragment } if self.older => {
                self.delta(choice, json!({(older::CALL): {"arguments": fragment}}), &mut out);
            }
            Event::ToolCall { .. } | Event::Arguments { .. } if self.older => {}
            Event::ToolCall { choice, call, id, name, signature } => {
                let mut begun = json!({"index": call, "id": id, "type": "function", "function": {"name": name, "arguments": ""}});
                if let Some(signature) = signature {
                    begun["extra_content"] = signed(&signature);
                }
                self.delta(choice, json!({"tool_calls": [begun]}), &mut out);
            }
            Event::Arguments { choice, call, fragment } => {
                let more = json!({"index": call, "function": {"arguments": fragment}});
                self.delta(choice, json!({"tool_calls": [more]}), &mut out);
            }
            Event::Other { said_in: Dialect::OpenAiChat, value } => self.other(value, &mut out),
            Event::Other { .. } | Event::Ping => {}
            Event::Finished { choice, finish, stop_sequence } => {
                self.open(choice, &mut out);
                let reason = match write::finish_reason(finish) {
                    "tool_calls" if self.older => older::CALL,
                    reason => reason,
                };
                out.push(self.chunk(choice, json!({}), None, Some((reason, stop_sequence))));
            }
            Event::Usage(used) => self.used.get_or_insert_default().merge(&used),
            Event::Ended => self.end(&mut out),
        }
        out
    }

    fn other(&mut self, value: Value, out: &mut Vec<String>) {
        match extra::streamed(value) {
            Some(extra::Streamed::Delta(choice, delta)) => self.delta(choice, Value::Object(delta), out),
            Some(extra::Streamed::Chunk(fields)) => {
                for (name, value) in fields {
                    let lasting = ["service_tier", "system_fingerprint"].contains(&name.as_str());
                    let place = if lasting { &mut self.always } else { &mut self.next };
                    place.insert(name, value);
                }
            }
            None => {}
        }
    }

    /// The first chunk of a choice says whose it is.
    fn open(&mut self, choice: u32, out: &mut Vec<String>) {
        if self.opened.insert(choice) {
            out.push(self.chunk(choice, json!({"role": "assistant", "content": ""}), None, None));
        }
    }

    fn delta(&mut self, choice: u32, delta: Value, out: &mut Vec<String>) {
        self.open(choice, out);
        out.push(self.chunk(choice, delta, None, None));
    }

    fn end(&mut self, out: &mut Vec<String>) {
        if let Some(used) = self.used.filter(|_| self.include_usage) {
            let mut body = self.envelope(json!([]));
            body.insert("usage".to_owned(), usage::chat(&used));
            out.push(Value::Object(body).to_string());
        } else if !self.next.is_empty() {
            let body = self.envelope(json!([]));
            out.push(Value::Object(body).to_string());
        }
        out.push("[DONE]".to_owned());
    }

    fn chunk(
        &mut self,
        choice: u32,
        delta: Value,
        logprobs: Option<Value>,
        end: Option<(&'static str, Option<String>)>,
    ) -> String {
        let (reason, stop) = end.map_or((None, None), |(reason, stop)| (Some(reason), stop));
        let mut choice = json!({"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": reason});
        if let Some(stop) = stop {
            choice["stop_reason"] = stop.into();
        }
        let mut body = self.envelope(json!([choice]));
        if self.include_usage {
            body.insert("usage".to_owned(), Value::Null);
        }
        Value::Object(body).to_string()
    }

    fn envelope(&mut self, choices: Value) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("id".to_owned(), self.id.as_str().into());
        body.insert("object".to_owned(), "chat.completion.chunk".into());
        body.insert("created".to_owned(), self.created.into());
        body.insert("model".to_owned(), self.model.as_str().into());
        body.extend(self.always.clone());
        body.insert("choices".to_owned(), choices);
        for (name, value) in std::mem::take(&mut self.next) {
            body.entry(name).or_insert(value);
        }
        body
    }
}

/// What has to come back with a piece of thinking, as its last piece.
fn closing(id: Option<String>, signature: Option<String>, sealed: Option<String>) -> Option<Value> {
    let piece = Reasoning { id, text: String::new(), signature, sealed };
    thoughts::is_bound(&piece).then(|| thoughts::details(&piece).into())
}
