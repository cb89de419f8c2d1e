//! Traces that wait for their outcome, and the outcomes of late.

use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use mainspring_kernel::id::ProjectId;
use mainspring_llm::{Span, trace::names};
use tokio::time::Instant;

use super::{Key, Tally};

/// Spans of other services come so long after the root has ended: they are sent in batches, every five seconds as a rule.
pub(super) const AFTER_ROOT: Duration = Duration::from_secs(6);
/// Traces whose outcome is remembered for spans that come late: so many, and as many before them.
const DECIDED_MAX: usize = 32_768;

/// A span that is held, and the file it lies in.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) span: Span,
    pub(super) bytes: usize,
    pub(super) file: Arc<PathBuf>,
}

/// A trace that waits for its outcome.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(super) key: Key,
    pub(super) spans: Vec<Held>,
    pub(super) due: Instant,
    /// Its number in the order in which traces came.
    pub(super) number: u64,
    /// Another process may have kept spans of it.
    pub(super) doubtful: bool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) traces: HashMap<Key, Waiting>,
    /// In the order in which they came; those that went are passed over.
    pub(super) order: VecDeque<(u64, Key)>,
    next: u64,
    pub(super) spans: usize,
    pub(super) bytes: usize,
    /// Something happened in them: they are on their way out.
    pub(super) wanted: Vec<Waiting>,
    /// How many of their spans nobody was told of yet.
    pub(super) announced: u64,
    pub(super) decided: Decided,
    pub(super) tallies: HashMap<ProjectId, Tally>,
}

/// Outcomes of late: of two generations the older one is forgotten when the newer one is full.
#[derive(Debug, Default)]
pub(super) struct Decided {
    now: HashMap<Key, bool>,
    before: HashMap<Key, bool>,
}

impl Decided {
    pub(super) fn get(&self, key: &Key) -> Option<bool> {
        self.now.get(key).or_else(|| self.before.get(key)).copied()
    }

    pub(super) fn put(&mut self, key: Key, kept: bool) {
        if self.now.len() >= DECIDED_MAX {
            self.before = std::mem::take(&mut self.now);
        }
        self.now.insert(key, kept);
    }
}

impl Waiting {
    pub(crate) const fn key(&self) -> Key {
        self.key
    }

    pub(crate) fn spans(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter().map(|held| &held.span)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.spans.iter().map(|held| held.bytes).sum()
    }
}

impl State {
    pub(super) fn hold(&mut self, held: Held, (now, hold): (Instant, Duration), doubtful: bool) {
        let key = (held.span.project, held.span.trace);
        let (bytes, is_root) = (held.bytes, held.span.parent.is_none() && !held.span.attributes.contains_key(names::SIGNAL));
        let number = self.next;
        let waiting =
            self.traces.entry(key).or_insert_with(|| Waiting { key, spans: Vec::new(), due: now + hold, number, doubtful });
        waiting.doubtful |= doubtful;
        if is_root {
            waiting.due = waiting.due.min(now + AFTER_ROOT);
        }
        waiting.spans.push(held);
        if waiting.number == number {
            self.order.push_back((number, key));
        }
        // One for each span is more than enough of them.
        self.next += 1;
        self.spans += 1;
        self.bytes += bytes;
        self.tidy();
    }

    pub(super) fn put(&mut self, waiting: Waiting) {
        self.spans += waiting.spans.len();
        self.bytes += waiting.spans.iter().map(|held| held.bytes).sum::<usize>();
        match self.traces.get_mut(&waiting.key) {
            Some(there) => {
                there.spans.extend(waiting.spans);
                there.doubtful |= waiting.doubtful;
            }
            None => {
                // It is the oldest again.
                self.order.push_front((waiting.number, waiting.key));
                self.traces.insert(waiting.key, waiting);
            }
        }
    }

    pub(super) fn take(&mut self, key: &Key) -> Option<Waiting> {
        let waiting = self.traces.remove(key)?;
        self.spans -= waiting.spans.len();
        self.bytes -= waiting.spans.iter().map(|held| held.bytes).sum::<usize>();
        Some(waiting)
    }

    /// Forgets the places of those that went, once they are the most.
    fn tidy(&mut self) {
        if self.order.len() > 64 + 2 * self.traces.len() {
            let traces = &self.traces;
            self.order.retain(|(number, key)| traces.get(key).is_some_and(|waiting| waiting.number == *number));
        }
    }
}
