//! What chat says and the exchange has no word for, as it travels through `Part::Other` and `Event::Other`.
//!
//! A part's value is a content part where it has a `type`, a whole message where it has a `role`, and otherwise fields of
//! the message it stands in. An event's value has either `choice` and `delta`, or `chunk`: fields of the chunk itself.

use mainspring_llm::exchange::{Dialect, Event, Part};
use serde_json::{Map, Value, json};

const SAID_IN: Dialect = Dialect::OpenAiChat;

/// What a part's value is.
pub(super) enum Kind<'a> {
    Message,
    Content,
    Fields(&'a Map<String, Value>),
}

pub(super) fn kind(value: &Value) -> Kind<'_> {
    match value.as_object() {
        Some(map) if map.contains_key("role") => Kind::Message,
        Some(map) if !map.contains_key("type") => Kind::Fields(map),
        _ => Kind::Content,
    }
}

pub(super) fn part(value: Value) -> Part {
    Part::Other { said_in: SAID_IN, value }
}

/// Fields of a message, if there are any that say something.
pub(super) fn fields(mut map: Map<String, Value>) -> Option<Part> {
    map.retain(|_, value| !value.is_null());
    (!map.is_empty()).then(|| part(Value::Object(map)))
}

pub(super) fn delta(choice: u32, mut map: Map<String, Value>) -> Option<Event> {
    map.retain(|_, value| !value.is_null());
    (!map.is_empty()).then(|| Event::Other { said_in: SAID_IN, value: json!({"choice": choice, "delta": map}) })
}

pub(super) fn chunk(map: Map<String, Value>) -> Event {
    Event::Other { said_in: SAID_IN, value: json!({"chunk": map}) }
}

/// What an event's value is.
pub(super) enum Streamed {
    Delta(u32, Map<String, Value>),
    Chunk(Map<String, Value>),
}

pub(super) fn streamed(mut value: Value) -> Option<Streamed> {
    if let Some(Value::Object(map)) = value.get_mut("chunk").map(Value::take) {
        return Some(Streamed::Chunk(map));
    }
    let choice = value.get("choice").and_then(Value::as_u64).and_then(|choice| u32::try_from(choice).ok())?;
    match value.get_mut("delta").map(Value::take) {
        Some(Value::Object(map)) => Some(Streamed::Delta(choice, map)),
        _ => None,
    }
}
