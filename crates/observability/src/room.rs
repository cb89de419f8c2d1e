//! How many bytes of spans may be in memory at once.

use std::sync::Arc;

use mainspring_llm::{
    Span,
    trace::{SpanLink, SpanStatus},
};
use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What an attribute takes beside its text.
const ATTRIBUTE: usize = 96;

/// A number of bytes, shared by everything that lies in one place.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    free: Arc<Semaphore>,
    whole: u32,
}

/// Some of the bytes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _taken: OwnedSemaphorePermit,
}

impl Room {
    pub(crate) fn of(bytes: usize) -> Self {
        let whole = u32::try_from(bytes).unwrap_or(u32::MAX).max(1);
        Self { free: Arc::new(Semaphore::new(whole as usize)), whole }
    }

    /// What is larger than all of it has the room for itself.
    fn share(&self, bytes: usize) -> u32 {
        u32::try_from(bytes).unwrap_or(u32::MAX).clamp(1, self.whole)
    }

    pub(crate) fn try_take(&self, bytes: usize) -> Option<Place> {
        let taken = Arc::clone(&self.free).try_acquire_many_owned(self.share(bytes)).ok()?;
        Some(Place { _taken: taken })
    }

    pub(crate) fn is_half_taken(&self) -> bool {
        self.free.available_permits() < self.whole as usize / 2
    }

    /// Waits until there is room.
    pub(crate) async fn take(&self, bytes: usize) -> Option<Place> {
        let taken = Arc::clone(&self.free).acquire_many_owned(self.share(bytes)).await.ok()?;
        Some(Place { _taken: taken })
    }
}

/// About how many bytes of memory a span takes.
pub(crate) fn weight(span: &Span) -> usize {
    let message = if let SpanStatus::Error(message) = &span.status { message.len() } else { 0 };
    let events: usize = span.events.iter().map(|event| event.name.len() + ATTRIBUTE + all(&event.attributes)).sum();
    let links: usize = span.links.iter().map(|link| size_of::<SpanLink>() + all(&link.attributes)).sum();
    size_of::<Span>() + span.name.len() + message + all(&span.attributes) + events + links
}

fn all(attributes: &Map<String, Value>) -> usize {
    attributes.iter().map(|(key, value)| ATTRIBUTE + key.len() + of(value)).sum()
}

fn of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| size_of::<Value>() + of(item)).sum(),
        Value::Object(fields) => all(fields),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_filled_and_emptied_and_nothing_is_too_large_for_an_empty_one() {
        let room = Room::of(100);
        let first = room.try_take(60).expect("there is room");
        assert!(room.try_take(41).is_none() && room.is_half_taken());
        let second = room.try_take(40).expect("there is room");
        assert!(room.try_take(1).is_none());
        drop((first, second));
        let large = room.try_take(1_000).expect("it has the room for itself");
        assert!(room.try_take(1).is_none());
        drop(large);
        assert!(!room.is_half_taken());
        assert!(room.try_take(100).is_some());
    }
}
