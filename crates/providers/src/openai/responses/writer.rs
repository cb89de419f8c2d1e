//! An answer as it is made, for a client.

use mainspring_llm::{
    TokenUsage,
    exchange::{Dialect, Event, Finish, Reasoning},
};
use serde_json::{Map, Value, json};

use super::{
    super::extra,
    custom::{CustomTools, Input},
    later,
    outcome::{self, Frame},
    sealed,
};

mod item;

use item::{Body, Item, Piece};

/// One server-sent event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub event: &'static str,
    pub data: String,
}

/// Writes a stream's events. The endpoint gives one choice, the first; its streams do not end with `[DONE]`.
#[derive(Debug)]
pub struct Writer {
    frame: Frame,
    sequence: u64,
    items: Vec<Item>,
    finish: Option<Finish>,
    used: Option<TokenUsage>,
    custom: CustomTools,
    out: Vec<Named>,
}

impl Writer {
    /// `created` is in seconds; `model` is the name the client knows.
    #[must_use]
    pub fn new(created: i64, model: &str) -> Self {
        let frame = Frame::new("", created, model, None);
        let custom = CustomTools::default();
        Self { frame, sequence: 0, items: Vec::new(), finish: None, used: None, custom, out: Vec::new() }
    }

    /// For a client that has tools which take text, or namespaces of tools.
    #[must_use]
    pub fn with_custom(self, custom: CustomTools) -> Self {
        Self { custom, ..self }
    }

    pub fn push(&mut self, event: Event) -> Vec<Named> {
        match event {
            Event::Began { id, .. } => self.begin(&id),
            Event::Text { choice: 0, text, logprobs } => self.text(false, &text, logprobs.as_ref()),
            Event::Refusal { choice: 0, text } => self.text(true, &text, None),
            Event::Reasoning { choice: 0, text } => self.thought(&text),
            Event::ReasoningDone { choice: 0, id, signature, sealed } => self.thought_done(id, signature, sealed),
            Event::ToolCall { choice: 0, call, id, name, .. } => self.call(call, id, name),
            Event::Arguments { choice: 0, call, fragment } => self.arguments(call, &fragment),
            Event::Other { said_in: Dialect::OpenAiChat, value } => self.other(value),
            Event::Finished { choice: 0, finish, .. } => {
                self.finish = Some(finish);
                self.close_all();
            }
            Event::Usage(used) => self.used.get_or_insert_default().merge(&used),
            Event::Ended => self.end(),
            // A second choice was never asked for, and what other dialects keep to themselves has no place here.
            _ => {}
        }
        std::mem::take(&mut self.out)
    }

    /// The stream failed after it began.
    pub fn fail(&mut self, code: &str, message: &str) -> Vec<Named> {
        let output = self.items.iter().map(Item::value).collect();
        let response = self.frame.failed(code, message, output, self.used.as_ref());
        self.emit("response.failed", json!({"response": response}));
        std::mem::take(&mut self.out)
    }

    fn emit(&mut self, event: &'static str, fields: Value) {
        let mut data = Map::new();
        data.insert("type".to_owned(), event.into());
        data.insert("sequence_number".to_owned(), self.sequence.into());
        if let Value::Object(fields) = fields {
            data.extend(fields);
        }
        self.sequence += 1;
        self.out.push(Named { event, data: Value::Object(data).to_string() });
    }

    fn begin(&mut self, id: &str) {
        self.frame = Frame::new(id, self.frame.created, &self.frame.model, self.frame.tier.take());
        let response = self.frame.response(Vec::new(), None, None);
        self.emit("response.created", json!({"response": response}));
        self.emit("response.in_progress", json!({"response": response}));
    }

    fn end(&mut self) {
        self.close_all();
        let finish = self.finish.unwrap_or(Finish::Stop);
        let output = self.items.iter().map(Item::value).collect();
        let response = self.frame.response(output, Some(finish), self.used.as_ref());
        let event = if response["status"] == "incomplete" { "response.incomplete" } else { "response.completed" };
        self.emit(event, json!({"response": response}));
    }

    /// Begins an item and says so.
    fn open(&mut self, id: String, body: Body) -> usize {
        self.close_text_and_thoughts();
        let item = Item { id, body, status: "in_progress" };
        let at = self.items.len();
        let begun = item.begun();
        self.items.push(item);
        self.emit("response.output_item.added", json!({"output_index": at, "item": begun}));
        at
    }

