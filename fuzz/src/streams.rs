//! A streamed answer, told to clients of each dialect.

use std::collections::BTreeMap;

use mainspring_llm::{
    TokenUsage,
    exchange::{Dialect, Event},
};
use mainspring_providers::{anthropic, openai};
use serde_json::Value;

use crate::{answers::anthropic_tokens, is_json, is_shallow, places::Place};

/// Every client gets JSON in the order its dialect wants, and of a stream that came to its end all that was said.
pub fn check(events: &[Event]) {
    let ended = matches!(events.last(), Some(Event::Ended));
    chat(events, ended);
    responses(events, ended);
    messages(events, ended);
}

/// What all events together say was used.
#[must_use]
pub fn used(events: &[Event]) -> TokenUsage {
    let mut used = TokenUsage::default();
    for event in events {
        if let Event::Usage(later) = event {
            used.merge(later);
        }
    }
    used
}

/// The texts of each choice; of what a model refused too, where `refusals`.
fn texts(events: &[Event], refusals: bool) -> BTreeMap<u32, String> {
    let mut texts: BTreeMap<u32, String> = BTreeMap::new();
    for event in events {
        match event {
            Event::Text { choice, text, .. } => texts.entry(*choice).or_default().push_str(text),
            Event::Refusal { choice, text } if refusals => texts.entry(*choice).or_default().push_str(text),
            _ => {}
        }
    }
    texts.retain(|_, text| !text.is_empty());
    texts
}

fn chat(events: &[Event], ended: bool) {
    let mut writer = openai::chat::Writer::new(0, "m", true);
    let lines: Vec<String> = events.iter().flat_map(|event| writer.push(event.clone())).collect();
    let (last, chunks) = match lines.split_last() {
        Some((last, chunks)) if ended => (Some(last.as_str()), chunks),
        _ => (None, lines.as_slice()),
    };
    assert_eq!(last, ended.then_some("[DONE]"));
    chunks.iter().for_each(|chunk| is_json(chunk.as_bytes()));
    if ended {
        let stream: String = lines.iter().map(|line| format!("data: {line}\n\n")).collect();
        if let Some(again) = read_again(Dialect::OpenAiChat, &stream) {
            assert_eq!(texts(&again, false), texts(events, false), "{stream}");
        }
    }
}

fn responses(events: &[Event], ended: bool) {
    let mut writer = openai::responses::Writer::new(0, "m");
    let told: Vec<openai::responses::Named> = events.iter().flat_map(|event| writer.push(event.clone())).collect();
    for (number, named) in told.iter().enumerate() {
        is_json(named.data.as_bytes());
        let start = format!("{{\"type\":\"{}\",\"sequence_number\":{number},", named.event);
        assert!(named.data.starts_with(&start), "{} {number}: {}", named.event, named.data);
    }
    let Some(last) = told.last().filter(|_| ended) else { return };
    assert!(["response.completed", "response.incomplete"].contains(&last.event), "{}", last.event);
    if !is_shallow(last.data.as_bytes()) {
        return;
    }
    let whole: Value = serde_json::from_str(&last.data).expect("it is JSON");
    let items = whole["response"]["output"].as_array().expect("a list of items");
    let parts = items.iter().flat_map(|item| item["content"].as_array().into_iter().flatten());
    let said: String = parts.filter(|part| part["type"] == "output_text").filter_map(|part| part["text"].as_str()).collect();
    assert_eq!(said, texts(events, false).remove(&0).unwrap_or_default(), "{}", last.data);
}

fn messages(events: &[Event], ended: bool) {
    let mut writer = anthropic::Writer::new("m");
    let told: Vec<(&str, Value)> = events.iter().flat_map(|event| writer.write(event.clone())).collect();
    in_order(&told, ended);
    let stream: String = told.iter().map(|(name, data)| format!("event: {name}\ndata: {data}\n\n")).collect();
    told.iter().for_each(|(_, data)| is_json(data.to_string().as_bytes()));
    if !ended {
        return;
    }
    let used = used(events);
    let last = told.iter().rfind(|(name, _)| *name == "message_delta").map(|(_, data)| anthropic_tokens(&data["usage"]));
    assert_eq!(last, Some((u128::from(used.input), used.output)));
    if let Some(again) = read_again(Dialect::Anthropic, &stream) {
        let first = |events: &[Event], refusals| texts(events, refusals).remove(&0).unwrap_or_default();
        assert_eq!(first(&again, false), first(events, true), "{stream}");
    }
}

/// A message begins and ends, and blocks follow one another between: each begins, goes on and ends before the next.
fn in_order(told: &[(&str, Value)], ended: bool) {
    let (mut begun, mut closed) = (false, false);
    let (mut index, mut open) = (0_u32, false);
    for (place, (name, data)) in told.iter().enumerate() {
        assert_eq!(data["type"], *name);
        assert!(!closed, "{name} after the end");
        match *name {
            "message_start" => assert!(!std::mem::replace(&mut begun, true) && place == 0),
            "content_block_start" => {
                assert!(begun && !std::mem::replace(&mut open, true));
                assert_eq!(data["index"], index);
            }
            "content_block_delta" => assert!(open && data["index"] == index, "{data}"),
            "content_block_stop" => {
                assert!(std::mem::take(&mut open) && data["index"] == index, "{data}");
                index += 1;
            }
            "message_delta" => assert!(begun && !open),
            "ping" => assert!(begun),
            "message_stop" => closed = true,
            other => panic!("{other} is no event of this dialect"),
        }
    }
    assert_eq!(closed, ended);
}

/// What a client is told, as a provider of that dialect would have said it.
fn read_again(dialect: Dialect, stream: &str) -> Option<Vec<Event>> {
    if !stream.split("\n\n").all(|event| is_shallow(event.as_bytes())) {
        return None;
    }
    let place = Place::speaking(dialect);
    let (mut reader, mut events) = (place.adapter.events(&place.endpoint), Vec::new());
    let read = reader.push(stream.as_bytes(), &mut events).and_then(|()| reader.end(&mut events));
    if let Err(fault) = read {
        panic!("{fault}: {stream}");
    }
    Some(events)
}
