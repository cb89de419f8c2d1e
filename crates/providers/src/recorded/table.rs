//! Tables of what is lost, beside the tests that make them. A line is how often something happened, and what.

use std::collections::BTreeMap;

use serde_json::Value;

#[derive(Debug, Default)]
pub(super) struct Table(BTreeMap<String, usize>);

impl Table {
    pub(super) fn note(&mut self, what: String) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(super) fn text(&self) -> String {
        self.0.iter().map(|(what, times)| format!("{times:>5}  {what}\n")).collect()
    }

    #[track_caller]
    pub(super) fn check(&self, name: &str, committed: &str) {
        let found = self.text();
        assert!(found == committed, "{name} is not what the recordings show; it would be:\n{found}");
    }
}

/// Indices are of no interest: `messages[3].name` is `messages[].name`.
pub(super) fn unnumbered(text: &str) -> String {
    let mut inside = false;
    let keep = |c: &char| {
        inside = (inside || *c == '[') && *c != ']';
        !(inside && c.is_ascii_digit())
    };
    text.chars().filter(keep).collect()
}

/// What differs between two objects that should say the same, as paths without indices.
pub(super) fn differences(came: &Value, written: &Value) -> Vec<String> {
    let mut found = Vec::new();
    differ(&bare(came, false), &bare(written, false), "", &mut found);
    found.sort();
    found.dedup();
    found
}

fn differ(came: &Value, written: &Value, path: &str, found: &mut Vec<String>) {
    match (came, written) {
        (Value::Object(came), Value::Object(written)) => {
            for (name, value) in came {
                let path = format!("{path}.{name}");
                match written.get(name) {
                    Some(other) => differ(value, other, &path, found),
                    None => found.push(format!("left out {}", &path[1..])),
                }
            }
            for name in written.keys().filter(|name| !came.contains_key(*name)) {
                found.push(format!("added {}", &format!("{path}.{name}")[1..]));
            }
        }
        (Value::Array(came), Value::Array(written)) if came.len() == written.len() => {
            came.iter().zip(written).for_each(|(came, written)| differ(came, written, &format!("{path}[]"), found));
        }
        (Value::Number(came), Value::Number(written)) if came.as_f64() == written.as_f64() => {}
        _ if came == written => {}
        _ => found.push(format!("changed {}", path.trim_start_matches('.'))),
    }
}

/// Without what says nothing: null, lists of nothing, tokens that were not used, and the list around a text that is alone.
fn bare(value: &Value, tokens: bool) -> Value {
    match value {
        Value::Object(map) => {
            let field = |(name, value): (&String, &Value)| {
                let value = bare(value, tokens || name == "usage");
                let empty = match &value {
                    Value::Null => true,
                    Value::Array(list) => list.is_empty(),
                    Value::Object(map) => map.is_empty(),
                    Value::Number(number) => tokens && number.as_f64() == Some(0.0),
                    _ => false,
                };
                (!empty).then(|| (name.clone(), value))
            };
            Value::Object(map.iter().filter_map(field).collect())
        }
        Value::Array(list) => match list.as_slice() {
            [Value::Object(only)] if only.len() == 2 && only.get("type").is_some_and(|kind| kind == "text") => {
                only.get("text").cloned().unwrap_or_default()
            }
            list => list.iter().map(|value| bare(value, tokens)).collect(),
        },
        other => other.clone(),
    }
}
