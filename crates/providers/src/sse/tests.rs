use bytes::Bytes;
use proptest::prelude::*;

use super::{Decoder, Events, Frame, LONGEST, SseFault, data, name};

fn frame(event: &str, data: &str) -> Frame {
    Frame { event: (!event.is_empty()).then(|| event.to_owned()), data: data.to_owned() }
}

fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Frame>, SseFault> {
    let (mut decoder, mut out) = (Decoder::default(), Vec::new());
    for chunk in chunks {
        decoder.push(chunk, &mut out)?;
    }
    decoder.end(&mut out)?;
    Ok(out)
}

fn split<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Bytes>, SseFault> {
    let (mut events, mut out) = (Events::default(), Vec::new());
    for chunk in chunks {
        events.split(&Bytes::copy_from_slice(chunk), &mut out)?;
    }
    out.extend(events.end());
    Ok(out)
}

/// The frame of an event that `Events` found, read without the decoder.
fn seen(event: &[u8]) -> Option<Frame> {
    let data = String::from_utf8_lossy(&data(event)?).into_owned();
    Some(Frame { event: name(event).map(|name| String::from_utf8_lossy(name).into_owned()), data })
}

#[track_caller]
fn check(stream: &str, want: &[Frame]) {
    assert_eq!(decode([stream.as_bytes()]).unwrap(), want, "whole: {stream:?}");
    let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
    assert_eq!(decode(bytes.iter().copied()).unwrap(), want, "byte by byte: {stream:?}");
    let found: Vec<Frame> = split(bytes).unwrap().iter().filter_map(|event| seen(event)).collect();
    assert_eq!(found, want, "by `Events`: {stream:?}");
}

#[test]
fn a_stream_is_read_as_the_standard_says() {
    check("", &[]);
    check("data: a\n\n", &[frame("", "a")]);
    check("data: a\r\rdata: b\r\n\r\ndata: c\n\n", &[frame("", "a"), frame("", "b"), frame("", "c")]);
    check("data: a\r\n\ndata: b\n\r\n", &[frame("", "a"), frame("", "b")]);
    check("data: a\ndata: b\ndata\ndata:\n\n", &[frame("", "a\nb\n\n")]);
    check("data:a\n\ndata:  a\n\n", &[frame("", "a"), frame("", " a")]);
    check("event: add\ndata: 1\n\ndata: 2\n\n", &[frame("add", "1"), frame("", "2")]);
    check("event: add\nevent: remove\ndata: 1\n\n", &[frame("remove", "1")]);
    check("event: add\nevent\ndata: 1\n\n", &[frame("", "1")]);
    check(": a comment\n\n:\n\ndata: a\n: within\n\n", &[frame("", "a")]);
    check("id: 7\nretry: 100\nfield: x\ndata: a\n\n", &[frame("", "a")]);
    check("Data: a\n data: b\n\n", &[]);
    check("data\n\n", &[frame("", "")]);
    check("data:\n\n", &[frame("", "")]);
    check("data: a:b: c\n\n", &[frame("", "a:b: c")]);
    check("\n\n\r\n\rdata: a\n\n\n\n", &[frame("", "a")]);
}

#[test]
fn an_event_without_data_is_dropped_and_its_name_is_forgotten() {
    check("event: ping\n\ndata: a\n\n", &[frame("", "a")]);
}

#[test]
fn a_byte_order_mark_is_taken_off_the_start_and_nowhere_else() {
    check("\u{feff}data: a\n\n\u{feff}data: b\n\n", &[frame("", "a")]);
    check("\n\u{feff}data: a\n\ndata: b\n\n", &[frame("", "b")]);
    check("\u{feff}\u{feff}data: a\n\ndata: b\n\n", &[frame("", "b")]);
    check("\u{feff}\n\ndata: \u{feff}b\n\n", &[frame("", "\u{feff}b")]);
}

