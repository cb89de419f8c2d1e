//! Tools that a client tells of later: found by a search that it makes for the model, or added in the midst of a
//! conversation. Providers that know one list of tools are told of all of them at once, and of the search as a function; to
//! the client its call comes back as what it sent.

use mainspring_llm::exchange::{Part, Role, Tool, Turn};
use serde_json::{Value, json};

use super::{
    super::{
        chat::turns::arguments,
        fields::{Fields, ReadFault},
    },
    spaces,
};

/// The tool, and its name where it is a function.
pub(super) const SEARCH: &str = "tool_search";
pub(super) const CALL: &str = "tool_search_call";
pub(super) const FOUND: &str = "tool_search_output";
pub(super) const ADDED: &str = "additional_tools";
/// What the ids of calls of the search begin with.
pub(super) const ITEM_ID: &str = "tsc_";

fn kind(value: &Value) -> Option<&str> {
    value.get("type").and_then(Value::as_str)
}

pub(super) fn is_search(tool: &Value) -> bool {
    kind(tool) == Some(SEARCH)
}

/// Whether the client searches. Otherwise OpenAI does, among tools that stand in the request.
pub(super) fn is_the_clients(search: &Value) -> bool {
    is_search(search) && search.get("execution").and_then(Value::as_str) == Some("client")
}

/// A search of the client's.
pub(super) fn search(mut fields: Fields) -> Result<Tool, ReadFault> {
    Ok(Tool::Function {
        name: SEARCH.to_owned(),
        description: fields.text("description")?,
        parameters: fields.take("parameters"),
        strict: None,
        cache: None,
    })
}

/// The tools that an item of the input tells of.
pub(super) fn of_item(item: &Value) -> &[Value] {
    let tells = matches!(kind(item), Some(FOUND | ADDED));
    item.get("tools").filter(|_| tells).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// All that the input tells of, and where.
pub(super) fn of_input(input: Option<&Value>) -> impl Iterator<Item = (String, &Value)> {
    let items = input.and_then(Value::as_array).into_iter().flatten().enumerate();
    items.flat_map(|(item, value)| {
        of_item(value).iter().enumerate().map(move |(index, tool)| (format!("input[{item}].tools[{index}]"), tool))
    })
}

/// Adds a tool that may be there already: the later word on it counts.
pub(super) fn add(tools: &mut Vec<Tool>, tool: Tool) {
    fn name(tool: &Tool) -> Option<&str> {
        match tool {
            Tool::Function { name, .. } => Some(name),
            Tool::Hosted { .. } => None,
        }
    }
    match tools.iter_mut().find(|known| name(known).is_some() && name(known) == name(&tool)) {
        Some(known) => *known = tool,
        None => tools.push(tool),
    }
}

/// Whether an item of the input is of a search that OpenAI made.
pub(super) fn is_theirs(item: &Value) -> bool {
    let by_server = item.get("execution").and_then(Value::as_str) == Some("server");
    matches!(kind(item), Some(CALL | FOUND)) && (by_server || item.get("call_id").is_none_or(Value::is_null))
}

/// A call of the client's search, or what it found.
pub(super) fn turn(kind: &str, mut fields: Fields) -> Result<Turn, ReadFault> {
    let id = fields.needed_text("call_id")?;
    let (role, part) = if kind == FOUND {
        (Role::Tool, result(id, &fields.list("tools")?.unwrap_or_default()))
    } else {
        let arguments = arguments(fields.take("arguments"));
        (Role::Assistant, Part::ToolCall { id, name: SEARCH.to_owned(), arguments, signature: None })
    };
    Ok(Turn { role, parts: vec![part], name: None })
}

fn result(id: String, found: &[Value]) -> Part {
    let spaced = spaces::named(found).map(|(name, ..)| name);
    let plain = found.iter().filter(|tool| !spaces::is_space(tool)).filter_map(spaces::name).map(str::to_owned);
    let names: Vec<String> = plain.chain(spaced).collect();
    let said = if names.is_empty() { "No tools were found.".to_owned() } else { format!("Found: {}", names.join(", ")) };
    Part::ToolResult { id, name: None, parts: vec![Part::text(said)], is_error: false, cache: None }
}

/// A call of the search as an item for the client, who takes the arguments as an object.
pub(super) fn call(id: &str, status: &str, call_id: &str, arguments: &str) -> Value {
    let arguments = match arguments {
        "" => json!({}),
        text => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
    };
    json!({"id": id, "type": CALL, "status": status, "call_id": call_id, "execution": "client", "arguments": arguments})
}
