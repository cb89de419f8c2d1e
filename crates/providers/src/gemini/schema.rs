//! JSON Schema in the subset Gemini documents for `parametersJsonSchema` and `responseJsonSchema`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Words taken as they are.
const KEPT: [&str; 12] = [
    "$anchor",
    "$id",
    "description",
    "format",
    "maxItems",
    "maximum",
    "minItems",
    "minimum",
    "propertyOrdering",
    "required",
    "title",
    "type",
];

/// Words that constrain nothing: they go without a trace.
const IDLE: [&str; 8] = ["$comment", "$schema", "default", "deprecated", "example", "examples", "readOnly", "writeOnly"];

/// Deeper than any schema that was read from JSON; only references within `allOf` lead further.
const DEEPEST: usize = 128;

/// References within `allOf` that are replaced by what they name; a schema may lead to itself.
const INLINED_MOST: usize = 64;

/// The schema, and the constraints it lost on the way.
pub(super) fn clean(given: &Value) -> (Value, BTreeSet<String>) {
    let mut cleaner = Cleaner { root: given, inlined: 0, dropped: BTreeSet::new() };
    let cleaned = cleaner.schema(given, 0);
    (cleaned, cleaner.dropped)
}

struct Cleaner<'a> {
    root: &'a Value,
    inlined: usize,
    dropped: BTreeSet<String>,
}

impl<'a> Cleaner<'a> {
    fn schema(&mut self, given: &'a Value, depth: usize) -> Value {
        // `true` as a schema takes anything, as the empty one does.
        let Some(given) = given.as_object() else {
            return json!({});
        };
        if depth > DEEPEST {
            self.lose("allOf");
            return json!({});
        }
        let mut cleaned = Map::new();
        if let Some(reference) = given.get("$ref").and_then(Value::as_str) {
            // Beside a reference Gemini takes no words but those with a `$`.
            cleaned.insert("$ref".into(), reference.replacen("#/definitions/", "#/$defs/", 1).into());
            self.definitions(given, depth, &mut cleaned);
            return Value::Object(cleaned);
        }
        for (word, value) in given {
            self.word(word, value, depth, &mut cleaned);
        }
        self.definitions(given, depth, &mut cleaned);
        self.bounds(given, &mut cleaned);
        if given.get("nullable") == Some(&Value::Bool(true)) {
            nullable(&mut cleaned);
        }
        Value::Object(cleaned)
    }

    fn word(&mut self, word: &str, value: &'a Value, depth: usize, cleaned: &mut Map<String, Value>) {
        let written: Value = match word {
            "properties" => self.each(value, depth).into(),
            "additionalProperties" if value.is_boolean() => value.clone(),
            "items" | "additionalProperties" => self.schema(value, depth + 1),
            "prefixItems" | "anyOf" | "oneOf" => {
                value.as_array().into_iter().flatten().map(|one| self.schema(one, depth + 1)).collect()
            }
            "allOf" => return self.merge(value, depth, cleaned),
            "enum" => return self.choices(value.as_array().map_or(&[][..], Vec::as_slice), cleaned),
            "const" => return self.choices(std::slice::from_ref(value), cleaned),
            // Read elsewhere.
            "$defs" | "definitions" | "nullable" | "exclusiveMinimum" | "exclusiveMaximum" => return,
            _ if KEPT.contains(&word) => value.clone(),
            _ if IDLE.contains(&word) || word.starts_with("x-") => return,
            _ => return self.lose(word),
        };
        self.add(word, written, cleaned);
    }

    fn lose(&mut self, word: &str) {
        self.dropped.insert(word.to_owned());
    }

    /// Where two schemas that must both hold say the same word, properties and what is required come together; of other
    /// words the first is kept.
    fn add(&mut self, word: &str, value: Value, cleaned: &mut Map<String, Value>) {
        let Some(ours) = cleaned.get_mut(word) else {
            cleaned.insert(word.to_owned(), value);
            return;
        };
        match (ours, value) {
            (Value::Object(ours), Value::Object(theirs)) if matches!(word, "properties" | "$defs") => ours.extend(theirs),
            (Value::Array(ours), Value::Array(theirs)) if word == "required" => ours.extend(theirs),
            (ours, theirs) if *ours == theirs => {}
            _ => self.lose("allOf"),
        }
    }

    fn each(&mut self, schemas: &'a Value, depth: usize) -> Map<String, Value> {
        let schemas = schemas.as_object().into_iter().flatten();
        schemas.map(|(name, schema)| (name.clone(), self.schema(schema, depth + 1))).collect()
    }

    fn definitions(&mut self, given: &'a Map<String, Value>, depth: usize, cleaned: &mut Map<String, Value>) {
        for word in ["definitions", "$defs"] {
            if let Some(schemas) = given.get(word) {
                let schemas = self.each(schemas, depth).into();
                self.add("$defs", schemas, cleaned);
            }
        }
    }

    /// Gemini knows strings and numbers as choices.
    fn choices(&mut self, given: &[Value], cleaned: &mut Map<String, Value>) {
        if given.iter().all(|choice| choice.is_string() || choice.is_number()) {
            self.add("enum", given.to_vec().into(), cleaned);
        } else {
            self.lose("enum");
        }
    }

    /// All of several schemas is one schema with the words of all.
    fn merge(&mut self, given: &'a Value, depth: usize, cleaned: &mut Map<String, Value>) {
        for schema in given.as_array().into_iter().flatten() {
            let Some(schema) = self.named(schema) else {
                self.lose("allOf");
                continue;
            };
            if let Value::Object(words) = self.schema(schema, depth + 1) {
                for (word, value) in words {
                    self.add(&word, value, cleaned);
                }
            }
        }
    }

    /// What a reference within this document leads to, or the schema itself.
    fn named(&mut self, schema: &'a Value) -> Option<&'a Value> {
        let mut schema = schema;
        while let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            self.inlined += 1;
            if self.inlined > INLINED_MOST {
                return None;
            }
            schema = self.root.pointer(reference.strip_prefix('#')?)?;
        }
        Some(schema)
    }

    /// Bounds that exclude their end are moved by one for integers; for other numbers the end comes in.
    fn bounds(&mut self, given: &Map<String, Value>, cleaned: &mut Map<String, Value>) {
        for (exclusive, inclusive, step) in [("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)] {
            // Older drafts have `true` here, beside `minimum`.
            let Some(bound) = given.get(exclusive).filter(|bound| bound.is_number()) else {
                continue;
            };
            let integer = given.get("type").and_then(Value::as_str) == Some("integer");
            let moved = bound.as_i64().filter(|_| integer).and_then(|bound| bound.checked_add(step));
            if moved.is_none() {
                self.lose(exclusive);
            }
            cleaned.entry(inclusive).or_insert_with(|| moved.map_or_else(|| bound.clone(), Value::from));
        }
    }
}

/// OpenAPI's word for what JSON Schema says with a second type.
fn nullable(schema: &mut Map<String, Value>) {
    match schema.get_mut("type") {
        Some(Value::Array(several)) if !several.contains(&Value::from("null")) => several.push("null".into()),
        Some(one @ Value::String(_)) => *one = json!([one.as_str(), "null"]),
        _ => {}
    }
}
