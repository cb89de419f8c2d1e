//! What a schema's grammar lets through, judged by the engine that will keep it.

use std::sync::Arc;

use llama_cpp_2::sampling::LlamaSampler;
use serde_json::{Value, json};

use super::gguf;
use crate::{generation::allowed, model::Model, sampler::Candidate, schema::grammar};

struct Judge(Arc<Model>);

impl Judge {
    async fn new() -> Self {
        Self(Model::load(&gguf().await, 512).unwrap())
    }

    /// Whether an answer may be this text and then end.
    fn lets(&self, schema: &Value, text: &str) -> bool {
        let grammar = grammar(schema).unwrap_or_else(|unkept| panic!("{schema}: {unkept:?}"));
        let sampler = LlamaSampler::grammar(&self.0.llama, &grammar, "root");
        let mut sampler = sampler.unwrap_or_else(|fault| panic!("{fault:?}: {grammar}"));
        let vocab = self.0.llama.vocab();
        let end = vocab.eos();
        for token in vocab.tokenize(text.as_bytes(), false, false) {
            if allowed(&mut sampler, &[Candidate { token: token.0, logit: 0.0 }]).is_empty() {
                return false;
            }
            sampler.try_accept(token).unwrap();
        }
        !allowed(&mut sampler, &[Candidate { token: end.0, logit: 0.0 }]).is_empty()
    }

    #[track_caller]
    fn check(&self, schema: Value, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(self.lets(&schema, text), "{schema} refuses {text}");
        }
        for text in bad {
            assert!(!self.lets(&schema, text), "{schema} lets {text} through");
        }
    }
}

