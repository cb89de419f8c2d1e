//! Links, schemas and clocks that go back.

use mainspring_llm::trace::names;
use mainspring_observability::END_AS_SENT;
use opentelemetry_proto::tonic::{collector::trace::v1::ExportTraceServiceRequest, trace::v1::span::Link};
use serde_json::json;

use super::{example, export, project};
use crate::{
    request::{Encoding, decode},
    spans,
};

#[test]
fn links_and_schemas_are_kept() {
    let mut export = export();
    let group = &mut export.resource_spans[0];
    group.schema_url = "https://opentelemetry.io/schemas/1.30.0".to_owned();
    let span = &mut group.scope_spans[0].spans[0];
    let to = Link { trace_id: vec![1; 16], span_id: vec![2; 8], attributes: span.attributes.clone(), ..Link::default() };
    span.links = vec![to, Link { trace_id: vec![0; 16], span_id: vec![2; 8], ..Link::default() }];
    let mut nearer = export.clone();
    nearer.resource_spans[0].scope_spans[0].schema_url = "https://opentelemetry.io/schemas/1.37.0".to_owned();

    let read = spans::read(export, project()).spans.remove(0);
    assert_eq!(read.links.len(), 1, "a link to nothing says nothing");
    assert_eq!((read.links[0].trace.as_bytes(), read.links[0].span.as_bytes()), (&[1; 16], &[2; 8]));
    assert_eq!(read.links[0].attributes["gen_ai.request.model"], "gpt");
    assert!(read.links[0].attributes.contains_key("client.mainspring.access_labels"), "nobody outside speaks our words");
    assert_eq!(read.attributes["otel.schema_url"], "https://opentelemetry.io/schemas/1.30.0");
    let read = spans::read(nearer, project()).spans.remove(0);
    assert_eq!(read.attributes["otel.schema_url"], "https://opentelemetry.io/schemas/1.37.0");
}

#[test]
fn a_span_that_ends_before_it_starts_is_kept_and_says_so() {
    let mut export = export();
    let span = &mut export.resource_spans[0].scope_spans[0].spans[0];
    span.end_time_unix_nano = span.start_time_unix_nano - 1_000_000_000;
    let read = spans::read(export, project());
    assert_eq!((read.spans.len(), read.rejected), (1, 0));
    let span = &read.spans[0];
    assert_eq!((span.end, &span.attributes[END_AS_SENT]), (span.start, &json!("2018-12-13T14:50:59.000000Z")));
}

#[test]
fn a_parent_in_another_program_is_known_by_the_flags() {
    let says = |flags: u32, parent: bool| {
        let mut sent = example();
        let span = &mut sent["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        span["flags"] = json!(flags);
        if !parent {
            span["parentSpanId"] = json!("");
        }
        let from_json: ExportTraceServiceRequest = decode(sent.to_string().as_bytes(), Encoding::Json).unwrap();
        let bytes = prost::Message::encode_to_vec(&from_json);
        let from_protobuf = spans::read(decode(&bytes, Encoding::Protobuf).unwrap(), project());
        let from_json = spans::read(from_json, project());
        assert_eq!(from_json.spans, from_protobuf.spans);
        from_json.spans[0].attributes.get(names::PARENT_REMOTE).cloned()
    };
    assert_eq!(says(0x301, true), Some(json!(true)), "beside the flags of its trace");
    assert_eq!(says(0x300, false), None, "it has no parent");
    for flags in [0, 0x001, 0x101, 0x201] {
        assert_eq!(says(flags, true), None, "{flags:x}");
    }
}

#[test]
fn what_a_scope_says_and_what_was_left_out_is_kept() {
    let mut sent = example();
    let scope = &mut sent["resourceSpans"][0]["scopeSpans"][0];
    scope["scope"]["attributes"] = json!([{"key": "public_key", "value": {"stringValue": "pk-1"}}]);
    let span = &mut scope["spans"][0];
    span["traceState"] = json!("vendor=1,other=2");
    span["droppedAttributesCount"] = json!(3);
    span["droppedEventsCount"] = json!(2);
    span["droppedLinksCount"] = json!(1);
    span["events"][0]["droppedAttributesCount"] = json!(4);
    span["links"] = json!([{
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b175", "traceState": "vendor=3",
        "droppedAttributesCount": 5,
    }]);
    let from_json: ExportTraceServiceRequest = decode(sent.to_string().as_bytes(), Encoding::Json).unwrap();
    let bytes = prost::Message::encode_to_vec(&from_json);
    let from_protobuf = spans::read(decode(&bytes, Encoding::Protobuf).unwrap(), project());
    let read = spans::read(from_json, project());
    assert_eq!(read.spans, from_protobuf.spans);
    let span = &read.spans[0];
    for (name, value) in [
        ("scope.public_key", json!("pk-1")),
        (names::TRACE_STATE, json!("vendor=1,other=2")),
        (names::DROPPED_ATTRIBUTES, json!(3)),
        (names::DROPPED_EVENTS, json!(2)),
        (names::DROPPED_LINKS, json!(1)),
    ] {
        assert_eq!(span.attributes[name], value, "{name}");
    }
    assert_eq!(span.events[0].attributes[names::DROPPED_ATTRIBUTES], 4);
    let link = &span.links[0].attributes;
    assert_eq!((&link[names::TRACE_STATE], &link[names::DROPPED_ATTRIBUTES]), (&json!("vendor=3"), &json!(5)));
    // Where nothing was left out, nothing says so.
    let plain = spans::read(export(), project()).spans.remove(0);
    let said = plain.attributes.keys().chain(plain.events[0].attributes.keys()).filter(|name| name.contains("dropped"));
    assert_eq!(said.count(), 0);
    assert!(!plain.attributes.contains_key(names::TRACE_STATE));
}
