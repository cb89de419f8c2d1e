//! LiteLLM's `config.yaml`.

mod costs;
mod deployment;
mod groups;
mod keys;
mod limits;
mod patterns;
mod placed;
mod rest;
mod router;

use serde_json::Value;

use crate::{
    TEXT_MAX,
    draft::Draft,
    fault::ImportFault,
    imported::Imported,
    key::Key,
    read::{Table, joined},
};

const WHOSE: &str = "LiteLLM";
/// How it names a variable in the place of a value.
const VARIABLE: &str = "os.environ/";

/// Fields that hold no secret: what a variable has there is written out.
const PLAIN: [&str; 4] = ["api_base", "base_url", "api_version", "aws_region_name"];

/// Providers, routes and prices of a `config.yaml`. An address may lie in a variable that the file does not set: `find` gives
/// what it holds, or nothing.
pub fn import(text: &str, find: &dyn Fn(&str) -> Option<String>) -> Result<Imported, ImportFault> {
    import_with_keys(text, None, find)
}

/// The same, with the keys that LiteLLM lists: they lie in its database and in no file.
pub fn import_with_keys(
    text: &str,
    listed: Option<&str>,
    find: &dyn Fn(&str) -> Option<String>,
) -> Result<Imported, ImportFault> {
    let mut file = read(text)?;
    let mut draft = Draft::default();
    let set = file.get("environment_variables").cloned().unwrap_or_default();
    let find = |name: &str| set.get(name).and_then(Value::as_str).map(str::to_owned).or_else(|| find(name));
    write_out(&mut draft, &mut file, "", &find);
    let mut variables = Vec::new();
    named_variables(&file, &mut variables);
    for name in variables {
        draft.reserve(&name);
    }
    let Some(mut top) = Table::of("", file) else {
        return Err(ImportFault::Foreign { whose: WHOSE, reason: "it is no table" });
    };
    if !top.has("model_list") && !top.has("litellm_settings") && !top.has("router_settings") && !top.has("general_settings") {
        return Err(ImportFault::Foreign { whose: WHOSE, reason: "it has none of its sections" });
    }
    let credentials = deployment::credentials(&mut draft, top.list("credential_list").unwrap_or_default());
    let list = top.list("model_list").unwrap_or_default();
    let mut router = section(&mut draft, &mut top, "router_settings");
    let mut settings = section(&mut draft, &mut top, "litellm_settings");
    let mut general = section(&mut draft, &mut top, "general_settings");
    let rules = router::Rules::read(&mut draft, &mut router, &mut settings);
    limits::read(&mut draft, &mut settings, &mut general);
    let groups = groups::read(&mut draft, list, &credentials);
    groups::write(&mut draft, groups, &rules);
    if let Some(listed) = listed {
        keys::read(&mut draft, listed)?;
    }
    rest::note(&mut draft, top, [router, settings, general]);
    draft.finish(WHOSE)
}

fn read(text: &str) -> Result<Value, ImportFault> {
    if text.len() > TEXT_MAX {
        return Err(ImportFault::TooLarge { limit: TEXT_MAX, given: text.len() });
    }
    if mainspring_registry::is_too_deep(text) {
        return Err(ImportFault::Unreadable { format: "YAML", reason: "it is nested too deep".to_owned() });
    }
    // The reader's words may quote the file, and the file may hold keys: only the place is told.
    let unreadable = |error: &yaml_serde::Error| {
        if error.to_string().contains("duplicate entry") {
            let reason = "a key stands twice in one table: leave the last, which is the one that counts there".to_owned();
            return ImportFault::Unreadable { format: "YAML", reason };
        }
        let place = error.location().map(|at| format!("line {}, column {}", at.line(), at.column()));
        ImportFault::Unreadable { format: "YAML", reason: place.unwrap_or_else(|| "it does not parse".to_owned()) }
    };
    let mut value: yaml_serde::Value = yaml_serde::from_str(text).map_err(|error| unreadable(&error))?;
    value.apply_merge().map_err(|error| unreadable(&error))?;
    serde_json::to_value(&value)
        .map_err(|_| ImportFault::Unreadable { format: "YAML", reason: "a key of it is no text".to_owned() })
}

fn section(draft: &mut Draft, top: &mut Table, name: &str) -> Table {
    if let Some(table) = top.table(name) {
        return table;
    }
    if top.take(name).is_some() {
        draft.missing(name, "this is no table");
    }
    Table::empty(name)
}

/// Puts what variables hold in their places, where it is no secret.
fn write_out(draft: &mut Draft, value: &mut Value, path: &str, find: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::Array(list) => {
            for (index, each) in list.iter_mut().enumerate() {
                write_out(draft, each, &format!("{path}[{index}]"), find);
            }
        }
        Value::Object(fields) => {
            for (field, each) in fields {
                let place = joined(path, field);
                let name = each.as_str().and_then(|text| text.strip_prefix(VARIABLE)).filter(|_| PLAIN.contains(&field.as_str()));
                let held = name.and_then(find).map(|held| held.trim().to_owned()).filter(|held| !held.is_empty());
                match held {
                    Some(held) => {
                        *each = Value::String(held);
                        draft.different(place, "what the variable holds is written out");
                    }
                    None => write_out(draft, each, &place, find),
                }
            }
        }
        _ => {}
    }
}

/// Variables that the file names itself: as values, and as what it sets.
fn named_variables(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.extend(text.strip_prefix(VARIABLE).map(str::to_owned)),
        Value::Array(list) => list.iter().for_each(|each| named_variables(each, found)),
        Value::Object(fields) => {
            if let Some(Value::Object(set)) = fields.get("environment_variables") {
                found.extend(set.keys().cloned());
            }
            fields.values().for_each(|each| named_variables(each, found));
        }
        _ => {}
    }
}

/// What a value that may be a key says.
fn key(text: String) -> Key {
    match text.strip_prefix(VARIABLE) {
        Some(name) => Key::Variable(name.to_owned()),
        None => Key::Literal(text),
    }
}
