//! How bodies come, and bodies made to take more than they are.

use std::{io::Write, sync::LazyLock};

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use http::HeaderValue;
use mainspring_llm::trace::names;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    metrics::v1::metric::Data,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span,
        span::{Event, Link},
    },
};
use proptest::prelude::*;
use prost::Message;
use serde_json::json;

use super::{example, export, project};
use crate::{
    request::{Encoding, Packing, decode, decode_leniently, unpack},
    shared::{EVENTS_MAX, LINKS_MAX},
    signal::Signal,
    spans,
    weigh::{trim, weigh},
};

const TEXT: usize = 1_000_000;
static CROWDED: LazyLock<Vec<u8>> = LazyLock::new(|| crowded(EVENTS_MAX + 1, LINKS_MAX + 1).encode_to_vec());

fn packed(packing: Packing) -> Vec<u8> {
    let text = vec![b'a'; TEXT];
    match packing {
        Packing::Plain => text,
        Packing::Gzip => {
            let mut packer = GzEncoder::new(Vec::new(), Compression::best());
            packer.write_all(&text).unwrap();
            packer.finish().unwrap()
        }
        Packing::Deflate => {
            let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
            packer.write_all(&text).unwrap();
            packer.finish().unwrap()
        }
        Packing::Zstd => zstd::stream::encode_all(&*text, 3).unwrap(),
    }
}

#[test]
fn packed_bodies_are_unpacked_to_a_limit() {
    for packing in [Packing::Plain, Packing::Gzip, Packing::Deflate, Packing::Zstd] {
        let packed = packed(packing);
        assert_eq!(unpack(packed.clone().into(), packing, TEXT).unwrap().len(), TEXT, "{packing:?}");
        assert_eq!(unpack(packed.clone().into(), packing, TEXT - 1).unwrap_err().code, "body-too-large", "{packing:?}");
        if packing != Packing::Plain {
            assert!(packed.len() < TEXT / 100, "{packing:?}");
            let cut = packed[..packed.len() - 9].to_vec();
            assert_eq!(unpack(cut.into(), packing, 2 * TEXT).unwrap_err().code, "body-unreadable", "{packing:?}");
        }
    }
}

#[test]
fn deflate_is_read_with_and_without_its_wrapping() {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(b"spans").unwrap();
    let bare = packer.finish().unwrap();
    assert_eq!(unpack(bare.into(), Packing::Deflate, 10).unwrap(), "spans");
}

#[test]
fn a_frame_that_wants_a_large_window_is_refused_before_it_gets_it() {
    let mut packer = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    packer.window_log(27).unwrap();
    packer.write_all(b"a little").unwrap();
    let wide = packer.finish().unwrap();
    assert_eq!(unpack(wide.into(), Packing::Zstd, TEXT).unwrap_err().code, "body-unreadable");
}

#[test]
fn packings_are_told_apart() {
    let of = |text: &'static str| Packing::of(Some(&HeaderValue::from_static(text)));
    assert_eq!(Packing::of(None).unwrap(), Packing::Plain);
    for (text, packing) in
        [("identity", Packing::Plain), (" GZIP ", Packing::Gzip), ("zstd", Packing::Zstd), ("deflate", Packing::Deflate)]
    {
        assert_eq!(of(text).unwrap(), packing);
    }
    assert_eq!(of("br").unwrap_err().status, 415);
}

#[test]
fn nothing_at_all_is_an_export_without_records() {
    for (body, encoding) in [("", Encoding::Protobuf), ("", Encoding::Json), ("{}", Encoding::Json)] {
        let export: ExportTraceServiceRequest = decode(body.as_bytes(), encoding).unwrap();
        assert!(export.resource_spans.is_empty());
    }
}

