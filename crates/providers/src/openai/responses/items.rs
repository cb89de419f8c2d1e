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
pub(super) fn turns(list: Vec<Value>, spared: &mut Map<String, Value>) -> Result<Vec<Turn>, ReadFault> {
    let mut turns: Vec<Turn> = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        let at = format!("input[{index}]");
        if later::is_theirs(&value) {
            spared.insert(at, value);
            continue;
        }
        let Some(turn) = turn(value, &at)? else { continue };
        match turns.last_mut() {
            Some(last) if last.role == Role::Assistant && turn.role == Role::Assistant => last.parts.extend(turn.parts),
            _ => turns.push(turn),
        }
    }
    Ok(turns)
}

/// Nothing where an item says what stands elsewhere in the call.
fn turn(value: Value, at: &str) -> Result<Option<Turn>, ReadFault> {
    // A message is known by its role alone.
    let default = if value.get("role").is_some() { "message" } else { "" };
    let kind = value.get("type").and_then(Value::as_str).unwrap_or(default).to_owned();
    let model_says = |part: Part| Turn { role: Role::Assistant, parts: vec![part], name: None };
    let mut fields = Fields::of(value, at)?;
    Ok(Some(match kind.as_str() {
        "" => return Err(ReadFault::missing(fields.at("type"))),
        later::ADDED => return Ok(None),
        later::CALL | later::FOUND => later::turn(&kind, fields)?,
        "message" => message(fields)?,
        "function_call" => model_says(Part::ToolCall {
            id: fields.needed_text("call_id")?,
            name: spaces::called(&mut fields)?,
            arguments: arguments(fields.take("arguments")),
            signature: None,
        }),
        "custom_tool_call" => model_says(Part::ToolCall {
            id: fields.needed_text("call_id")?,
            name: spaces::called(&mut fields)?,
            arguments: custom::arguments(&fields.text("input")?.unwrap_or_default()),
            signature: None,
        }),
        "function_call_output" | "custom_tool_call_output" => {
            let id = fields.needed_text("call_id")?;
            let (at, output) = (fields.at("output"), fields.take("output"));
            let parts = output.map_or(Ok(Vec::new()), |output| content(output, &at))?;
            let result = Part::ToolResult { id, name: None, parts, is_error: false, cache: None };
            Turn { role: Role::Tool, parts: vec![result], name: None }
        }
        "reasoning" => model_says(reasoning(fields)?),
        // Calls of tools that the provider runs, and references to what it keeps.
        other => {
            let role = if other.ends_with("_output") { Role::Tool } else { Role::Assistant };
            Turn { role, parts: vec![Part::Other { said_in: SAID_IN, value: Value::Object(fields.rest()) }], name: None }
        }
    }))
}

fn message(mut fields: Fields) -> Result<Turn, ReadFault> {
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
    Ok(Turn { role, parts: content(value, &at)?, name: None })
}

fn content(value: Value, at: &str) -> Result<Vec<Part>, ReadFault> {
    match value {
        Value::String(text) => Ok(vec![Part::text(text)]),
        Value::Array(list) => {
            list.into_iter().enumerate().map(|(index, value)| content_part(value, &format!("{at}[{index}]"))).collect()
        }
        _ => Err(ReadFault::must(at, "text or a list of content parts")),
    }
}

fn content_part(value: Value, at: &str) -> Result<Part, ReadFault> {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut fields = Fields::of(value, at)?;
    Ok(match kind.as_str() {
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
            media::audio(fields.object("input_audio")?.ok_or(missing)?)?
        }
        "input_file" => {
            let empty = fields.must("file_data", "there, or `file_id` or `file_url`");
            media::file(&mut fields, None)?.ok_or(empty)?
        }
        _ => Part::Other { said_in: SAID_IN, value: Value::Object(fields.rest()) },
    })
}

fn reasoning(mut fields: Fields) -> Result<Part, ReadFault> {
    let (id, content) = (fields.text("id")?, fields.text("encrypted_content")?);
    let mut texts = Vec::new();
    for name in ["summary", "content"] {
        for piece in fields.list(name)?.unwrap_or_default() {
            if let Some(text) = piece.get("text").and_then(Value::as_str) {
                texts.push(text.to_owned());
            }
        }
    }
    Ok(Part::Reasoning(sealed::unseal(id, texts.join("\n"), content)))
}
