//! Finds everything wrong with a spec by walking its schema, where serde stops at the first thing.
//!
//! Only the parts of JSON Schema that derive macros write are understood; anything else is left to
//! the kind's own parser, so this walker can add problems to a refusal and never cause one.

use mainspring_kernel::text;
use serde_json::{Map, Value};

use crate::spec::SpecProblem;

/// Deep enough for any spec, shallow enough for the stack.
const DEPTH_MAX: usize = 64;
const PROBLEMS_MAX: usize = 50;

pub(crate) fn problems(schema: &Value, value: &Value) -> Vec<SpecProblem> {
    let mut walk = Walk { root: schema, found: Vec::new() };
    walk.check(schema, value, "", 0);
    walk.found
}

struct Walk<'s> {
    root: &'s Value,
    found: Vec<SpecProblem>,
}

impl<'s> Walk<'s> {
    fn check(&mut self, schema: &'s Value, value: &Value, path: &str, depth: usize) {
        if depth > DEPTH_MAX || self.found.len() >= PROBLEMS_MAX {
            return;
        }
        let Some(schema) = self.follow(schema, value, depth) else {
            return;
        };
        if let Some(wanted) = wrong_type(schema, value) {
            self.add(path, format!("this must be {wanted}, not {}", describe(value)), false);
            return;
        }
        match value {
            Value::Object(fields) => self.check_object(schema, fields, path, depth),
            Value::Array(items) => {
                let Some(each) = schema.get("items") else {
                    return;
                };
                for (index, item) in items.iter().enumerate() {
                    self.check(each, item, &format!("{path}[{index}]"), depth + 1);
                }
            }
            _ => {}
        }
    }

    fn check_object(&mut self, schema: &'s Value, fields: &Map<String, Value>, path: &str, depth: usize) {
        // Several schemas for one object: their fields add up in ways this walker does not follow.
        if ["allOf", "anyOf", "oneOf"].iter().any(|word| schema.get(word).is_some()) {
            return;
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        for (name, value) in fields {
            let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match (properties.and_then(|known| known.get(name)), others) {
                (Some(property), _) => self.check(property, value, &here, depth + 1),
                (None, Some(Value::Bool(false))) => {
                    let known = properties.into_iter().flat_map(Map::keys).map(String::as_str);
                    let given = text::elide(name, 80);
                    self.add(path, format!("unknown field `{given}`{}", text::did_you_mean(name, known)), true);
                }
                (None, Some(each @ Value::Object(_))) => self.check(each, value, &here, depth + 1),
                (None, _) => {}
            }
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str).filter(|name| !fields.contains_key(*name)) {
            self.add(path, format!("missing field `{name}`"), false);
        }
    }

    /// The schema that speaks of this value: references followed, nullable choices and tagged
    /// choices made.
    fn follow(&self, mut schema: &'s Value, value: &Value, depth: usize) -> Option<&'s Value> {
        for _ in depth..=DEPTH_MAX {
            if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
                schema = self.root.pointer(reference.strip_prefix('#')?)?;
                continue;
            }
            let Some(choices) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) else {
                return Some(schema);
            };
            schema = self.choose(choices, value)?;
        }
        None
    }

    fn choose(&self, choices: &'s [Value], value: &Value) -> Option<&'s Value> {
        let is_null = |choice: &Value| choice.get("type").and_then(Value::as_str) == Some("null");
        let mut real = choices.iter().filter(|choice| !is_null(choice));
        if let (Some(only), None) = (real.next(), real.next()) {
            return (!value.is_null()).then_some(only);
        }
        let fields = value.as_object()?;
        choices.iter().find(|choice| self.is_tagged(choice, fields))
    }

    /// Whether the object carries this choice's tag: a property with one constant, or the one
    /// property an externally tagged choice requires.
    fn is_tagged(&self, choice: &Value, fields: &Map<String, Value>) -> bool {
        let choice = match choice.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#')) {
            Some(path) => self.root.pointer(path).unwrap_or(choice),
            None => choice,
        };
        let Some(properties) = choice.get("properties").and_then(Value::as_object) else {
            return false;
        };
        let by_constant = properties
            .iter()
            .any(|(name, property)| property.get("const").is_some_and(|constant| fields.get(name) == Some(constant)));
        let by_name = properties.len() == 1 && properties.keys().all(|name| fields.contains_key(name));
        by_constant || by_name
    }

    fn add(&mut self, path: &str, message: String, unknown_field: bool) {
        self.found.push(SpecProblem { path: path.to_owned(), message, unknown_field });
    }
}

/// The type a value should have had, when it plainly has another.
fn wrong_type(schema: &Value, value: &Value) -> Option<String> {
    let wanted: Vec<&str> = match schema.get("type")? {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let fits = |wanted: &&str| match (*wanted, value) {
        ("null", Value::Null) | ("boolean", Value::Bool(_)) | ("string", Value::String(_)) => true,
        ("object", Value::Object(_)) | ("array", Value::Array(_)) | ("number", Value::Number(_)) => true,
        ("integer", Value::Number(number)) => !number.is_f64(),
        _ => false,
    };
    if wanted.iter().any(fits) {
        return None;
    }
    let named = wanted.iter().filter(|name| **name != "null").map(|name| article(name)).collect::<Vec<_>>();
    Some(named.join(" or "))
}

fn article(name: &str) -> String {
    let article = if name.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {name}")
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