#[test]
fn json_is_read_in_the_spellings_of_its_senders() {
    let mut spelt = example();
    let span = &mut spelt["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    span["kind"] = json!("SPAN_KIND_CLIENT");
    span["status"]["code"] = json!("STATUS_CODE_ERROR");
    span["startTimeUnixNano"] = json!(1_544_712_660_000_000_000_u64);
    span["links"] = json!(null);
    span["droppedAttributesCount"] = json!("0");
    span["attributes"][1]["value"]["intValue"] = json!(12);
    span["attributes"].as_array_mut().unwrap().push(json!({"key": "empty", "value": {"arrayValue": {}}}));
    let read: ExportTraceServiceRequest = decode(spelt.to_string().as_bytes(), Encoding::Json).unwrap();
    let (theirs, ours) = (spans::read(read, project()).spans, spans::read(export(), project()).spans);
    let mut expected = ours[0].clone();
    expected.attributes.insert("empty".into(), json!([]));
    assert_eq!(theirs, [expected]);
    let wrong = json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": "SPAN_KIND_NONE"}]}]}]});
    assert_eq!(
        decode::<ExportTraceServiceRequest>(wrong.to_string().as_bytes(), Encoding::Json).unwrap_err().code,
        "otlp-malformed"
    );
}

#[test]
fn points_are_not_lost_where_an_enum_comes_by_its_name() {
    let sum = json!({"aggregationTemporality": "AGGREGATION_TEMPORALITY_DELTA", "dataPoints": [{"asInt": "3"}]});
    let export = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "a", "sum": sum}]}]}]});
    let read: opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest =
        decode_leniently(export.to_string().as_bytes()).unwrap();
    let Some(Data::Sum(sum)) = &read.resource_metrics[0].scope_metrics[0].metrics[0].data else { panic!("{read:?}") };
    assert_eq!((sum.aggregation_temporality, sum.data_points.len()), (1, 1));
}

#[test]
fn an_export_of_very_many_empty_parts_is_refused_by_what_it_would_take() {
    let spans = vec![Span::default(); 100_000];
    let mut bomb = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec();
    assert!(bomb.len() < 250_000, "two bytes each");
    let limit = 8 * bomb.len();
    assert_eq!(weigh(&mut bomb, Encoding::Protobuf, Signal::Traces, limit).unwrap_err().code, "body-too-large");
    let weighed = weigh(&mut bomb, Encoding::Protobuf, Signal::Traces, usize::MAX).unwrap();
    assert!(weighed.weight >= 100_000 * size_of::<Span>());
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}{{}}]}}]}}]}}"#, "{},".repeat(100_000));
    let (limit, mut json) = (8 * json.len(), json.into_bytes());
    assert_eq!(weigh(&mut json, Encoding::Json, Signal::Traces, limit).unwrap_err().code, "body-too-large");
    // Honest ones are far from it, in either encoding.
    for (mut honest, encoding) in
        [(export().encode_to_vec(), Encoding::Protobuf), (example().to_string().into_bytes(), Encoding::Json)]
    {
        let limit = 8 * honest.len();
        assert!(weigh(&mut honest, encoding, Signal::Traces, limit).is_ok(), "{encoding:?}");
    }
}

/// The export of the example with so many events and links of its span, before and behind a span that has few.
fn crowded(events: usize, links: usize) -> ExportTraceServiceRequest {
    let mut export = export();
    let spans = &mut export.resource_spans[0].scope_spans[0].spans;
    let mut many = spans[0].clone();
    many.events.extend((1..events).map(|n| Event { name: format!("e{n}"), ..Event::default() }));
    many.links = vec![Link { trace_id: vec![1; 16], span_id: vec![2; 8], ..Link::default() }; links];
    (many.dropped_events_count, many.dropped_links_count) = (2, 0);
    *spans = vec![spans[0].clone(), many, spans[0].clone()];
    export
}

