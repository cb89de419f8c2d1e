//! Server-sent events: cut anywhere they are the same, and however long a stream is, little of it is held.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mainspring_fuzz::{memory, pieces};
use mainspring_providers::sse::{self, Decoder, Events, Frame, SseFault};

/// Bytes of a stream that is repeated until it is long.
const LONG: usize = 64 * 1024;
/// Beyond its limit a reader holds this much at most: what it was given, and what it gives.
const HELD: usize = 24 * 1024;

fuzz_target!(|data: &[u8]| {
    let Some(([limit, seed @ ..], stream)) = data.split_first_chunk::<3>() else { return };
    let limit = if *limit < 128 { usize::from(*limit) } else { sse::LONGEST };
    let cut = pieces(stream, *seed);
    assert_eq!(decoded(limit, &cut), decoded(limit, &[stream]));
    assert_eq!(split(limit, &cut), split(limit, &[stream]));
    agree(stream);
    if limit < 128 && !stream.is_empty() {
        is_held_little(limit, &cut, LONG / stream.len() + 1);
    }
});

fn decoded(limit: usize, pieces: &[&[u8]]) -> (Vec<Frame>, Option<SseFault>) {
    let (mut decoder, mut frames) = (Decoder::limited(limit), Vec::new());
    for piece in pieces {
        if let Err(fault) = decoder.push(piece, &mut frames) {
            assert_eq!(decoder.push(b"data: x\n\n", &mut Vec::new()), Err(fault), "a fault stays");
            return (frames, Some(fault));
        }
    }
    let fault = decoder.end(&mut frames).err();
    assert!(frames.iter().all(|frame| frame.data.len() <= limit), "a frame beyond the limit");
    (frames, fault)
}

fn split(limit: usize, pieces: &[&[u8]]) -> (Vec<Bytes>, Option<SseFault>) {
    let (mut events, mut found) = (Events::limited(limit), Vec::new());
    for piece in pieces {
        if let Err(fault) = events.split(&Bytes::copy_from_slice(piece), &mut found) {
            return (found, Some(fault));
        }
    }
    found.extend(events.end());
    assert!(found.iter().all(|event| event.len() <= limit && !event.is_empty()), "an event beyond the limit");
    (found, None)
}

/// Looking at events on their way finds what reading them finds.
fn agree(stream: &[u8]) {
    let stream = [stream, b"\n\n"].concat();
    let (frames, fault) = decoded(sse::LONGEST, &[&stream[..]]);
    let (events, other) = split(sse::LONGEST, &[&stream[..]]);
    assert_eq!((fault, other), (None, None));
    let seen = |event: &Bytes| {
        let data = String::from_utf8_lossy(&sse::data(event)?).into_owned();
        Some(Frame { event: sse::name(event).map(|name| String::from_utf8_lossy(name).into_owned()), data })
    };
    assert_eq!(events.iter().filter_map(seen).collect::<Vec<_>>(), frames);
}

fn is_held_little(limit: usize, cut: &[&[u8]], times: usize) {
    let ((), held) = memory::most(|| {
        let mut decoder = Decoder::limited(limit);
        for piece in std::iter::repeat_n(cut, times).flatten() {
            let mut frames = Vec::new();
            if decoder.push(piece, &mut frames).is_err() {
                break;
            }
        }
    });
    assert!(held < HELD, "{held} bytes of the decoder");
    let ((), held) = memory::most(|| {
        let mut events = Events::limited(limit);
        for piece in std::iter::repeat_n(cut, times).flatten() {
            let mut found = Vec::new();
            if events.split(&Bytes::copy_from_slice(piece), &mut found).is_err() {
                break;
            }
        }
    });
    assert!(held < HELD, "{held} bytes of the events");
}
