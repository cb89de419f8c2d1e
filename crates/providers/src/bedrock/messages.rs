//! Turns as Converse's `system` and `messages`.

use mainspring_llm::exchange::{Call, Dialect, Part, Reasoning, Role, Turn};
use serde_json::{Map, Value, json};

use super::blocks::{self, Names, cache_point, tool_id};
use crate::{anthropic::RAW_ARGUMENTS, plain, seam::Losses};

/// Instructions, and turns of alternating roles.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub(super) system: Vec<Value>,
    messages: Vec<Message>,
    /// Tools that were called in it.
    pub(super) called: Vec<String>,
}

#[derive(Debug)]
struct Message {
    role: &'static str,
    blocks: Vec<Value>,
}

/// An error names what cannot be said here.
pub(super) fn conversation(call: &Call, lost: &mut Losses) -> Result<Conversation, String> {
    let mut writer = Writer { talk: Conversation::default(), names: Names::default(), lost };
    for (index, turn) in call.turns.iter().enumerate() {
        writer.turn(&format!("messages[{index}]"), turn)?;
    }
    let mut talk = writer.talk;
    if talk.messages.is_empty() && !talk.system.is_empty() {
        // Converse answers messages only.
        let blocks = std::mem::take(&mut talk.system);
        talk.messages.push(Message { role: "user", blocks });
    }
    talk.trim_last_answer();
    Ok(talk)
}

impl Conversation {
    pub(super) fn messages(self) -> Vec<Value> {
        let message = |message: Message| json!({"role": message.role, "content": message.blocks});
        self.messages.into_iter().map(message).collect()
    }

    /// The last answer called no tools, or its thoughts stand before its calls, as Claude wants them.
    pub(super) fn is_thought_through(&self) -> bool {
        let last = self.messages.iter().rev().find(|message| message.role == "assistant");
        last.is_none_or(|message| {
            let calls = message.blocks.iter().any(|block| block.get("toolUse").is_some());
            !calls || message.blocks.first().is_some_and(|block| block.get("reasoningContent").is_some())
        })
    }

    /// A turn of the same role goes on.
    fn add(&mut self, role: &'static str, blocks: Vec<Value>) {
        if blocks.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(last) if last.role == role => last.blocks.extend(blocks),
            _ => self.messages.push(Message { role, blocks }),
        }
    }

    /// An answer that the model is to go on from may not end in white space.
    fn trim_last_answer(&mut self) {
        let Some(last) = self.messages.last_mut().filter(|message| message.role == "assistant") else {
            return;
        };
        if let Some(Value::String(text)) = last.blocks.last_mut().and_then(|block| block.get_mut("text")) {
            text.truncate(text.trim_end().len());
        }
    }
}

struct Writer<'a> {
    talk: Conversation,
    names: Names,
    lost: &'a mut Losses,
}

