//! Streams, as they came and cut anywhere, and what clients of each dialect get of them.

use mainspring_llm::{TokenUsage, exchange::Event};
use mainspring_testservers::recordings::Recording;

use super::{adapter_of, answered, answers::Surface, check_each, endpoint, folded, is_decoded, said, said::Used, same};

fn streams() -> impl Iterator<Item = &'static Recording> {
    answered().filter(|one| one.is_streamed() && is_decoded(one.api))
}

/// All events of a stream that comes in pieces of this size.
fn read(recording: &Recording, size: usize) -> Result<Vec<Event>, String> {
    let endpoint = endpoint(recording);
    let mut reader = adapter_of(&endpoint).events(&endpoint);
    let mut events = Vec::new();
    for piece in recording.response.chunks(size) {
        reader.push(piece, &mut events).map_err(|fault| fault.to_string())?;
    }
    reader.end(&mut events).map_err(|fault| fault.to_string())?;
    Ok(events)
}

#[test]
fn every_stream_is_the_same_however_it_is_cut() {
    check_each(streams(), |one| {
        let whole = read(one, usize::MAX)?;
        for size in [1, 7, 61, 1024] {
            same(&format!("in pieces of {size}"), &read(one, size)?, &whole)?;
        }
        Ok(())
    });
}

#[test]
fn every_stream_begins_once_finishes_once_and_ends() {
    check_each(streams(), |one| {
        let events = read(one, usize::MAX)?;
        let count = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
        let began = count(|event| matches!(event, Event::Began { .. }));
        let finished = count(|event| matches!(event, Event::Finished { choice: 0, .. }));
        let ended = count(|event| matches!(event, Event::Ended));
        same("began, finished, ended", &(began, finished, ended), &(1, 1, 1))?;
        let told = |event: &Event| !matches!(event, Event::Other { .. } | Event::Usage(_) | Event::Ping);
        let first = events.iter().find(|event| told(event));
        same("comes first", &first.is_some_and(|event| matches!(event, Event::Began { .. })), &true)?;
        same("comes last", &events.last(), &Some(&Event::Ended))
    });
}

#[test]
fn every_stream_says_what_it_used() {
    check_each(streams(), |one| {
        let mut used: Option<TokenUsage> = None;
        for event in read(one, usize::MAX)? {
            if let Event::Usage(more) = event {
                used.get_or_insert_default().merge(&more);
            }
        }
        same("used", &used.map(Used::from), &said::of(one.api, &folded::whole(one)).used)
    });
}

#[test]
fn clients_of_every_dialect_get_what_a_stream_says() {
    check_each(streams(), |one| {
        let events = read(one, usize::MAX)?;
        let theirs = said::of(one.api, &folded::whole(one));
        Surface::ALL.into_iter().try_for_each(|surface| surface.check_stream(events.clone(), theirs.clone()))
    });
}
