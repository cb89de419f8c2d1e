use proptest::prelude::*;
use serde_json::{Value, json};

use crate::schema::{grammar, object_grammar};

#[track_caller]
fn kept(schema: Value) {
    let grammar = grammar(&schema).unwrap();
    assert!(grammar.contains("root ::="), "{grammar}");
}

#[track_caller]
fn refused(schema: Value, at: &str, what: &str) {
    let unkept = grammar(&schema).unwrap_err();
    assert!(unkept.at == at && unkept.what.contains(what) && !unkept.is_wrong, "{unkept:?}");
}

#[track_caller]
fn wrong(schema: Value, at: &str, what: &str) {
    let unkept = grammar(&schema).unwrap_err();
    assert!(unkept.at == at && unkept.what.contains(what) && unkept.is_wrong, "{unkept:?}");
}

#[test]
fn schemas_a_grammar_can_keep_are_converted() {
    kept(
        json!({ "type": "object", "properties": { "a": { "type": "string", "maxLength": 20 } }, "required": ["a"], "additionalProperties": false }),
    );
    kept(json!({ "type": "array", "items": { "type": "integer", "minimum": 0, "maximum": 9 }, "minItems": 1, "maxItems": 3 }));
    kept(json!({ "anyOf": [{ "const": 1 }, { "enum": ["a", "b"] }, { "type": ["null", "boolean"] }] }));
    kept(
        json!({ "$defs": { "tree": { "type": "object", "properties": { "next": { "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/tree" }] } }, "required": ["next"] } }, "$ref": "#/$defs/tree" }),
    );
    kept(json!({ "type": "string", "pattern": "^[a-z]{2,4}-(one|two)$" }));
    kept(json!({ "type": "string", "format": "date-time", "title": "when", "description": "ISO" }));
    kept(json!({ "type": "string", "format": "email" }));
    kept(json!({}));
    assert!(object_grammar().unwrap().contains("root ::="));
}

#[test]
fn what_would_be_loosened_is_refused_by_name() {
    refused(json!({ "type": "object", "patternProperties": {} }), "#", "`patternProperties`");
    refused(
        json!({ "type": "object", "properties": { "a": { "type": "number", "minimum": 1 } } }),
        "#/properties/a",
        "`minimum`",
    );
    refused(json!({ "not": { "type": "null" } }), "#", "`not`");
    refused(json!({ "type": "array", "items": { "type": "string" }, "uniqueItems": true }), "#", "`uniqueItems`");
    refused(json!({ "type": "string", "pattern": "abc" }), "#", "pattern");
    refused(json!({ "type": "string", "pattern": "^(?!a)b$" }), "#", "pattern");
    refused(json!({ "type": "string", "pattern": "^a\\d$" }), "#", "pattern");
    refused(json!({ "type": "string", "pattern": "^a$", "maxLength": 3 }), "#", "beside");
    refused(json!({ "properties": { "a": {} } }), "#", "`properties`");
    refused(json!({ "$ref": "#/$defs/gone" }), "#", "reference");
    refused(json!({ "$ref": "https://host.example/schema" }), "#", "reference");
    refused(json!({ "anyOf": [{ "type": "null" }], "type": "object" }), "#", "`type`");
    refused(json!({ "type": "object", "required": ["b"], "properties": { "a": {} } }), "#", "`b`");
    refused(json!({ "type": "string", "maxLength": 100_000 }), "#", "maxLength");
    refused(json!({ "type": "integer", "minimum": 1.5 }), "#", "whole number");
    refused(json!({ "type": "array", "minItems": 3, "maxItems": 2 }), "#", "above");
    refused(json!({ "items": true, "type": "array" }), "#/items", "not an object");
    refused(json!(true), "#", "not an object");
}

#[test]
fn what_is_no_schema_is_told_apart_and_names_what_was_meant() {
    wrong(json!({ "type": "objekt" }), "#", "no type `objekt`: did you mean `object`?");
    let within = json!({ "type": "object", "properties": { "a": { "type": ["null", "Whatever you like"] } } });
    wrong(within, "#/properties/a", "one of object, array, string, integer, number, boolean, null");
    wrong(json!({ "type": 7 }), "#", "`type` is a name");
    wrong(json!({ "type": ["string", 7] }), "#", "`type` is a name");
    wrong(json!({ "enum": [] }), "#", "`enum` is a list");
    wrong(json!({ "anyOf": { "type": "null" } }), "#", "`anyOf` is a list");
    wrong(json!({ "$ref": 1 }), "#", "`$ref` is a text");
    wrong(json!({ "type": "object", "properties": [] }), "#", "`properties` is an object");
    wrong(json!({ "type": "object", "required": "a" }), "#", "`required` is a list");
    wrong(json!({ "type": "array", "items": "string" }), "#/items", "a schema is an object");
}

#[test]
fn deep_and_large_schemas_are_refused_before_they_cost_anything() {
    let mut deep = json!({ "type": "null" });
    for _ in 0..40 {
        deep = json!({ "type": "array", "items": deep });
    }
    assert!(grammar(&deep).unwrap_err().what.contains("deep"));
    let wide: serde_json::Map<String, Value> = (0..2_000).map(|i| (format!("p{i}"), json!({ "type": "null" }))).collect();
    assert!(grammar(&json!({ "type": "object", "properties": wide })).unwrap_err().what.contains("more than"));
}

proptest! {
    #[test]
    fn any_json_is_a_schema_or_refused(text in "[\\[\\]{}\",:a-z0-9$#/ ]{0,80}") {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let _ = grammar(&value);
        }
    }

    #[test]
    fn schemas_from_known_words_are_kept_or_refused(schema in schemas()) {
        let _ = grammar(&schema);
    }
}

fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({ "type": "null" })),
        Just(json!({ "type": "number" })),
        (0_u64..30, 0_u64..30).prop_map(|(a, b)| json!({ "type": "string", "minLength": a, "maxLength": b })),
        (-99_i64..99, -99_i64..99).prop_map(|(a, b)| json!({ "type": "integer", "minimum": a, "maximum": b })),
        "[a-z\\[\\](){}|*+?0-9,.^$\\\\-]{0,12}"
            .prop_map(|pattern| json!({ "type": "string", "pattern": format!("^{pattern}$") })),
        Just(json!({ "$ref": "#/$defs/a" })),
    ];
    let inner = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), 0_u64..4).prop_map(|(items, min)| json!({ "type": "array", "items": items, "minItems": min })),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|choices| json!({ "anyOf": choices })),
            prop::collection::btree_map("[a-c\" ]{0,3}", inner, 0..3)
                .prop_map(|properties| json!({ "type": "object", "properties": properties, "additionalProperties": false })),
        ]
    });
    (inner.clone(), inner).prop_map(|(mut root, a)| {
        root["$defs"] = json!({ "a": a });
        root
    })
}
