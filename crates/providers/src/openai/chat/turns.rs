//! Messages, read.

use mainspring_kernel::text;
use mainspring_llm::exchange::{Dialect, Media, Part, Reasoning, Role, Turn};
use serde_json::{Map, Value, json};

use super::super::{
    extra,
    fields::{Fields, ReadFault},
    media, thoughts,
};

const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];

pub(super) fn turn(value: Value, at: &str, unread: &mut Vec<String>) -> Result<Turn, ReadFault> {
    // From before tools had ids: repeated as it is to those who still know it.
    if value.get("role").and_then(Value::as_str) == Some("function") {
        return Ok(Turn { role: Role::Tool, parts: vec![extra::part(value)], name: None });
    }
    let mut fields = Fields::of(value, at)?;
    let said = fields.needed_text("role")?;
    let role = match said.as_str() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        other => {
            let near = text::did_you_mean(other, ROLES);
            return Err(ReadFault::new(fields.at("role"), format!("`{}` is no role{near}", text::elide(other, 40))));
        }
    };
    let name = fields.text("name")?;
    // Clients send back what they were given; nobody reads these.
    fields.take("annotations");
    let parts = match role {
        Role::Assistant => assistant(fields.rest(), at, unread)?,
        Role::Tool => vec![result(fields, name.clone(), unread)?],
        _ => said_by_others(fields, unread)?,
    };
    Ok(Turn { role, parts, name: name.filter(|_| role != Role::Tool) })
}

fn said_by_others(mut fields: Fields, unread: &mut Vec<String>) -> Result<Vec<Part>, ReadFault> {
    let at = fields.at("content");
    let content = fields.take("content").ok_or_else(|| ReadFault::missing(&at))?;
    let mut parts = content_parts(content, &at, unread)?;
    parts.extend(extra::fields(fields.rest()));
    Ok(parts)
}

fn result(mut fields: Fields, name: Option<String>, unread: &mut Vec<String>) -> Result<Part, ReadFault> {
    let id = fields.needed_text("tool_call_id")?;
    let cache = fields.take("cache_control");
    let at = fields.at("content");
    let parts = fields.take("content").map_or(Ok(Vec::new()), |content| content_parts(content, &at, unread))?;
    fields.left(unread);
    Ok(Part::ToolResult { id, name, parts, is_error: false, cache })
}

/// A text, or a list of content parts.
fn content_parts(content: Value, at: &str, unread: &mut Vec<String>) -> Result<Vec<Part>, ReadFault> {
    match content {
        Value::String(text) => Ok(vec![Part::text(text)]),
        Value::Array(list) => {
            let mut parts = Vec::with_capacity(list.len());
            for (index, value) in list.into_iter().enumerate() {
                parts.extend(content_part(value, &format!("{at}[{index}]"), unread)?);
            }
            Ok(parts)
        }
        _ => Err(ReadFault::must(at, "text or a list of content parts")),
    }
}

fn content_part(value: Value, at: &str, unread: &mut Vec<String>) -> Result<Vec<Part>, ReadFault> {
    // Mistral takes bare texts in a list.
    if let Value::String(text) = value {
        return Ok(vec![Part::text(text)]);
    }
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut fields = Fields::of(value, at)?;
    if kind.is_empty() {
        return Err(ReadFault::missing(fields.at("type")));
    }
    let part = match kind.as_str() {
        "text" => {
            let text = fields.needed_text("text")?;
            Part::Text { text, cache: fields.take("cache_control") }
        }
        "refusal" => Part::Refusal { text: fields.needed_text("refusal")? },
        "image_url" => image(&mut fields, unread)?,
        "input_audio" => {
            let missing = ReadFault::missing(fields.at("input_audio"));
            let mut inside = fields.object("input_audio")?.ok_or(missing)?;
            let part = media::audio(&mut inside)?;
            inside.left(unread);
            part
        }
        "file" => {
            let cache = fields.take("cache_control");
            let mut inside = fields.object("file")?.ok_or_else(|| ReadFault::missing(fields.at("file")))?;
            let empty = inside.must("file_data", "there, or `file_id`");
            let part = media::file(&mut inside, cache)?.ok_or(empty)?;
            inside.left(unread);
            part
        }
        "thinking" => return Ok(thinking(&fields.rest())),
        _ => return Ok(vec![extra::part(Value::Object(fields.rest()))]),
    };
    fields.take("type");
    fields.left(unread);
    Ok(vec![part])
}

