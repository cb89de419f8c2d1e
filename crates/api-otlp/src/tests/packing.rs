//! How bodies come, and bodies made to take more than they are.

use std::io::Write;

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use http::HeaderValue;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    metrics::v1::metric::Data,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use proptest::prelude::*;
use prost::Message;
use serde_json::json;

use super::{example, export, project};
use crate::{
    request::{Encoding, Packing, decode, decode_leniently, unpack},
    signal::Signal,
    spans,
    weigh::weigh,
};

const TEXT: usize = 1_000_000;

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

#[test]
fn nothing_hides_behind_what_the_protocol_does_not_have() {
    // A group, which the decoder skips.
    for bytes in [&[0x0b, 0x0c][..], &[0x0a, 0x05, 0x00], &[0x80; 12]] {
        let weighed = weigh(&mut bytes.to_vec(), Encoding::Protobuf, Signal::Traces, usize::MAX);
        assert_eq!(weighed.unwrap_err().code, "otlp-malformed");
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