#[test]
fn of_very_many_events_and_links_the_last_are_left_out_and_counted() {
    let export = crowded(EVENTS_MAX + 5, LINKS_MAX + 3);
    let trimmed = trim(export.encode_to_vec().into());
    let read = spans::read(export, project());
    assert_eq!((read.spans.len(), read.rejected), (3, 0), "{}", read.reason);
    let many = &read.spans[1];
    assert_eq!((many.events.len(), many.links.len()), (EVENTS_MAX, LINKS_MAX));
    assert_eq!(many.events[EVENTS_MAX - 1].name, format!("e{}", EVENTS_MAX - 1), "the first are kept");
    assert_eq!((&many.attributes[names::DROPPED_EVENTS], &many.attributes[names::DROPPED_LINKS]), (&json!(7), &json!(3)));
    // Whether they go before the export is decoded or behind it.
    let decoded: ExportTraceServiceRequest = decode(&trimmed, Encoding::Protobuf).unwrap();
    assert_eq!(decoded.resource_spans[0].scope_spans[0].spans[1].events.len(), EVENTS_MAX);
    assert_eq!(spans::read(decoded, project()).spans, read.spans);
    // What is not too much stays as it is.
    let few = bytes::Bytes::from(crowded(EVENTS_MAX, LINKS_MAX).encode_to_vec());
    assert_eq!(trim(few.clone()).as_ptr(), few.as_ptr());
}

#[test]
fn very_many_empty_events_take_no_memory() {
    let few = crowded(1, 0).encode_to_vec();
    let empty = crowded(1, 0).resource_spans[0].scope_spans[0].spans[0].encode_to_vec();
    let span = [empty, [0x5a, 0x00].repeat(1_000_000)].concat();
    let within = |field: u8, bytes: &[u8]| {
        let mut whole = vec![(field << 3) | 2];
        prost::encoding::encode_varint(bytes.len() as u64, &mut whole);
        [whole.as_slice(), bytes].concat()
    };
    let export = within(1, &within(2, &within(2, &span)));
    let trimmed = trim(export.clone().into());
    let weight = |bytes: &[u8]| weigh(&mut bytes.to_vec(), Encoding::Protobuf, Signal::Traces, usize::MAX).unwrap().weight;
    assert!(weight(&export) > 50_000_000 && weight(&trimmed) < 1_000_000 + weight(&few), "{}", weight(&trimmed));
    let read = spans::read(decode(&trimmed, Encoding::Protobuf).unwrap(), project());
    // One event stood there before them.
    assert_eq!(read.spans[0].attributes[names::DROPPED_EVENTS], 1_000_001 - EVENTS_MAX);
}

#[test]
fn nothing_hides_behind_what_the_protocol_does_not_have() {
    // A group, which the decoder skips.
    for bytes in [&[0x0b, 0x0c][..], &[0x0a, 0x05, 0x00], &[0x80; 12]] {
        let weighed = weigh(&mut bytes.to_vec(), Encoding::Protobuf, Signal::Traces, usize::MAX);
        assert_eq!(weighed.unwrap_err().code, "otlp-malformed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever of an export is changed or cut off: what can be read of it is the same when too much was left out.
    #[test]
    fn a_changed_export_says_the_same_with_less(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        end in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = CROWDED.to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Some(end) = end {
            bytes.truncate(end.index(bytes.len() + 1));
        }
        let trimmed = trim(bytes.clone().into());
        let read = |bytes: &[u8]| decode(bytes, Encoding::Protobuf).ok().map(|export| spans::read(export, project()).spans);
        if let Some(spans) = read(&bytes) {
            prop_assert_eq!(read(&trimmed), Some(spans));
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_weighed_is_weighed_to_the_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for signal in [Signal::Traces, Signal::Logs, Signal::Metrics] {
            for encoding in [Encoding::Protobuf, Encoding::Json] {
                let weighed = weigh(&mut bytes.clone(), encoding, signal, 1 << 20);
                prop_assert!(weighed.as_ref().map_or_else(|problem| problem.code.len() > 3, |weighed| weighed.weight <= 1 << 20));
            }
        }
    }

    /// What decodes is weighed first, unless something in it is of no kind that the protocol has.
    #[test]
    fn a_changed_export_that_decodes_was_weighed(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = export().encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = decode::<ExportTraceServiceRequest>(&bytes, Encoding::Protobuf) {
            let spans: usize = read.resource_spans.iter().flat_map(|group| &group.scope_spans).map(|group| group.spans.len()).sum();
            match weigh(&mut bytes, Encoding::Protobuf, Signal::Traces, usize::MAX) {
                Ok(weighed) => prop_assert!(weighed.weight >= spans * size_of::<Span>()),
                Err(problem) => prop_assert_eq!(problem.code, "otlp-malformed"),
            }
        }
    }
}
