//! Rows that are in the table when a name comes that they take.
//!
//! Programs send the span by which a trace begins last, when what lies beneath it is often in the table. Whoever adds such a span
//! remembers the trace here; a moment later its rows are read, and those that take another name than they have are written again,
//! many with a commit. What an earlier process had not come to is looked for among what began last. Of several servers over one
//! lake, one may add a name while another adds what lies beneath: to one of them a span came whose parent is missing. Its trace
//! waits among those without an entry until it is quiet, and is remembered here too when it is looked at (`adopting.rs`).

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
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
/// Traces that are looked at together: whoever else rewrites rows waits for no more.
const AT_ONCE: usize = 256;
/// Spans of theirs that are in memory at once. Of one trace that has more, those that began first are looked at.
const SPANS_MAX: usize = 200_000;
/// Traces that are remembered; of more, what began last is looked through.
const MOST: usize = 100_000;

/// Traces of which rows may have to take other names than they have.
#[derive(Debug)]
pub(crate) struct Late(Mutex<State>);

#[derive(Debug)]
struct State {
    traces: HashSet<Key>,
    /// What is not known here is looked for in the table.
    missed: bool,
}

impl Default for Late {
    fn default() -> Self {
        // Nobody knows what an earlier process added last.
        Self(Mutex::new(State { traces: HashSet::new(), missed: true }))
    }
}

impl Late {
    pub(crate) fn wait(&self, traces: impl Iterator<Item = Key>) {
        let mut state = self.state();
        for key in traces {
            if state.traces.len() < MOST {
                state.traces.insert(key);
            } else {
                state.missed = true;
            }
        }
    }

    pub(crate) fn forget(&self, goes: impl Fn(&Key) -> bool) {
        self.state().traces.retain(|key| !goes(key));
    }

    fn take(&self) -> Vec<Key> {
        let mut state = self.state();
        let some: Vec<Key> = state.traces.iter().take(AT_ONCE).copied().collect();
        for key in &some {
            state.traces.remove(key);
        }
        some
    }

    fn take_missed(&self) -> bool {
        std::mem::take(&mut self.state().missed)
    }

    fn miss(&self) {
        self.state().missed = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    while !stop.is_requested() {
        // From before they are taken: who erases forgets what waits here, and waits for what is looked at.
        let turn = kept.turn().await;
        let some = late.take();
        if some.is_empty() {
            break;
        }
        let outcome = name(kept, &some, &turn).await;
        drop(turn);
        match outcome {
            Ok(()) => {}
            // Another server was quicker, or the lake is away.
            Err(fault) if fault.kind() == FaultKind::Unavailable => {
                late.wait(some.into_iter());
                return Err(fault);
            }
            Err(fault) => tracing::warn!(cause = %chain(&fault), "spans stay without the names of their traces"),
        }
    }
    Ok(())
}

/// The same where nobody remembers what was added: of what began last.
pub(crate) async fn name_all(kept: &Kept, now: Timestamp, stop: &Stop) -> Result<Ended, TraceFault> {
    let found: Vec<Key> = look_back(kept.table.as_ref(), now).await?.into_iter().collect();
    for some in found.chunks(AT_ONCE) {
        if stop.is_requested() {
            return Ok(Ended::Stopped);
        }
        let turn = kept.turn().await;
        name(kept, some, &turn).await?;
    }
    Ok(Ended::Done)
}

/// What is read here is written again by nobody else of this process before it is written here: whoever calls this has the turn.
async fn name(kept: &Kept, traces: &[Key], _turn: &TurnGuard<'_, ()>) -> Result<(), TraceFault> {
    let table = kept.table.as_ref();
    let mut parts = vec![traces.to_vec()];
    while let Some(part) = parts.pop() {
        let spans = spans_of(table, &part).await?;
        if spans.len() >= SPANS_MAX && part.len() > 1 {
            drop(spans);
            let (some, others) = part.split_at(part.len() / 2);
            parts.extend([some.to_vec(), others.to_vec()]);
            continue;
        }
        // A trace may go through two projects, and in the other something may be about to be erased.
        let wanted: HashSet<Key> = part.into_iter().collect();
        let changes = changes(spans, &wanted);
        settling::take_names(kept, changes).await?;
    }
    Ok(())
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
