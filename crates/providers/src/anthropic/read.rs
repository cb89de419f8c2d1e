//! What a client of this dialect asks for.
//!
//! Kept for Anthropic alone are fields of the body and whole blocks that have no word in a call. Named as lost wherever the
//! call goes are citations on earlier answers, callers of tool calls, and what nobody here knows of a message or a block. Not
//! kept, because no answer would change: cache marks on tool calls. A body that goes to Anthropic unchanged is never read here.

use mainspring_kernel::text;
use mainspring_llm::exchange::{Call, Dialect, Format, Part, ReasoningWanted, Role, Tool, ToolChoice, Turn};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{blocks, sealed};

/// A body that cannot be read: the client's mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {message}")]
pub struct ReadFault {
    /// As the client wrote it: `messages[2].content`; `body` where it is no JSON at all.
    pub field: String,
    pub message: String,
}

/// What the places of blocks begin with.
pub(super) const MESSAGES: &str = "messages";

type Answer<T> = Result<T, ReadFault>;

fn fault(field: impl Into<String>, message: impl Into<String>) -> ReadFault {
    ReadFault { field: field.into(), message: message.into() }
}

/// Reads the body of `POST /v1/messages` or of `/v1/messages/count_tokens`.
pub fn read(body: &[u8]) -> Result<Call, ReadFault> {
    let fields: Value = serde_json::from_slice(body).map_err(|error| fault("body", error.to_string()))?;
    let Value::Object(mut fields) = fields else { return Err(fault("body", "it must be an object")) };
    let model: String = take(&mut fields, "model")?.ok_or_else(|| fault("model", "it is missing"))?;
    let mut call = Call::new(model, Dialect::Anthropic);
    call.turns = turns(&mut fields, &mut call.unread)?;
    tools(&mut fields, &mut call)?;
    call.max_tokens = take(&mut fields, "max_tokens")?;
    call.temperature = take(&mut fields, "temperature")?;
    call.top_p = take(&mut fields, "top_p")?;
    call.top_k = take(&mut fields, "top_k")?;
    call.stop = take(&mut fields, "stop_sequences")?.unwrap_or_default();
    call.stream = take(&mut fields, "stream")?.unwrap_or(false);
    call.service_tier = take(&mut fields, "service_tier")?;
    call.metadata = take(&mut fields, "metadata")?.unwrap_or_default();
    call.user = take(&mut call.metadata, "user_id").map_err(|_| fault("metadata.user_id", "it must be a text"))?;
    output(&mut fields, &mut call)?;
    call.extra = fields;
    Ok(call)
}

/// A field of the body; `null` is as good as nothing.
fn take<T: DeserializeOwned>(fields: &mut Map<String, Value>, name: &str) -> Answer<Option<T>> {
    match fields.shift_remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value).map(Some).map_err(|error| fault(name, error.to_string())),
    }
}

fn turns(fields: &mut Map<String, Value>, unread: &mut Vec<String>) -> Answer<Vec<Turn>> {
    let mut turns = Vec::new();
    if let Some(system) = take::<Value>(fields, "system")? {
        let parts = blocks::parts(system, "system", unread).map_err(|message| fault("system", message))?;
        if parts.iter().any(|part| !matches!(part, Part::Text { .. })) {
            return Err(fault("system", "it takes text blocks only"));
        }
        turns.push(Turn { role: Role::System, parts, name: None });
    }
    let messages: Vec<Map<String, Value>> = take(fields, "messages")?.ok_or_else(|| fault("messages", "it is missing"))?;
    if messages.is_empty() {
        return Err(fault("messages", "it needs at least one message"));
    }
    for (index, message) in messages.into_iter().enumerate() {
        named(&message, index, fields);
        turn(message, (index, &mut *unread), &mut turns)?;
    }
    Ok(turns)
}

/// What a block says beside what has a word, under its place: citations of a text, and the program that called a tool.
fn named(message: &Map<String, Value>, index: usize, fields: &mut Map<String, Value>) {
    let blocks = message.get("content").and_then(Value::as_array).into_iter().flatten();
    for (at, block) in blocks.enumerate() {
        let name = match block.get("type").and_then(Value::as_str) {
            Some("text") => "citations",
            Some("tool_use") => "caller",
            _ => continue,
        };
        // The model itself calls tools anyway.
        let says = |value: &&Value| {
            !value.is_null()
                && value.as_array().is_none_or(|all| !all.is_empty())
                && value.get("type").is_none_or(|kind| kind != "direct")
        };
        if let Some(value) = block.get(name).filter(says) {
            fields.insert(format!("{MESSAGES}[{index}].content[{at}].{name}"), value.clone());
        }
    }
}

fn turn(mut message: Map<String, Value>, (index, unread): (usize, &mut Vec<String>), turns: &mut Vec<Turn>) -> Answer<()> {
    let place = |field: &str| format!("messages[{index}].{field}");
    let role: Option<String> = take(&mut message, "role").map_err(|fault| ReadFault { field: place("role"), ..fault })?;
    let role = match role.as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system") => Role::System,
        Some(other) => {
            let near = text::did_you_mean(other, ["user", "assistant"]);
            return Err(fault(place("role"), format!("unknown role{near}")));
        }
        None => return Err(fault(place("role"), "it is missing")),
    };
    let content = message.shift_remove("content").unwrap_or_default();
    let parts = blocks::parts(content, &place("content"), unread).map_err(|message| fault(place("content"), message))?;
    if !message.is_empty() {
        blocks::left(&message, &[], &format!("{MESSAGES}[{index}]"), unread);
    }
    spread(role, sealed::signed_calls(parts), turns);
    Ok(())
}