    fn text(&mut self, refusal: bool, text: &str, logprobs: Option<&Value>) {
        let at = match self.items.last() {
            Some(Item { body: Body::Message(_), status: "in_progress", .. }) => self.items.len() - 1,
            _ => self.open(self.frame.item_id("msg_", self.items.len()), Body::Message(Vec::new())),
        };
        let same = self.items[at].pieces().last().is_some_and(|piece| piece.refusal == refusal);
        if !same {
            self.close_piece(at);
            let piece = Piece { refusal, ..Piece::default() };
            let place = self.items[at].place(at, self.items[at].pieces().len());
            let begun = joined(&place, json!({"part": piece.value()}));
            self.items[at].add(piece);
            self.emit("response.content_part.added", begun);
        }
        let place = self.items[at].place(at, self.items[at].pieces().len() - 1);
        let tokens = outcome::token_logprobs(logprobs);
        if refusal {
            self.emit("response.refusal.delta", joined(&place, json!({"delta": text})));
        } else {
            self.emit("response.output_text.delta", joined(&place, json!({"delta": text, "logprobs": tokens})));
        }
        if let Some(piece) = self.items[at].last_piece() {
            piece.text.push_str(text);
            piece.logprobs.extend(tokens);
        }
    }

    fn thought(&mut self, text: &str) {
        let at = match self.items.last() {
            Some(Item { body: Body::Thought(_), status: "in_progress", .. }) => self.items.len() - 1,
            _ => self.open_thought(None),
        };
        let place = self.items[at].summary_place(at);
        if let Body::Thought(thought) = &mut self.items[at].body {
            let first = thought.text.is_empty();
            thought.text.push_str(text);
            if first {
                self.emit("response.reasoning_summary_part.added", joined(&place, json!({"part": outcome::summary_part("")})));
            }
        }
        self.emit("response.reasoning_summary_text.delta", joined(&place, json!({"delta": text})));
    }

    fn open_thought(&mut self, id: Option<String>) -> usize {
        let thought = Reasoning { id: id.clone(), ..Reasoning::default() };
        let id = id.unwrap_or_else(|| self.frame.item_id(sealed::MADE_ID, self.items.len()));
        self.open(id, Body::Thought(thought))
    }

    fn thought_done(&mut self, id: Option<String>, signature: Option<String>, sealed: Option<String>) {
        let at = match self.items.last() {
            Some(Item { body: Body::Thought(_), status: "in_progress", .. }) => self.items.len() - 1,
            _ if signature.is_none() && sealed.is_none() => return,
            _ => self.open_thought(id),
        };
        if let Body::Thought(thought) = &mut self.items[at].body {
            thought.signature = signature;
            thought.sealed = sealed;
        }
        self.close(at);
    }

    fn call(&mut self, call: u32, call_id: String, name: String) {
        if self.custom.is_search(&name) {
            let id = self.frame.item_id(later::ITEM_ID, self.items.len());
            self.open(id, Body::Search { call, call_id, arguments: String::new() });
            return;
        }
        let input = self.custom.has(&name).then(Input::default);
        let id = self.frame.item_id(if input.is_some() { "ctc_" } else { "fc_" }, self.items.len());
        let (space, name) = self.custom.split(&name);
        let (space, name) = (space.map(str::to_owned), name.to_owned());
        self.open(id, Body::Call { call, call_id, space, name, arguments: String::new(), input });
    }

    /// Calls stay open to the end: pieces of several may come in turn.
    fn arguments(&mut self, number: u32, fragment: &str) {
        let found = self.items.iter_mut().enumerate().find_map(|(at, item)| match &mut item.body {
            Body::Call { call, input: Some(input), .. } if *call == number => {
                Some((at, item.id.clone(), Some(input.push(fragment))))
            }
            Body::Call { call, arguments, .. } if *call == number => {
                arguments.push_str(fragment);
                Some((at, item.id.clone(), None))
            }
            // No event tells of them: the item itself does, at its end.
            Body::Search { call, arguments, .. } if *call == number => {
                arguments.push_str(fragment);
                None
            }
            _ => None,
        });
        match found {
            Some((at, id, None)) => {
                let data = json!({"item_id": id, "output_index": at, "delta": fragment});
                self.emit("response.function_call_arguments.delta", data);
            }
            Some((at, id, Some(text))) => self.input(at, &id, &text),
            None => {}
        }
    }