fn image(fields: &mut Fields, unread: &mut Vec<String>) -> Result<Part, ReadFault> {
    let cache = fields.take("cache_control");
    // The address alone is what some clients write.
    if let Some(Value::String(url)) = fields.get("image_url") {
        let source = media::of_url(url.clone());
        fields.take("image_url");
        return Ok(Part::Image { source, detail: None, cache });
    }
    let mut inside = fields.object("image_url")?.ok_or_else(|| ReadFault::missing(fields.at("image_url")))?;
    let source = media::of_url(inside.needed_text("url")?);
    let detail = inside.text("detail")?;
    inside.left(unread);
    Ok(Part::Image { source, detail, cache })
}

/// Mistral's thinking: a list of texts within the content.
fn thinking(map: &Map<String, Value>) -> Vec<Part> {
    let texts = match map.get("thinking") {
        Some(Value::String(text)) => vec![text.as_str()],
        Some(Value::Array(list)) => list.iter().filter_map(|piece| piece.get("text").and_then(Value::as_str)).collect(),
        _ => Vec::new(),
    };
    vec![Part::Reasoning(Reasoning { text: texts.concat(), ..Reasoning::default() })]
}

/// What a model said, in a request or in an answer.
pub(in crate::openai) fn assistant(
    mut map: Map<String, Value>,
    at: &str,
    unread: &mut Vec<String>,
) -> Result<Vec<Part>, ReadFault> {
    let mut parts: Vec<Part> = thoughts::take(&mut map).into_iter().map(Part::Reasoning).collect();
    let content = map.shift_remove("content").filter(|content| !content.is_null());
    let said = content.map_or(Ok(Vec::new()), |content| content_parts(content, &format!("{at}.content"), unread))?;
    parts.extend(said.into_iter().filter(|part| !matches!(part, Part::Text { text, .. } if text.is_empty())));
    if let Some(Value::String(text)) = map.shift_remove("refusal") {
        parts.push(Part::Refusal { text });
    }
    if let Some(Value::Array(images)) = map.shift_remove("images") {
        for (index, value) in images.into_iter().enumerate() {
            parts.extend(content_part(value, &format!("{at}.images[{index}]"), unread)?);
        }
    }
    parts.extend(audio(&mut map));
    let calls = map.shift_remove("tool_calls");
    parts.extend(tool_calls(calls, &mut map, &format!("{at}.tool_calls"), unread)?);
    for name in ["role", "type"] {
        map.shift_remove(name);
    }
    if map.get("annotations").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        map.shift_remove("annotations");
    }
    parts.extend(extra::fields(map));
    Ok(parts)
}

/// Speech that a client names by its id. Speech that was made is kept whole, by `extra`.
fn audio(map: &mut Map<String, Value>) -> Option<Part> {
    let audio = map.get("audio")?.as_object()?;
    let id = audio.get("id")?.as_str()?.to_owned();
    if audio.len() > 1 {
        return None;
    }
    map.shift_remove("audio");
    Some(Part::Audio { source: Media::Id(id), format: None })
}

/// Calls of functions; those of other tools stay in `map`.
fn tool_calls(
    calls: Option<Value>,
    map: &mut Map<String, Value>,
    at: &str,
    unread: &mut Vec<String>,
) -> Result<Vec<Part>, ReadFault> {
    let calls = match calls {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(calls)) => calls,
        Some(_) => return Err(ReadFault::must(at, "a list")),
    };
    let (mut parts, mut others) = (Vec::new(), Vec::new());
    for (index, value) in calls.into_iter().enumerate() {
        if !value.get("function").is_some_and(Value::is_object) {
            others.push(value);
            continue;
        }
        let mut fields = Fields::of(value, &format!("{at}[{index}]"))?;
        let signature = fields.get("extra_content").and_then(signature_of);
        if signature.is_some() {
            fields.take("extra_content");
        }
        let id = fields.text("id")?.unwrap_or_default();
        let mut function = fields.object("function")?.ok_or_else(|| ReadFault::missing(fields.at("function")))?;
        let name = function.needed_text("name")?;
        parts.push(Part::ToolCall { id, name, arguments: arguments(function.take("arguments")), signature });
        function.left(unread);
        // Clients that gather a stream send back which call of it this was.
        for name in ["index", "type"] {
            fields.take(name);
        }
        fields.left(unread);
    }
    if !others.is_empty() {
        map.insert("tool_calls".to_owned(), Value::Array(others));
    }
    Ok(parts)
}

/// Some servers give the arguments as the object they should be the text of.
pub(in crate::openai) fn arguments(value: Option<Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    }
}

/// Where Google's servers of this dialect keep the signature of a call.
pub(in crate::openai) fn signature_of(extra_content: &Value) -> Option<String> {
    extra_content.get("google")?.get("thought_signature")?.as_str().map(str::to_owned)
}

pub(in crate::openai) fn signed(signature: &str) -> Value {
    json!({"google": {"thought_signature": signature}})
}

/// The dialect of what is read here.
pub(super) const SAID_IN: Dialect = Dialect::OpenAiChat;
