//! Turns as Gemini's contents: the roles `user` and `model`, and instructions beside them.

use std::collections::HashMap;

use mainspring_llm::exchange::{Call, Dialect, Part, Reasoning, Role, Turn};
use serde_json::{Map, Value, json};

use super::{decode, media, thinking};
use crate::{
    anthropic::RAW_ARGUMENTS,
    fault::UpstreamFault,
    plain,
    seam::{Endpoint, Losses},
};

/// What Google documents for function calls that none of its models made, such as those of a conversation that began at
/// another provider.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

#[derive(Debug)]
pub(super) struct Conversation {
    /// Parts of `systemInstruction`.
    pub(super) system: Vec<Value>,
    pub(super) contents: Vec<Value>,
}

pub(super) fn conversation(endpoint: &Endpoint, call: &Call, lost: &mut Losses) -> Result<Conversation, UpstreamFault> {
    let mut writer = Writer {
        endpoint,
        names: names(&call.turns),
        checks_signatures: thinking::checks_signatures(&endpoint.model),
        lost,
        system: Vec::new(),
        contents: Vec::new(),
    };
    for (index, turn) in call.turns.iter().enumerate() {
        writer.turn(&format!("messages[{index}]"), turn)?;
    }
    let Writer { mut system, mut contents, .. } = writer;
    if contents.is_empty() && !system.is_empty() {
        // Gemini answers contents only.
        contents.push(Content { role: "user", parts: std::mem::take(&mut system), results: false });
    }
    let contents = contents.into_iter().map(|content| json!({"role": content.role, "parts": content.parts}));
    Ok(Conversation { system, contents: contents.collect() })
}

/// The names of called tools by the id of the call: Gemini wants them again with the results.
fn names(turns: &[Turn]) -> HashMap<&str, &str> {
    let parts = turns.iter().flat_map(|turn| &turn.parts);
    let calls = parts.filter_map(|part| match part {
        Part::ToolCall { id, name, .. } => Some((id.as_str(), name.as_str())),
        _ => None,
    });
    calls.collect()
}

#[derive(Debug)]
struct Content {
    role: &'static str,
    parts: Vec<Value>,
    /// Holds results of tools and nothing that a person said.
    results: bool,
}

struct Writer<'a> {
    endpoint: &'a Endpoint,
    names: HashMap<&'a str, &'a str>,
    checks_signatures: bool,
    lost: &'a mut Losses,
    system: Vec<Value>,
    contents: Vec<Content>,
}

impl<'a> Writer<'a> {
    fn turn(&mut self, place: &str, turn: &'a Turn) -> Result<(), UpstreamFault> {
        if turn.name.is_some() && turn.role != Role::Tool {
            self.lost.note(format!("{place}.name"), "Gemini's turns have no names");
        }
        match turn.role {
            Role::System | Role::Developer => self.instruct(place, turn),
            Role::Assistant => self.model(place, turn),
            Role::User | Role::Tool => self.user(place, turn),
        }
    }

    fn instruct(&mut self, place: &str, turn: &'a Turn) -> Result<(), UpstreamFault> {
        if !self.contents.is_empty() {
            self.lost.note(place, "instructions in the middle are moved to the front");
        }
        for part in &turn.parts {
            match part {
                Part::Text { .. } | Part::Other { .. } => {
                    let written = self.part(place, part, Role::System)?;
                    self.system.extend(written);
                }
                _ => return Err(UpstreamFault::unsupported(self.endpoint, "instructions that are not text")),
            }
        }
        Ok(())
    }

    fn user(&mut self, place: &str, turn: &'a Turn) -> Result<(), UpstreamFault> {
        let (mut results, mut said) = (Vec::new(), Vec::new());
        for part in &turn.parts {
            match part {
                Part::ToolResult { .. } => self.result(place, part, &mut results)?,
                _ => said.extend(self.part(place, part, turn.role)?),
            }
        }
        if !results.is_empty() {
            // Gemini wants the results of calls that were made together in one content.
            match self.contents.last_mut() {
                Some(last) if last.results => last.parts.extend(results),
                _ => self.contents.push(Content { role: "user", parts: results, results: true }),
            }
        }
        if !said.is_empty() {
            self.contents.push(Content { role: "user", parts: said, results: false });
        }
        Ok(())
    }

    fn model(&mut self, place: &str, turn: &'a Turn) -> Result<(), UpstreamFault> {
        let mut parts = Vec::new();
        for part in &turn.parts {
            parts.extend(self.part(place, part, Role::Assistant)?);
        }
        if self.checks_signatures {
            self.sign(place, &mut parts);
        }
        if !parts.is_empty() {
            self.contents.push(Content { role: "model", parts, results: false });
        }
        Ok(())
    }

    /// The first function call of a turn must have a signature.
    fn sign(&mut self, place: &str, parts: &mut [Value]) {
        let call = parts.iter_mut().filter_map(Value::as_object_mut).find(|part| part.contains_key("functionCall"));
        if let Some(call) = call
            && !call.contains_key("thoughtSignature")
        {
            call.insert("thoughtSignature".into(), NO_SIGNATURE.into());
            self.lost.note(format!("{place}.tool_calls"), "came without Gemini's signature; it is told to go on without");
        }
    }

