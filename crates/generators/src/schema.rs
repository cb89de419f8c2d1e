//! Which JSON schemas a grammar can keep in full. A schema with words that `grammar.rs` does not know is refused
//! by name: an answer that looks checked and is not would be worse. What is no JSON Schema at all is told apart, since no
//! other model would take it either.

use mainspring_kernel::text;
use serde_json::Value;

use crate::grammar;

const DEPTH: usize = 24;
/// Schemas, not bytes: the grammar grows with them.
const SCHEMAS: usize = 1_000;
/// The grammar engine's own bound on repetitions.
pub(crate) const REPETITIONS: u64 = 2_000;

const FORM_OF_TYPE: &str = "`type` is a name or a list of names";
const FORM_OF_REQUIRED: &str = "`required` is a list of names";
const TYPES: [&str; 7] = ["object", "array", "string", "integer", "number", "boolean", "null"];

const ANNOTATIONS: &[&str] = &[
    "title",
    "description",
    "default",
    "examples",
    "$comment",
    "$schema",
    "$id",
    "$defs",
    "definitions",
    "deprecated",
    "readOnly",
    "writeOnly",
];

/// What a grammar cannot keep, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unkept {
    pub(crate) at: String,
    pub(crate) what: String,
    /// It is no JSON Schema.
    pub(crate) is_wrong: bool,
}

/// The grammar for any JSON object.
pub(crate) fn object_grammar() -> Result<String, Unkept> {
    grammar::write(&serde_json::json!({ "type": "object" }))
}

pub(crate) fn grammar(schema: &Value) -> Result<String, Unkept> {
    let mut check = Check { root: schema, left: SCHEMAS };
    if let Some(definitions) = schema.as_object() {
        for key in ["$defs", "definitions"] {
            if let Some(Value::Object(named)) = definitions.get(key) {
                for (name, schema) in named {
                    check.schema(schema, &format!("#/{key}/{name}"), 1)?;
                }
            }
        }
    }
    check.schema(schema, "#", 0)?;
    grammar::write(schema)
}

pub(crate) fn unkept(at: &str, what: impl Into<String>) -> Unkept {
    Unkept { at: at.to_owned(), what: what.into(), is_wrong: false }
}

fn wrong(at: &str, what: impl Into<String>) -> Unkept {
    Unkept { is_wrong: true, ..unkept(at, what) }
}

struct Check<'a> {
    root: &'a Value,
    left: usize,
}

impl Check<'_> {
    fn schema(&mut self, schema: &Value, at: &str, depth: usize) -> Result<(), Unkept> {
        self.left = self.left.checked_sub(1).ok_or_else(|| unkept(at, format!("more than {SCHEMAS} schemas")))?;
        if depth > DEPTH {
            return Err(unkept(at, format!("nested more than {DEPTH} deep")));
        }
        let map = match schema {
            Value::Object(map) => map,
            Value::Bool(_) => return Err(unkept(at, "a schema that is not an object")),
            _ => return Err(wrong(at, "a schema is an object")),
        };
        // These say all there is to say; a sibling that narrows further would be passed over.
        for whole in ["$ref", "anyOf", "oneOf", "const", "enum"] {
            let Some(value) = map.get(whole) else { continue };
            let typed = matches!(whole, "const" | "enum");
            self.only(map, at, &[whole, if typed { "type" } else { whole }])?;
            return match (whole, value) {
                ("$ref", Value::String(target)) => self.reference(target, at),
                ("anyOf" | "oneOf", Value::Array(choices)) if !choices.is_empty() => {
                    let mut choices = choices.iter().enumerate();
                    choices.try_for_each(|(i, choice)| self.schema(choice, &format!("{at}/{whole}/{i}"), depth + 1))
                }
                ("const", _) => Ok(()),
                ("enum", Value::Array(values)) if !values.is_empty() => Ok(()),
                ("$ref", _) => Err(wrong(at, "a `$ref` is a text")),
                _ => Err(wrong(at, format!("`{whole}` is a list that is not empty"))),
            };
        }
        let kinds: Vec<&str> = match map.get("type") {
            None => vec![],
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) if !kinds.is_empty() => {
                kinds.iter().map(|kind| kind.as_str().ok_or_else(|| wrong(at, FORM_OF_TYPE))).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(wrong(at, FORM_OF_TYPE)),
        };
        if kinds.is_empty() {
            // Without a type every narrowing word would bind only values of its own type.
            return self.only(map, at, &[]);
        }
        let mut allowed = vec!["type"];
        for kind in &kinds {
            allowed.extend(self.typed(kind, map, at, depth)?);
        }
        self.only(map, at, &allowed)
    }

    /// Checks the words of one type and says which they are.
    fn typed(&mut self, kind: &str, map: &Map, at: &str, depth: usize) -> Result<&'static [&'static str], Unkept> {
        match kind {
            "null" | "boolean" | "number" => Ok(&[]),
            "integer" => {
                for bound in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
                    if map.get(bound).is_some_and(|value| value.as_i64().is_none()) {
                        return Err(unkept(at, format!("a `{bound}` that is not a whole number")));
                    }
                }
                for [one, other] in [["minimum", "exclusiveMinimum"], ["maximum", "exclusiveMaximum"]] {
                    if map.contains_key(one) && map.contains_key(other) {
                        return Err(unkept(at, format!("`{one}` beside `{other}`")));
                    }
                }
                Ok(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])
            }
            "string" => string(map, at),
            "array" => self.array(map, at, depth),
            "object" => self.object(map, at, depth),
            other => {
                let other = text::elide(other, 80);
                Err(wrong(at, format!("there is no type `{other}`{}", text::did_you_mean(&other, TYPES))))
            }
        }
    }

    fn array(&mut self, map: &Map, at: &str, depth: usize) -> Result<&'static [&'static str], Unkept> {
        counts(map, at, ["minItems", "maxItems"])?;
        if let Some(items) = map.get("items") {
            self.schema(items, &format!("{at}/items"), depth + 1)?;
        }
        Ok(&["items", "minItems", "maxItems"])
    }

    fn object(&mut self, map: &Map, at: &str, depth: usize) -> Result<&'static [&'static str], Unkept> {
        let properties = match map.get("properties") {
            None => None,
            Some(Value::Object(properties)) => Some(properties),
            Some(_) => return Err(wrong(at, "`properties` is an object")),
        };
        for (name, schema) in properties.into_iter().flatten() {
            self.schema(schema, &format!("{at}/properties/{name}"), depth + 1)?;
        }
        match map.get("additionalProperties") {
            None | Some(Value::Bool(_)) => {}
            Some(schema) => self.schema(schema, &format!("{at}/additionalProperties"), depth + 1)?,
        }
        let required = match map.get("required") {
            None => &[][..],
            Some(Value::Array(names)) => names,
            Some(_) => return Err(wrong(at, FORM_OF_REQUIRED)),
        };
        for name in required {
            let Some(name) = name.as_str() else { return Err(wrong(at, FORM_OF_REQUIRED)) };
            if !properties.is_some_and(|properties| properties.contains_key(name)) {
                return Err(unkept(at, format!("`{name}`, which is required but not among the properties")));
            }
        }
        Ok(&["properties", "required", "additionalProperties"])
    }

    fn reference(&self, target: &str, at: &str) -> Result<(), Unkept> {
        let known = target.strip_prefix('#').filter(|pointer| {
            // Names that need a pointer's escapes are not worth their trouble.
            (pointer.starts_with("/$defs/") || pointer.starts_with("/definitions/"))
                && pointer.matches('/').count() == 2
                && !pointer.contains('~')
                && self.root.pointer(pointer).is_some()
        });
        known.map(drop).ok_or_else(|| unkept(at, format!("the reference `{target}`: use `#/$defs/<name>`")))
    }

    fn only(&self, map: &Map, at: &str, allowed: &[&str]) -> Result<(), Unkept> {
        let stray = map.keys().find(|key| !allowed.contains(&key.as_str()) && !ANNOTATIONS.contains(&key.as_str()));
        stray.map_or(Ok(()), |key| Err(unkept(at, format!("`{key}`"))))
    }
}

