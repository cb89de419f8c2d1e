//! Tools in a namespace. To providers that know one list of functions the namespace stands before the name of each of its
//! tools; to the client they come back as what it sent.

use mainspring_kernel::Digest;
use mainspring_llm::exchange::Tool;
use serde_json::Value;

use super::{
    super::fields::{Fields, ReadFault},
    read,
};

const KIND: &str = "namespace";
const BETWEEN: &str = "__";
/// Longer names of functions are refused elsewhere.
const NAME_MAX: usize = 64;

pub(super) fn is_space(tool: &Value) -> bool {
    tool.get("type").and_then(Value::as_str) == Some(KIND)
}

/// How a tool of a namespace is called where there are none.
pub(super) fn joined(space: &str, name: &str) -> String {
    let whole = format!("{space}{BETWEEN}{name}");
    if whole.len() <= NAME_MAX {
        return whole;
    }
    // Names that begin alike stay apart.
    let mark = Digest::of(whole.as_bytes()).short();
    let fitting = whole.char_indices().map(|(at, letter)| at + letter.len_utf8()).take_while(|end| end + mark.len() < NAME_MAX);
    let kept = fitting.last().unwrap_or(0);
    format!("{}_{mark}", &whole[..kept])
}

/// The name in a call of the client's, with the namespace where it has one.
pub(super) fn called(fields: &mut Fields) -> Result<String, ReadFault> {
    let name = fields.needed_text("name")?;
    Ok(match fields.text("namespace")? {
        Some(space) => joined(&space, &name),
        None => name,
    })
}

/// The tools of a namespace. One that says nothing of itself is told of in the namespace's words.
pub(super) fn tools(value: Value, at: &str, unread: &mut Vec<String>) -> Result<Vec<Tool>, ReadFault> {
    let mut fields = Fields::of(value, at)?;
    let (space, said) = (fields.needed_text("name")?, fields.text("description")?);
    let at = fields.at("tools");
    let list = fields.list("tools")?.unwrap_or_default();
    fields.take("type");
    fields.left(unread);
    let one = |(index, mut value): (usize, Value)| -> Result<Tool, ReadFault> {
        if let Some(whole) = name(&value).map(|name| joined(&space, name)) {
            value["name"] = whole.into();
        }
        let mut tool = read::tool(value, &format!("{at}[{index}]"), unread)?;
        if let Tool::Function { description: description @ None, .. } = &mut tool {
            description.clone_from(&said);
        }
        Ok(tool)
    };
    list.into_iter().enumerate().map(one).collect()
}

/// The tools of the namespaces of a request: the name they have elsewhere, the namespace, and their own name in it.
pub(super) fn named(tools: &[Value]) -> impl Iterator<Item = (String, &str, &Value)> {
    tools.iter().filter(|tool| is_space(tool)).flat_map(|space| {
        let inside = space.get("tools").and_then(Value::as_array).into_iter().flatten();
        let whose = name(space);
        inside.filter_map(move |tool| Some((joined(whose?, name(tool)?), whose?, tool)))
    })
}

pub(super) fn name(tool: &Value) -> Option<&str> {
    tool.get("name").and_then(Value::as_str)
}
