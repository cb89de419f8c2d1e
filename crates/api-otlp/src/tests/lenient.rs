//! JSON as it comes.

use mainspring_kernel::Timestamp;
use mainspring_llm::trace::SpanKind;
use opentelemetry_proto::tonic::collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{example, project};
use crate::{
    lenient, logs, points,
    request::{Encoding, decode, decode_leniently},
    spans::{self, Received},
};

/// The example with spans that were made of its own.
fn with(changes: &[fn(&mut Value)]) -> Value {
    let mut export = example();
    let spans = export["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array_mut().unwrap();
    let span = spans[0].clone();
    for change in changes {
        let mut changed = span.clone();
        change(&mut changed);
        spans.push(changed);
    }
    export
}

fn traces(export: &Value) -> Received {
    let read: ExportTraceServiceRequest = decode(export.to_string().as_bytes(), Encoding::Json).unwrap();
    spans::read(read, project())
}

#[test]
fn an_id_that_cannot_be_read_is_its_own_spans_fault() {
    let received = traces(&with(&[
        |span: &mut Value| span["traceId"] = json!("5b8efff798038103d269b633813fc60"),
        |span: &mut Value| span["traceId"] = json!("W47/95gDgQPSabYzgT/GDA=="),
        |span: &mut Value| span["spanId"] = json!("no hex at all, a"),
        |span: &mut Value| span["parentSpanId"] = json!("eee19b7ec3c1b17"),
        |span: &mut Value| span["traceId"] = json!(5),
    ]));
    assert_eq!((received.spans.len(), received.rejected), (1, 5));
    assert_eq!(
        received.reason,
        "a trace id is not 16 bytes, or all zero; a span id is not 8 bytes, or all zero; a parent's span id is not 8 bytes"
    );
    // Of a link it is the link that goes.
    let links = traces(&with(&[|span: &mut Value| span["links"] = json!([{"traceId": "xyz", "spanId": "eee19b7ec3c1b174"}])]));
    assert_eq!((links.spans.len(), links.rejected, links.spans[1].links.len()), (2, 0, 0));
}

#[test]
fn a_record_whose_trace_cannot_be_read_is_one_by_itself() {
    let record = |id: &str| json!({"timeUnixNano": "1544712660000000000", "traceId": id, "body": {"stringValue": id}});
    let all = [record("5b8efff798038103d269b633813fc60"), record("5b8efff798038103d269b633813fc60c")];
    let export = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": all}]}]});
    let read: ExportLogsServiceRequest = decode(export.to_string().as_bytes(), Encoding::Json).unwrap();
    let received = logs::read(read, project());
    assert_eq!((received.spans.len(), received.rejected), (2, 0), "{}", received.reason);
    assert_eq!(received.spans[1].trace.to_string(), "5b8efff798038103d269b633813fc60c");
    assert_ne!(received.spans[0].trace, received.spans[1].trace);
}

#[test]
fn floats_may_come_as_text() {
    let received = traces(&with(&[|span: &mut Value| {
        let of = |key: &str, value: &str| json!({"key": key, "value": {"doubleValue": value}});
        let list = json!({"key": "list", "value": {"arrayValue": {"values": [{"doubleValue": "NaN"}, {"doubleValue": 2}]}}});
        span["attributes"] = json!([of("half", "1.5"), of("none", "NaN"), of("least", "-Infinity"), list]);
    }]));
    assert_eq!((received.spans.len(), received.rejected), (2, 0));
    let said = &received.spans[1].attributes;
    // As they are kept when they come in protobuf.
    for (name, value) in [("half", json!(1.5)), ("none", json!("NaN")), ("least", json!("-inf")), ("list", json!(["NaN", 2.0]))] {
        assert_eq!(said[name], value, "{name}");
    }
}

#[test]
fn points_may_have_their_numbers_as_text() {
    let at = "1544712661000000000";
    let export = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "load", "gauge": {"dataPoints": [
            {"timeUnixNano": at, "asDouble": "1.5"}, {"timeUnixNano": at, "asDouble": "NaN"}]}},
        {"name": "took", "histogram": {"dataPoints": [{
            "timeUnixNano": at, "count": "3", "sum": "2.5", "min": "NaN", "max": "2",
            "bucketCounts": ["1", "2", "0"], "explicitBounds": ["1", "Infinity"]}]}}
    ]}]}]});
    let now = Timestamp::from_micros(1_544_712_661_000_000);
    let received = points::read(decode_leniently(export.to_string().as_bytes()).unwrap(), project(), now);
    assert_eq!((received.points.len(), received.rejected, received.without_value), (2, 0, 1), "{}", received.reason);
    assert_eq!(received.points[0].value, Some(1.5));
    let took = &received.points[1];
    assert_eq!((took.count, took.sum, took.min, took.max), (Some(3), Some(2.5), None, Some(2.0)));
    assert_eq!(took.buckets, Some(json!({"bounds": [1.0, 1e308], "counts": [1, 2, 0]})));
}

#[test]
fn a_large_export_is_read_like_a_small_one() {
    let received = traces(&with(&[|span: &mut Value| {
        span["kind"] = json!("SPAN_KIND_SERVER");
        span["links"] = json!(null);
        span["attributes"] = json!([{"key": "long", "value": {"stringValue": "x".repeat(5 << 20)}}]);
    }]));
    assert_eq!((received.spans.len(), received.rejected), (2, 0));
    assert_eq!(
        (received.spans[1].kind, received.spans[1].attributes["long"].as_str().map(str::len)),
        (SpanKind::Server, Some(5 << 20))
    );
}

#[test]
fn what_is_no_export_is_refused_with_a_hint() {
    for body in [r#"{"resourceSpans": 5}"#, "{", "[1", r#"{"resourceSpans": []} {}"#, "null"] {
        let problem = decode::<ExportTraceServiceRequest>(body.as_bytes(), Encoding::Json).unwrap_err();
        assert!(problem.code == "otlp-malformed" && problem.hint.is_some(), "{body}");
    }
}

pub(super) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"]{1,6}", inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().map(|(name, value)| (format!("x{name}"), value)).collect())),
        ]
    })
}

proptest! {
    /// What is no word of the protocol stays as it is.
    #[test]
    fn whatever_needs_no_other_spelling_keeps_its_own(value in any_json()) {
        let read: Value = lenient::read(value.to_string().as_bytes()).unwrap();
        prop_assert_eq!(read, value);
    }
}
