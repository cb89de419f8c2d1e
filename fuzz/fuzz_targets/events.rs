//! Streamed answers of every kind of provider: cut anywhere they are the same, and clients of every dialect are told them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainspring_fuzz::{pieces, places::Place, streams, usage};
use mainspring_llm::exchange::{Dialect, Event};

fuzz_target!(|data: &[u8]| {
    let Some(([place, framed, seed @ ..], stream)) = data.split_first_chunk::<4>() else { return };
    let place = Place::numbered(*place);
    let made = (place.adapter.dialect() == Dialect::Bedrock && framed % 4 != 0).then(|| frames(stream));
    let stream = made.as_deref().unwrap_or(stream);
    let (events, went) = read(place, &[stream]);
    assert_eq!(read(place, &pieces(stream, *seed)), (events.clone(), went.clone()));
    if went.is_ok() {
        assert_eq!(events.last(), Some(&Event::Ended));
    } else {
        assert!(!events.contains(&Event::Ended), "an answer that is none");
    }
    usage::check(&streams::used(&events));
    streams::check(&events);
});

fn read(place: &Place, pieces: &[&[u8]]) -> (Vec<Event>, Result<(), String>) {
    let (mut reader, mut events) = (place.adapter.events(&place.endpoint), Vec::new());
    for piece in pieces {
        if let Err(fault) = reader.push(piece, &mut events) {
            place.keeps_secrets(&fault);
            return (events, Err(fault.to_string()));
        }
    }
    let went = reader.end(&mut events).map_err(|fault| {
        place.keeps_secrets(&fault);
        fault.to_string()
    });
    (events, went)
}

/// AWS's frames have checksums that no mutation hits. Each line is one: its headers, a tab, its payload.
fn frames(lines: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let end = line.iter().position(|byte| *byte == b'\t').unwrap_or(line.len());
        let (headers, payload) = (&line[..end], line.get(end + 1..).unwrap_or_default());
        let headers: Vec<u8> = headers.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).flat_map(header).collect();
        let length = 16 + headers.len() + payload.len();
        let mut frame = u32::try_from(length).expect("a short frame").to_be_bytes().to_vec();
        frame.extend(u32::try_from(headers.len()).expect("short headers").to_be_bytes());
        frame.extend(crc32fast::hash(&frame).to_be_bytes());
        frame.extend(headers);
        frame.extend_from_slice(payload);
        frame.extend(crc32fast::hash(&frame).to_be_bytes());
        stream.extend(frame);
    }
    stream
}

/// `name=value` is a text; a word without a value is the bytes of a header.
fn header(word: &[u8]) -> Vec<u8> {
    let Some(at) = word.iter().position(|byte| *byte == b'=') else { return word.to_vec() };
    let (name, value) = (&word[..at.min(255)], &word[at + 1..]);
    let mut header = vec![name.len() as u8];
    header.extend_from_slice(name);
    header.push(7);
    header.extend((value.len().min(65_535) as u16).to_be_bytes());
    header.extend_from_slice(&value[..value.len().min(65_535)]);
    header
}