impl Writer<'_> {
    fn turn(&mut self, place: &str, turn: &Turn) -> Result<(), String> {
        if turn.name.is_some() && turn.role != Role::Tool {
            self.lost.note(format!("{place}.name"), "turns have no names in Converse");
        }
        let mut blocks = Vec::with_capacity(turn.parts.len());
        for part in &turn.parts {
            self.part(place, part, turn.role, &mut blocks).map_err(|what| format!("{what} ({place})"))?;
        }
        match turn.role {
            Role::System | Role::Developer => self.instruct(place, blocks)?,
            Role::User | Role::Tool => self.talk.add("user", blocks),
            Role::Assistant => self.talk.add("assistant", blocks),
        }
        Ok(())
    }

    fn instruct(&mut self, place: &str, blocks: Vec<Value>) -> Result<(), String> {
        let fits = |block: &Value| ["text", "cachePoint", "guardContent"].iter().any(|kind| block.get(*kind).is_some());
        if !blocks.iter().all(fits) {
            return Err(format!("anything but text in {place}, which instructs"));
        }
        if !self.talk.messages.is_empty() {
            self.lost.note(place, "instructions in the middle are moved to the front");
        }
        self.talk.system.extend(blocks);
        Ok(())
    }

    fn part(&mut self, place: &str, part: &Part, role: Role, out: &mut Vec<Value>) -> Result<(), &'static str> {
        if let Some(fields) = plain::beside_content(part) {
            self.lost.all(plain::left_out(fields, place));
            return Ok(());
        }
        let mut mark = None;
        match part {
            Part::Text { text, cache } => {
                // AWS refuses text that is none.
                out.extend((!text.trim().is_empty()).then(|| json!({"text": text})));
                mark = cache.as_ref();
            }
            Part::Refusal { text } => out.extend((!text.trim().is_empty()).then(|| json!({"text": text}))),
            Part::ToolCall { id, name, arguments, signature } => {
                if signature.is_some() {
                    self.lost.note(format!("{place}.tool_calls"), "signatures of Gemini's are not taken");
                }
                out.push(self.call(place, id, name, arguments));
            }
            Part::ToolResult { id, parts, is_error, cache, .. } => {
                out.push(self.result(place, id, parts, *is_error)?);
                mark = cache.as_ref();
            }
            Part::Reasoning(reasoning) => out.extend(self.thought(place, reasoning)),
            Part::Image { source, detail, cache } => {
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.lost.note(format!("{place}.detail"), "images have no level of detail in Converse");
                }
                out.push(blocks::image(source)?);
                mark = cache.as_ref();
            }
            Part::Audio { source, format } => out.push(blocks::audio(source, format.as_deref())?),
            Part::File { source, name, cache } => {
                out.push(blocks::file(source, name.as_deref(), &mut self.names)?);
                mark = cache.as_ref();
            }
            Part::Other { said_in: Dialect::Bedrock, value } => out.push(value.clone()),
            Part::Other { value, .. } if role == Role::Assistant && plain::may_go(value) => {
                self.lost.note(place, plain::ITS_OWN);
            }
            Part::Other { .. } => return Err("a part that only another provider knows"),
        }
        if let Some(mark) = mark.filter(|_| !out.is_empty()) {
            out.push(cache_point(mark));
        }
        Ok(())
    }

    fn call(&mut self, place: &str, id: &str, name: &str, arguments: &str) -> Value {
        if !self.talk.called.iter().any(|called| called == name) {
            self.talk.called.push(name.to_owned());
        }
        let input = match serde_json::from_str(arguments) {
            Ok(Value::Object(input)) => input,
            _ if arguments.trim().is_empty() => Map::new(),
            _ => {
                self.lost.note(format!("{place}.tool_calls"), "arguments that are no JSON object are sent as text");
                Map::from_iter([(RAW_ARGUMENTS.to_owned(), arguments.into())])
            }
        };
        json!({"toolUse": {"toolUseId": tool_id(id), "name": name, "input": input}})
    }

    fn result(&mut self, place: &str, id: &str, parts: &[Part], is_error: bool) -> Result<Value, &'static str> {
        let mut content = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Part::Text { .. } | Part::Image { .. } | Part::File { .. } | Part::Other { .. } => {
                    self.part(place, part, Role::Tool, &mut content)?;
                }
                _ => return Err("a tool's result that is neither text, image nor file"),
            }
        }
        content.retain(|block| block.get("cachePoint").is_none());
        if content.is_empty() {
            // AWS wants something, and refuses empty text.
            content.push(json!({"json": {}}));
        }
        let mut result = json!({"toolUseId": tool_id(id), "content": content});
        if is_error {
            result["status"] = "error".into();
        }
        Ok(json!({"toolResult": result}))
    }

    /// Claude takes back its own thoughts. Those with an id are of OpenAI's or Gemini's making.
    fn thought(&mut self, place: &str, reasoning: &Reasoning) -> Vec<Value> {
        let Reasoning { id, text, signature, sealed } = reasoning;
        let mut blocks = Vec::new();
        if id.is_none() {
            blocks.extend(signature.as_ref().map(|signature| json!({"reasoningText": {"text": text, "signature": signature}})));
            blocks.extend(sealed.as_ref().map(|sealed| json!({"redactedContent": sealed})));
        }
        if blocks.is_empty() {
            self.lost.note(format!("{place}.reasoning"), "thoughts without a signature of the model's own are not taken back");
        }
        blocks.into_iter().map(|block| json!({"reasoningContent": block})).collect()
    }
}
