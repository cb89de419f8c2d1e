//! A streamed answer for a client of this dialect.
//!
//! Blocks follow one another here: each begins, goes on and ends before the next one begins. Elsewhere pieces of several tool
//! calls may come mixed, so a call that begins before the one under way is whole waits until it is.

use std::collections::VecDeque;

use mainspring_llm::{
    TokenUsage,
    exchange::{Dialect, Event, Finish, Reasoning},
};
use serde_json::{Value, json};

use super::{
    balance::Balance,
    finish::{self, Seen},
    parts::{self, CITATIONS},
    sealed, usage, write,
};

/// Named events in the order they are to be sent.
pub type Written = Vec<(&'static str, Value)>;

/// Writes the events of one answer. After `Ended` nothing more is written.
#[derive(Debug)]
pub struct Writer {
    start: Start,
    index: u32,
    open: Option<Block>,
    waiting: VecDeque<Waiting>,
    usage: TokenUsage,
    finish: Finish,
    stop_sequence: Option<String>,
    seen: Seen,
}

#[derive(Debug)]
enum Start {
    /// Nothing has been written. The beginning waits for what follows it, which with many providers is the input's usage.
    Waiting {
        id: String,
        model: String,
    },
    Written,
    Ended,
}

#[derive(Debug)]
enum Block {
    Text,
    Thinking,
    Tool {
        call: u32,
        balance: Balance,
    },
    /// A block of Anthropic's own, which says itself when it ends.
    Other,
}

#[derive(Debug)]
struct Waiting {
    call: u32,
    id: String,
    name: String,
    signature: Option<String>,
    arguments: String,
}

impl Writer {
    /// `model` is what the client asked for; an answer that names its model replaces it.
    #[must_use]
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            start: Start::Waiting { id: String::new(), model: model.into() },
            index: 0,
            open: None,
            waiting: VecDeque::new(),
            usage: TokenUsage::default(),
            finish: Finish::Stop,
            stop_sequence: None,
            seen: Seen::default(),
        }
    }

    /// What an event is for the client; empty where it is nothing yet.
    pub fn write(&mut self, event: Event) -> Written {
        let mut out = Vec::new();
        match event {
            _ if matches!(self.start, Start::Ended) => {}
            Event::Began { id: said, model: named } => {
                if let Start::Waiting { id, model } = &mut self.start {
                    *id = said;
                    if !named.is_empty() {
                        *model = named;
                    }
                }
            }
            Event::Usage(usage) => self.usage.merge(&usage),
            Event::Ping => {
                // A message begins before anything else is said, whatever is still to be known of it.
                self.begin(&mut out);
                out.push(("ping", json!({"type": "ping"})));
            }
            event => {
                self.begin(&mut out);
                self.piece(event, &mut out);
            }
        }
        out
    }

    fn begin(&mut self, out: &mut Written) {
        let Start::Waiting { id, model } = std::mem::replace(&mut self.start, Start::Written) else { return };
        let message = json!({
            "id": write::id(&id),
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage::write(&self.usage),
        });
        out.push(("message_start", json!({"type": "message_start", "message": message})));
    }

    fn piece(&mut self, event: Event, out: &mut Written) {
        match event {
            Event::Text { choice: 0, text, .. } => self.text(&text, out),
            Event::Refusal { choice: 0, text } => {
                self.seen.refusal = true;
                self.text(&text, out);
            }
            Event::Reasoning { choice: 0, text } => self.thought(&text, out),
            Event::ReasoningDone { choice: 0, id, signature, sealed } => {
                self.thought_through(&Reasoning { id, text: String::new(), signature, sealed }, out);
            }
            Event::ToolCall { choice: 0, call, id, name, signature } => {
                self.seen.tools = true;
                self.call(Waiting { call, id, name, signature, arguments: String::new() }, out);
            }
            Event::Arguments { choice: 0, call, fragment } => self.arguments(call, &fragment, out),
            Event::Other { said_in: Dialect::Anthropic, value } => self.other(value, out),
            Event::Finished { choice: 0, finish, stop_sequence } => {
                self.finish = finish;
                self.seen.stop_sequence = stop_sequence.is_some();
                self.stop_sequence = stop_sequence;
            }
            Event::Ended => self.end(out),
            // Alternatives, which a client of this dialect cannot ask for, and what other dialects alone have.
            _ => {}
        }
    }

    fn text(&mut self, text: &str, out: &mut Written) {
        if text.is_empty() {
            return;
        }
        self.open_text(out);
        self.delta(json!({"type": "text_delta", "text": text}), out);
    }

    fn open_text(&mut self, out: &mut Written) {
        if !matches!(self.open, Some(Block::Text)) {
            self.open(Block::Text, json!({"type": "text", "text": ""}), out);
        }
    }

    fn thought(&mut self, text: &str, out: &mut Written) {
        if text.is_empty() {
            return;
        }
        if !matches!(self.open, Some(Block::Thinking)) {
            self.open(Block::Thinking, json!({"type": "thinking", "thinking": "", "signature": ""}), out);
        }
        self.delta(json!({"type": "thinking_delta", "thinking": text}), out);
    }

    /// The end of a piece of thinking, which may have had no text.
    fn thought_through(&mut self, reasoning: &Reasoning, out: &mut Written) {
        let was_open = matches!(self.open, Some(Block::Thinking));
        for block in parts::thinking(reasoning) {
            let signature = block["signature"].as_str().unwrap_or_default();
            if block["type"] != "thinking" {
                // What only the provider can read comes whole.
                self.open(Block::Other, block, out);
            } else if !signature.is_empty() {
                if !was_open {
                    self.open(Block::Thinking, json!({"type": "thinking", "thinking": "", "signature": ""}), out);
                }
                self.delta(json!({"type": "signature_delta", "signature": signature}), out);
            } else if !was_open {
                continue;
            }
            self.close(out);
        }
    }

    fn call(&mut self, call: Waiting, out: &mut Written) {
        let under_way = matches!(&self.open, Some(Block::Tool { balance, .. }) if !balance.is_whole());
        if under_way || !self.waiting.is_empty() {
            self.waiting.push_back(call);
        } else {
            self.open_call(call, out);
        }
    }

    fn open_call(&mut self, call: Waiting, out: &mut Written) {
        let Waiting { call, id, name, signature, arguments } = call;
        let id = parts::tool_id(&id);
        // Not `open`, which would bring the calls forward that wait behind this one.
        self.close(out);
        if let Some(signature) = signature {
            self.start_block(Block::Other, sealed::before_call(&id, &signature), out);
            self.close(out);
        }
        let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
        self.start_block(Block::Tool { call, balance: Balance::default() }, block, out);
        self.pieces(&arguments, out);
    }

    fn arguments(&mut self, to: u32, fragment: &str, out: &mut Written) {
        if let Some(call) = self.waiting.iter_mut().find(|call| call.call == to) {
            call.arguments.push_str(fragment);
            return;
        }
        if !matches!(self.open, Some(Block::Tool { call, .. }) if call == to) {
            return;
        }
        self.pieces(fragment, out);
        // Those that waited for this one: all that are whole, and the next, which goes on as it comes.
        while matches!(&self.open, Some(Block::Tool { balance, .. }) if balance.is_whole()) {
            let Some(next) = self.waiting.pop_front() else { break };
            self.open_call(next, out);
        }
    }

    /// More of the arguments of the call that is open.
    fn pieces(&mut self, fragment: &str, out: &mut Written) {
        if fragment.is_empty() {
            return;
        }
        if let Some(Block::Tool { balance, .. }) = &mut self.open {
            balance.push(fragment);
        }
        self.delta(json!({"type": "input_json_delta", "partial_json": fragment}), out);
    }

    /// An event of Anthropic's own. Its blocks are counted with the others here.
    fn other(&mut self, mut value: Value, out: &mut Written) {
        let kind = value["type"].as_str().unwrap_or_default().to_owned();
        match kind.as_str() {
            "content_block_start" => {
                let block = value["content_block"].take();
                self.open(Block::Other, block, out);
            }
            "content_block_delta" if value["delta"]["type"] == "citations_delta" => {
                self.open_text(out);
                self.delta(value["delta"].take(), out);
            }
            "content_block_delta" if matches!(self.open, Some(Block::Other)) => self.delta(value["delta"].take(), out),
            "content_block_stop" if matches!(self.open, Some(Block::Other)) => self.close(out),
            // Citations and blocks as a whole answer has them.
            CITATIONS => {
                for citation in value[CITATIONS].as_array().into_iter().flatten() {
                    self.open_text(out);
                    self.delta(json!({"type": "citations_delta", "citation": citation}), out);
                }
            }
            kind if !kind.is_empty() && !kind.starts_with("content_block_") => {
                self.open(Block::Other, value, out);
                self.close(out);
            }
            _ => {}
        }
    }

    /// Begins a block after everything that was to come before it.
    fn open(&mut self, block: Block, value: Value, out: &mut Written) {
        while let Some(call) = self.waiting.pop_front() {
            self.open_call(call, out);
        }
        self.close(out);
        self.start_block(block, value, out);
    }

    fn start_block(&mut self, block: Block, value: Value, out: &mut Written) {
        self.open = Some(block);
        let value = json!({"type": "content_block_start", "index": self.index, "content_block": value});
        out.push(("content_block_start", value));
    }

    fn delta(&self, delta: Value, out: &mut Written) {
        out.push(("content_block_delta", json!({"type": "content_block_delta", "index": self.index, "delta": delta})));
    }

    fn close(&mut self, out: &mut Written) {
        if self.open.take().is_some() {
            out.push(("content_block_stop", json!({"type": "content_block_stop", "index": self.index})));
            self.index += 1;
        }
    }

    fn end(&mut self, out: &mut Written) {
        while let Some(call) = self.waiting.pop_front() {
            self.open_call(call, out);
        }
        self.close(out);
        self.start = Start::Ended;
        let reason = finish::write(self.finish, self.seen);
        let delta = json!({"stop_reason": reason, "stop_sequence": self.stop_sequence});
        let delta = json!({"type": "message_delta", "delta": delta, "usage": usage::write(&self.usage)});
        out.push(("message_delta", delta));
        out.push(("message_stop", json!({"type": "message_stop"})));
    }
}
