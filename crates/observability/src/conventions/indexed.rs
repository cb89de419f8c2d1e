//! Lists that were written as many attributes: `llm.input_messages.0.message.role`.

use serde_json::{Map, Value};

/// Names within names at most; what lies deeper is left out.
const DEPTH_MAX: usize = 16;

/// The attributes that begin so and go on with a number, as one value.
pub(super) fn gathered(attributes: &Map<String, Value>, prefix: &str) -> Option<Value> {
    let mut root = Map::new();
    for (name, value) in attributes {
        let Some(path) = name.strip_prefix(prefix).filter(|path| path.starts_with(|c: char| c.is_ascii_digit())) else {
            continue;
        };
        if path.split('.').count() <= DEPTH_MAX {
            insert(&mut root, path, value);
        }
    }
    (!root.is_empty()).then_some(Value::Object(root))
}

fn insert(map: &mut Map<String, Value>, path: &str, value: &Value) {
    match path.split_once('.') {
        None => {
            map.entry(path).or_insert_with(|| value.clone());
        }
        Some((first, rest)) => {
            // A sender who says both `0.content` and `0.content.text` is believed the first.
            if let Value::Object(inner) = map.entry(first).or_insert_with(|| Value::Object(Map::new())) {
                insert(inner, rest, value);
            }
        }
    }
}

/// The values of an object whose names are all numbers, in their order.
pub(super) fn numbered(map: &Map<String, Value>) -> Option<Vec<&Value>> {
    let mut numbers: Vec<(usize, &Value)> =
        map.iter().map(|(name, value)| Some((name.parse().ok()?, value))).collect::<Option<_>>()?;
    numbers.sort_by_key(|(number, _)| *number);
    (!numbers.is_empty()).then(|| numbers.into_iter().map(|(_, value)| value).collect())
}

/// The items of a list, however it is written; anything else is a list of one.
pub(super) fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(list) => list.iter().collect(),
        Value::Object(map) => numbered(map).unwrap_or_else(|| vec![value]),
        _ => vec![value],
    }
}