#[test]
fn characters_cut_between_chunks_come_out_whole() {
    check("event: größe\ndata: 漢字 🦀\n\n", &[frame("größe", "漢字 🦀")]);
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    assert_eq!(decode([&b"data: a\xff\xfeb\n\n"[..]]).unwrap(), [frame("", "a\u{fffd}\u{fffd}b")]);
}

#[test]
fn a_frame_is_given_as_soon_as_its_blank_line_has_begun() {
    let (mut decoder, mut out) = (Decoder::default(), Vec::new());
    decoder.push(b"data: a\r\n\r", &mut out).unwrap();
    assert_eq!(out, [frame("", "a")]);
    decoder.push(b"\ndata: b\n", &mut out).unwrap();
    assert_eq!(out.len(), 1);
    decoder.push(b"\n", &mut out).unwrap();
    assert_eq!(out, [frame("", "a"), frame("", "b")]);

    let (mut events, mut out) = (Events::default(), Vec::new());
    events.split(&Bytes::from_static(b"data: a\r\n\r"), &mut out).unwrap();
    assert_eq!(out, [&b"data: a"[..]]);
    events.split(&Bytes::from_static(b"\n"), &mut out).unwrap();
    assert_eq!((out.len(), events.end()), (1, None));
}

#[test]
fn the_end_takes_whole_lines_and_drops_a_cut_one() {
    check("data: [DONE]\n", &[frame("", "[DONE]")]);
    assert_eq!(decode([&b"data: a\ndata: b"[..]]).unwrap(), [frame("", "a")]);
    assert_eq!(decode([&b"data: a"[..]]).unwrap(), []);
}

#[test]
fn a_line_of_ten_megabytes_passes() {
    let text = "x".repeat(10_000_000);
    let stream = format!("data: {text}\n\ndata: after\n\n");
    for size in [1_000, 65_536, stream.len()] {
        let frames = decode(stream.as_bytes().chunks(size)).unwrap();
        assert_eq!(frames.len(), 2);
        assert!(frames[0].data == text && frames[1].data == "after", "in chunks of {size}");
        let events = split(stream.as_bytes().chunks(size)).unwrap();
        assert_eq!(events.iter().map(Bytes::len).collect::<Vec<_>>(), [text.len() + 6, 11]);
    }
}

#[test]
fn an_endless_line_is_refused_before_it_fills_the_memory() {
    let chunk = Bytes::from(vec![b'x'; 1024 * 1024]);
    let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
    let (mut events, mut found) = (Events::default(), Vec::new());
    let (mut decoded, mut splitted) = (0, 0);
    while decoder.push(&chunk, &mut frames).is_ok() {
        decoded += chunk.len();
    }
    while events.split(&chunk, &mut found).is_ok() {
        splitted += chunk.len();
    }
    assert_eq!((decoded, splitted), (LONGEST, LONGEST));
    assert_eq!((decoder.line.capacity(), events.begun.capacity()), (0, 0));
    assert_eq!(decoder.push(b"\n\ndata: a\n\n", &mut frames), Err(SseFault::LineTooLong { limit: LONGEST }));
    assert_eq!(events.split(&Bytes::from_static(b"\n\n"), &mut found), Err(SseFault::EventTooLong { limit: LONGEST }));
    assert_eq!(decoder.end(&mut frames), Err(SseFault::LineTooLong { limit: LONGEST }));
    assert!(frames.is_empty() && found.is_empty());
}

#[test]
fn an_event_of_endless_lines_is_refused_too() {
    let (mut decoder, mut frames) = (Decoder::limited(1_000), Vec::new());
    let fault = (0..).find_map(|_| decoder.push(b"data: twenty bytes of data\n", &mut frames).err());
    assert_eq!(fault, Some(SseFault::EventTooLong { limit: 1_000 }));
}

