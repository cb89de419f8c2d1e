//! Rows that are in the table when a name comes that they take.
//!
//! Programs send the span by which a trace begins last, when what lies beneath it is often in the table. Whoever adds such a span
//! remembers the trace here; a moment later its rows are read, and those that take another name than they have are written again,
//! many with a commit. Whoever adds rows goes first: the turn is given up after each commit, and there is a rest as long as it
//! took. What of a trace is not written by then waits before the others.
//!
//! What an earlier process had not come to is looked for among what began last. Of several servers over one lake, one may add a
//! name while another adds what lies beneath: to one of them a span came whose parent is missing. Its trace waits among those
//! without an entry until it is quiet, and is remembered here too when it is looked at (`adopting.rs`).

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use mainspring_kernel::{Fault as _, FaultKind, Stop, Timestamp, fault::chain};
use mainspring_lake::{Filter, Order, Scan, Table};
use tokio::sync::MutexGuard as TurnGuard;

use super::{Names, Saying, TAKEN, has, lent, settle, taken_by};
use crate::{
    adopting::{BACK_ROWS, lately, of, readable},
    conventions::counted::{Id, Node},
    errand::Ended,
    fault::TraceFault,
    sampling::Key,
    settle::{self as settling, COLUMNS, Kept},
    table::{LENT, Rows},
};

/// A name that comes late is found as soon as a person looks again.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Traces that are looked at together: whoever else rewrites rows waits until they are read and one commit is made.
const AT_ONCE: usize = 1_024;
/// Spans of theirs that are in memory at once.
const SPANS_MAX: usize = 200_000;
/// Traces that are remembered, of some 100 bytes each; of more, what began last is looked through.
const MOST: usize = 500_000;

/// Traces of which rows may have to take other names than they have.
#[derive(Debug)]
pub(crate) struct Late {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they are looked at; places of traces that do not wait any more are passed over.
    order: VecDeque<Key>,
    waiting: HashSet<Key>,
    /// Those that may wait again when what could be done of them is done.
    looked_at: HashSet<Key>,
    /// What is not known here is looked for in the table.
    missed: bool,
}

impl Default for Late {
    fn default() -> Self {
        // Nobody knows what an earlier process added last.
        Self { most: MOST, state: Mutex::new(State { missed: true, ..State::default() }) }
    }
}

impl Late {
    pub(crate) fn wait(&self, traces: impl Iterator<Item = Key>) {
        let mut state = self.state();
        for key in traces {
            if state.waiting.contains(&key) {
                continue;
            }
            if state.waiting.len() < self.most {
                state.waiting.insert(key);
                state.order.push_back(key);
            } else {
                state.missed = true;
            }
        }
    }

    pub(crate) fn forget(&self, goes: impl Fn(&Key) -> bool) {
        let mut state = self.state();
        state.waiting.retain(|key| !goes(key));
        state.order.retain(|key| !goes(key));
        state.looked_at.retain(|key| !goes(key));
    }

    /// The first that wait.
    fn take(&self, at_once: usize) -> Vec<Key> {
        let mut state = self.state();
        let mut some = Vec::new();
        while some.len() < at_once
            && let Some(key) = state.order.pop_front()
        {
            if state.waiting.remove(&key) {
                state.looked_at.insert(key);
                some.push(key);
            }
        }
        some
    }

    /// What could be done of `some` is done. Those of them that are left are the next, unless they were forgotten meanwhile.
    fn done(&self, some: &[Key], left: &HashSet<Key>) {
        let mut state = self.state();
        for key in some.iter().rev() {
            let is_known = state.looked_at.remove(key);
            if is_known && left.contains(key) && state.waiting.insert(*key) {
                state.order.push_front(*key);
            }
        }
    }

    fn take_missed(&self) -> bool {
        std::mem::take(&mut self.state().missed)
    }

