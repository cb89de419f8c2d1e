use proptest::prelude::*;
use serde_json::Value;

use crate::json::{Glance, Leaf, find};

fn keys() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "gen_ai.x", "0", "1", "", "é", "a/b", "q\"q", "\\", "\u{1}"]).prop_map(str::to_owned),
        1 => ".{0,4}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((keys(), inner), 0..4).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// The same by way of the whole tree.
fn slowly<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| match value {
        Value::Object(entries) => entries.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

fn leaf_of(value: &Value) -> Leaf {
    match value {
        Value::Null => Leaf::Null,
        Value::Bool(truth) => Leaf::Bool(*truth),
        Value::Number(number) => number.as_i64().map_or_else(|| Leaf::Float(number.as_f64().unwrap()), Leaf::Int),
        Value::String(text) => Leaf::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => Leaf::Nested,
    }
}

/// As another writer may spell the same value.
fn escaped(text: &str) -> String {
    let unit = |unit: u16| format!("\\u{unit:04x}");
    text.chars()
        .flat_map(|letter| match letter {
            'a'..='z' | 'é' => {
                letter.encode_utf16(&mut [0; 2]).iter().map(|part| unit(*part)).collect::<String>().chars().collect()
            }
            other => vec![other],
        })
        .collect()
}

proptest! {
    #[test]
    fn a_value_is_found_like_in_the_whole_tree(value in value(), path in prop::collection::vec(keys(), 0..4)) {
        let text = value.to_string();
        // What is read of a number may differ from what was written in its last bit; both ways read the same.
        let value: Value = serde_json::from_str(&text).unwrap();
        let wanted = slowly(&value, &path).map(leaf_of);
        prop_assert_eq!(find(&text, &path), wanted.clone());
        prop_assert!(wanted.is_none() || Glance::at(&path).may_hold(&text));
    }

    #[test]
    fn an_escaped_key_is_the_same_key(key in "[a-zé.]{1,6}", other in "[a-zé.]{1,6}", number in any::<i64>()) {
        let text = format!("{{\"{}\":[],\"{}\":{number}}}", escaped(&other), escaped(&key));
        let path = [key.clone()];
        prop_assert!(Glance::at(&path).may_hold(&text));
        let wanted = if key == other { Leaf::Nested } else { Leaf::Int(number) };
        prop_assert_eq!(find(&text, &path), Some(wanted));
    }

    #[test]
    fn any_text_is_read_or_left(text in ".{0,64}", path in prop::collection::vec(keys(), 0..4)) {
        let found = find(&text, &path);
        prop_assert!(found.is_none() || Glance::at(&path).may_hold(&text));
    }

    #[test]
    fn a_cut_value_is_read_or_left(value in value(), at in any::<prop::sample::Index>(), path in prop::collection::vec(keys(), 0..3)) {
        let text = value.to_string();
        let letters: Vec<char> = text.chars().collect();
        let cut: String = letters[..at.index(letters.len() + 1)].iter().collect();
        let found = find(&cut, &path);
        let wanted = slowly(&value, &path).map(leaf_of);
        // A number that was cut is another number; everything else is found as it was, or not at all.
        let is_number = |leaf: &Option<Leaf>| matches!(leaf, Some(Leaf::Int(_) | Leaf::Float(_)));
        prop_assert!(found.is_none() || found == wanted || is_number(&found), "{found:?} of {cut}");
    }
}

#[test]
fn depth_is_no_stack() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(find(&deep, &["0".to_owned(), "0".to_owned(), "x".to_owned()]), None);
    assert_eq!(find(&deep, &["1".to_owned()]), None);
}
