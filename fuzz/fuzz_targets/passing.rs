//! Streams that pass through the gateway: however they are cut, clients get the same events, and the same is found in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainspring_fuzz::pieces;
use mainspring_gateway::fuzzing::{Scanned, scan};
use mainspring_providers::{
    Operation,
    sse::{Decoder, Frame},
};

fuzz_target!(|data: &[u8]| {
    let Some(([what, seed @ ..], stream)) = data.split_first_chunk::<3>() else { return };
    let operation = [Operation::Chat, Operation::Messages, Operation::Responses, Operation::Completions][usize::from(what % 4)];
    let strip = what & 4 != 0;
    let (whole, cut) = (scan(operation, strip, &[stream]), scan(operation, strip, &pieces(stream, *seed)));
    assert_eq!((&cut.found, &cut.fault), (&whole.found, &whole.fault));
    let (frames, same) = (frames(&whole), frames(&cut));
    assert_eq!(frames, same);
    let ends = |out: &[u8]| out.is_empty() || out.ends_with(b"\n\n") || out.ends_with(b"\r\n\r\n");
    assert!(ends(&whole.out) && ends(&cut.out), "an error can follow at any time");
});

fn frames(scanned: &Scanned) -> Vec<Frame> {
    let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
    decoder.push(&scanned.out, &mut frames).expect("a short stream");
    decoder.end(&mut frames).expect("a short stream");
    frames
}
