//! An item of an answer under way.

use mainspring_llm::exchange::Reasoning;
use serde_json::{Value, json};

use crate::openai::responses::{
    custom::Input,
    later,
    outcome::{self, Call},
};

#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) body: Body,
    pub(super) status: &'static str,
}

#[derive(Debug)]
pub(super) enum Body {
    Message(Vec<Piece>),
    Thought(Reasoning),
    Call {
        /// As the stream counts it.
        call: u32,
        call_id: String,
        space: Option<String>,
        name: String,
        arguments: String,
        /// Of a tool that takes text.
        input: Option<Input>,
    },
    /// A call of the client's search for tools.
    Search {
        call: u32,
        call_id: String,
        arguments: String,
    },
}

/// A content part of a message.
#[derive(Debug, Clone, Default)]
pub(super) struct Piece {
    pub(super) refusal: bool,
    pub(super) text: String,
    pub(super) annotations: Vec<Value>,
    pub(super) logprobs: Vec<Value>,
}

impl Piece {
    pub(super) fn value(&self) -> Value {
        if self.refusal {
            return outcome::refusal_part(&self.text);
        }
        outcome::text_part(&self.text, &self.annotations, &self.logprobs)
    }
}

impl Item {
    pub(super) fn pieces(&self) -> &[Piece] {
        match &self.body {
            Body::Message(pieces) => pieces,
            _ => &[],
        }
    }

    pub(super) fn add(&mut self, piece: Piece) {
        if let Body::Message(pieces) = &mut self.body {
            pieces.push(piece);
        }
    }

    pub(super) fn last_piece(&mut self) -> Option<&mut Piece> {
        match &mut self.body {
            Body::Message(pieces) => pieces.last_mut(),
            _ => None,
        }
    }

    /// As it is told of when it begins.
    pub(super) fn begun(&self) -> Value {
        match &self.body {
            // What is sealed comes at the end.
            Body::Thought(_) => outcome::reasoning(&self.id, &Reasoning::default()),
            _ => self.value(),
        }
    }

    pub(super) fn value(&self) -> Value {
        match &self.body {
            Body::Message(pieces) => outcome::message(&self.id, self.status, pieces.iter().map(Piece::value).collect()),
            Body::Thought(thought) => outcome::reasoning(&self.id, thought),
            Body::Call { call_id, space, name, arguments, input, .. } => {
                let call = |arguments| Call { id: call_id, space: space.as_deref(), name, arguments };
                match input {
                    Some(input) => outcome::custom_call(&self.id, self.status, &call(input.text())),
                    None => outcome::function_call(&self.id, self.status, &call(arguments)),
                }
            }
            Body::Search { call_id, arguments, .. } => later::call(&self.id, self.status, call_id, arguments),
        }
    }

    pub(super) fn place(&self, at: usize, piece: usize) -> Value {
        json!({"item_id": self.id, "output_index": at, "content_index": piece})
    }

    pub(super) fn summary_place(&self, at: usize) -> Value {
        json!({"item_id": self.id, "output_index": at, "summary_index": 0})
    }
}
