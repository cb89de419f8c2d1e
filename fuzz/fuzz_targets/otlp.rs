//! Spans, logs and metrics from outside, in protobuf and in JSON, packed in any way, in gRPC's frame or not: each record is
//! kept or counted, and both encodings say the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainspring_api_otlp::fuzzing::{Read, message, read, read_logs, read_metrics, unpack};

const UNPACKED: usize = 256 * 1024;

/// Bits of the first byte: JSON, packed; two for the packing, two for the kind of export, one for gRPC's frame.
fuzz_target!(|data: &[u8]| {
    let Some((how, body)) = data.split_first() else { return };
    let packing = match how >> 2 & 3 {
        // What the first corpora had.
        0 => 1,
        other => usize::from(other) % 4,
    };
    let opened = match (how & 64 != 0, how & 2 != 0) {
        (true, packed) => message(body, if packed { packing } else { 0 }, UNPACKED),
        (false, true) => unpack(body, packing, UNPACKED),
        (false, false) => None,
    };
    assert!(opened.as_ref().is_none_or(|bytes| bytes.len() <= UNPACKED));
    let body = opened.as_deref().unwrap_or(body);
    let reader = [read, read_logs, read_metrics, read][usize::from(how >> 4 & 3)];
    let Some(Read { sent, spans, points, rejected, again }) = reader(body, how & 1 != 0) else { return };
    assert_eq!(spans.len() + points + rejected, sent);
    assert!(spans.iter().all(|span| span.end >= span.start));
    assert!(spans.iter().all(|span| span.attributes.keys().all(|key| !key.starts_with("mainspring."))), "our words");
    // Protobuf's reader has a bound of its own on nesting.
    if let Some(same) = reader(&again, false) {
        assert_eq!((same.spans, same.points, same.rejected), (spans, points, rejected));
    }
});
