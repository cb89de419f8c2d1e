use bytes::Bytes;
use mainspring_kernel::Fault;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Field, Peek, PeekFault, Rewrite, peek, replace_model, set_field, set_fields, value, with_usage};
use crate::Operation;

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("an edited body is JSON")
}

#[test]
fn a_field_at_the_top_is_read_without_the_rest() {
    let body = br#"{"a": {"b": [1e2]}, "c": null, "d": {"a": 2}, "\u0065": 3}"#;
    let wanted = [("a", Some(json!({"b": [1e2]}))), ("b", None), ("c", Some(Value::Null)), ("e", Some(json!(3)))];
    for (name, want) in wanted {
        assert_eq!(value(body, name).unwrap(), want, "{name}");
    }
    assert!(matches!(value(b"{", "a"), Err(PeekFault::NotJson { .. })));
    assert!(matches!(value(br#"{"a": 1, "a": 2}"#, "a"), Err(PeekFault::Duplicate { .. })));
}

#[test]
fn a_chat_body_says_what_routing_needs() {
    let body = br#"{
        "messages": [{"role": "user", "content": "{\"model\": \"not this\"}", "model": "nor this"}],
        "model" : "gpt-4o" , "stream":true, "max_completion_tokens": 512, "n": 2, "user": "u-\u0031",
        "stream_options": {"include_usage": true, "include_obfuscation": false},
        "mainspring": {"session": "s-1", "parameters": {"session": "not this"}}
    }"#;
    let seen = peek(body).unwrap();
    assert_eq!(
        (
            seen.model.as_deref(),
            seen.stream,
            seen.bounds.each(Operation::Chat),
            seen.bounds.n,
            seen.user.as_deref(),
            seen.session.as_deref()
        ),
        (Some("gpt-4o"), true, Some(512), Some(2), Some("u-1"), Some("s-1"))
    );
    assert!(seen.include_usage);
    let at = seen.places.range(Field::Model).unwrap();
    assert_eq!(&body[at], b"\"gpt-4o\"");
    let at = seen.places.range(Field::MaxCompletionTokens).unwrap();
    assert_eq!(&body[at], b"512");
    assert_eq!(seen.places.range(Field::MaxTokens), None);
}

#[test]
fn every_field_is_found_in_its_own_place() {
    for field in Field::ALL {
        let body = format!(r#"{{"a":0,"{}":null,"z":1}}"#, field.as_str());
        let seen = peek(body.as_bytes()).unwrap();
        for other in Field::ALL {
            let found = seen.places.range(other).map(|at| &body[at]);
            assert_eq!(found, (other == field).then_some("null"), "{} of {body}", other.as_str());
        }
    }
}

#[test]
fn anthropic_bodies_name_their_user_in_the_metadata() {
    let seen = peek(br#"{"model":"claude-sonnet-4-5","max_tokens":1024,"metadata":{"user_id":"u-9"}}"#).unwrap();
    assert_eq!((seen.user.as_deref(), seen.bounds.each(Operation::Messages)), (Some("u-9"), Some(1024)));
}

#[track_caller]
fn check_tokens(fields: &str, operation: Operation, want: Option<u32>) {
    assert_eq!(peek(format!("{{{fields}}}").as_bytes()).unwrap().bounds.each(operation), want, "{fields} {operation:?}");
}

#[test]
fn token_bounds_are_read_as_clients_write_them() {
    for (fields, want) in [
        (r#""max_tokens":16"#, Some(16)),
        (r#""max_tokens":16,"max_completion_tokens":32"#, Some(32)),
        (r#""max_tokens":1e3"#, Some(1000)),
        (r#""max_tokens":64.0"#, Some(64)),
        (r#""max_tokens":null"#, None),
        (r#""max_tokens":-1"#, None),
        (r#""max_tokens":-1,"max_completion_tokens":32"#, None),
        (r#""max_tokens":99999999999"#, Some(u32::MAX)),
        (r#""max_tokens":0"#, Some(0)),
    ] {
        check_tokens(fields, Operation::Chat, want);
    }
}

#[test]
fn an_endpoint_is_bounded_by_its_own_fields() {
    use Operation::{Chat, Completions, Embeddings, Messages, Responses};
    for (operation, [tokens, completion, output]) in [
        (Chat, [Some(16), Some(16), None]),
        (Completions, [Some(16), None, None]),
        (Messages, [Some(16), None, None]),
        (Responses, [None, None, Some(16)]),
        (Embeddings, [None, None, None]),
    ] {
        check_tokens(r#""max_tokens":16"#, operation, tokens);
        check_tokens(r#""max_completion_tokens":16"#, operation, completion);
        check_tokens(r#""max_output_tokens":16"#, operation, output);
    }
}

#[test]
fn answers_are_counted_by_choices_and_prompts() {
    let check = |fields: &str, (chat, completions): (u64, u64)| {
        let bounds = peek(format!("{{{fields}}}").as_bytes()).unwrap().bounds;
        let seen = (bounds.answers(Operation::Chat), bounds.answers(Operation::Completions));
        assert_eq!((seen, bounds.answers(Operation::Responses)), ((chat, completions), 1), "{fields}");
    };
    check("", (1, 1));
    check(r#""n":3"#, (3, 3));
    check(r#""n":0"#, (1, 1));
    check(r#""n":2,"best_of":5"#, (2, 5));
    check(r#""n":2,"prompt":"[one]""#, (2, 2));
    check(r#""prompt":["a", "[", "c"]"#, (1, 3));
    check(r#""prompt":[1, 2, 3]"#, (1, 1));
    check(r#""prompt":[[1, 2], [3]],"best_of":4"#, (1, 8));
    check(r#""prompt":[]"#, (1, 1));
    check(r#""prompt":{"id":"of the responses endpoint"}"#, (1, 1));
}

#[test]
fn an_answer_is_kept_by_its_provider_unless_the_body_says_no() {
    for (fields, want) in [
        ("", false),
        (r#""store":null"#, false),
        (r#""store":true"#, false),
        (r#""store": false "#, true),
        (r#""input":{"store":false}"#, false),
    ] {
        assert_eq!(peek(format!("{{{fields}}}").as_bytes()).unwrap().unkept, want, "{fields}");
    }
}

#[test]
fn an_answer_in_the_background_is_one_unless_the_body_says_no() {
    for (fields, want) in [
        ("", false),
        (r#""background":null"#, false),
        (r#""background": false "#, false),
        (r#""background":true"#, true),
        (r#""b\u0061ckground":1"#, true),
        (r#""background":"true""#, true),
    ] {
        assert_eq!(peek(format!("{{{fields}}}").as_bytes()).unwrap().background, want, "{fields}");
    }
}

#[track_caller]
fn check_fault(body: &str, code: &str, field: Option<&str>) {
    let fault = peek(body.as_bytes()).unwrap_err();
    assert_eq!((fault.code(), fault.field()), (code, field), "{body}: {fault}");
}

#[test]
fn bodies_that_cannot_be_routed_are_refused() {
    for body in ["", " ", "{", "{]", r#"{"model":"x"}}"#, r#"{"model":"x",}"#, r#"{"model""x"}"#, "\u{feff}{}", "{'a':1}"] {
        check_fault(body, "body-not-json", None);
    }
    for body in ["[]", "1", "null", "\"model\"", "true"] {
        check_fault(body, "body-invalid", None);
    }
    check_fault(r#"{"model":"a","model":"b"}"#, "body-duplicate-field", Some("model"));
    check_fault(r#"{"model":"a","mod\u0065l":"b"}"#, "body-duplicate-field", Some("model"));
    check_fault(r#"{"messages":[],"x":1,"messages":[]}"#, "body-duplicate-field", Some("messages"));
    check_fault(
        r#"{"stream_options":{"include_usage":true,"include_usage":false}}"#,
        "body-duplicate-field",
        Some("stream_options.include_usage"),
    );
    for (field, value) in [
        ("model", "7"),
        ("model", r#""\ud800""#),
        ("stream", "\"true\""),
        ("stream", "1"),
        ("max_tokens", "\"16\""),
        ("max_tokens", "1.5"),
        ("n", "-1"),
        ("n", "[]"),
        ("best_of", "-1"),
        ("user", "{}"),
        ("stream_options", "true"),
        ("metadata", "\"x\""),
        ("mainspring", "[]"),
    ] {
        check_fault(&format!(r#"{{"{field}":{value}}}"#), "body-invalid", Some(field));
    }
    check_fault(r#"{"metadata":{"user_id":5}}"#, "body-invalid", Some("metadata.user_id"));
    check_fault(r#"{"mainspring":{"session":5}}"#, "body-invalid", Some("mainspring.session"));
    check_fault(r#"{"stream_options":{"include_usage":"yes"}}"#, "body-invalid", Some("stream_options.include_usage"));
    // Twice within what is not ours to read is not ours to judge.
    assert!(peek(br#"{"metadata":{"input":1,"input":2},"x":1,"x":2}"#).is_ok());
}

#[track_caller]
fn check_edit(got: Result<Bytes, PeekFault>, want: &str) {
    assert_eq!(std::str::from_utf8(&got.unwrap()).unwrap(), want);
}

#[test]
fn an_edit_touches_nothing_else() {
    let body = bytes("{ \"temperature\": 1.0,\n\t\"model\" : \"a\", \"x\":1e2 }\n");
    check_edit(replace_model(&body, "vendor/b\"c"), "{ \"temperature\": 1.0,\n\t\"model\" : \"vendor/b\\\"c\", \"x\":1e2 }\n");
    check_edit(
        with_usage(&body),
        "{\"stream_options\":{\"include_usage\":true}, \"temperature\": 1.0,\n\t\"model\" : \"a\", \"x\":1e2 }\n",
    );
    check_edit(set_field(&body, "x", Some(&json!([1]))), "{ \"temperature\": 1.0,\n\t\"model\" : \"a\", \"x\":[1] }\n");
    check_edit(set_field(&body, "temperature", None), "{ \"model\" : \"a\", \"x\":1e2 }\n");
    check_edit(set_field(&body, "x", None), "{ \"temperature\": 1.0,\n\t\"model\" : \"a\" }\n");
    check_edit(set_field(&body, "absent", None), "{ \"temperature\": 1.0,\n\t\"model\" : \"a\", \"x\":1e2 }\n");
    check_edit(replace_model(&bytes("{}"), "b"), r#"{"model":"b"}"#);
    check_edit(replace_model(&bytes(r#"{"x":1}"#), "b"), r#"{"model":"b","x":1}"#);
    check_edit(replace_model(&bytes(r#"{"mod\u0065l":"a"}"#), "b"), r#"{"mod\u0065l":"b"}"#);
    check_edit(set_field(&bytes(r#"{ "x" : 1 }"#), "x", None), "{  }");
}

#[test]
fn usage_is_asked_for_within_what_is_there() {
    for (given, want) in [
        (r#"{"stream_options":null}"#, r#"{"stream_options":{"include_usage":true}}"#),
        (r#"{"stream_options":{}}"#, r#"{"stream_options":{"include_usage":true}}"#),
        (r#"{"stream_options": { "x":1 }}"#, r#"{"stream_options": {"include_usage":true, "x":1 }}"#),
        (r#"{"stream_options":{"include_usage":false,"x":1}}"#, r#"{"stream_options":{"include_usage":true,"x":1}}"#),
        (r#"{"stream_options":{"include_usage":null}}"#, r#"{"stream_options":{"include_usage":true}}"#),
        (r#"{"stream_options":{"include_usage":true}}"#, r#"{"stream_options":{"include_usage":true}}"#),
    ] {
        check_edit(with_usage(&bytes(given)), want);
    }
}

#[test]
fn several_edits_are_made_at_once() {
    let wish = Rewrite { model: Some("b"), usage: true, without_mainspring: true };
    for (given, want) in [
        (r#"{"mainspring":{},"model":"a"}"#, r#"{"stream_options":{"include_usage":true},"model":"b"}"#),
        (r#"{"model":"a","mainspring":{}}"#, r#"{"stream_options":{"include_usage":true},"model":"b"}"#),
        (r#"{"mainspring":{}}"#, r#"{"model":"b","stream_options":{"include_usage":true}}"#),
        (r#"{"stream_options":{},"mainspring":1e0}"#, ""),
        ("{}", r#"{"model":"b","stream_options":{"include_usage":true}}"#),
    ] {
        let body = bytes(given);
        match peek(&body) {
            Ok(seen) => check_edit(Ok(seen.rewrite(&body, wish)), want),
            Err(fault) => assert_eq!((fault.field(), want), (Some("mainspring"), "")),
        }
    }
    let body = bytes(r#"{"a":1,"b":2,"c":3}"#);
    let fields: Map<String, Value> = [("b", Value::Null), ("c", Value::Null), ("a", json!(9)), ("d", json!("x"))]
        .map(|(k, v)| (k.to_owned(), v))
        .into_iter()
        .collect();
    check_edit(set_fields(&body, &fields), r#"{"d":"x","a":9}"#);
}

#[test]
fn a_body_that_needs_no_edit_is_not_copied() {
    let body = bytes(r#"{"model":"a","stream_options":{"include_usage":true}}"#);
    let same = peek(&body).unwrap().rewrite(&body, Rewrite { model: Some("a"), usage: true, without_mainspring: true });
    assert_eq!(same.as_ptr(), body.as_ptr());
}

#[test]
fn places_of_another_body_are_not_used() {
    let places = peek(br#"{"model":"a"}"#).unwrap().places;
    let other = bytes(r#"{"x":"aaaaaaaa","model":"c"}"#);
    check_edit(Ok(places.rewrite(&other, Rewrite { model: Some("b"), ..Rewrite::default() })), r#"{"x":"aaaaaaaa","model":"b"}"#);
}

/// Values whose text is what they are: no floats that another reader would round.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("{\"model\":\"x\"}")),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((names(), inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("model".to_owned()),
        Just("messages".to_owned()),
        Just("x".to_owned()),
        Just("größe \"\\".to_owned()),
        "[a-c]{1,2}",
    ]
}

fn bodies() -> impl Strategy<Value = (Map<String, Value>, Bytes)> {
    let known = (
        proptest::option::of("\\PC{0,12}".prop_map(Value::from)),
        proptest::option::of(any::<bool>().prop_map(Value::from)),
        proptest::option::of(prop_oneof![Just(json!(null)), Just(json!({})), Just(json!({"include_usage": false, "x": 1}))]),
        proptest::option::of(Just(json!({"session": "s"}))),
    );
    let others = proptest::collection::vec((names(), values()), 0..6);
    (known, others, any::<bool>(), any::<prop::sample::Index>()).prop_map(
        |((model, stream, options, ours), others, pretty, turn)| {
            let named = [("model", model), ("stream", stream), ("stream_options", options), ("mainspring", ours)];
            let mut members: Vec<(String, Value)> = others.into_iter().filter(|(name, _)| name != "model").collect();
            members.extend(named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
            if !members.is_empty() {
                let turn = turn.index(members.len());
                members.rotate_left(turn);
            }
            let object: Map<String, Value> = members.into_iter().collect();
            let text = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) };
            (object, Bytes::from(text.expect("JSON")))
        },
    )
}

proptest! {
    #[test]
    fn edited_bodies_are_the_same_but_for_the_field((object, body) in bodies(), name in names(), value in values(), model in "\\PC{0,12}") {
        let mut want = object.clone();
        want.insert("model".to_owned(), json!(model));
        prop_assert_eq!(parsed(&replace_model(&body, &model).unwrap()), Value::Object(want));

        let mut want = object.clone();
        want.insert(name.clone(), value.clone());
        prop_assert_eq!(parsed(&set_field(&body, &name, Some(&value)).unwrap()), Value::Object(want));

        let mut want = object;
        want.shift_remove(&name);
        prop_assert_eq!(parsed(&set_field(&body, &name, None).unwrap()), Value::Object(want));
    }

    #[test]
    fn all_edits_together_do_what_each_does((object, body) in bodies(), model in "[a-z]{1,8}", fields in proptest::collection::vec((names(), values()), 0..5)) {
        let seen = peek(&body).unwrap();
        let edited = seen.rewrite(&body, Rewrite { model: Some(&model), usage: true, without_mainspring: true });
        let mut want = object.clone();
        want.insert("model".to_owned(), json!(model));
        want.shift_remove("mainspring");
        let options = want.entry("stream_options").or_insert(Value::Null);
        let mut inside = options.as_object().cloned().unwrap_or_default();
        inside.insert("include_usage".to_owned(), json!(true));
        *options = Value::Object(inside);
        prop_assert_eq!(parsed(&edited), Value::Object(want));
        prop_assert!(peek(&edited).unwrap().include_usage);

        let fields: Map<String, Value> = fields.into_iter().collect();
        let mut want = object;
        for (name, value) in &fields {
            if value.is_null() {
                want.shift_remove(name);
            } else {
                want.insert(name.clone(), value.clone());
            }
        }
        prop_assert_eq!(parsed(&set_fields(&body, &fields).unwrap()), Value::Object(want));
    }

    #[test]
    fn peeking_says_what_a_whole_parse_says((object, body) in bodies()) {
        let Peek { model, stream, include_usage, session, places, .. } = peek(&body).unwrap();
        prop_assert_eq!(model.as_deref(), object.get("model").and_then(Value::as_str));
        prop_assert_eq!(stream, object.get("stream") == Some(&json!(true)));
        prop_assert!(!include_usage);
        prop_assert_eq!(session.is_some(), object.contains_key("mainspring"));
        for field in Field::ALL {
            let at = places.range(field).map(|at| parsed(&body[at]));
            prop_assert_eq!(at.as_ref(), object.get(field.as_str()));
        }
    }

    #[test]
    fn bytes_of_any_kind_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = peek(&body);
        let _ = replace_model(&Bytes::from(body.clone()), "m");
        let _ = with_usage(&Bytes::from(body));
    }

    #[test]
    fn cut_and_changed_bodies_never_panic_and_edits_of_them_are_json_or_refused((_, body) in bodies(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut changed = body.to_vec();
        let at = at.index(changed.len());
        if cut { changed.truncate(at) } else { changed[at] = byte }
        let changed = Bytes::from(changed);
        if let Ok(edited) = replace_model(&changed, "m") {
            // What stands elsewhere in the body may still be wrong, and stays so.
            let seen = |body: &Bytes| peek(body).map(|seen| seen.stream).map_err(|fault| fault.code());
            prop_assert_eq!(seen(&edited), seen(&changed));
            if let Ok(seen) = peek(&edited) {
                prop_assert_eq!(seen.model.as_deref(), Some("m"));
            }
        }
        let _ = with_usage(&changed);
    }
}
