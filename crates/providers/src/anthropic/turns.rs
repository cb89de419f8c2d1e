//! The turns of a call as Anthropic's `system` and `messages`.

use mainspring_llm::exchange::{Call, Dialect, Part, Reasoning, Role, Turn};
use serde_json::{Value, json};

use super::parts;
use crate::{plain, seam::Lost};

/// Instructions, and turns of alternating roles.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub(super) system: Vec<Value>,
    pub(super) messages: Vec<Message>,
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) role: &'static str,
    pub(super) blocks: Vec<Value>,
}

/// An error names what cannot be said here.
pub(super) fn conversation(call: &Call, lost: &mut Vec<Lost>) -> Result<Conversation, String> {
    let own = call.said_in == Dialect::Anthropic;
    let mut talk = Conversation::default();
    for (index, turn) in call.turns.iter().enumerate() {
        if turn.name.is_some() {
            lost.push(Lost { field: format!("messages[{index}].name"), why: "turns have no names here" });
        }
        let blocks = blocks(turn, index, own, lost)?;
        match turn.role {
            Role::System | Role::Developer => talk.instruct(blocks, index, own, lost)?,
            Role::User | Role::Tool => talk.add("user", blocks),
            Role::Assistant => talk.add("assistant", blocks),
        }
    }
    if !own {
        talk.trim_last_answer();
    }
    Ok(talk)
}

impl Conversation {
    pub(super) fn is_thought_through(&self) -> bool {
        let last = self.messages.iter().rev().find(|message| message.role == "assistant");
        let kind = |block: &Value| block["type"].as_str().unwrap_or_default().to_owned();
        last.is_none_or(|message| {
            let calls_tools = message.blocks.iter().any(|block| kind(block) == "tool_use");
            let first = message.blocks.first().map(kind).unwrap_or_default();
            !calls_tools || first.ends_with("thinking")
        })
    }

    pub(super) fn into_json(self) -> (Option<Value>, Vec<Value>) {
        let system = match self.system.as_slice() {
            [] => None,
            [only] if only.get("cache_control").is_none() => Some(only["text"].clone()),
            _ => Some(Value::Array(self.system)),
        };
        let message = |message: Message| json!({"role": message.role, "content": message.blocks});
        (system, self.messages.into_iter().map(message).collect())
    }

    /// A turn of the same role goes on: Anthropic wants tool results and what the user says next in one.
    fn add(&mut self, role: &'static str, blocks: Vec<Value>) {
        if blocks.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(last) if last.role == role => last.blocks.extend(blocks),
            _ => self.messages.push(Message { role, blocks }),
        }
    }

    /// Instructions stand before the conversation; only who speaks this dialect may put them between turns.
    fn instruct(&mut self, blocks: Vec<Value>, index: usize, own: bool, lost: &mut Vec<Lost>) -> Result<(), String> {
        if blocks.iter().any(|block| block["type"] != "text") {
            return Err(format!("anything but text in messages[{index}], which instructs"));
        }
        if self.messages.is_empty() {
            self.system.extend(blocks);
        } else if own {
            self.add("system", blocks);
        } else {
            lost.push(Lost { field: format!("messages[{index}].role"), why: "instructions stand before the conversation here" });
            self.system.extend(blocks);
        }
        Ok(())
    }

    /// An answer that the model is to go on from may not end in white space here.
    fn trim_last_answer(&mut self) {
        let Some(last) = self.messages.last_mut().filter(|message| message.role == "assistant") else { return };
        if let Some(block) = last.blocks.last_mut().filter(|block| block["type"] == "text") {
            let trimmed = block["text"].as_str().unwrap_or_default().trim_end().to_owned();
            block["text"] = json!(trimmed);
        }
    }
}

fn blocks(turn: &Turn, index: usize, own: bool, lost: &mut Vec<Lost>) -> Result<Vec<Value>, String> {
    let mut blocks = Vec::with_capacity(turn.parts.len());
    for (at, part) in turn.parts.iter().enumerate() {
        let place = || format!("messages[{index}].content[{at}]");
        if let Some(fields) = plain::beside_content(part) {
            lost.extend(plain::left_out(fields, &format!("messages[{index}]")));
            continue;
        }
        match part {
            // Anthropic refuses text that is none, which others write beside tool calls.
            Part::Text { text, .. } | Part::Refusal { text } if !own && text.trim().is_empty() => {}
            Part::Reasoning(reasoning) if !is_anthropics(reasoning) => {
                lost.push(Lost { field: place(), why: "thinking that Anthropic did not sign is not taken back" });
            }
            Part::Other { said_in, value }
                if turn.role == Role::Assistant && *said_in != Dialect::Anthropic && plain::may_go(value) =>
            {
                lost.push(Lost { field: place(), why: plain::ITS_OWN });
            }
            part => {
                if let Part::Image { detail: Some(detail), .. } = part
                    && detail != "auto"
                {
                    lost.push(Lost { field: format!("{}.detail", place()), why: "images have no level of detail here" });
                }
                blocks.extend(parts::blocks(part, own).map_err(|what| format!("{what} ({})", place()))?);
            }
        }
    }
    Ok(blocks)
}

/// Items of OpenAI's have an id; thinking of servers without signatures has neither.
const fn is_anthropics(reasoning: &Reasoning) -> bool {
    reasoning.id.is_none() && (reasoning.signature.is_some() || reasoning.sealed.is_some())
}
