//! A tool's arguments: text elsewhere, an object here.

use serde_json::{Map, Value, json};

/// Models now and then write arguments that are no JSON object. Anthropic takes nothing else, so the text stands whole in
/// an object of this one field: `{"raw_arguments": "{\"city\": \"Par"}`. Read back, it is the text again.
pub const RAW_ARGUMENTS: &str = "raw_arguments";

/// The `input` of a call with these arguments.
pub(super) fn input(arguments: &str) -> Value {
    if arguments.trim().is_empty() {
        return Value::Object(Map::new());
    }
    object(arguments).unwrap_or_else(|| json!({RAW_ARGUMENTS: arguments}))
}

/// The arguments of a call with this `input`.
pub(super) fn text(input: &Value) -> String {
    match input {
        Value::Null => "{}".to_owned(),
        Value::Object(fields) => raw(fields).map_or_else(|| input.to_string(), str::to_owned),
        other => other.to_string(),
    }
}

fn object(arguments: &str) -> Option<Value> {
    serde_json::from_str(arguments).ok().filter(Value::is_object)
}

/// The text that `input` could not make an object of. An object with such a field that some tool really takes is left alone.
fn raw(fields: &Map<String, Value>) -> Option<&str> {
    let text = fields.get(RAW_ARGUMENTS).filter(|_| fields.len() == 1)?.as_str()?;
    (!text.trim().is_empty() && object(text).is_none()).then_some(text)
}