    fn miss(&self) {
        self.state().missed = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks after names until the server stops.
pub(crate) async fn look_after(kept: Kept, now: impl Fn() -> Timestamp, stop: Stop) {
    while stop.sleep(LOOK_EVERY).await {
        if let Err(fault) = Box::pin(look(&kept, now(), &stop)).await {
            tracing::debug!(cause = %chain(&fault), "names of spans are looked at later");
        }
    }
}

/// Gives rows the names that came after them.
pub(crate) async fn look(kept: &Kept, now: Timestamp, stop: &Stop) -> Result<(), TraceFault> {
    let Some(late) = &kept.late else { return Ok(()) };
    if late.take_missed() {
        match look_back(kept.table.as_ref(), now).await {
            Ok(found) => late.wait(found.into_iter()),
            Err(fault) => {
                late.miss();
                return Err(fault);
            }
        }
    }
    Box::pin(through(kept, late, stop)).await.map(drop)
}

/// The same where nobody remembers what was added: of what began last.
pub(crate) async fn name_all(kept: &Kept, now: Timestamp, stop: &Stop) -> Result<Ended, TraceFault> {
    let late = Late { most: usize::MAX, state: Mutex::default() };
    late.wait(look_back(kept.table.as_ref(), now).await?.into_iter());
    Box::pin(through(kept, &late, stop)).await
}

/// Gives names to what waits, as much with each turn as one commit is for.
async fn through(kept: &Kept, late: &Late, stop: &Stop) -> Result<Ended, TraceFault> {
    let mut at_once = AT_ONCE;
    while !stop.is_requested() {
        // From before they are taken: who erases forgets what waits here, and waits for what is looked at.
        let turn = kept.turn().await;
        let some = late.take(at_once);
        if some.is_empty() {
            return Ok(Ended::Done);
        }
        let began = Instant::now();
        let outcome = name(kept, &some, &turn).await;
        let all = || -> HashSet<Key> { some.iter().copied().collect() };
        match outcome {
            Ok(Named::But(left)) => {
                late.done(&some, &left);
                at_once = (at_once * 2).min(AT_ONCE);
            }
            Ok(Named::TooMany) if some.len() > 1 => {
                late.done(&some, &all());
                at_once = some.len() / 2;
            }
            Ok(Named::TooMany) => {
                tracing::debug!(trace = %some[0].1, "a trace is too large to be given names that came late");
                late.done(&some, &HashSet::new());
            }
            // Another server was quicker, or the lake is away.
            Err(fault) if fault.kind() == FaultKind::Unavailable => {
                late.done(&some, &all());
                return Err(fault);
            }
            Err(fault) => {
                tracing::warn!(cause = %chain(&fault), "spans stay without the names of their traces");
                late.done(&some, &HashSet::new());
            }
        }
        drop(turn);
        // Whoever adds rows shares the lake with this.
        stop.sleep(began.elapsed()).await;
    }
    Ok(Ended::Stopped)
}

/// What came of looking at some traces.
#[derive(Debug)]
enum Named {
    /// Of these, more is to be written.
    But(HashSet<Key>),
    /// They have more spans than are looked at together. Nothing was written.
    TooMany,
}

/// What is read here is written again by nobody else of this process before it is written here: whoever calls this has the turn.
async fn name(kept: &Kept, traces: &[Key], _turn: &TurnGuard<'_, ()>) -> Result<Named, TraceFault> {
    let spans = spans_of(kept.table.as_ref(), traces).await?;
    if spans.len() >= SPANS_MAX {
        return Ok(Named::TooMany);
    }
    // A trace may go through two projects, and in the other something may be about to be erased.
    let wanted: HashSet<Key> = traces.iter().copied().collect();
    let mut changes = changes(spans, &wanted);
    // So that each commit looks for few traces.
    changes.sort_unstable_by_key(|(id, _)| (id.1, id.2));
    let done = settling::take_names(kept, &changes).await?;
    Ok(Named::But(changes[done..].iter().map(|(id, _)| (id.0, id.1)).collect()))
}

/// What each row takes that is to take something else than it has.
fn changes(spans: Vec<(Node, Names)>, wanted: &HashSet<Key>) -> Vec<(Id, Names)> {
    let mut has: HashMap<Id, Names> = HashMap::new();
    let mut nodes: HashMap<Id, Node> = HashMap::new();
    for (node, names) in spans.into_iter().filter(|(node, _)| wanted.contains(&(node.id.0, node.id.1))) {
        has.insert(node.id, names);
        nodes.insert(node.id, node);
    }
    let mut taken = settle(&nodes, &HashSet::new()).taken;
    let changed = has.into_iter().filter_map(|(id, has)| {
        let takes = taken.remove(&id).unwrap_or_default();
        (takes != has).then_some((id, takes))
    });
    changed.collect()
}

async fn spans_of(table: &dyn Table, traces: &[Key]) -> Result<Vec<(Node, Names)>, TraceFault> {
    let scan = Scan::of(of(traces)).columns(&COLUMNS).order("start", Order::Ascending).limit(SPANS_MAX);
    let (mut spans, mut saying) = (Vec::new(), Saying::default());
    for batch in table.scan(scan).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let read = settling::node(&rows, row, &mut saying).and_then(|node| Ok((node, taken_by(&rows, row)?)));
            spans.extend(readable(read));
        }
    }
    Ok(spans)
}

