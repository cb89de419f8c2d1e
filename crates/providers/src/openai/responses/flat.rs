//! What chat completions have under the word for its type stands beside that word here: functions, tools that take text, the
//! choice of one of them, a schema.

use serde_json::{Map, Value};

/// A value of chat completions as this endpoint has it. One that is in this form already stays as it is.
#[must_use]
pub fn flat(value: &Value) -> Value {
    value.as_object().map_or_else(|| value.clone(), |fields| Value::Object(beside(fields)))
}

/// Tools of chat completions as this endpoint has them.
#[must_use]
pub fn flat_tools(tools: &Value) -> Value {
    let tool = |value: &Value| {
        let mut tool = flat(value);
        // Chat completions hold nobody to a schema who does not ask for it, and here everybody is.
        if tool != *value
            && tool["type"] == "function"
            && let Some(fields) = tool.as_object_mut()
        {
            fields.entry("strict").or_insert(Value::Bool(false));
        }
        tool
    };
    tools.as_array().map_or_else(|| tools.clone(), |list| list.iter().map(tool).collect())
}

fn beside(fields: &Map<String, Value>) -> Map<String, Value> {
    let kind = fields.get("type").and_then(Value::as_str);
    let inside = kind.and_then(|kind| Some((kind, fields.get(kind)?.as_object()?)));
    let Some((kind, inside)) = inside else { return fields.clone() };
    let around = fields.iter().filter(|(name, _)| *name != kind);
    around.chain(inside).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{flat, flat_tools};

    #[test]
    fn what_chat_has_within_stands_beside() {
        let schema = json!({"type": "object", "properties": {}});
        for (chat, responses) in [
            (
                json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": true}}),
                json!({"type": "json_schema", "name": "a", "schema": schema, "strict": true}),
            ),
            (json!({"type": "function", "function": {"name": "f"}}), json!({"type": "function", "name": "f"})),
            (json!({"type": "json_object"}), json!({"type": "json_object"})),
            (json!("required"), json!("required")),
        ] {
            assert_eq!(flat(&chat), responses);
            assert_eq!(flat(&responses), responses, "it is in this form already");
        }
    }

    #[test]
    fn a_function_is_held_to_its_schema_as_in_chat() {
        let tools = json!([
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
            {"type": "function", "function": {"name": "g", "strict": true}},
            {"type": "function", "name": "h"},
            {"type": "web_search"},
        ]);
        let flat = json!([
            {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false},
            {"type": "function", "name": "g", "strict": true},
            {"type": "function", "name": "h"},
            {"type": "web_search"},
        ]);
        assert_eq!(flat_tools(&tools), flat);
        assert_eq!(flat_tools(&json!(null)), json!(null));
    }
}