pub(crate) type Map = serde_json::Map<String, Value>;

fn string(map: &Map, at: &str) -> Result<&'static [&'static str], Unkept> {
    counts(map, at, ["minLength", "maxLength"])?;
    let lengths = map.contains_key("minLength") || map.contains_key("maxLength");
    let format = map.get("format").and_then(Value::as_str);
    let kept = matches!(format, Some("date" | "time" | "date-time" | "uuid"));
    if let Some(pattern) = map.get("pattern") {
        let anchored = pattern.as_str().is_some_and(is_simple_pattern);
        if !anchored {
            return Err(unkept(at, "this `pattern`: use `^…$` with letters, digits, classes, groups, `|` and counts"));
        }
        if lengths || kept {
            return Err(unkept(at, "`pattern` beside a length or a format"));
        }
    }
    if kept && lengths {
        return Err(unkept(at, "a length beside a format"));
    }
    // Other formats are annotations in JSON Schema.
    Ok(&["minLength", "maxLength", "pattern", "format"])
}

fn counts(map: &Map, at: &str, keys: [&str; 2]) -> Result<(), Unkept> {
    let mut range = [0, REPETITIONS];
    for (slot, key) in range.iter_mut().zip(keys) {
        match map.get(key).map(Value::as_u64) {
            None => {}
            Some(Some(count)) if count <= REPETITIONS => *slot = count,
            Some(_) => return Err(unkept(at, format!("a `{key}` that is not a whole number up to {REPETITIONS}"))),
        }
    }
    if range[0] > range[1] {
        return Err(unkept(at, format!("a `{}` above `{}`", keys[0], keys[1])));
    }
    Ok(())
}

/// Whether a pattern is anchored and uses only what the grammar's notation has too.
fn is_simple_pattern(pattern: &str) -> bool {
    let Some(inner) = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$')) else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || " _-/:,@#%&=~;<>!'".contains(c) || "()[]{}|*+?".contains(c);
    let mut chars = inner.chars();
    let mut groups = 0_i32;
    let mut class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' if class || !chars.next().is_some_and(|c| ".-/()[]{}|*+?".contains(c)) => return false,
            '\\' => {}
            '[' if !class => class = true,
            ']' if class => class = false,
            '[' | ']' => return false,
            '(' if !class => groups += 1,
            ')' if !class => groups -= 1,
            '.' if class => {}
            _ if !plain(c) => return false,
            _ => {}
        }
        if groups < 0 {
            return false;
        }
    }
    groups == 0 && !class && !inner.is_empty() && !inner.contains("(?")
}
