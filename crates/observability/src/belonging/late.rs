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
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use mainspring_kernel::{Fault as _, FaultKind, Stop, Timestamp, fault::chain};
use mainspring_lake::{Filter, Order, Scan, Table};
use tokio::sync::MutexGuard as TurnGuard;

use super::{Names, Saying, TAKEN, settle, taken_by};
use crate::{
    adopting::{lately, of, readable},
    conventions::counted::{Id, Node},
    errand::Ended,
    fault::TraceFault,
    sampling::Key,
    settle::{self as settling, COLUMNS, Kept},
    table::Rows,
};

/// A name that comes late is found as soon as a person looks again.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Traces that are looked at together: whoever else rewrites rows waits until they are read and one commit is made.
const AT_ONCE: usize = 1_024;
/// Traces that are known to be too large; of more, it is found out again.
const LARGE_MOST: usize = 10_000;
/// In micros: so long before the first span of a batch others of its traces may have begun, and a clock may go before ours.
pub(crate) const BEFORE: i64 = 60_000_000;

const LIMITS: Limits = Limits { traces: 500_000, spans: 200_000 };

#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// That are remembered, of some 100 bytes each; of more, the table is looked through from where they began.
    pub(crate) traces: usize,
    /// That are in memory at once. The rows of a trace that has more stay as they are: of a part of them it would be decided
    /// otherwise with each part.
    pub(crate) spans: usize,
}

/// Traces of which rows may have to take other names than they have.
#[derive(Debug)]
pub(crate) struct Late {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they are looked at; places of traces that do not wait any more are passed over.
    order: VecDeque<Key>,
    waiting: HashSet<Key>,
    /// Those that may wait again when what could be done of them is done.
    looked_at: HashSet<Key>,
    large: HashSet<Key>,
    /// What an earlier process had not come to is looked for in the table.
    before: bool,
    /// So is what there was no room for: it began since then, in micros.
    since: Option<i64>,
}

impl Default for Late {
    fn default() -> Self {
        Self::within(LIMITS)
    }
}

impl Late {
    pub(crate) fn within(limits: Limits) -> Self {
        Self { limits, state: Mutex::new(State { before: true, ..State::default() }) }
    }

    /// One of which nothing was missed.
    fn empty(limits: Limits) -> Self {
        Self { limits, state: Mutex::default() }
    }

    /// `since`: where in the table those are looked for that there is no room for, in micros; none where that is among what began
    /// last.
    pub(crate) fn wait(&self, traces: impl Iterator<Item = Key>, since: Option<i64>) {
        let mut state = self.state();
        for key in traces {
            if state.waiting.contains(&key) || state.large.contains(&key) {
                continue;
            }
            if state.waiting.len() < self.limits.traces {
                state.waiting.insert(key);
                state.order.push_back(key);
            } else {
                state.miss(since);
            }
        }
    }

