//! Values that lie in lists of values, and deeper than anybody reads.

use opentelemetry_proto::tonic::collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest};
use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Value, json};

use super::{example, export, project};
use crate::{
    mend::mend,
    request::{Encoding, decode},
    signal::{Signal, decode_metrics},
    spans::{self, Received},
    weigh::{DEPTH_MAX, weigh},
};

/// The two kinds of list, as each encoding writes them.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Map,
    Array,
}

fn in_json(kind: Kind, depth: usize) -> String {
    let (before, after) = match kind {
        Kind::Map => (r#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}"),
        Kind::Array => (r#"{"arrayValue":{"values":["#, "]}}"),
    };
    format!(r#"{}{{"stringValue":"x"}}{}"#, before.repeat(depth), after.repeat(depth))
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![(number << 3) | 2];
    prost::encode_length_delimiter(bytes.len(), &mut field).unwrap();
    field.extend_from_slice(bytes);
    field
}

fn in_protobuf(kind: Kind, depth: usize) -> Vec<u8> {
    (0..depth).fold(field(1, b"x"), |value, _| match kind {
        Kind::Map => field(6, &field(1, &[field(1, b"k"), field(2, &value)].concat())),
        Kind::Array => field(5, &field(1, &value)),
    })
}

/// What is read of it.
fn read_of(kind: Kind, depth: usize) -> Value {
    let inmost = if depth > DEPTH_MAX { Value::Null } else { json!("x") };
    (0..depth.min(DEPTH_MAX)).fold(inmost, |value, _| match kind {
        Kind::Map => json!({"k": value}),
        Kind::Array => json!([value]),
    })
}

/// The example's span, and the same once more with a value that is nested so.
fn exports(kind: Kind, depth: usize) -> [(Vec<u8>, Encoding); 2] {
    let mut in_text = example();
    let spans = in_text["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array_mut().unwrap();
    let mut deep = spans[0].clone();
    deep["attributes"].as_array_mut().unwrap().push(json!({"key": "deep", "value": "DEEP"}));
    spans.push(deep);
    let text = in_text.to_string().replace(r#""DEEP""#, &in_json(kind, depth));
    let span = export().resource_spans[0].scope_spans[0].spans[0].encode_to_vec();
    let deep = field(9, &[field(1, b"deep"), field(2, &in_protobuf(kind, depth))].concat());
    let spans = [field(2, &span), field(2, &[span, deep].concat())].concat();
    [(text.into_bytes(), Encoding::Json), (field(1, &field(2, &spans)), Encoding::Protobuf)]
}

fn taken(mut body: Vec<u8>, encoding: Encoding) -> (Received, usize) {
    let cut = weigh(&mut body, encoding, Signal::Traces, usize::MAX).unwrap().cut;
    (spans::read(decode(&body, encoding).unwrap(), project()), cut)
}

#[test]
fn what_lies_too_deep_costs_itself_and_both_encodings_read_equally_deep() {
    for depth in [0, 1, DEPTH_MAX, DEPTH_MAX + 1, 200, 2_000] {
        for kind in [Kind::Map, Kind::Array] {
            for (body, encoding) in exports(kind, depth) {
                let (received, cut) = taken(body, encoding);
                assert_eq!((received.spans.len(), received.rejected), (2, 0), "{depth} {kind:?} {encoding:?}");
                assert_eq!(cut, usize::from(depth > DEPTH_MAX), "{depth} {kind:?} {encoding:?}");
                let deep = &received.spans[1].attributes;
                assert_eq!(deep["deep"], read_of(kind, depth), "{depth} {kind:?} {encoding:?}");
                assert_eq!(deep["gen_ai.request.model"], "gpt");
            }
        }
    }
}

#[test]
fn each_value_that_is_too_deep_is_counted() {
    let body = example().to_string().replace(
        r#"{"stringValue":"gpt"}"#,
        &format!(r#"{{"arrayValue":{{"values":[{0},{{"stringValue":"a"}},{0}]}}}}"#, in_json(Kind::Map, 200)),
    );
    let (received, cut) = taken(body.into_bytes(), Encoding::Json);
    assert_eq!(cut, 2);
    assert_eq!(received.spans[0].attributes["gen_ai.request.model"][1], "a");
}

#[test]
fn wherever_the_protocol_has_values_they_lie_as_deep() {
    let exemplar = json!({"timeUnixNano": "1", "asInt": "1", "filteredAttributes": [{"key": "deep", "value": "DEEP"}]});
    let point = json!({"timeUnixNano": "1", "asInt": "1", "exemplars": [exemplar]});
    let metric = json!({"name": "m", "gauge": {"dataPoints": [point]}});
    let body = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).to_string();
    let mut body = body.replace(r#""DEEP""#, &in_json(Kind::Map, DEPTH_MAX)).into_bytes();
    assert_eq!(weigh(&mut body, Encoding::Json, Signal::Metrics, usize::MAX).unwrap().cut, 0);
    let mut again = decode_metrics(&body, Encoding::Json).unwrap().encode_to_vec();
    assert_eq!(weigh(&mut again, Encoding::Protobuf, Signal::Metrics, usize::MAX).unwrap().cut, 0);
    assert!(decode::<ExportMetricsServiceRequest>(&again, Encoding::Protobuf).is_ok());
}

proptest! {
    #[test]
    fn no_text_goes_deeper_than_its_reader(
        (within, depth) in (prop::sample::select(vec!["{\"arrayValue\":[", "[[", "{\"a\":"]), 0..300_usize),
        parts in prop::collection::vec(
            prop::sample::select(vec!["{", "[", "}", "]", "\"arrayValue\":", "\"kvlistValue\" : {", "\"a\":", ",", "0", "\""]), 0..60)
    ) {
        let mut bytes = (within.repeat(depth) + &parts.concat()).into_bytes();
        let length = bytes.len();
        mend(&mut bytes, "resourceSpans");
        prop_assert_eq!(bytes.len(), length);
        let read: Result<Value, _> = serde_json::from_slice(&bytes);
        prop_assert!(read.as_ref().map_or_else(|error| !error.to_string().contains("recursion"), |_| true), "{read:?}");
    }

    /// Whatever is changed of a deep one: its reader finds no value too deep that the scale found none in.
    #[test]
    fn no_message_goes_deeper_than_its_reader(
        kind in prop::sample::select(vec![Kind::Map, Kind::Array]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)
    ) {
        let [_, (mut bytes, encoding)] = exports(kind, 60);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if weigh(&mut bytes, encoding, Signal::Traces, usize::MAX).is_ok()
            && let Err(problem) = decode::<ExportTraceServiceRequest>(&bytes, encoding)
        {
            prop_assert!(!problem.detail.contains("recursion"), "{problem:?}");
        }
    }
}
