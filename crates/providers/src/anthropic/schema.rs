//! Tools and schemas in the form Anthropic insists on.

use mainspring_llm::exchange::{Dialect, Tool};
use serde_json::{Map, Value, json};

/// Absent for a tool that another provider runs. Anthropic wants a schema of the type `object`; others take a function
/// without any.
pub(super) fn tool(tool: &Tool) -> Option<Value> {
    let (name, description, parameters, strict, cache) = match tool {
        Tool::Function { name, description, parameters, strict, cache } => (name, description, parameters, strict, cache),
        Tool::Hosted { said_in: Dialect::Anthropic, value } => return Some(value.clone()),
        Tool::Hosted { .. } => return None,
    };
    let mut schema = match parameters {
        Some(Value::Object(schema)) => schema.clone(),
        _ => Map::new(),
    };
    schema.entry("type").or_insert_with(|| json!("object"));
    if schema.len() == 1 {
        schema.insert("properties".to_owned(), json!({}));
    }
    let mut written = json!({"name": name});
    if let Some(description) = description {
        written["description"] = json!(description);
    }
    written["input_schema"] = Value::Object(schema);
    if *strict == Some(true) {
        written["strict"] = json!(true);
    }
    if let Some(mark) = cache {
        written["cache_control"] = mark.clone();
    }
    Some(written)
}

/// Closes every object of a schema, which structured output needs. What fits the closed schema fits the open one too.
pub(crate) fn close(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    let is_object = fields.get("type").is_some_and(|kind| kind == "object") || fields.contains_key("properties");
    if is_object {
        fields.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    for (name, inner) in fields.iter_mut() {
        match (name.as_str(), inner) {
            ("properties" | "$defs" | "definitions", Value::Object(schemas)) => schemas.values_mut().for_each(close),
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(schemas)) => schemas.iter_mut().for_each(close),
            ("items" | "additionalProperties" | "not", inner) => close(inner),
            _ => {}
        }
    }
}
