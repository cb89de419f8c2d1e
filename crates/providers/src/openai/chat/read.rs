//! A client's request.

use mainspring_llm::exchange::{Call, Format, ReasoningWanted, Tool, Turn};
use serde_json::{Map, Value};

use super::{
    super::{
        fields::{Fields, ReadFault},
        tools,
    },
    turns::{self, SAID_IN},
};

/// Reads a body of `POST /v1/chat/completions`.
pub fn read(body: &[u8]) -> Result<Call, ReadFault> {
    let mut fields = Fields::of_body(body)?;
    let mut call = Call::new(fields.needed_text("model")?, SAID_IN);
    call.turns = messages(&mut fields, &mut call.unread)?;
    read_tools(&mut fields, &mut call)?;
    if let Some(format) = fields.take("response_format") {
        match tools::read_format(format, "response_format", &mut call.unread)? {
            Ok(format) => call.format = format,
            Err(format) => fields.keep("response_format", format),
        }
    }
    let max_tokens = fields.bound("max_tokens")?;
    call.max_tokens = fields.bound("max_completion_tokens")?.or(max_tokens);
    sampling(&mut fields, &mut call)?;
    call.reasoning = reasoning(&mut fields)?;
    call.n = fields.bound("n")?;
    call.logprobs = logprobs(&mut fields)?;
    call.stream = fields.boolean("stream")?.unwrap_or(false);
    call.user = fields.text("user")?;
    call.service_tier = fields.text("service_tier")?;
    call.metadata = fields.object("metadata")?.map(Fields::rest).unwrap_or_default();
    stream_options(&mut fields)?;
    call.extra = fields.rest();
    Ok(call)
}

/// Sets what a field of such a body says of tools, of the choice among them, or of the form of the answer; `null` takes it
/// away. Says whether the call has a word for it.
pub fn set(call: &mut Call, name: &str, value: &Value) -> bool {
    match (name, value) {
        ("response_format", Value::Null) => call.format = Format::Text,
        ("response_format", _) => match tools::read_format(value.clone(), name, &mut call.unread) {
            Ok(Ok(format)) => call.format = format,
            _ => return false,
        },
        ("tool_choice", Value::Null) => call.tool_choice = None,
        ("tool_choice", _) => match tools::read_choice(value.clone(), &mut call.unread) {
            Ok(choice) => call.tool_choice = Some(choice),
            Err(_) => return false,
        },
        ("tools", _) => {
            let mut unread = Vec::new();
            let Some(tools) = functions(value, &mut unread) else { return false };
            call.tools = tools;
            // What stood beside those that were there.
            call.extra.retain(|name, _| !name.starts_with("tools["));
            call.unread.retain(|place| !place.starts_with("tools["));
            call.unread.extend(unread);
        }
        _ => return false,
    }
    call.extra.shift_remove(name);
    true
}

/// Absent where one of them is no function.
fn functions(tools: &Value, unread: &mut Vec<String>) -> Option<Vec<Tool>> {
    if tools.is_null() {
        return Some(Vec::new());
    }
    let read = |(index, value): (usize, &Value)| {
        let tool = tools::read(value.clone(), &format!("tools[{index}]"), SAID_IN, unread).ok();
        tool.filter(|tool| matches!(tool, Tool::Function { .. }))
    };
    tools.as_array()?.iter().enumerate().map(read).collect()
}

fn messages(fields: &mut Fields, unread: &mut Vec<String>) -> Result<Vec<Turn>, ReadFault> {
    let list = fields.list("messages")?.ok_or_else(|| ReadFault::missing("messages"))?;
    if list.is_empty() {
        return Err(ReadFault::must("messages", "a list of at least one message"));
    }
    let turn = |(index, value): (usize, Value)| turns::turn(value, &format!("messages[{index}]"), unread);
    list.into_iter().enumerate().map(turn).collect()
}

fn read_tools(fields: &mut Fields, call: &mut Call) -> Result<(), ReadFault> {
    for (index, value) in fields.list("tools")?.unwrap_or_default().into_iter().enumerate() {
        call.tools.push(tools::read(value, &format!("tools[{index}]"), SAID_IN, &mut call.unread)?);
    }
    match fields.take("tool_choice").map(|choice| tools::read_choice(choice, &mut call.unread)) {
        None => {}
        Some(Ok(choice)) => call.tool_choice = Some(choice),
        Some(Err(choice)) => fields.keep("tool_choice", choice),
    }
    call.parallel_tools = fields.boolean("parallel_tool_calls")?;
    Ok(())
}

fn sampling(fields: &mut Fields, call: &mut Call) -> Result<(), ReadFault> {
    call.temperature = fields.number("temperature")?;
    call.top_p = fields.number("top_p")?;
    call.top_k = fields.bound("top_k")?;
    call.seed = fields.whole("seed")?;
    call.frequency_penalty = fields.number("frequency_penalty")?;
    call.presence_penalty = fields.number("presence_penalty")?;
    call.stop = match fields.take("stop") {
        None => Vec::new(),
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => {
            let text = |value: Value| match value {
                Value::String(text) => Ok(text),
                _ => Err(ReadFault::must("stop", "text or a list of texts")),
            };
            many.into_iter().map(text).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(ReadFault::must("stop", "text or a list of texts")),
    };
    Ok(())
}

/// `reasoning_effort`, or OpenRouter's object where it says nothing else.
fn reasoning(fields: &mut Fields) -> Result<Option<ReasoningWanted>, ReadFault> {
    let effort = fields.text("reasoning_effort")?;
    let known = |map: &Map<String, Value>| map.keys().all(|key| ["effort", "max_tokens"].contains(&key.as_str()));
    let mut wanted = ReasoningWanted { effort, ..ReasoningWanted::default() };
    if fields.get("reasoning").and_then(Value::as_object).is_some_and(known)
        && let Some(mut inside) = fields.object("reasoning")?
    {
        wanted.effort = inside.text("effort")?.or(wanted.effort);
        wanted.budget_tokens = inside.bound("max_tokens")?;
    }
    Ok((wanted != ReasoningWanted::default()).then_some(wanted))
}

fn logprobs(fields: &mut Fields) -> Result<Option<u8>, ReadFault> {
    let wanted = fields.boolean("logprobs")?.unwrap_or(false);
    let top = fields.bound("top_logprobs")?.unwrap_or(0);
    Ok(wanted.then(|| u8::try_from(top).unwrap_or(u8::MAX)))
}

/// Whether a stream ends with its usage is between a client and its surface; the rest is for the provider.
fn stream_options(fields: &mut Fields) -> Result<(), ReadFault> {
    let Some(mut options) = fields.object("stream_options")? else { return Ok(()) };
    options.boolean("include_usage")?;
    let rest = options.rest();
    if !rest.is_empty() {
        fields.keep("stream_options", Value::Object(rest));
    }
    Ok(())
}
