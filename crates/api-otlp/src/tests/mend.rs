//! JSON that is put right before it is read.

use mainspring_web_kit::Problem;
use proptest::prelude::*;
use serde_json::Value;

use super::{example, lenient::any_json, project};
use crate::{
    mend::mend,
    request::{Encoding, decode},
    signal::Signal,
    spans::{self, Received},
    weigh::weigh,
};

/// An export of spans as it is read when it comes in.
fn taken(body: &str) -> Received {
    let mut body = body.as_bytes().to_vec();
    weigh(&mut body, Encoding::Json, Signal::Traces, usize::MAX).unwrap();
    spans::read(decode(&body, Encoding::Json).unwrap(), project())
}

fn refused(body: &str, signal: Signal) -> Problem {
    weigh(&mut body.as_bytes().to_vec(), Encoding::Json, signal, usize::MAX).unwrap_err()
}

/// The same with names as protobuf has them.
fn as_in_protobuf(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(as_in_protobuf).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (underscored(name), as_in_protobuf(value))).collect(),
        other => other.clone(),
    }
}

fn underscored(name: &str) -> String {
    name.chars().flat_map(|c| c.is_uppercase().then_some('_').into_iter().chain(c.to_lowercase())).collect()
}

#[test]
fn names_may_be_spelt_as_in_protobuf() {
    let spelt = as_in_protobuf(&example());
    assert!(spelt["resource_spans"][0]["scope_spans"][0]["spans"][0]["trace_id"].is_string(), "{spelt}");
    assert_eq!(taken(&spelt.to_string()).spans, taken(&example().to_string()).spans);
    // A name that stands in a value is nobody's to change.
    let renamed = example().to_string().replace("gen_ai.request.model", "a_key");
    assert_eq!(taken(&renamed).spans[0].attributes["a_key"], "gpt");
}

#[test]
fn records_of_another_kind_are_sent_where_they_belong() {
    for (body, signal, named) in [
        (r#"{"resourceLogs": [{"scopeLogs": []}]}"#, Signal::Traces, "resourceLogs"),
        (r#"{"resource_spans": []}"#, Signal::Metrics, "resourceSpans"),
        (r#"{"resourceSpans": [], "x": 1, "resourceMetrics": []}"#, Signal::Traces, "resourceMetrics"),
        (r#"{"spans": []}"#, Signal::Traces, "`spans`"),
        (" [] ", Signal::Traces, "list"),
        (r#"[[{"scopeLogs": []}]]"#, Signal::Logs, "resourceLogs"),
    ] {
        let problem = refused(body, signal);
        assert_eq!((problem.code, problem.status.as_u16()), ("otlp-malformed", 400), "{body}");
        assert!(problem.detail.contains(named) && problem.detail.contains(signal.records()), "{body}: {}", problem.detail);
        assert!(problem.hint.is_some_and(|hint| hint.contains("/v1/traces") && hint.contains("/v1/logs")), "{body}");
    }
    let long = format!(r#"{{"{}": 1}}"#, "x".repeat(10_000));
    assert!(refused(&long, Signal::Traces).detail.len() < 200);
    // Nothing at all is an export without records, and what the protocol may have some day is passed over.
    for body in ["", "{}", r#"{"resourceSpans": []}"#, r#"{"later": {"resourceLogs": 1}, "resourceSpans": []}"#] {
        assert!(taken(body).spans.is_empty(), "{body}");
    }
}

#[test]
fn half_a_character_costs_itself_and_not_all_that_came_with_it() {
    for (said, read) in [
        (r"\ud800", "\u{fffd}"),
        (r"a\uDC00b", "a\u{fffd}b"),
        (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
        (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
        (r"\ud83d\n", "\u{fffd}\n"),
        (r"\\ud800", r"\ud800"),
        (r"\\\ud800", "\\\u{fffd}"),
        (r"\u00e9\ud83d\ude00", "é😀"),
    ] {
        let received = taken(&example().to_string().replace("gpt", said));
        assert_eq!((received.spans.len(), received.rejected), (1, 0), "{said}");
        assert_eq!(received.spans[0].attributes["gen_ai.request.model"], read, "{said}");
    }
}

fn mended(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    mend(&mut bytes, "resourceSpans");
    String::from_utf8(bytes).unwrap()
}

proptest! {
    #[test]
    fn what_is_right_stays_as_it_is(value in any_json()) {
        let text = value.to_string();
        prop_assert_eq!(mended(&text), text);
    }

    #[test]
    fn however_names_are_spelt_they_are_read(
        fields in prop::collection::vec(("[a-z_]{0,8}", any_json()), 0..4)
    ) {
        let text: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        let read: Result<Value, _> = serde_json::from_str(&mended(&format!("{{{}}}", text.join(","))));
        let read = read.unwrap();
        for (name, value) in read.as_object().unwrap() {
            prop_assert!(!name.contains('_') && fields.iter().any(|(_, said)| said == value), "{name}");
        }
    }

    #[test]
    fn whatever_a_string_is_made_of_it_is_read(
        parts in prop::collection::vec(
            prop::sample::select(vec![r"\ud83d", r"\ude00", r"\uDBFF", r"\uffff", r"\u0041", r"\\", r#"\""#, r"\n", "u", "é"]), 0..12)
    ) {
        let read: Result<Value, _> = serde_json::from_str(&mended(&format!("\"{}\"", parts.concat())));
        prop_assert!(read.is_ok(), "{read:?}");
    }

    /// Nothing is said of what is no JSON; but that it is none is found by its reader, and by nobody before.
    #[test]
    fn any_bytes_are_gone_over(mut bytes in prop::collection::vec(any::<u8>(), 0..200), cut in prop::sample::select(vec!["\"", "\"\\", "\"\\u", "\"\\ud83d\\u"])) {
        bytes.extend_from_slice(cut.as_bytes());
        let length = bytes.len();
        mend(&mut bytes, "resourceSpans");
        prop_assert_eq!(bytes.len(), length);
    }
}