/// What the rows of a trace have in one column.
#[derive(Debug, Default)]
struct Column {
    /// What the first name comes to that was found.
    name: Option<u64>,
    several: bool,
    /// A row has none, and one took the one that it has.
    lacks: bool,
    took: bool,
}

impl Column {
    fn take(&mut self, name: Option<u64>, took: bool) {
        self.took |= took;
        self.lacks |= name.is_none();
        self.several |= self.name.is_some() && name.is_some() && self.name != name;
        self.name = self.name.or(name);
    }

    /// Whether a row may have to take another name than it has.
    const fn may_change(&self) -> bool {
        self.name.is_some() && (self.lacks || (self.took && self.several))
    }
}

/// Traces of the last hour in which a span lacks what another one says, or took it before another one said otherwise.
async fn look_back(table: &dyn Table, now: Timestamp) -> Result<HashSet<Key>, TraceFault> {
    let Some(since) = lately(table, now).await? else { return Ok(HashSet::new()) };
    let names = Filter::Or(TAKEN.map(Filter::present).into());
    if table.count(since.clone().and(names)).await? == 0 {
        return Ok(HashSet::new());
    }
    let columns = ["project", "trace", "span", "user", "session", "app", LENT];
    let newest_first = Scan::of(since).columns(&columns).order("start", Order::Descending).limit(BACK_ROWS);
    let hasher = RandomState::new();
    let mut traces: HashMap<Key, [Column; TAKEN.len()]> = HashMap::new();
    for batch in table.scan(newest_first).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let Some((project, trace, _)) = readable(rows.id(row)) else { continue };
            let of_trace = traces.entry((project, trace)).or_default();
            let lent = lent(&rows, row)?;
            for (at, column) in of_trace.iter_mut().enumerate() {
                let name = rows.text(TAKEN[at], row)?.map(|name| hasher.hash_one(name));
                column.take(name, has(lent, at));
            }
        }
    }
    traces.retain(|_, of_trace| of_trace.iter().any(Column::may_change));
    Ok(traces.into_keys().collect())
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::id::ProjectId;
    use mainspring_llm::TraceId;

    use super::*;

    fn key(trace: u8) -> Key {
        (ProjectId::from_raw(7), TraceId::from_slice(&[trace; 16]).unwrap())
    }

    fn waiting(most: usize, traces: impl IntoIterator<Item = u8>) -> Late {
        let late = Late { most, state: Mutex::default() };
        late.wait(traces.into_iter().map(key));
        late
    }

    fn taken(late: &Late, at_once: usize) -> Vec<u8> {
        late.take(at_once).into_iter().map(|(_, trace)| trace.as_bytes()[0]).collect()
    }

    #[test]
    fn the_first_that_came_are_looked_at_first_and_what_is_left_of_them_next() {
        let late = waiting(9, [1, 2, 3, 4, 2]);
        assert_eq!(taken(&late, 3), [1, 2, 3]);
        late.wait([key(1), key(5)].into_iter());
        late.done(&[key(1), key(2), key(3)], &HashSet::from([key(2), key(3)]));
        assert_eq!(taken(&late, 9), [2, 3, 4, 1, 5]);
        assert!(taken(&late, 9).is_empty() && !late.take_missed());
    }

    #[test]
    fn what_is_forgotten_while_it_is_looked_at_does_not_wait_again() {
        let late = waiting(9, [1, 2, 3]);
        let some = late.take(2);
        late.forget(|waits| [key(2), key(3)].contains(waits));
        late.done(&some, &some.iter().copied().collect());
        assert_eq!(taken(&late, 9), [1]);
    }

    #[test]
    fn of_more_than_are_remembered_the_table_is_asked() {
        let late = waiting(2, [1, 2, 3]);
        assert_eq!(taken(&late, 9), [1, 2]);
        assert!(late.take_missed());
    }
}
