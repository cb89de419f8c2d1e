//! Messages, written.

use mainspring_llm::exchange::{Media, Part, Reasoning};
use serde_json::{Map, Value, json};

use super::{
    super::{extra, media, thoughts},
    turns::{SAID_IN, signed},
};

/// What may stand in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::openai) struct Taken {
    /// `reasoning_content`.
    pub(in crate::openai) thoughts: bool,
    /// `reasoning_details`.
    pub(in crate::openai) details: bool,
    /// `cache_control`, `extra_content` and other fields that only some know.
    pub(in crate::openai) unknown: bool,
    /// Files by their address.
    pub(in crate::openai) addresses: bool,
    /// Several texts as a list. As one text otherwise.
    pub(in crate::openai) lists: bool,
}

impl Taken {
    pub(in crate::openai) const ALL: Self = Self { thoughts: true, details: true, unknown: true, addresses: true, lists: true };
}

/// A piece of content. An error says what cannot be said.
pub(in crate::openai) fn content_part(part: &Part, taken: Taken) -> Result<Value, &'static str> {
    let (mut value, cache) = match part {
        Part::Text { text, cache } => (json!({"type": "text", "text": text}), cache.as_ref()),
        Part::Refusal { text } => (json!({"type": "refusal", "refusal": text}), None),
        Part::Image { source, detail, cache } => (media::image_part(source, detail.as_deref())?, cache.as_ref()),
        Part::Audio { source, format } => (media::audio_part(source, format.as_deref())?, None),
        Part::File { source, name, cache } => (media::file_part(source, name.as_deref(), taken.addresses)?, cache.as_ref()),
        Part::Other { value, .. } => (value.clone(), None),
        Part::ToolCall { .. } => return Err("a call of a tool in this place"),
        Part::ToolResult { .. } => return Err("a tool's result in this place"),
        Part::Reasoning(_) => return Err("thinking in this place"),
    };
    if let Some(cache) = cache.filter(|_| taken.unknown) {
        value["cache_control"] = cache.clone();
    }
    Ok(value)
}

/// The content of a message that no model said, and fields of that message.
pub(in crate::openai) fn content(parts: &[&Part], taken: Taken) -> Result<(Value, Map<String, Value>), &'static str> {
    let (mut list, mut fields) = (Vec::new(), Map::new());
    for part in parts {
        if let Part::Other { value, .. } = part
            && let extra::Kind::Fields(more) = extra::kind(value)
        {
            fields.extend(more.clone());
            continue;
        }
        list.push(content_part(part, taken)?);
    }
    Ok((joined(list, "\n", taken.lists), fields))
}

/// One text is written as such: not every server takes lists.
fn joined(list: Vec<Value>, between: &str, lists: bool) -> Value {
    let plain = |value: &Value| {
        let map = value.as_object().filter(|map| map.len() == 2 && map.get("type") == Some(&Value::from("text")))?;
        map.get("text")?.as_str().map(str::to_owned)
    };
    let texts: Option<Vec<String>> = list.iter().map(plain).collect();
    match texts {
        Some(texts) if texts.len() == 1 || !lists => texts.join(between).into(),
        _ if list.is_empty() => "".into(),
        _ => Value::Array(list),
    }
}

/// What a model said, as a message without its role.
pub(in crate::openai) fn assistant<'a>(
    parts: impl IntoIterator<Item = &'a Part>,
    taken: Taken,
) -> Result<Map<String, Value>, &'static str> {
    let mut said = Said::default();
    for part in parts {
        said.part(part, taken)?;
    }
    let Said { content, refusal, thoughts, calls, images, fields } = said;
    let mut map = Map::new();
    let silent = content.is_empty() && !(calls.is_empty() && refusal.is_none() && fields.is_empty());
    map.insert("content".to_owned(), if silent { Value::Null } else { joined(content, "", taken.lists) });
    if let Some(refusal) = refusal {
        map.insert("refusal".to_owned(), refusal.into());
    }
    if taken.thoughts {
        thoughts::put(&mut map, &thoughts, taken.details);
    }
    if !images.is_empty() {
        map.insert("images".to_owned(), Value::Array(images));
    }
    if !calls.is_empty() {
        map.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    map.extend(fields);
    Ok(map)
}

#[derive(Default)]
struct Said<'a> {
    content: Vec<Value>,
    refusal: Option<String>,
    thoughts: Vec<&'a Reasoning>,
    calls: Vec<Value>,
    images: Vec<Value>,
    fields: Map<String, Value>,
}

impl<'a> Said<'a> {
    fn part(&mut self, part: &'a Part, taken: Taken) -> Result<(), &'static str> {
        match part {
            Part::Reasoning(reasoning) => self.thoughts.push(reasoning),
            Part::Refusal { text } => self.refusal.get_or_insert_default().push_str(text),
            Part::ToolCall { id, name, arguments, signature } => {
                let signature = signature.as_deref().filter(|_| taken.unknown);
                self.calls.push(tool_call(id, name, arguments, signature));
            }
            Part::Audio { source: Media::Id(id), .. } => {
                self.fields.insert("audio".to_owned(), json!({"id": id}));
            }
            Part::Image { .. } if taken.unknown => self.images.push(content_part(part, taken)?),
            Part::Image { .. } => return Err("an image that a model made"),
            Part::Other { value, .. } => match extra::kind(value) {
                extra::Kind::Fields(fields) => self.merge(fields),
                extra::Kind::Message | extra::Kind::Content => self.content.push(value.clone()),
            },
            _ => self.content.push(content_part(part, taken)?),
        }
        Ok(())
    }

    /// Calls of other tools than functions join the rest; the other fields stand for themselves.
    fn merge(&mut self, fields: &Map<String, Value>) {
        for (name, value) in fields {
            match value {
                Value::Array(calls) if name == "tool_calls" => self.calls.extend(calls.iter().cloned()),
                value => {
                    self.fields.insert(name.clone(), value.clone());
                }
            }
        }
    }
}

pub(in crate::openai) fn tool_call(id: &str, name: &str, arguments: &str, signature: Option<&str>) -> Value {
    let mut call = json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    if let Some(signature) = signature {
        call["extra_content"] = signed(signature);
    }
    call
}

/// Can this part of an answer be written in chat?
pub(super) fn is_ours(part: &Part) -> bool {
    match part {
        Part::Other { said_in, .. } => *said_in == SAID_IN,
        Part::Image { source, .. } => !matches!(source, Media::Id(_)),
        Part::Audio { source, .. } => matches!(source, Media::Id(_)),
        Part::File { .. } | Part::ToolResult { .. } => false,
        _ => true,
    }
}