#[test]
fn events_in_one_chunk_are_not_copied() {
    let chunk = Bytes::from_static(b"data: a\n\nevent: b\ndata: c\n\n");
    let (mut events, mut out) = (Events::default(), Vec::new());
    events.split(&chunk, &mut out).unwrap();
    assert_eq!(out, [&b"data: a"[..], b"event: b\ndata: c"]);
    assert_eq!((out[0].as_ptr(), out[1].as_ptr()), (chunk.as_ptr(), chunk[9..].as_ptr()));
    assert!(matches!(data(&out[1]), Some(std::borrow::Cow::Borrowed(b"c"))));
}

/// Bytes that mean something to the decoder are common; others occur.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(b"data: ".to_vec()),
        2 => Just(b"event: ".to_vec()),
        2 => Just(b"\n".to_vec()),
        2 => Just(b"\n\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b"\r\n".to_vec()),
        1 => Just(b":".to_vec()),
        1 => Just(b" ".to_vec()),
        1 => Just("\u{feff}".as_bytes().to_vec()),
        1 => Just("ü漢🦀".as_bytes().to_vec()),
        2 => proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn cut<'a>(bytes: &'a [u8], at: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = at.iter().map(|index| index.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    let mut chunks = Vec::new();
    let mut from = 0;
    for place in places {
        chunks.push(&bytes[from..place]);
        from = place;
    }
    chunks.push(&bytes[from..]);
    chunks
}

fn decode_within<'a>(limit: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<SseFault>) {
    let (mut decoder, mut out) = (Decoder::limited(limit), Vec::new());
    for chunk in chunks {
        if let Err(fault) = decoder.push(chunk, &mut out) {
            return (out, Some(fault));
        }
        assert!(decoder.line.len() <= limit && decoder.data.len() <= limit);
    }
    let fault = decoder.end(&mut out).err();
    (out, fault)
}

fn split_within<'a>(limit: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Bytes>, Option<SseFault>) {
    let (mut events, mut out) = (Events::limited(limit), Vec::new());
    for chunk in chunks {
        if let Err(fault) = events.split(&Bytes::copy_from_slice(chunk), &mut out) {
            return (out, Some(fault));
        }
        assert!(events.begun.len() <= limit);
    }
    out.extend(events.end());
    (out, None)
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same_frames(stream in streams(), at in proptest::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        prop_assert_eq!(decode(cut(&stream, &at)), decode([&stream[..]]));
        prop_assert_eq!(split(cut(&stream, &at)), split([&stream[..]]));
    }

    #[test]
    fn limits_hold_and_fall_at_the_same_place_however_the_stream_is_cut(
        stream in streams(), limit in 0_usize..40, at in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        prop_assert_eq!(decode_within(limit, cut(&stream, &at)), decode_within(limit, [&stream[..]]));
        prop_assert_eq!(split_within(limit, cut(&stream, &at)), split_within(limit, [&stream[..]]));
    }

    #[test]
    fn looking_at_events_finds_what_the_decoder_reads(mut stream in streams()) {
        stream.extend_from_slice(b"\n\n");
        let found: Vec<Frame> = split([&stream[..]]).unwrap().iter().filter_map(|event| seen(event)).collect();
        prop_assert_eq!(found, decode([&stream[..]]).unwrap());
    }

    #[test]
    fn bytes_of_any_kind_never_panic(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20)) {
        let _ = decode(chunks.iter().map(Vec::as_slice));
        for event in split(chunks.iter().map(Vec::as_slice)).unwrap() {
            let _ = (data(&event), name(&event));
        }
    }

    #[test]
    fn a_frame_written_is_the_frame_read(
        events in proptest::collection::vec((proptest::option::of("[a-z_.]{1,12}"), "[^\r]{0,60}"), 0..8),
        at in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut stream = String::new();
        for (event, data) in &events {
            if let Some(event) = event {
                stream.push_str(&format!("event: {event}\n"));
            }
            for line in data.split('\n') {
                stream.push_str(&format!("data: {line}\n"));
            }
            stream.push('\n');
        }
        let want: Vec<Frame> = events.into_iter().map(|(event, data)| Frame { event, data }).collect();
        prop_assert_eq!(decode(cut(stream.as_bytes(), &at)).unwrap(), want);
    }
}
