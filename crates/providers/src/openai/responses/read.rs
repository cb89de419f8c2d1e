//! A client's request.

use mainspring_llm::exchange::{Call, Format, ReasoningWanted, Role, Tool, ToolChoice, Turn};
use serde_json::{Map, Value, json};

use super::{
    super::{
        fields::{Fields, ReadFault},
        tools,
    },
    custom,
    items::{self, SAID_IN},
    later, spaces,
};

/// What a client writes into `include` for log probabilities.
const WITH_LOGPROBS: &str = "message.output_text.logprobs";
/// And for thinking that it can send back, which it is given anyway.
const WITH_THINKING: &str = "reasoning.encrypted_content";

/// Reads a body of `POST /v1/responses`.
pub fn read(body: &[u8]) -> Result<Call, ReadFault> {
    let mut fields = Fields::of_body(body)?;
    let mut call = Call::new(fields.needed_text("model")?, SAID_IN);
    if let Some(instructions) = fields.text("instructions")? {
        call.turns.push(Turn::text(Role::System, instructions));
    }
    let told_later: Vec<_> = later::of_input(fields.get("input")).map(|(at, tool)| (true, at, tool.clone())).collect();
    let mut spared = Map::new();
    call.turns.extend(input(&mut fields, &mut spared, &mut call.unread)?);
    let listed = fields.list("tools")?.unwrap_or_default().into_iter().enumerate();
    let listed = listed.map(|(index, value)| (false, format!("tools[{index}]"), value));
    for (is_late, at, value) in listed.chain(told_later) {
        match offered(value, &at, &mut call.unread)? {
            Ok(tools) if is_late => tools.into_iter().for_each(|tool| later::add(&mut call.tools, tool)),
            Ok(tools) => call.tools.extend(tools),
            Err(value) => {
                spared.insert(at, value);
            }
        }
    }
    match fields.take("tool_choice").map(|value| choice(value, &mut call.unread)) {
        None => {}
        Some(Ok(choice)) => call.tool_choice = Some(choice),
        Some(Err(choice)) => fields.keep("tool_choice", choice),
    }
    call.parallel_tools = fields.boolean("parallel_tool_calls")?;
    call.format = format(&mut fields, &mut call.unread)?;
    call.max_tokens = fields.bound("max_output_tokens")?;
    call.temperature = fields.number("temperature")?;
    call.top_p = fields.number("top_p")?;
    call.reasoning = reasoning(&mut fields, &mut call.unread)?;
    call.logprobs = logprobs(&mut fields)?;
    call.stream = fields.boolean("stream")?.unwrap_or(false);
    call.user = fields.text("user")?;
    call.service_tier = fields.text("service_tier")?;
    call.metadata = fields.object("metadata")?.map(Fields::rest).unwrap_or_default();
    // About padding, which is not made here.
    fields.take("stream_options");
    call.extra = fields.rest();
    call.extra.extend(spared);
    Ok(call)
}

/// The tools of a line of the list. One that no answer needs is given back.
fn offered(value: Value, at: &str, unread: &mut Vec<String>) -> Result<Result<Vec<Tool>, Value>, ReadFault> {
    // Where all tools are told of, nobody has to look for them.
    let needless = is_a_courtesy(&value) || (later::is_search(&value) && !later::is_the_clients(&value));
    if needless {
        return Ok(Err(value));
    }
    Ok(Ok(if spaces::is_space(&value) { spaces::tools(value, at, unread)? } else { vec![tool(value, at, unread)?] }))
}

/// A search in what OpenAI keeps of the web, and not in the web. Codex offers it with every turn unless it is told not to,
/// so that where it is not there the turn goes on without it.
fn is_a_courtesy(tool: &Value) -> bool {
    let is_search = tool.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("web_search"));
    is_search && tool.get("external_web_access") == Some(&Value::Bool(false))
}

pub(super) fn tool(value: Value, at: &str, unread: &mut Vec<String>) -> Result<Tool, ReadFault> {
    if custom::is_custom(&value) {
        custom::tool(Fields::of(value, at)?)
    } else if later::is_the_clients(&value) {
        later::search(Fields::of(value, at)?)
    } else {
        tools::read(value, at, SAID_IN, unread)
    }
}

/// A choice that has no word is given back.
fn choice(value: Value, unread: &mut Vec<String>) -> Result<ToolChoice, Value> {
    match value.get("name").and_then(Value::as_str).filter(|_| custom::is_custom(&value)) {
        Some(name) => Ok(ToolChoice::Function(name.to_owned())),
        None => tools::read_choice(value, unread),
    }
}

fn input(fields: &mut Fields, spared: &mut Map<String, Value>, unread: &mut Vec<String>) -> Result<Vec<Turn>, ReadFault> {
    match fields.take("input") {
        Some(Value::String(text)) => Ok(vec![Turn::text(Role::User, text)]),
        Some(Value::Array(list)) => items::turns(list, spared, unread),
        Some(_) => Err(ReadFault::must("input", "text or a list of items")),
        // A stored prompt or conversation may bring it.
        None if fields.get("prompt").is_some() || fields.get("conversation").is_some() => Ok(Vec::new()),
        None => Err(ReadFault::missing("input")),
    }
}

fn format(fields: &mut Fields, unread: &mut Vec<String>) -> Result<Format, ReadFault> {
    let Some(mut text) = fields.object("text")? else { return Ok(Format::Text) };
    let mut format = Format::Text;
    if let Some(value) = text.take("format") {
        match tools::read_format(value, "text.format", unread)? {
            Ok(read) => format = read,
            Err(value) => text.keep("format", value),
        }
    }
    let rest = text.rest();
    if !rest.is_empty() {
        fields.keep("text", Value::Object(rest));
    }
    Ok(format)
}

fn reasoning(fields: &mut Fields, unread: &mut Vec<String>) -> Result<Option<ReasoningWanted>, ReadFault> {
    let Some(mut inside) = fields.object("reasoning")? else { return Ok(None) };
    let wanted = ReasoningWanted {
        effort: inside.text("effort")?,
        budget_tokens: None,
        // The older name of it comes second.
        summary: inside.text("summary")?.or(inside.text("generate_summary")?),
    };
    inside.left(unread);
    Ok((wanted != ReasoningWanted::default()).then_some(wanted))
}

fn logprobs(fields: &mut Fields) -> Result<Option<u8>, ReadFault> {
    let top = fields.bound("top_logprobs")?;
    let mut included = false;
    if let Some(mut include) = fields.take("include") {
        included = include.as_array().is_some_and(|list| list.contains(&json!(WITH_LOGPROBS)));
        if let Some(list) = include.as_array_mut() {
            list.retain(|wish| *wish != WITH_LOGPROBS && *wish != WITH_THINKING);
        }
        if include.as_array().is_none_or(|list| !list.is_empty()) {
            fields.keep("include", include);
        }
    }
    Ok(included.then(|| u8::try_from(top.unwrap_or(0)).unwrap_or(u8::MAX)))
}