#[tokio::test]
async fn whole_numbers_keep_their_bounds() {
    let judge = Judge::new().await;
    let ranges: [(Option<i64>, Option<i64>); 10] = [
        (Some(0), Some(150)),
        (Some(-37), Some(122)),
        (Some(-120), Some(-8)),
        (Some(7), Some(7)),
        (Some(95), Some(1_004)),
        (Some(19), None),
        (None, Some(61)),
        (None, Some(-15)),
        (Some(-5), None),
        (Some(1_099), Some(1_201)),
    ];
    for (least, most) in ranges {
        let mut schema = json!({ "type": "integer" });
        least.into_iter().for_each(|least| schema["minimum"] = json!(least));
        most.into_iter().for_each(|most| schema["maximum"] = json!(most));
        for number in (-130..=160).chain(990..=1_210) {
            let wanted = least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most);
            assert_eq!(judge.lets(&schema, &number.to_string()), wanted, "{schema} and {number}");
        }
        assert!(!judge.lets(&schema, "007") && !judge.lets(&schema, "1.5") && !judge.lets(&schema, "-"));
    }
    judge.check(json!({ "type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 6 }), &["4", "5"], &["3", "6"]);
    judge.check(json!({ "type": "integer" }), &["0", "-12", "99"], &["01", "a"]);
}

#[tokio::test]
async fn objects_have_their_members_and_no_others() {
    let judge = Judge::new().await;
    let properties = json!({ "name": { "type": "string" }, "age": { "type": "integer" }, "nap": { "type": "boolean" } });
    judge.check(
        json!({ "type": "object", "properties": properties, "required": ["age"] }),
        &[r#"{"age": 3}"#, r#"{"age":3,"name":"x"}"#, r#"{"age": 3, "name": "x", "nap": true}"#, r#"{"age": 3, "nap": false}"#],
        &[r#"{}"#, r#"{"name": "x"}"#, r#"{"age": "3"}"#, r#"{"age": 3, "other": 1}"#, r#"{"age": 3,}"#, r#"{"age": 3"#],
    );
    judge.check(
        json!({ "type": "object", "properties": properties }),
        &[r#"{}"#, r#"{"name": "x"}"#, r#"{"nap": true}"#, r#"{"name": "x", "nap": true}"#, r#"{"age": 1, "nap": true}"#],
        &[r#"{"nope": 1}"#, r#"{,"nap": true}"#],
    );
    judge.check(
        json!({ "type": "object", "properties": properties, "additionalProperties": { "type": "integer" } }),
        &[r#"{"name": "x", "na": 1}"#, r#"{"names": 1, "other": 2}"#, r#"{"n": 1}"#, r#"{"": 1}"#, r#"{"zebra": 5}"#],
        &[r#"{"name": 1}"#, r#"{"age": 1, "age": 2}"#, r#"{"nap": 1}"#, r#"{"other": "x"}"#, r#"{"other": 1, "nam\u0065": 2}"#],
    );
    judge.check(
        json!({ "type": "object", "properties": { "a-b]^": { "type": "null" } }, "additionalProperties": true }),
        &[r#"{"a-b]^": null}"#, r#"{"a-b": [1, {"c": "d"}]}"#, r#"{"a-b]^^": 1}"#],
        &[r#"{"a-b]^": 1}"#],
    );
    judge.check(json!({ "type": "object", "properties": {} }), &["{}"], &[r#"{"a": 1}"#]);
    judge.check(json!({ "type": "object" }), &["{}", r#"{"a": {"b": [null, -1.5e3, "\u00e9"]}}"#], &["[]", "1"]);
}

#[tokio::test]
async fn lists_choices_and_definitions_are_kept() {
    let judge = Judge::new().await;
    judge.check(
        json!({ "type": "array", "items": { "enum": ["a", "b\n", 3] }, "minItems": 1, "maxItems": 3 }),
        &[r#"["a"]"#, r#"["a", "b\n", 3]"#],
        &["[]", r#"["c"]"#, r#"["a", "a", "a", "a"]"#],
    );
    judge.check(json!({ "type": "array", "maxItems": 0 }), &["[]"], &["[1]"]);
    judge.check(json!({ "type": "array", "minItems": 2 }), &["[1, 2]", "[1, 2, 3]"], &["[1]"]);
    judge.check(
        json!({ "anyOf": [{ "const": { "k": [1] } }, { "type": ["null", "boolean"] }] }),
        &[r#"{"k":[1]}"#, "null", "true"],
        &["1", r#"{"k":[2]}"#],
    );
    let tree = json!({ "type": "object", "properties": { "next": { "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/tree" }] } }, "required": ["next"] });
    judge.check(
        json!({ "$defs": { "tree": tree }, "$ref": "#/$defs/tree" }),
        &[r#"{"next": null}"#, r#"{"next": {"next": {"next": null}}}"#],
        &[r#"{"next": 1}"#, "{}"],
    );
    judge.check(json!({}), &["1", "[]", r#""x""#, "null"], &["x"]);
}

#[tokio::test]
async fn texts_keep_their_lengths_patterns_and_formats() {
    let judge = Judge::new().await;
    judge.check(
        json!({ "type": "string", "minLength": 2, "maxLength": 4 }),
        &[r#""ab""#, r#""é\"cd""#],
        &[r#""a""#, r#""abcde""#],
    );
    judge.check(
        json!({ "type": "string", "pattern": "^[a-z]{2,4}-(one|two)\\.?$" }),
        &[r#""ab-one""#, r#""abcd-two.""#],
        &[r#""a-one""#, r#""ab-three""#, r#""AB-one""#, r#""ab-one..""#],
    );
    judge.check(json!({ "type": "string", "pattern": "^x+(ab)*$" }), &[r#""x""#, r#""xxabab""#], &[r#""""#, r#""xa""#]);
    judge.check(json!({ "type": "string", "format": "date" }), &[r#""2026-11-26""#], &[r#""2026-13-26""#, r#""26-11-26""#]);
    judge.check(
        json!({ "type": "string", "format": "date-time" }),
        &[r#""2026-11-26T01:02:03Z""#, r#""2026-11-26T01:02:03.123+02:00""#],
        &[r#""2026-11-26 01:02:03""#],
    );
    judge.check(
        json!({ "type": "string", "format": "uuid" }),
        &[r#""6ba7b810-9dad-11d1-80b4-00c04fd430c8""#],
        &[r#""6ba7b810""#],
    );
    for pattern in ["^a**$", "^{2}$", "^a{3,2}$", "^()$", "^(a|)$", "^[]$", "^a{9999}$", "^a|$", "^a}$"] {
        assert!(grammar(&json!({ "type": "string", "pattern": pattern })).is_err(), "{pattern}");
    }
    assert!(grammar(&json!({ "type": "integer", "minimum": 3, "maximum": 2 })).is_err());
}
