//! Lists of keys that other gateways give out about themselves.

use mainspring_kernel::Timestamp;
use serde_json::{Map, Value};

use crate::{TEXT_MAX, draft::Draft, fault::ImportFault, names, read::Table};

/// Longer lists of names are none of a key here.
const MODELS_MAX: usize = 200;
const MODEL_MAX: usize = 200;

/// A list by itself, or in a table that says more of it.
pub(crate) fn list(text: &str, whose: &'static str, field: &str) -> Result<(Vec<Value>, Map<String, Value>), ImportFault> {
    if text.len() > TEXT_MAX {
        return Err(ImportFault::TooLarge { limit: TEXT_MAX, given: text.len() });
    }
    let value: Value = serde_json::from_str(text).map_err(|error| ImportFault::Unreadable {
        format: "JSON",
        // The reader's own words may quote the file.
        reason: format!("line {}, column {}", error.line(), error.column()),
    })?;
    let foreign = || ImportFault::Foreign { whose, reason: "it has no list of keys" };
    match value {
        Value::Array(list) => Ok((list, Map::new())),
        Value::Object(mut fields) => match fields.shift_remove(field) {
            Some(Value::Array(list)) => Ok((list, fields)),
            _ => Err(foreign()),
        },
        _ => Err(foreign()),
    }
}

/// Reads each key of a list; what is no table has been noted.
pub(crate) fn each(draft: &mut Draft, list: Vec<Value>, field: &str, one: impl Fn(&mut Draft, Table)) {
    for (index, value) in list.into_iter().enumerate() {
        let path = format!("{field}[{index}]");
        match Table::of(&path, value) {
            Some(table) => one(draft, table),
            None => draft.missing(path, "this is no table"),
        }
    }
}

/// Why a key is made.
pub(crate) const NEW: &str = "the application is given its secret in the place of the one it has";

pub(crate) enum Expiry {
    Never,
    At(Timestamp),
    /// It cannot be read, which has been noted: a key that ends there must not be one without an end here.
    Unknown,
}

pub(crate) fn expiry(draft: &mut Draft, given: Option<Value>, path: &str) -> Expiry {
    let Some(given) = given else { return Expiry::Never };
    let text = given.as_str().map(str::trim);
    // Times without a zone are in UTC there.
    let read = text.and_then(|text| Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}Z"))));
    match read {
        Some(at) => Expiry::At(at),
        None if text == Some("") => Expiry::Never,
        None => {
            draft.missing(path, "when it ends cannot be read: no key is made");
            Expiry::Unknown
        }
    }
}

/// Names that a key may be bound to, as clients write them; nothing where none is left, which has been noted.
pub(crate) fn models(draft: &mut Draft, given: Vec<String>, path: &str) -> Option<Vec<String>> {
    let mut models: Vec<String> = Vec::new();
    for name in given {
        // A name with spaces is that of no route: its route has the nearest name.
        let name = if name.contains(char::is_whitespace) { names::slug(&name) } else { name };
        let star = name.find('*').is_some_and(|at| at + 1 < name.len());
        let odd = name.chars().any(|letter| letter.is_control() || letter == ',');
        if name.is_empty() || star || odd || name.chars().count() > MODEL_MAX {
            draft.missing(path, "a name that no model can have here, or that has a `*` before its end, is left out");
        } else if !models.contains(&name) {
            models.push(name);
        }
    }
    if models.is_empty() || models.len() > MODELS_MAX {
        draft.missing(path, format!("a key may name 1 to {MODELS_MAX} models: no key is made"));
        return None;
    }
    Some(models)
}