    pub(crate) fn forget(&self, goes: impl Fn(&Key) -> bool) {
        let mut state = self.state();
        state.waiting.retain(|key| !goes(key));
        state.order.retain(|key| !goes(key));
        state.looked_at.retain(|key| !goes(key));
        state.large.retain(|key| !goes(key));
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

    /// It stays as it is.
    fn leave_alone(&self, key: Key) {
        let mut state = self.state();
        if state.looked_at.remove(&key) {
            if state.large.len() >= LARGE_MOST {
                state.large.clear();
            }
            state.large.insert(key);
        }
    }

    fn take_before(&self) -> bool {
        std::mem::take(&mut self.state().before)
    }

    fn take_since(&self) -> Option<i64> {
        self.state().since.take()
    }

    fn miss(&self, since: Option<i64>) {
        self.state().miss(since);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn miss(&mut self, since: Option<i64>) {
        match since {
            Some(since) => self.since = Some(self.since.map_or(since, |known| known.min(since))),
            None => self.before = true,
        }
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
    if late.take_before() {
        match newest(kept.table.as_ref(), now, late.limits).await {
            Ok(found) => late.wait(found.into_iter(), None),
            Err(fault) => {
                late.miss(None);
                return Err(fault);
            }
        }
    }
    Box::pin(through(kept, late, stop)).await?;
    if let Some(since) = late.take_since() {
        Box::pin(since_then(kept, late, (since, now.as_micros().saturating_add(BEFORE)), stop)).await?;
    }
    Ok(())
}

/// Looks for what there was no room for, in pieces of what began between two times. Where it is broken off, it goes on from there.
async fn since_then(kept: &Kept, late: &Late, (since, until): (i64, i64), stop: &Stop) -> Result<(), TraceFault> {
    let mut from = Some(since);
    while let Some(began) = from {
        if stop.is_requested() {
            late.miss(from);
            return Ok(());
        }
        let named = match piece(kept.table.as_ref(), (began, until), late.limits.spans).await {
            Ok((found, next)) => {
                late.wait(found.into_iter(), from);
                from = next;
                through(kept, late, stop).await.map(drop)
            }
            Err(fault) => Err(fault),
        };
        if let Err(fault) = named {
            if from.is_some() {
                late.miss(from);
            }
            return Err(fault);
        }
    }
    Ok(())
}

/// The same where nobody remembers what was added: of what began last. What cannot be done is found again the next time.
pub(crate) async fn name_all(kept: &Kept, now: Timestamp, stop: &Stop) -> Ended {
    let naming = async {
        let late = Late::empty(Limits { traces: usize::MAX, ..LIMITS });
        late.wait(newest(kept.table.as_ref(), now, late.limits).await?.into_iter(), None);
        through(kept, &late, stop).await
    };
    Box::pin(naming).await.unwrap_or_else(|fault: TraceFault| {
        tracing::warn!(cause = %chain(&fault), "names of spans are looked at with the next upkeep");
        Ended::Done
    })
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
        let outcome = name(kept, &some, late.limits.spans, &turn).await;
        let all = || -> HashSet<Key> { some.iter().copied().collect() };
        match outcome {
            Ok(Named::But(left)) => {
                late.done(&some, &left);
                // So that few are read again that there was no time for.
                let written = some.len() - left.len();
                at_once = if left.is_empty() { (at_once * 2).min(AT_ONCE) } else { written.max(1) };
            }
            Ok(Named::TooMany) if some.len() > 1 => {
                late.done(&some, &all());
                at_once = some.len() / 2;
            }
            Ok(Named::TooMany) => {
                tracing::debug!(trace = %some[0].1, "a trace is too large to be given names that came late");
                late.leave_alone(some[0]);
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
async fn name(kept: &Kept, traces: &[Key], most: usize, _turn: &TurnGuard<'_, ()>) -> Result<Named, TraceFault> {
    let (mut spans, rows) = spans_of(kept.table.as_ref(), Scan::of(of(traces)).limit(most)).await?;
    if rows >= most {
        return Ok(Named::TooMany);
    }
    // A trace may go through two projects, and in the other something may be about to be erased.
    let wanted: HashSet<Key> = traces.iter().copied().collect();
    spans.retain(|(node, _)| wanted.contains(&(node.id.0, node.id.1)));
    let mut changes = changes(spans);
    // So that each commit looks for few traces.
    changes.sort_unstable_by_key(|(id, _)| (id.1, id.2));
    let done = settling::take_names(kept, &changes).await?;
    Ok(Named::But(changes[done..].iter().map(|(id, _)| (id.0, id.1)).collect()))
}

/// What each row takes that is to take something else than it has.
fn changes(spans: Vec<(Node, Names)>) -> Vec<(Id, Names)> {
    let mut has: HashMap<Id, Names> = HashMap::new();
    let mut nodes: HashMap<Id, Node> = HashMap::new();
    for (node, names) in spans {
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

fn traces_of(changes: Vec<(Id, Names)>) -> HashSet<Key> {
    changes.into_iter().map(|((project, trace, _), _)| (project, trace)).collect()
}

/// Spans with the names that they took, and how many rows there were: some may be unreadable.
async fn spans_of(table: &dyn Table, scan: Scan) -> Result<(Vec<(Node, Names)>, usize), TraceFault> {
    let (mut spans, mut count, mut saying) = (Vec::new(), 0, Saying::default());
    for batch in table.scan(scan.columns(&COLUMNS)).await? {
        let rows = Rows(&batch);
        count += batch.num_rows();
        for row in 0..batch.num_rows() {
            let read = settling::node(&rows, row, &mut saying).and_then(|node| Ok((node, taken_by(&rows, row)?)));
            spans.extend(readable(read));
        }
    }
    Ok((spans, count))
}

/// Traces of the last hour, or of what began last of it, in which a span has another name than it takes.
pub(crate) async fn newest(table: &dyn Table, now: Timestamp, limits: Limits) -> Result<HashSet<Key>, TraceFault> {
    let Some(since) = lately(table, now).await? else { return Ok(HashSet::new()) };
    if is_nameless(table, since.clone()).await? {
        return Ok(HashSet::new());
    }
    let newest_first = Scan::of(since).order("start", Order::Descending).limit(limits.spans);
    Ok(traces_of(changes(spans_of(table, newest_first).await?.0)))
}

/// The same of the first spans that began between two times, and from when on to go on, if there are more. Pieces overlap: of a
/// trace whose spans began within a quarter of one, all lie in one.
async fn piece(table: &dyn Table, (from, until): (i64, i64), most: usize) -> Result<(HashSet<Key>, Option<i64>), TraceFault> {
    let these = Filter::GtEq("start".into(), from.into()).and(Filter::LtEq("start".into(), until.into()));
    if is_nameless(table, these.clone()).await? {
        return Ok((HashSet::new(), None));
    }
    let first = || Scan::of(these.clone()).order("start", Order::Ascending);
    let mut next = None;
    for batch in table.scan(Scan { offset: most - most / 4, ..first().columns(&["start"]).limit(1) }).await? {
        if batch.num_rows() > 0 {
            next = Rows(&batch).number("start", 0)?;
        }
    }
    let (spans, _) = spans_of(table, first().limit(most)).await?;
    Ok((traces_of(changes(spans)), next.map(|next| next.max(from.saturating_add(1)))))
}

async fn is_nameless(table: &dyn Table, these: Filter) -> Result<bool, TraceFault> {
    let names = Filter::Or(TAKEN.map(Filter::present).into());
    Ok(table.count(these.and(names)).await? == 0)
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::id::ProjectId;
    use mainspring_llm::TraceId;

    use super::*;

    fn key(trace: u8) -> Key {
        (ProjectId::from_raw(7), TraceId::from_slice(&[trace; 16]).unwrap())
    }

    fn waiting(traces: usize, some: impl IntoIterator<Item = u8>) -> Late {
        let late = Late::empty(Limits { traces, ..LIMITS });
        late.wait(some.into_iter().map(key), Some(7));
        late
    }

    fn taken(late: &Late, at_once: usize) -> Vec<u8> {
        late.take(at_once).into_iter().map(|(_, trace)| trace.as_bytes()[0]).collect()
    }

    #[test]
    fn the_first_that_came_are_looked_at_first_and_what_is_left_of_them_next() {
        let late = waiting(9, [1, 2, 3, 4, 2]);
        assert_eq!(taken(&late, 3), [1, 2, 3]);
        late.wait([key(1), key(5)].into_iter(), None);
        late.done(&[key(1), key(2), key(3)], &HashSet::from([key(2), key(3)]));
        assert_eq!(taken(&late, 9), [2, 3, 4, 1, 5]);
        assert_eq!((taken(&late, 9), late.take_since()), (vec![], None));
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
        late.wait([key(4)].into_iter(), Some(5));
        assert_eq!(taken(&late, 9), [1, 2]);
        assert_eq!((late.take_since(), late.take_since()), (Some(5), None), "from where the first began");
    }
}