    fn part(&mut self, place: &str, part: &'a Part, role: Role) -> Result<Option<Value>, UpstreamFault> {
        if let Some(fields) = plain::beside_content(part) {
            self.lost.all(plain::left_out(fields, place));
            return Ok(None);
        }
        Ok(match part {
            Part::Text { text, cache } => {
                self.cached(place, cache.as_ref());
                (!text.is_empty()).then(|| json!({"text": text}))
            }
            Part::Refusal { text } => (!text.is_empty()).then(|| json!({"text": text})),
            Part::ToolCall { id, name, arguments, signature } => {
                Some(self.call(place, id, name, arguments, signature.as_deref()))
            }
            Part::Reasoning(reasoning) => self.thought(place, reasoning),
            Part::Other { said_in: Dialect::Gemini, value } => Some(value.clone()),
            Part::Other { value, .. } if role == Role::Assistant && plain::may_go(value) => {
                self.lost.note(place, plain::ITS_OWN);
                None
            }
            Part::Other { .. } => {
                return Err(UpstreamFault::unsupported(self.endpoint, "parts that only another provider knows"));
            }
            Part::ToolResult { .. } => return Err(UpstreamFault::unsupported(self.endpoint, "a tool's result in this place")),
            Part::Image { source, detail, cache } => {
                self.cached(place, cache.as_ref());
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.lost.note(format!("{place}.detail"), "Gemini takes images in one resolution");
                }
                Some(media::part(self.endpoint, source, None)?)
            }
            Part::Audio { source, format } => {
                Some(media::part(self.endpoint, source, format.as_deref().and_then(media::audio_type))?)
            }
            Part::File { source, name, cache } => {
                self.cached(place, cache.as_ref());
                if name.is_some() {
                    self.lost.note(format!("{place}.filename"), "Gemini's files have no names");
                }
                Some(media::part(self.endpoint, source, name.as_deref().and_then(media::by_extension))?)
            }
        })
    }

    fn cached(&mut self, place: &str, cache: Option<&Value>) {
        if cache.is_some() {
            self.lost.note(format!("{place}.cache_control"), "Gemini caches on its own");
        }
    }

    fn call(&mut self, place: &str, id: &str, name: &str, arguments: &str, signature: Option<&str>) -> Value {
        let args = match serde_json::from_str(arguments) {
            Ok(Value::Object(args)) => args,
            _ if arguments.trim().is_empty() => Map::new(),
            _ => {
                self.lost.note(format!("{place}.tool_calls"), "arguments that are no JSON object are sent as text");
                Map::from_iter([(RAW_ARGUMENTS.to_owned(), arguments.into())])
            }
        };
        let mut call = Map::new();
        call.extend(said_id(id).map(|id| ("id".to_owned(), id.into())));
        call.insert("name".into(), name.into());
        call.insert("args".into(), Value::Object(args));
        let mut part = Map::from_iter([("functionCall".to_owned(), Value::Object(call))]);
        part.extend(signature.map(|signature| ("thoughtSignature".to_owned(), signature.into())));
        Value::Object(part)
    }

    fn result(&mut self, place: &str, part: &'a Part, out: &mut Vec<Value>) -> Result<(), UpstreamFault> {
        let Part::ToolResult { id, name, parts, is_error, cache } = part else {
            return Ok(());
        };
        self.cached(place, cache.as_ref());
        let called = self.names.get(id.as_str()).copied();
        let Some(name) = called.or(name.as_deref()) else {
            return Err(UpstreamFault::unsupported(self.endpoint, "a tool's result without the call it belongs to"));
        };
        let (mut texts, mut shown) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Part::Text { text, .. } => texts.push(text.as_str()),
                _ => shown.extend(self.part(place, part, Role::Tool)?),
            }
        }
        let mut response = Map::new();
        response.extend(said_id(id).map(|id| ("id".to_owned(), id.into())));
        response.insert("name".into(), name.into());
        response.insert("response".into(), outcome(&texts.join("\n"), *is_error));
        out.push(json!({"functionResponse": response}));
        out.extend(shown);
        Ok(())
    }

    /// Thoughts go back only where Gemini itself has signed them.
    fn thought(&mut self, place: &str, reasoning: &Reasoning) -> Option<Value> {
        let ours = reasoning.id.as_deref().is_some_and(|id| id.starts_with(decode::MADE_ID));
        let Some(signature) = reasoning.sealed.as_deref().filter(|_| ours) else {
            self.lost.note(format!("{place}.reasoning"), "Gemini takes back only thoughts it has signed");
            return None;
        };
        Some(json!({"text": reasoning.text, "thought": true, "thoughtSignature": signature}))
    }
}

/// Ids made here are unknown to Gemini, which then goes by name and order.
fn said_id(id: &str) -> Option<&str> {
    (!id.is_empty() && !id.starts_with(decode::MADE_ID)).then_some(id)
}

/// Gemini wants an object.
fn outcome(text: &str, is_error: bool) -> Value {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) if !is_error => Value::Object(object),
        _ if is_error => json!({"error": text}),
        _ => json!({"result": text}),
    }
}
