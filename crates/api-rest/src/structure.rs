//! What changed between two JSON values, by path.

use mainspring_wire::Change;
use serde_json::Value;

/// A spec is small; this only bounds what a page has to draw.
const CHANGES_MAX: usize = 500;

pub(crate) fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare(String::new(), before, after, &mut found);
    found
}

fn compare(path: String, before: &Value, after: &Value, found: &mut Vec<Change>) {
    if before == after || found.len() >= CHANGES_MAX {
        return;
    }
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match new.get(key) {
                    Some(other) => compare(path, value, other, found),
                    None => found.push(change(path, "removed", Some(value), None)),
                }
            }
            for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                found.push(change(path, "added", None, Some(value)));
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for index in 0..old.len().max(new.len()) {
                let path = format!("{path}[{index}]");
                match (old.get(index), new.get(index)) {
                    (Some(old), Some(new)) => compare(path, old, new, found),
                    (Some(old), None) => found.push(change(path, "removed", Some(old), None)),
                    (None, Some(new)) => found.push(change(path, "added", None, Some(new))),
                    (None, None) => {}
                }
            }
        }
        (old, new) => found.push(change(path, "changed", Some(old), Some(new))),
    }
}

fn change(path: String, op: &str, before: Option<&Value>, after: Option<&Value>) -> Change {
    Change { path, op: op.to_owned(), before: before.cloned(), after: after.cloned() }
}
