//! TensorZero's `tensorzero.toml`.

mod costs;
mod functions;
mod limits;
mod models;
mod prompts;
mod rest;

use serde_json::Value;

use crate::{TEXT_MAX, draft::Draft, fault::ImportFault, imported::Imported, key::Key, read::Table};

const WHOSE: &str = "TensorZero";

/// Providers, routes, prices and prompts of a `tensorzero.toml`. Templates and schemas lie in files beside it: `read` gives
/// their text by the path that the file names, or nothing.
pub fn import(text: &str, read: &dyn Fn(&str) -> Option<String>) -> Result<Imported, ImportFault> {
    if text.len() > TEXT_MAX {
        return Err(ImportFault::TooLarge { limit: TEXT_MAX, given: text.len() });
    }
    // What the reader says may quote the file.
    let unreadable = |error: toml::de::Error| {
        let line = error.span().map(|span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
        let reason = line.map_or_else(|| "it does not parse".to_owned(), |line| format!("line {line}"));
        ImportFault::Unreadable { format: "TOML", reason }
    };
    let value: toml::Value = text.parse::<toml::Table>().map(toml::Value::Table).map_err(unreadable)?;
    let value = serde_json::to_value(&value)
        .map_err(|_| ImportFault::Unreadable { format: "TOML", reason: "it holds what JSON cannot say".to_owned() })?;
    let Some(mut top) = Table::of("", value) else {
        return Err(ImportFault::Foreign { whose: WHOSE, reason: "it is no table" });
    };
    if !["models", "functions", "embedding_models", "gateway", "rate_limiting"].iter().any(|section| top.has(section)) {
        return Err(ImportFault::Foreign { whose: WHOSE, reason: "it has none of its sections" });
    }
    let mut draft = Draft::default();
    let mut models = models::Models::with_defaults(top.table("provider_types"), &mut draft);
    for section in ["models", "embedding_models"] {
        if let Some(table) = top.table(section) {
            models.read(&mut draft, table);
        }
    }
    if let Some(table) = top.table("functions") {
        functions::read(&mut draft, table, &models, read);
    }
    if let Some(table) = top.table("rate_limiting") {
        limits::read(&mut draft, table);
    }
    rest::note(&mut draft, top);
    draft.finish(WHOSE)
}

/// Where a key lies: a text, or a table of one place and another for when it is not there.
enum Location {
    Key(Key),
    /// Clients send it with each request, by this name.
    Sent(String),
    None,
    Unknown,
}

fn location(value: &Value) -> Location {
    if let Value::Object(both) = value {
        let of = |name: &str| both.get(name).map(location);
        return match (of("default"), of("fallback")) {
            (Some(found @ Location::Key(_)), _) | (_, Some(found @ Location::Key(_))) => found,
            (Some(found), _) | (None, Some(found)) => found,
            (None, None) => Location::Unknown,
        };
    }
    let Some((way, place)) = value.as_str().map(|text| text.split_once("::").unwrap_or((text, ""))) else {
        return Location::Unknown;
    };
    match way {
        "env" => Location::Key(Key::Variable(place.to_owned())),
        "path" => Location::Key(Key::File(place.to_owned())),
        "dynamic" => Location::Sent(place.to_owned()),
        "none" => Location::None,
        _ => Location::Unknown,
    }
}
