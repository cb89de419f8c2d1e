//! JSON Schema in Gemini's subset.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::gemini::schema::clean;

#[track_caller]
fn check(given: Value, want: Value, dropped: &[&str]) {
    let (cleaned, lost) = clean(&given);
    assert_eq!(cleaned, want);
    assert_eq!(lost.iter().map(String::as_str).collect::<Vec<_>>(), dropped, "{given}");
}

#[test]
fn words_of_the_subset_stay() {
    let plain = json!({
        "type": "object", "title": "Person", "description": "Someone.", "required": ["name"], "additionalProperties": false,
        "propertyOrdering": ["name", "age"],
        "properties": {
            "name": {"type": ["string", "null"], "format": "date-time"},
            "age": {"type": "integer", "minimum": 0, "maximum": 150},
            "kind": {"enum": ["a", "b", 3]},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 9},
            "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]},
            "either": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/node"}]},
            "default": {"type": "string"}
        },
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}}
    });
    check(plain.clone(), plain, &[]);
}

#[test]
fn other_words_are_said_in_those_of_the_subset() {
    check(json!({"const": "a"}), json!({"enum": ["a"]}), &[]);
    check(json!({"type": "string", "nullable": true}), json!({"type": ["string", "null"]}), &[]);
    check(json!({"type": ["string"], "nullable": true}), json!({"type": ["string", "null"]}), &[]);
    check(json!({"type": "integer", "exclusiveMinimum": 0}), json!({"type": "integer", "minimum": 1}), &[]);
    check(json!({"type": "integer", "exclusiveMaximum": 10}), json!({"type": "integer", "maximum": 9}), &[]);
    check(json!({"type": "number", "minimum": 1, "exclusiveMinimum": true}), json!({"type": "number", "minimum": 1}), &[]);
    check(
        json!({"properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": {"type": "string"}}}),
        json!({"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}}),
        &[],
    );
    check(json!({"$ref": "#/$defs/A", "description": "beside"}), json!({"$ref": "#/$defs/A"}), &[]);
    check(
        json!({"type": "string", "$schema": "https://json-schema.org/draft/2020-12/schema", "default": "x", "x-order": 3}),
        json!({"type": "string"}),
        &[],
    );
    check(json!({"type": "array", "items": true}), json!({"type": "array", "items": {}}), &[]);
}

#[test]
fn all_of_several_schemas_is_one() {
    check(
        json!({"allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"$ref": "#/$defs/B"}
        ], "$defs": {"B": {"type": "object", "properties": {"b": {"type": "number"}}, "required": ["b"]}}}),
        json!({
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": "number"}},
            "required": ["a", "b"],
            "$defs": {"B": {"type": "object", "properties": {"b": {"type": "number"}}, "required": ["b"]}}
        }),
        &[],
    );
    check(json!({"allOf": [{"type": "string"}, {"type": "number"}]}), json!({"type": "string"}), &["allOf"]);
}

#[test]
fn constraints_without_a_word_are_dropped_and_named() {
    check(
        json!({"type": "string", "pattern": "^a", "minLength": 1, "not": {"const": "b"}}),
        json!({"type": "string"}),
        &["minLength", "not", "pattern"],
    );
    check(json!({"type": "number", "exclusiveMinimum": 0.5}), json!({"type": "number", "minimum": 0.5}), &["exclusiveMinimum"]);
    check(json!({"enum": ["a", null]}), json!({}), &["enum"]);
    check(json!({"const": true}), json!({}), &["enum"]);
}

#[test]
fn a_schema_that_leads_to_itself_comes_to_an_end() {
    let tree = json!({
        "$ref": "#/$defs/tree",
        "$defs": {"tree": {"type": "object", "properties": {
            "left": {"allOf": [{"$ref": "#/$defs/tree"}]},
            "right": {"allOf": [{"$ref": "#/$defs/tree"}]}
        }}}
    });
    let (cleaned, _) = clean(&tree);
    assert_eq!(cleaned["$ref"], json!("#/$defs/tree"));
    assert!(cleaned.to_string().len() < 100_000);
    let (cleaned, _) = clean(&json!({"allOf": [{"$ref": "#"}]}));
    assert!(cleaned.is_object());
}

fn schema() -> impl Strategy<Value = Value> {
    let words = vec![
        "type",
        "properties",
        "items",
        "anyOf",
        "allOf",
        "enum",
        "const",
        "$ref",
        "$defs",
        "definitions",
        "required",
        "nullable",
        "exclusiveMinimum",
        "additionalProperties",
        "pattern",
        "prefixItems",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(vec!["string", "object", "#", "#/$defs/a", "#/properties/type"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        let word = proptest::sample::select(words.clone());
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((word, inner), 0..6)
                .prop_map(|fields| fields
                    .into_iter()
                    .map(|(word, value)| (word.to_owned(), value))
                    .collect::<serde_json::Map<_, _>>())
                .prop_map(Value::from),
        ]
    })
}

proptest! {
    #[test]
    fn what_was_cleaned_is_clean(given in schema()) {
        let (cleaned, _) = clean(&given);
        let (again, dropped) = clean(&cleaned);
        prop_assert_eq!(&again, &cleaned);
        prop_assert!(dropped.is_empty(), "{:?} of {}", dropped, cleaned);
    }
}
