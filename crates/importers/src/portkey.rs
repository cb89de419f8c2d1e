//! A config of Portkey: JSON that says how calls are divided among targets.

mod keys;
mod rules;
mod strategy;
mod targets;

use serde_json::{Map, Value};

use crate::{TEXT_MAX, draft::Draft, fault::ImportFault, imported::Imported, read::Table};

const WHOSE: &str = "Portkey";
/// What stands below these is the provider's or the application's, and keeps its names.
const OPAQUE: [&str; 4] = ["override_params", "metadata", "conditions", "vertex_service_account_json"];

/// What a config does not say of itself.
#[derive(Debug, Clone, Copy)]
pub struct Options<'o> {
    /// The route's name, and what clients send as `x-portkey-config`.
    pub name: &'o str,
    /// The model of targets that name none.
    pub model: Option<&'o str>,
}

/// A route and its providers.
pub fn import(text: &str, options: Options<'_>) -> Result<Imported, ImportFault> {
    import_with_keys(text, None, options)
}

/// The same, with the keys that Portkey lists: a config has none.
pub fn import_with_keys(text: &str, listed: Option<&str>, options: Options<'_>) -> Result<Imported, ImportFault> {
    if text.len() > TEXT_MAX {
        return Err(ImportFault::TooLarge { limit: TEXT_MAX, given: text.len() });
    }
    let value: Value = serde_json::from_str(text).map_err(|error| ImportFault::Unreadable {
        format: "JSON",
        // The reader's own words may quote the file.
        reason: format!("line {}, column {}", error.line(), error.column()),
    })?;
    let mut value = snake(value);
    // Exported, it stands within an object that names it.
    if let Some(inside @ Value::Object(_)) = value.get_mut("config").map(Value::take) {
        value = inside;
    }
    let Some(top) = Table::of("", value) else {
        return Err(ImportFault::Foreign { whose: WHOSE, reason: "it is no object" });
    };
    // A model may name its provider: `@openai-prod/gpt-4o`.
    let of_model =
        top.peek("override_params").and_then(|given| given.get("model")?.as_str()).is_some_and(|model| model.starts_with('@'));
    if !of_model && !["targets", "provider", "virtual_key", "strategy"].iter().any(|field| top.has(field)) {
        return Err(ImportFault::Foreign { whose: WHOSE, reason: "it names no target" });
    }
    let mut draft = Draft::default();
    strategy::write(&mut draft, top, options);
    if let Some(listed) = listed {
        keys::read(&mut draft, listed)?;
    }
    draft.finish(WHOSE)
}

/// Both spellings of a field are one: `onStatusCodes`, `on_status_codes`.
fn snake(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut all = Map::new();
            for (name, value) in fields {
                let name = snake_name(&name);
                let value = if OPAQUE.contains(&name.as_str()) { value } else { snake(value) };
                all.insert(name, value);
            }
            Value::Object(all)
        }
        Value::Array(list) => Value::Array(list.into_iter().map(snake).collect()),
        plain => plain,
    }
}

fn snake_name(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
