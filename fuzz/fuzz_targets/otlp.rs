//! Spans from outside, in protobuf and in JSON, packed or not: each is kept or counted, and both encodings say the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainspring_api_otlp::fuzzing::{Read, read, unpack};

const UNPACKED: usize = 256 * 1024;

fuzz_target!(|data: &[u8]| {
    let Some((how, body)) = data.split_first() else { return };
    let unpacked = (how & 2 != 0).then(|| unpack(body, UNPACKED)).flatten();
    assert!(unpacked.as_ref().is_none_or(|bytes| bytes.len() <= UNPACKED));
    let body = unpacked.as_deref().unwrap_or(body);
    let Some(Read { sent, spans, rejected, again }) = read(body, how & 1 != 0) else { return };
    assert_eq!(spans.len() + rejected, sent);
    assert!(spans.iter().all(|span| span.end >= span.start));
    assert!(spans.iter().all(|span| span.attributes.keys().all(|key| !key.starts_with("mainspring."))), "our words");
    // Protobuf's reader has a bound of its own on nesting.
    if let Some(same) = read(&again, false) {
        assert_eq!((same.spans, same.rejected), (spans, rejected));
    }
});
