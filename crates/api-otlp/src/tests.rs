//! What exporters send, and what nobody should.

mod calls;
mod depth;
mod lenient;
mod links;
mod mend;
mod packing;
mod records;
mod series;

use http::{HeaderMap, HeaderValue, header};
use mainspring_kernel::id::ProjectId;
use mainspring_llm::trace::{SpanKind, SpanStatus};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use serde_json::json;

use crate::{
    request::{Encoding, Packing, decode, unpack},
    spans,
};

/// As the specification's example prints it.
fn example() -> serde_json::Value {
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeSpans": [{
            "scope": {"name": "checkout", "version": "1.2"},
            "spans": [{
                "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "parentSpanId": "eee19b7ec3c1b173",
                "name": "chat", "kind": 3, "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712661500000000",
                "attributes": [
                    {"key": "gen_ai.request.model", "value": {"stringValue": "gpt"}},
                    {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
                    {"key": "mainspring.access_labels", "value": {"arrayValue": {"values": [{"stringValue": "board"}]}}}
                ],
                "events": [{"timeUnixNano": "1544712660500000000", "name": "first token", "attributes": []}],
                "status": {"code": 2, "message": "refused"}
            }]
        }]
    }]})
}

fn project() -> ProjectId {
    ProjectId::from_raw(1)
}

fn export() -> ExportTraceServiceRequest {
    decode(example().to_string().as_bytes(), Encoding::Json).unwrap()
}

#[test]
fn of_an_attribute_that_is_said_twice_the_last_value_stands_in_the_first_place() {
    let mut example = example();
    let said = |key: &str, text: &str| json!({"key": key, "value": {"stringValue": text}});
    let twice = [said("a", "1"), said("resource.service.name", "mine"), said("b", "2"), said("a", "3")];
    example["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"] = json!(twice);
    let export = decode(example.to_string().as_bytes(), Encoding::Json).unwrap();
    let attributes = spans::read(export, project()).spans.remove(0).attributes;
    let names: Vec<&str> = attributes.keys().map(String::as_str).collect();
    assert_eq!(names, ["resource.service.name", "otel.scope.name", "otel.scope.version", "a", "b"]);
    assert_eq!((&attributes["resource.service.name"], &attributes["a"]), (&json!("mine"), &json!("3")));
}

#[test]
fn both_encodings_say_the_same() {
    let project = project();
    let bytes = prost::Message::encode_to_vec(&export());
    let from_json = spans::read(export(), project);
    let from_protobuf = spans::read(decode(&bytes, Encoding::Protobuf).unwrap(), project);
    assert_eq!(from_json.spans, from_protobuf.spans);
    let span = &from_json.spans[0];
    assert_eq!(span.trace.to_string(), "5b8efff798038103d269b633813fc60c");
    assert_eq!(span.parent.unwrap().to_string(), "eee19b7ec3c1b173");
    assert_eq!((span.kind, span.end.as_micros() - span.start.as_micros()), (SpanKind::Client, 1_500_000));
    assert_eq!(span.status, SpanStatus::Error("refused".into()));
    assert_eq!(span.events[0].name, "first token");
    let expected = [
        ("resource.service.name", json!("shop")),
        ("otel.scope.name", json!("checkout")),
        ("gen_ai.usage.input_tokens", json!(12)),
    ];
    for (key, value) in expected {
        assert_eq!(span.attributes[key], value, "{key}");
    }
}

#[test]
fn nobody_outside_speaks_our_words() {
    let read = spans::read(export(), project());
    assert!(!read.spans[0].attributes.contains_key("mainspring.access_labels"));
    assert_eq!(read.spans[0].attributes["client.mainspring.access_labels"], json!(["board"]));
}

#[test]
fn a_wrong_span_is_counted_and_the_others_are_kept() {
    let mut export = export();
    let spans = &mut export.resource_spans[0].scope_spans[0].spans;
    for change in 0..4 {
        let mut wrong = spans[0].clone();
        match change {
            0 => wrong.trace_id = vec![0; 16],
            1 => wrong.span_id = vec![1; 7],
            2 => wrong.span_id = Vec::new(),
            _ => wrong.parent_span_id = vec![1; 9],
        }
        spans.push(wrong);
    }
    let read = spans::read(export, project());
    assert_eq!((read.spans.len(), read.rejected), (1, 4));
    assert_eq!(
        read.reason,
        "a trace id is not 16 bytes, or all zero; a span id is not 8 bytes, or all zero; a parent's span id is not 8 bytes"
    );
}

#[test]
fn a_long_resource_is_not_written_out_with_every_one_of_very_many_spans() {
    let mut export = export();
    let group = &mut export.resource_spans[0];
    let text = json!({"key": "long", "value": {"stringValue": "x".repeat(1_000)}});
    group.resource.as_mut().unwrap().attributes.push(serde_json::from_value(text).unwrap());
    let spans = &mut group.scope_spans[0].spans;
    *spans = vec![spans[0].clone(); 50];
    group.scope_spans = vec![group.scope_spans[0].clone(); 2];
    let read = spans::read_within(export.clone(), project(), 20_000);
    assert_eq!(read.spans.len() + read.rejected, 100);
    assert!((10..20).contains(&read.spans.len()), "{}", read.spans.len());
    assert_eq!(read.reason, "what a resource says of itself is too long for so many spans");
    // Honest exports are far from it.
    assert_eq!(spans::read(export, project()).spans.len(), 100);
}

#[test]
fn media_types_are_told_apart() {
    let of = |text: &'static str| Encoding::of(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(text))]));
    assert_eq!(of("application/x-protobuf").unwrap(), Encoding::Protobuf);
    assert_eq!(of("Application/JSON; charset=utf-8").unwrap(), Encoding::Json);
    assert_eq!(of("text/plain").unwrap_err().code, "otlp-media-type");
    assert_eq!(Encoding::of(&HeaderMap::new()).unwrap_err().status, 415);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd, Packing::Deflate] {
            if let Ok(unpacked) = unpack(bytes.clone().into(), packing, 1_000) {
                prop_assert!(unpacked.len() <= 1_000);
            }
        }
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            if let Err(problem) = decode::<ExportTraceServiceRequest>(&bytes, encoding) {
                prop_assert_eq!(problem.code, "otlp-malformed");
            }
        }
    }

    /// A valid export with bytes changed: never a panic, and every span is either kept or counted.
    #[test]
    fn changed_exports_are_read_or_refused(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = prost::Message::encode_to_vec(&export());
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(changed) = decode::<ExportTraceServiceRequest>(&bytes, Encoding::Protobuf) {
            let sent: usize = changed.resource_spans.iter().flat_map(|group| &group.scope_spans).map(|group| group.spans.len()).sum();
            let read = spans::read(changed, project());
            prop_assert_eq!(read.spans.len() + read.rejected, sent);
        }
    }
}