    /// More of the text for a tool that takes text.
    fn input(&mut self, at: usize, id: &str, text: &str) {
        if !text.is_empty() {
            self.emit("response.custom_tool_call_input.delta", json!({"item_id": id, "output_index": at, "delta": text}));
        }
    }

    /// What of such a text is known only when its call is complete.
    fn finish_input(&mut self, at: usize) {
        let Some(Item { id, body: Body::Call { input: Some(input), .. }, .. }) = self.items.get_mut(at) else { return };
        let (id, rest) = (id.clone(), input.finish());
        self.input(at, &id, &rest);
    }

    fn other(&mut self, value: Value) {
        match extra::streamed(value) {
            Some(extra::Streamed::Chunk(fields)) => {
                if let Some(Value::String(tier)) = fields.get("service_tier") {
                    self.frame.tier = Some(tier.clone());
                }
            }
            Some(extra::Streamed::Delta(0, delta)) => self.cite(&Value::Object(delta)),
            _ => {}
        }
    }

    fn cite(&mut self, delta: &Value) {
        let Some(at) = self.items.iter().rposition(|item| item.status == "in_progress" && !item.pieces().is_empty()) else {
            return;
        };
        let place = self.items[at].place(at, self.items[at].pieces().len() - 1);
        for annotation in outcome::annotations(delta) {
            let Some(piece) = self.items[at].last_piece() else { return };
            let told = json!({"annotation_index": piece.annotations.len(), "annotation": annotation});
            piece.annotations.push(annotation);
            self.emit("response.output_text.annotation.added", joined(&place, told));
        }
    }

    fn close_text_and_thoughts(&mut self) {
        let last = self.items.len().checked_sub(1);
        if let Some(at) = last.filter(|at| !matches!(self.items[*at].body, Body::Call { .. } | Body::Search { .. })) {
            self.close(at);
        }
    }

    fn close_all(&mut self) {
        for at in 0..self.items.len() {
            self.close(at);
        }
    }

    fn close_piece(&mut self, at: usize) {
        let Some(piece) = self.items[at].pieces().last().cloned() else { return };
        let place = self.items[at].place(at, self.items[at].pieces().len() - 1);
        if piece.refusal {
            self.emit("response.refusal.done", joined(&place, json!({"refusal": piece.text})));
        } else {
            self.emit("response.output_text.done", joined(&place, json!({"text": piece.text, "logprobs": piece.logprobs})));
        }
        self.emit("response.content_part.done", joined(&place, json!({"part": piece.value()})));
    }

    fn close(&mut self, at: usize) {
        if self.items[at].status != "in_progress" {
            return;
        }
        self.finish_input(at);
        let last = at + 1 == self.items.len();
        match &self.items[at].body {
            Body::Message(_) => self.close_piece(at),
            Body::Thought(thought) if !thought.text.is_empty() => {
                let (text, place) = (thought.text.clone(), self.items[at].summary_place(at));
                self.emit("response.reasoning_summary_text.done", joined(&place, json!({"text": text})));
                let part = json!({"part": outcome::summary_part(&text)});
                self.emit("response.reasoning_summary_part.done", joined(&place, part));
            }
            Body::Thought(_) | Body::Search { .. } => {}
            Body::Call { input: Some(input), .. } => {
                let data = json!({"item_id": self.items[at].id, "output_index": at, "input": input.text()});
                self.emit("response.custom_tool_call_input.done", data);
            }
            Body::Call { name, arguments, .. } => {
                let (id, name, arguments) = (&self.items[at].id, name, arguments);
                let data = json!({"item_id": id, "output_index": at, "name": name, "arguments": arguments});
                self.emit("response.function_call_arguments.done", data);
            }
        }
        let item = &mut self.items[at];
        let cut = last && self.finish == Some(Finish::Length) && matches!(item.body, Body::Message(_));
        item.status = if cut { "incomplete" } else { "completed" };
        let data = json!({"output_index": at, "item": item.value()});
        self.emit("response.output_item.done", data);
    }
}

/// Where something is told of, and what.
fn joined(place: &Value, told: Value) -> Value {
    let mut all = place.as_object().cloned().unwrap_or_default();
    if let Value::Object(told) = told {
        all.extend(told);
    }
    Value::Object(all)
}
