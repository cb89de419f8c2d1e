//! Traces of which rows were added and no entry, and those that were adopted of late.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainspring_kernel::{Clock, Timestamp};

use crate::{conventions::counted::Id, sampling::Key};

/// Traces that wait, of some 100 bytes each; of more, the oldest are looked at sooner.
const MOST: usize = 100_000;
/// Whoever had compared a batch with the table before a trace was adopted has added it by then, or knows that it took long.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Adding a batch took long: who adopted a trace of it meanwhile may have looked at it for the last time.
const LONG: Duration = Duration::from_secs(300);

/// Of which traces no entry has come.
#[derive(Debug)]
pub(crate) struct Orphans {
    clock: Arc<dyn Clock>,
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    waiting: HashMap<Key, Waiting>,
    /// In the order in which something came to them last; places that are not theirs any more are passed over.
    order: VecDeque<(u64, Key)>,
    next: u64,
    /// To be looked at without waiting.
    due: Vec<Key>,
    /// Traces that are looked at, and those that were adopted, with when.
    adopted: HashMap<Key, Timestamp>,
    /// What is not known here is looked for in the table.
    missed: bool,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    since: Timestamp,
}

impl Orphans {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self::within(clock, MOST)
    }

    pub(crate) fn within(clock: Arc<dyn Clock>, most: usize) -> Self {
        // Nobody knows what an earlier process added last.
        let state = State {
            waiting: HashMap::new(),
            order: VecDeque::new(),
            next: 0,
            due: Vec::new(),
            adopted: HashMap::new(),
            missed: true,
        };
        Self { clock, most, state: Mutex::new(state) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Rows are about to be added, of these traces, with whether an entry is among them. If it comes to nothing, they are
    /// looked at for nothing; `relieved` are rows whose traces have no entry until they are.
    pub(crate) fn adding(&self, traces: &HashMap<Key, bool>, relieved: &[Id]) {
        let without = traces.iter().filter(|(_, entered)| !**entered).map(|(key, _)| *key);
        self.wait(without.chain(relieved.iter().map(|id| (id.0, id.1))));
    }

    /// They were added. `compared`: when the table was asked what it has of them; another server may have adopted one since.
    pub(crate) fn added(&self, traces: &HashMap<Key, bool>, compared: Timestamp) {
        let took_long = self.now().since(compared) >= LONG;
        let mut state = self.state();
        for key in traces.iter().filter(|(_, entered)| **entered).map(|(key, _)| key) {
            state.waiting.remove(key);
            // It came while the trace was looked at, or after that.
            if state.adopted.remove(key).is_some() || took_long {
                state.due.push(*key);
            }
        }
        state.tidy();
    }

    /// Something has come to these traces, and no entry that is known of.
    pub(crate) fn wait(&self, traces: impl Iterator<Item = Key>) {
        let now = self.now();
        let mut state = self.state();
        for key in traces {
            state.wait(key, now);
        }
        while state.waiting.len() > self.most && state.crowd_out(self.most) {}
        state.tidy();
    }

    /// Traces to be looked at, some at a time: those to which nothing came for so long.
    pub(crate) fn take(&self, after: Duration, at_once: usize) -> Vec<Key> {
        let now = self.now();
        let mut state = self.state();
        let first = state.due.len().min(at_once);
        let mut taken: Vec<Key> = state.due.drain(..first).collect();
        while taken.len() < at_once
            && let Some((number, key)) = state.order.front().copied()
        {
            let since = state.waiting.get(&key).filter(|waiting| waiting.number == number).map(|waiting| waiting.since);
            if since.is_some_and(|since| now.since(since) < after) {
                break;
            }
            state.order.pop_front();
            if since.is_some() {
                state.waiting.remove(&key);
                taken.push(key);
            }
        }
        for key in &taken {
            if state.adopted.len() < self.most {
                state.adopted.insert(*key, now);
            }
        }
        taken
    }

    /// They could not be looked at, and are as soon as may be.
    pub(crate) fn put_back(&self, traces: Vec<Key>) {
        let mut state = self.state();
        for key in traces {
            state.adopted.remove(&key);
            state.due.push(key);
        }
    }

    /// They could not be looked at, and are again after the others: what is wrong with one of them may last.
    pub(crate) fn put_off(&self, traces: Vec<Key>) {
        self.leave(traces.iter().copied());
        self.wait(traces.into_iter());
    }

    /// They were looked at, and none of them was adopted.
    pub(crate) fn leave(&self, traces: impl Iterator<Item = Key>) {
        let mut state = self.state();
        for key in traces {
            state.adopted.remove(&key);
        }
    }

    /// Those that were adopted long ago need not be known here: the table tells of them. Answers which these are.
    pub(crate) fn forget_old(&self) -> Vec<Key> {
        let now = self.now();
        let mut state = self.state();
        let old: Vec<Key> = state.adopted.iter().filter(|(_, at)| now.since(**at) >= REMEMBERED).map(|(key, _)| *key).collect();
        for key in &old {
            state.adopted.remove(key);
        }
        old
    }

    pub(crate) fn forget(&self, goes: impl Fn(&Key) -> bool) {
        let mut state = self.state();
        state.waiting.retain(|key, _| !goes(key));
        state.due.retain(|key| !goes(key));
        state.adopted.retain(|key, _| !goes(key));
    }

    /// Whether the table has to be asked for traces that are not known here.
    pub(crate) fn take_missed(&self) -> bool {
        std::mem::take(&mut self.state().missed)
    }

    pub(crate) fn miss(&self) {
        self.state().missed = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&mut self, key: Key, since: Timestamp) {
        let number = self.next;
        self.next += 1;
        self.waiting.insert(key, Waiting { number, since });
        self.order.push_back((number, key));
    }

    /// The oldest waits no longer. Answers whether there was one.
    fn crowd_out(&mut self, most: usize) -> bool {
        let Some((number, key)) = self.order.pop_front() else { return false };
        if self.waiting.get(&key).is_some_and(|waiting| waiting.number == number) {
            self.waiting.remove(&key);
            if self.due.len() < most {
                self.due.push(key);
            } else {
                self.missed = true;
            }
        }
        true
    }

    /// Forgets the places of those that went, once they are the most.
    fn tidy(&mut self) {
        if self.order.len() > 64 + 2 * self.waiting.len() {
            let waiting = &self.waiting;
            self.order.retain(|(number, key)| waiting.get(key).is_some_and(|waiting| waiting.number == *number));
        }
    }
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::{FrozenClock, id::ProjectId};
    use mainspring_llm::TraceId;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn waiting(most: usize) -> (Orphans, FrozenClock) {
        let clock = FrozenClock::at(Timestamp::from_micros(0));
        (Orphans::within(Arc::new(clock.clone()), most), clock)
    }

    fn key(number: u8) -> Key {
        (ProjectId::from_raw(7), TraceId::from_slice(&[number; 16]).unwrap())
    }

    fn add(orphans: &Orphans, number: u8, entered: bool) {
        let traces = HashMap::from([(key(number), entered)]);
        orphans.adding(&traces, &[]);
        orphans.added(&traces, orphans.now());
    }

    #[test]
    fn a_trace_waits_until_nothing_has_come_to_it_for_a_while() {
        let (orphans, clock) = waiting(9);
        add(&orphans, 1, false);
        clock.advance(MINUTE / 2);
        add(&orphans, 1, false);
        add(&orphans, 2, false);
        add(&orphans, 3, false);
        clock.advance(MINUTE / 2);
        assert!(orphans.take(MINUTE, 9).is_empty());
        add(&orphans, 2, true);
        clock.advance(MINUTE / 2);
        assert_eq!(orphans.take(MINUTE, 1), [key(1)]);
        assert_eq!(orphans.take(MINUTE, 9), [key(3)], "an entry of the second has come");
        assert!(orphans.take(MINUTE, 9).is_empty(), "each once");
    }

    #[test]
    fn a_trace_whose_entry_comes_while_it_is_looked_at_is_looked_at_again() {
        let (orphans, clock) = waiting(9);
        for number in [1, 2, 3] {
            add(&orphans, number, false);
        }
        clock.advance(MINUTE);
        assert_eq!(orphans.take(MINUTE, 9), [key(1), key(2), key(3)]);
        orphans.leave(std::iter::once(key(2)));
        for number in [1, 2, 3] {
            add(&orphans, number, true);
        }
        let mut again = orphans.take(MINUTE, 9);
        again.sort();
        assert_eq!(again, [key(1), key(3)], "the second had one");
        orphans.put_back(vec![key(1)]);
        assert_eq!(orphans.take(MINUTE, 9), [key(1)]);
        add(&orphans, 4, false);
        orphans.put_off(vec![key(1)]);
        assert!(orphans.take(MINUTE, 9).is_empty());
        clock.advance(MINUTE);
        assert_eq!(orphans.take(MINUTE, 9), [key(4), key(1)], "behind the others");
        assert!(orphans.forget_old().is_empty());
        clock.advance(REMEMBERED);
        let mut old = orphans.forget_old();
        old.sort();
        assert_eq!(old, [key(1), key(3), key(4)], "these are looked at once more");
        assert!(orphans.forget_old().is_empty());
        add(&orphans, 1, true);
        assert!(orphans.take(MINUTE, 9).is_empty(), "it is long ago");
    }

    #[test]
    fn a_trace_whose_entry_took_long_to_add_is_looked_at_again() {
        let (orphans, clock) = waiting(9);
        // Another server may have adopted a span of it, and looked again before this one was there.
        let (compared, traces) = (orphans.now(), HashMap::from([(key(1), true), (key(2), false)]));
        orphans.adding(&traces, &[]);
        clock.advance(LONG);
        orphans.added(&traces, compared);
        assert_eq!(orphans.take(LONG * 2, 9), [key(1)]);
    }

    #[test]
    fn no_more_traces_are_known_than_there_is_room_for() {
        let (orphans, _) = waiting(3);
        assert!(orphans.take_missed() && !orphans.take_missed(), "an earlier process may have left some");
        for number in 1..=6 {
            add(&orphans, number, false);
        }
        assert!(!orphans.take_missed());
        for number in 7..=8 {
            add(&orphans, number, false);
        }
        assert!(orphans.take_missed(), "more came than were looked at");
        assert_eq!(orphans.take(MINUTE, 9), [key(1), key(2), key(3)], "the oldest, at once");
        orphans.forget(|key| key.1 == self::key(8).1);
        assert_eq!(orphans.state().waiting.len(), 2);
        for _ in 0..1_000 {
            add(&orphans, 7, false);
            add(&orphans, 9, true);
        }
        assert!(orphans.state().order.len() < 100);
    }
}
