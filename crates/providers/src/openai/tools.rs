//! Tools and the choice among them.

use mainspring_llm::exchange::{Dialect, Format, Tool, ToolChoice};
use serde_json::{Map, Value, json};

use super::fields::{Fields, ReadFault};

/// A function in chat's form, with what it is under `function`, or flat, as the responses endpoint has it.
pub(super) fn read(value: Value, at: &str, said_in: Dialect, unread: &mut Vec<String>) -> Result<Tool, ReadFault> {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or("function");
    if kind != "function" {
        return Ok(Tool::Hosted { said_in, value });
    }
    let mut fields = Fields::of(value, at)?;
    fields.take("type");
    let cache = fields.take("cache_control");
    let mut inside = match said_in {
        Dialect::OpenAiResponses => {
            // Where all tools are told of at once, none comes later.
            fields.take("defer_loading");
            fields
        }
        _ => {
            let inside = fields.object("function")?.ok_or_else(|| ReadFault::missing(fields.at("function")))?;
            fields.left(unread);
            inside
        }
    };
    let tool = Tool::Function {
        name: inside.needed_text("name")?,
        description: inside.text("description")?,
        parameters: inside.take("parameters"),
        strict: inside.boolean("strict")?,
        cache,
    };
    inside.left(unread);
    Ok(tool)
}

/// A choice that has a word here; others are given back.
pub(super) fn read_choice(value: Value, unread: &mut Vec<String>) -> Result<ToolChoice, Value> {
    match value.as_str() {
        Some("auto") => return Ok(ToolChoice::Auto),
        Some("none") => return Ok(ToolChoice::None),
        // Mistral's word for it is `any`.
        Some("required" | "any") => return Ok(ToolChoice::Required),
        _ => {}
    }
    let is_function = value.get("type").and_then(Value::as_str) == Some("function");
    let name = value.get("function").unwrap_or(&value).get("name").and_then(Value::as_str);
    let Some(name) = name.filter(|_| is_function).map(str::to_owned) else { return Err(value) };
    let known = ["function", "name", "type"];
    let more = value.as_object().into_iter().flatten();
    let more = more.filter(|(name, value)| !value.is_null() && !known.contains(&name.as_str()));
    unread.extend(more.map(|(name, _)| format!("tool_choice.{name}")));
    Ok(ToolChoice::Function(name))
}

/// A format in the form of `response_format`, or flat, as `text.format` has it. One without a word here is given back.
pub(super) fn read_format(value: Value, at: &str, unread: &mut Vec<String>) -> Result<Result<Format, Value>, ReadFault> {
    match value.get("type").and_then(Value::as_str) {
        Some("text") => return Ok(Ok(Format::Text)),
        Some("json_object") => return Ok(Ok(Format::Json)),
        Some("json_schema") => {}
        _ => return Ok(Err(value)),
    }
    let mut fields = Fields::of(value, at)?;
    fields.take("type");
    let mut inside = match fields.object("json_schema")? {
        Some(inside) => {
            fields.left(unread);
            inside
        }
        None => fields,
    };
    let schema = inside.take("schema").filter(Value::is_object);
    let format = Format::Schema {
        name: inside.text("name")?.unwrap_or_default(),
        schema: schema.ok_or_else(|| inside.must("schema", "a JSON Schema object"))?,
        strict: inside.boolean("strict")?,
        description: inside.text("description")?,
    };
    inside.left(unread);
    Ok(Ok(format))
}

pub(super) fn function(name: &str, description: Option<&str>, parameters: Option<&Value>, strict: Option<bool>) -> Value {
    let mut inside = Map::new();
    inside.insert("name".to_owned(), name.into());
    if let Some(description) = description {
        inside.insert("description".to_owned(), description.into());
    }
    if let Some(parameters) = parameters {
        inside.insert("parameters".to_owned(), parameters.clone());
    }
    if let Some(strict) = strict {
        inside.insert("strict".to_owned(), strict.into());
    }
    json!({"type": "function", "function": inside})
}

pub(super) fn choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Function(name) => json!({"type": "function", "function": {"name": name}}),
    }
}

/// `None` for text, which needs no saying.
pub(super) fn format(format: &Format) -> Option<Value> {
    match format {
        Format::Text => None,
        Format::Json => Some(json!({"type": "json_object"})),
        Format::Schema { name, schema, strict, description } => {
            let mut inside = Map::new();
            inside.insert("name".to_owned(), if name.is_empty() { "answer" } else { name }.into());
            if let Some(description) = description {
                inside.insert("description".to_owned(), description.as_str().into());
            }
            inside.insert("schema".to_owned(), schema.clone());
            if let Some(strict) = strict {
                inside.insert("strict".to_owned(), (*strict).into());
            }
            Some(json!({"type": "json_schema", "json_schema": inside}))
        }
    }
}