/// Each tool result is a turn of its own, as other dialects have it; what stands around it stays in order.
fn spread(role: Role, parts: Vec<Part>, turns: &mut Vec<Turn>) {
    let mut rest = Turn { role, parts: Vec::new(), name: None };
    let mut any = false;
    for part in parts {
        if matches!(part, Part::ToolResult { .. }) {
            if !rest.parts.is_empty() {
                turns.push(Turn { role, parts: std::mem::take(&mut rest.parts), name: None });
            }
            turns.push(Turn { role: Role::Tool, parts: vec![part], name: None });
            any = true;
        } else {
            rest.parts.push(part);
        }
    }
    if !rest.parts.is_empty() || !any {
        turns.push(rest);
    }
}

fn tools(fields: &mut Map<String, Value>, call: &mut Call) -> Answer<()> {
    let tools: Vec<Value> = take(fields, "tools")?.unwrap_or_default();
    for (index, value) in tools.into_iter().enumerate() {
        let own = beside(&value, index);
        let tool = tool(value).map_err(|message| fault(format!("tools[{index}]"), message))?;
        if matches!(tool, Tool::Function { .. }) {
            fields.extend(own);
        }
        call.tools.push(tool);
    }
    let Some(choice) = take::<Map<String, Value>>(fields, "tool_choice")? else { return Ok(()) };
    blocks::left(&choice, &["disable_parallel_tool_use", "name", "type"], "tool_choice", &mut call.unread);
    let kind = choice.get("type").and_then(Value::as_str).unwrap_or_default();
    call.tool_choice = Some(match kind {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Function(blocks::text(&choice, "name").map_err(|message| fault("tool_choice", message))?),
        other => {
            let near = text::did_you_mean(other, ["auto", "any", "tool", "none"]);
            return Err(fault("tool_choice.type", format!("unknown choice{near}")));
        }
    });
    call.parallel_tools = choice.get("disable_parallel_tool_use").and_then(Value::as_bool).map(|disabled| !disabled);
    Ok(())
}

/// What a function says beside what has a word, such as `defer_loading`, under its place.
fn beside(value: &Value, index: usize) -> Vec<(String, Value)> {
    const KNOWN: [&str; 6] = ["cache_control", "description", "input_schema", "name", "strict", "type"];
    let own = value.as_object().into_iter().flatten();
    let own = own.filter(|(name, value)| !value.is_null() && !KNOWN.contains(&name.as_str()));
    own.map(|(name, value)| (format!("tools[{index}].{name}"), value.clone())).collect()
}

/// A tool of another type than `custom` is one Anthropic runs or knows by itself.
fn tool(value: Value) -> Result<Tool, String> {
    let Value::Object(fields) = &value else { return Err("it must be an object".to_owned()) };
    if fields.get("type").is_some_and(|kind| !kind.is_null() && kind != "custom") {
        return Ok(Tool::Hosted { said_in: Dialect::Anthropic, value });
    }
    Ok(Tool::Function {
        name: blocks::text(fields, "name")?,
        description: fields.get("description").and_then(Value::as_str).map(str::to_owned),
        parameters: fields.get("input_schema").filter(|schema| !schema.is_null()).cloned(),
        strict: fields.get("strict").and_then(Value::as_bool),
        cache: blocks::cache(fields),
    })
}

/// What is said of the form of the answer and of the thinking before it. What is not read of either stays in `fields`.
fn output(fields: &mut Map<String, Value>, call: &mut Call) -> Answer<()> {
    let mut config: Map<String, Value> = take(fields, "output_config")?.unwrap_or_default();
    let format = match take::<Value>(&mut config, "format")? {
        Some(format) => Some(format),
        // Where it stood in the beta.
        None => take(fields, "output_format")?,
    };
    if let Some(mut format) = format {
        let schema = format.get_mut("schema").map(Value::take).filter(|_| format["type"] == "json_schema");
        let schema =
            schema.ok_or_else(|| fault("output_config.format", "it must be of the type `json_schema` and have a `schema`"))?;
        if let Value::Object(format) = &format {
            blocks::left(format, &["schema", "type"], "output_config.format", &mut call.unread);
        }
        call.format = Format::Schema { name: "answer".to_owned(), schema, strict: Some(true), description: None };
    }
    if let Some(mut thinking) = take::<Map<String, Value>>(fields, "thinking")? {
        let kind: Option<String> = take(&mut thinking, "type").map_err(|_| fault("thinking.type", "it must be a text"))?;
        let budget_tokens =
            take(&mut thinking, "budget_tokens").map_err(|_| fault("thinking.budget_tokens", "it must be a number"))?;
        call.reasoning = Some(match kind.as_deref() {
            Some("disabled") => ReasoningWanted { effort: Some("none".to_owned()), ..ReasoningWanted::default() },
            // The effort says how much to think only where nothing else does.
            Some("adaptive") => ReasoningWanted { effort: take(&mut config, "effort")?, ..ReasoningWanted::default() },
            _ => ReasoningWanted { budget_tokens, ..ReasoningWanted::default() },
        });
        if !thinking.is_empty() {
            fields.insert("thinking".to_owned(), Value::Object(thinking));
        }
    }
    if !config.is_empty() {
        fields.insert("output_config".to_owned(), Value::Object(config));
    }
    Ok(())
}
