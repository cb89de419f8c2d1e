//! Which spans were stored lately: what a sender repeats is stored again until it is compared with the table, and told once.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

use mainspring_llm::Span;

/// Spans that are remembered at least; twice as many at most, of some ten bytes each. Who repeats something does so within seconds.
const REMEMBERED: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Lately {
    most: usize,
    hasher: RandomState,
    memory: Mutex<Memory>,
}

/// By what their ids come to: that two of a million come to the same is not to be expected in a million years.
#[derive(Debug, Default)]
struct Memory {
    now: HashSet<u64>,
    /// Those before them.
    before: HashSet<u64>,
}

impl Default for Lately {
    fn default() -> Self {
        Self::of(REMEMBERED)
    }
}

impl Lately {
    fn of(most: usize) -> Self {
        Self { most, hasher: RandomState::new(), memory: Mutex::default() }
    }

    /// Spans that are about to be stored. Until they are, none is remembered for good.
    pub(crate) fn storing(&self) -> Storing<'_> {
        Storing { lately: self, new: Vec::new() }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Answers whether it was not there.
    fn take_in(&mut self, key: u64, most: usize) -> bool {
        if self.before.contains(&key) || !self.now.insert(key) {
            return false;
        }
        if self.now.len() >= most {
            self.before = std::mem::take(&mut self.now);
        }
        true
    }
}

/// What is not stored after all is new when it comes again.
#[derive(Debug)]
pub(crate) struct Storing<'a> {
    lately: &'a Lately,
    new: Vec<u64>,
}

impl Storing<'_> {
    /// Whether a span was not stored lately, and is not among these already.
    pub(crate) fn is_new(&mut self, span: &Span) -> bool {
        let key = self.lately.hasher.hash_one((span.project, span.trace, span.span));
        let is_new = self.lately.memory().take_in(key, self.lately.most);
        if is_new {
            self.new.push(key);
        }
        is_new
    }

    pub(crate) fn stored(mut self) {
        self.new.clear();
    }
}

impl Drop for Storing<'_> {
    fn drop(&mut self) {
        if self.new.is_empty() {
            return;
        }
        let mut memory = self.lately.memory();
        for key in &self.new {
            let _ = memory.now.remove(key) || memory.before.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::{Timestamp, id::ProjectId};
    use mainspring_llm::{
        SpanId, TraceId,
        trace::{SpanKind, SpanStatus},
    };

    use super::*;

    fn span(number: u8) -> Span {
        Span {
            project: ProjectId::from_raw(7),
            trace: TraceId::from_slice(&[1; 16]).unwrap(),
            span: SpanId::from_slice(&[number; 8]).unwrap(),
            parent: None,
            name: "chat".into(),
            kind: SpanKind::Client,
            start: Timestamp::from_micros(1),
            end: Timestamp::from_micros(1),
            status: SpanStatus::Ok,
            attributes: serde_json::Map::new(),
            events: vec![],
            links: vec![],
        }
    }

    #[test]
    fn a_span_is_new_once_unless_it_was_not_stored_and_the_oldest_are_forgotten() {
        let lately = Lately::of(3);
        let mut lost = lately.storing();
        assert!(lost.is_new(&span(1)) && !lost.is_new(&span(1)));
        drop(lost);
        let mut storing = lately.storing();
        assert!(storing.is_new(&span(1)), "it was not stored");
        storing.stored();
        let mut others = lately.storing();
        assert!(!others.is_new(&span(1)));
        let mut other = span(1);
        other.project = ProjectId::from_raw(8);
        assert!(others.is_new(&other), "anybody may send any id");
        assert!((2..=3).all(|number| others.is_new(&span(number))));
        assert!(!others.is_new(&span(1)), "three are remembered at least");
        assert!((4..=6).all(|number| others.is_new(&span(number))));
        assert!(others.is_new(&span(1)), "six others came since");
        others.stored();
    }
}
