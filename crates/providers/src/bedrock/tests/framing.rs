//! AWS's binary framing.

use proptest::prelude::*;

use super::{framed, prelude};
use crate::bedrock::frames::{Decoder, Frame, FrameFault, LONGEST};

fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Result<bool, FrameFault>) {
    let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
    for chunk in chunks {
        if let Err(fault) = decoder.push(chunk, &mut frames) {
            assert_eq!(decoder.push(b"", &mut frames), Err(fault), "a fault stays");
            return (frames, Err(fault));
        }
    }
    (frames, Ok(decoder.is_at_rest()))
}

fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Frame {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Frame { headers: headers.collect(), payload: payload.to_vec() }
}

#[test]
fn published_frames_are_read() {
    // The two frames of AWS's own test data: an empty one, and one with a header and a payload.
    let empty = hex::decode("000000100000000005c248eb7d98c8ff").unwrap();
    let full = "0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e7b27666f6f273a27626172277d8d9c08b1";
    let full = hex::decode(full).unwrap();
    assert_eq!(decode([empty.as_slice()]), (vec![frame(&[], b"")], Ok(true)));
    let want = frame(&[("content-type", "application/json")], b"{'foo':'bar'}");
    assert_eq!(decode([full.as_slice()]), (vec![want.clone()], Ok(true)));
    assert_eq!(want.header("content-type"), Some("application/json"));
    assert_eq!(want.header("other"), None);
    assert_eq!(framed(&[("content-type", "application/json")], b"{'foo':'bar'}"), full);
}

#[test]
fn headers_of_every_type_are_passed_over() {
    let mut headers = Vec::new();
    let values: [(u8, &[u8]); 10] = [
        (0, b""),
        (1, b""),
        (2, &[1]),
        (3, &[1, 2]),
        (4, &[1, 2, 3, 4]),
        (5, &[0; 8]),
        (6, &[0, 3, 9, 9, 9]),
        (7, &[0, 2, b'o', b'k']),
        (8, &[0; 8]),
        (9, &[0; 16]),
    ];
    for (kind, value) in values {
        headers.extend_from_slice(&[1, b'a' + kind, kind]);
        headers.extend_from_slice(value);
    }
    let with = |headers: &[u8]| {
        let length = u32::try_from(headers.len()).unwrap();
        let mut bytes = prelude(16 + length, length);
        bytes.extend_from_slice(headers);
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        decode([bytes.as_slice()])
    };
    assert_eq!(with(&headers), (vec![frame(&[("h", "ok")], b"")], Ok(true)));
    for bad in
        [&[1][..], &[1, b'a'], &[1, b'a', 10], &[1, b'a', 4, 0], &[1, b'a', 7, 0, 9, b'x'], &[9, b'a', 0], &[1, 0xff, 7, 0, 0]]
    {
        assert_eq!(with(bad), (Vec::new(), Err(FrameFault::Headers)), "{bad:?}");
    }
}

#[test]
fn lengths_that_lie_are_not_waited_for() {
    let longest = u32::try_from(LONGEST).unwrap();
    for (length, headers) in
        [(0, 0), (15, 0), (16, 1), (40, 25), (longest + 1, 0), (u32::MAX, 0), (u32::MAX, u32::MAX), (longest, 131_073)]
    {
        let (frames, fault) = decode([prelude(length, headers).as_slice()]);
        assert_eq!((frames.len(), fault), (0, Err(FrameFault::Length { length, headers })));
    }
    // A false length with a checksum of its own still fails at the end.
    let mut bytes = prelude(40, 0);
    bytes.extend_from_slice(&[0; 27]);
    assert_eq!(decode([bytes.as_slice()]), (Vec::new(), Ok(false)));
    bytes.push(0);
    assert_eq!(decode([bytes.as_slice()]), (Vec::new(), Err(FrameFault::Checksum)));
    // Without it, at once.
    let mut bytes = prelude(40, 0);
    bytes[3] = 41;
    assert_eq!(decode([bytes.as_slice()]), (Vec::new(), Err(FrameFault::Prelude)));
}

#[test]
fn frames_before_a_broken_one_are_kept() {
    let good = framed(&[("a", "b")], b"x");
    let mut broken = good.clone();
    *broken.last_mut().unwrap() ^= 1;
    let both = [good.clone(), broken].concat();
    assert_eq!(decode([both.as_slice()]), (vec![frame(&[("a", "b")], b"x")], Err(FrameFault::Checksum)));
}

fn frames() -> impl Strategy<Value = Vec<(Vec<(String, String)>, Vec<u8>)>> {
    let headers = proptest::collection::vec(("[a-z:-]{1,12}", "\\PC{0,20}"), 0..4);
    proptest::collection::vec((headers, proptest::collection::vec(any::<u8>(), 0..60)), 1..5)
}

fn bytes_of(frames: &[(Vec<(String, String)>, Vec<u8>)]) -> Vec<u8> {
    let framed = frames.iter().map(|(headers, payload)| {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        framed(&headers, payload)
    });
    framed.collect::<Vec<_>>().concat()
}

proptest! {
    #[test]
    fn frames_cut_anywhere_are_read_whole(frames in frames(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let bytes = bytes_of(&frames);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let (mut chunks, mut from) = (Vec::new(), 0);
        for cut in cuts {
            chunks.push(&bytes[from..cut]);
            from = cut;
        }
        chunks.push(&bytes[from..]);
        let want: Vec<Frame> = frames.into_iter().map(|(headers, payload)| Frame { headers, payload }).collect();
        prop_assert_eq!(decode(chunks), (want.clone(), Ok(true)));
        prop_assert_eq!(decode(bytes.chunks(1)), (want, Ok(true)));
    }

    #[test]
    fn a_changed_byte_is_found(frames in frames(), at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let mut bytes = bytes_of(&frames);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let (read, fault) = decode([bytes.as_slice()]);
        prop_assert!(fault.is_err());
        prop_assert!(read.len() < frames.len());
    }

    #[test]
    fn a_cut_stream_is_not_at_rest(frames in frames(), at in any::<prop::sample::Index>()) {
        let bytes = bytes_of(&frames);
        let at = at.index(bytes.len());
        let (read, rest) = decode([&bytes[..at]]);
        let whole = bytes_of(&frames[..read.len()]).len();
        prop_assert_eq!(rest, Ok(whole == at));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..8)) {
        let _ = decode(chunks.iter().map(Vec::as_slice));
    }
}
