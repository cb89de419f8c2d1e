//! Items of the input as turns.

use mainspring_kernel::text;
use mainspring_llm::exchange::{Dialect, Media, Part, Role, Turn};
use serde_json::{Map, Value};

use super::{
    super::{
        chat::turns::arguments,
        fields::{Fields, ReadFault},
        media,
    },
    custom, later, sealed, spaces,
};

pub(super) const SAID_IN: Dialect = Dialect::OpenAiResponses;

const ROLES: [&str; 4] = ["system", "developer", "user", "assistant"];

/// What a model said in several items is one turn: its thinking, its text and its calls. Items of searches that OpenAI made
/// are `spared`, by their places: what they found is told of as tools.
pub(super) fn turns(list: Vec<Value>, spared: &mut Map<String, Value>, unread: &mut Vec<String>) -> Result<Vec<Turn>, ReadFault> {
    let mut turns: Vec<Turn> = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        let at = format!("input[{index}]");
        if later::is_theirs(&value) {
            spared.insert(at, value);
            continue;
        }
        let Some(turn) = turn(value, &at, unread)? else { continue };
        match turns.last_mut() {
            Some(last) if last.role == Role::Assistant && turn.role == Role::Assistant => last.parts.extend(turn.parts),
            _ => turns.push(turn),
        }
    }
    Ok(turns)
}

/// Nothing where an item says what stands elsewhere in the call.
fn turn(value: Value, at: &str, unread: &mut Vec<String>) -> Result<Option<Turn>, ReadFault> {
    // A message is known by its role alone.
    let default = if value.get("role").is_some() { "message" } else { "" };
    let kind = value.get("type").and_then(Value::as_str).unwrap_or(default).to_owned();
    let model_says = |part: Part| Turn { role: Role::Assistant, parts: vec![part], name: None };
    let mut fields = Fields::of(value, at)?;
    Ok(Some(match kind.as_str() {
        "" => return Err(ReadFault::missing(fields.at("type"))),
        later::ADDED => return Ok(None),
        later::CALL | later::FOUND => later::turn(&kind, fields)?,
        "message" => message(fields, unread)?,
        "function_call" | "custom_tool_call" => model_says(call(&kind, fields, unread)?),
        "function_call_output" | "custom_tool_call_output" => {
            let id = fields.needed_text("call_id")?;
            let (at, output) = (fields.at("output"), fields.take("output"));
            let parts = output.map_or(Ok(Vec::new()), |output| content(output, &at, unread))?;
            left(fields, unread);
            let result = Part::ToolResult { id, name: None, parts, is_error: false, cache: None };
            Turn { role: Role::Tool, parts: vec![result], name: None }
        }
        "reasoning" => model_says(reasoning(fields, unread)?),
        // Calls of tools that the provider runs, and references to what it keeps.
        other => {
            let role = if other.ends_with("_output") { Role::Tool } else { Role::Assistant };
            Turn { role, parts: vec![Part::Other { said_in: SAID_IN, value: Value::Object(fields.rest()) }], name: None }
        }
    }))
}

/// Names what an item says that has no word here, but for what every item of an answer has.
fn left(mut fields: Fields, unread: &mut Vec<String>) {
    for name in ["id", "status", "type"] {
        fields.take(name);
    }
    fields.left(unread);
}

fn call(kind: &str, mut fields: Fields, unread: &mut Vec<String>) -> Result<Part, ReadFault> {
    let (id, name) = (fields.needed_text("call_id")?, spaces::called(&mut fields)?);
    let arguments = match kind {
        "custom_tool_call" => custom::arguments(&fields.text("input")?.unwrap_or_default()),
        _ => arguments(fields.take("arguments")),
    };
    left(fields, unread);
    Ok(Part::ToolCall { id, name, arguments, signature: None })
}

fn message(mut fields: Fields, unread: &mut Vec<String>) -> Result<Turn, ReadFault> {
    let said = fields.needed_text("role")?;
    let role = match said.as_str() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        other => {
            let near = text::did_you_mean(other, ROLES);
            return Err(ReadFault::new(fields.at("role"), format!("`{}` is no role{near}", text::elide(other, 40))));
        }
    };
    let at = fields.at("content");
    let value = fields.take("content").ok_or_else(|| ReadFault::missing(&at))?;
    let parts = content(value, &at, unread)?;
    left(fields, unread);
    Ok(Turn { role, parts, name: None })
}

fn content(value: Value, at: &str, unread: &mut Vec<String>) -> Result<Vec<Part>, ReadFault> {
    match value {
        Value::String(text) => Ok(vec![Part::text(text)]),
        Value::Array(list) => {
            let part = |(index, value): (usize, Value)| content_part(value, &format!("{at}[{index}]"), unread);
            list.into_iter().enumerate().map(part).collect()
        }
        _ => Err(ReadFault::must(at, "text or a list of content parts")),
    }
}

fn content_part(value: Value, at: &str, unread: &mut Vec<String>) -> Result<Part, ReadFault> {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut fields = Fields::of(value, at)?;
    let part = match kind.as_str() {
        "" => return Err(ReadFault::missing(fields.at("type"))),
        "input_text" | "output_text" | "text" => Part::text(fields.needed_text("text")?),
        "refusal" => Part::Refusal { text: fields.needed_text("refusal")? },
        "input_image" => {
            let detail = fields.text("detail")?;
            let source = match fields.text("image_url")? {
                Some(url) => media::of_url(url),
                None => Media::Id(fields.needed_text("file_id")?),
            };
            Part::Image { source, detail, cache: None }
        }
        "input_audio" => {
            let missing = ReadFault::missing(fields.at("input_audio"));
            let mut inside = fields.object("input_audio")?.ok_or(missing)?;
            let part = media::audio(&mut inside)?;
            inside.left(unread);
            part
        }
        "input_file" => {
            let empty = fields.must("file_data", "there, or `file_id` or `file_url`");
            media::file(&mut fields, None)?.ok_or(empty)?
        }
        _ => return Ok(Part::Other { said_in: SAID_IN, value: Value::Object(fields.rest()) }),
    };
    // Clients send back what they were given; nobody reads these.
    for name in ["annotations", "logprobs", "type"] {
        fields.take(name);
    }
    fields.left(unread);
    Ok(part)
}

fn reasoning(mut fields: Fields, unread: &mut Vec<String>) -> Result<Part, ReadFault> {
    let (id, content) = (fields.text("id")?, fields.text("encrypted_content")?);
    let mut texts = Vec::new();
    for name in ["summary", "content"] {
        for piece in fields.list(name)?.unwrap_or_default() {
            if let Some(text) = piece.get("text").and_then(Value::as_str) {
                texts.push(text.to_owned());
            }
        }
    }
    left(fields, unread);
    Ok(Part::Reasoning(sealed::unseal(id, texts.join("\n"), content)))
}
