//! Which traces the table may have spans of, so that it is asked about few of those that come.
//!
//! A sender repeats what was not acknowledged in time, so what comes from outside is compared with the table. Nearly all of it is
//! new, and a question about the hundreds of traces of a commit reads every fragment that no index covers yet and a page of the
//! index for nearly each: the more is there, the less would be taken in. So the spans of the last traces are remembered, and of
//! those before them that the table has some. So it is of the traces of what began last when the table was opened.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use mainspring_kernel::Timestamp;
use mainspring_lake::{Filter, Order, Scan, Table};
use mainspring_llm::TraceId;
use parquet::bloom_filter::Sbbf;

use crate::{
    conventions::counted::{Id, Node, Uses},
    fault::TraceFault,
    table::Rows,
};

/// A clock may go before ours by so much, in micros; what began later still is remembered one by one when the table is opened.
const AHEAD: i64 = 60 * 1_000_000;
const AHEAD_MAX: usize = 10_000;
/// Spans that began last when the table is opened: more may come to their traces, and take names of what is there.
const LAST: usize = 100_000;

const LIMITS: Limits = Limits { nodes: 100_000, sieve: (1 << 16, 1 << 20), sieves: 16 << 20 };
/// So few that are new pass a sieve for known that a commit of five hundred traces hardly ever has one.
const BYTES_A_TRACE: usize = 4;

/// What is remembered at most.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Spans, of some 100 bytes each; one that says long names counts as several.
    nodes: usize,
    /// Traces of the first sieve; each has twice as many as the one before it, up to these.
    sieve: (usize, usize),
    /// Bytes of all sieves.
    sieves: usize,
}

/// It is right where nobody else adds spans to the table.
#[derive(Debug)]
pub(crate) struct Known {
    opened: Timestamp,
    memory: Mutex<Memory>,
}

#[derive(Debug)]
struct Memory {
    limits: Limits,
    /// Of spans that began later the table has none but those of traces that are remembered here. Absent before it was asked.
    since: Option<i64>,
    /// All that was added of these traces since `since`, unless they are in a sieve as well.
    recent: HashMap<TraceId, Recent>,
    /// The traces of `recent`, the oldest first.
    order: VecDeque<TraceId>,
    nodes: usize,
    /// The oldest first.
    sieves: VecDeque<Sieve>,
}

#[derive(Debug, Default)]
struct Recent {
    nodes: Vec<Node>,
    latest: i64,
}

/// Traces of which the table may have spans.
#[derive(Debug)]
struct Sieve {
    traces: Sbbf,
    room: usize,
    held: usize,
    /// When the last of their spans began.
    latest: i64,
}

/// What is known of some traces.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) nodes: Vec<Node>,
    /// Of these the table must be asked.
    pub(crate) ask: HashSet<TraceId>,
}

/// A span that is added, and when it began.
pub(crate) type Added = (Node, i64);

impl Known {
    pub(crate) fn new(opened: Timestamp) -> Self {
        Self::within(opened, LIMITS)
    }

    fn within(opened: Timestamp, limits: Limits) -> Self {
        let memory =
            Memory { limits, since: None, recent: HashMap::new(), order: VecDeque::new(), nodes: 0, sieves: VecDeque::new() };
        Self { opened, memory: Mutex::new(memory) }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what the table had before anything was added to it here.
    pub(crate) async fn begin(&self, table: &dyn Table) -> Result<(), TraceFault> {
        if self.memory().since.is_some() {
            return Ok(());
        }
        let until = self.opened.as_micros().saturating_add(AHEAD);
        let last = Scan::of(Filter::LtEq("start".into(), until.into())).columns(&["trace", "start"]);
        let (mut since, mut under_way) = (i64::MIN, HashMap::new());
        for batch in table.scan(last.order("start", Order::Descending).limit(LAST)).await? {
            let rows = Rows(&batch);
            for row in 0..batch.num_rows() {
                let start = rows.number("start", row)?.unwrap_or(i64::MIN);
                since = since.max(start);
                let trace: Option<TraceId> = rows.text("trace", row)?.and_then(|trace| trace.parse().ok());
                if let Some(trace) = trace {
                    let latest = under_way.entry(trace).or_insert(start);
                    *latest = start.max(*latest);
                }
            }
        }
        let ahead = Scan::of(Filter::Gt("start".into(), until.into())).columns(&["trace", "start"]).limit(AHEAD_MAX);
        let mut found: Vec<(TraceId, i64)> = Vec::new();
        for batch in table.scan(ahead).await? {
            let rows = Rows(&batch);
            for row in 0..batch.num_rows() {
                let trace = rows.text("trace", row)?.and_then(|trace| trace.parse().ok());
                found.extend(trace.zip(rows.number("start", row)?));
            }
        }
        let mut memory = self.memory();
        // So many clocks are wrong that nothing is certain.
        memory.since = Some(if found.len() < AHEAD_MAX { since } else { i64::MAX });
        for (trace, start) in under_way.into_iter().chain(found) {
            memory.sift(trace, start);
        }
        Ok(())
    }

    /// What is known of these traces. With each comes when the first of its spans began that are asked for.
    pub(crate) fn of(&self, traces: &HashMap<TraceId, i64>) -> Found {
        let memory = self.memory();
        let mut found = Found::default();
        for (trace, start) in traces {
            if let Some(recent) = memory.recent.get(trace) {
                found.nodes.extend(recent.nodes.iter().cloned());
            }
            // Of a span that began later than everything there is, the table has no copy and nothing beneath it. It may have
            // one above it that had ended by then, whose usage is another.
            if memory.since.is_none_or(|since| *start <= since) || memory.is_sifted(trace) {
                found.ask.insert(*trace);
            }
        }
        found
    }

    /// Spans are about to be added. Until it is known that they were, the table is asked about their traces.
    pub(crate) fn adding(&self, spans: Vec<Added>) -> Adding<'_> {
        Adding { known: self, spans }
    }

    /// This of the usage of these counts no longer.
    pub(crate) fn stop_counting(&self, covered: &[(Id, Uses)]) {
        let mut memory = self.memory();
        covered.iter().for_each(|(id, said)| memory.change(id, |node| node.cover(*said)));
    }

    /// Whether traces are entered by these for want of an entry.
    pub(crate) fn mark(&self, changes: &[(Id, bool)]) {
        let mut memory = self.memory();
        changes.iter().for_each(|(id, adopted)| memory.change(id, |node| node.adopted = *adopted));
    }

    /// Rows were deleted: of what came before, the table is asked.
    pub(crate) fn doubt(&self) {
        let mut memory = self.memory();
        while memory.let_go() {}
    }
}

impl Memory {
    fn is_sifted(&self, trace: &TraceId) -> bool {
        self.sieves.iter().any(|sieve| sieve.traces.check(trace.as_bytes().as_slice()))
    }

    fn change(&mut self, id: &Id, make: impl Fn(&mut Node)) {
        let nodes = self.recent.get_mut(&id.1).into_iter().flat_map(|recent| &mut recent.nodes);
        nodes.filter(|node| node.id == *id).for_each(make);
    }

    fn remember(&mut self, spans: Vec<Added>) {
        for (node, start) in spans {
            let trace = node.id.1;
            let recent = self.recent.entry(trace).or_insert_with(|| {
                self.order.push_back(trace);
                Recent { nodes: Vec::new(), latest: i64::MIN }
            });
            self.nodes += weight(&node);
            recent.nodes.push(node);
            recent.latest = recent.latest.max(start);
        }
        while self.nodes > self.limits.nodes && self.let_go() {}
    }

    /// Of the oldest trace it is known from here on that there is something. Answers whether there was one.
    fn let_go(&mut self) -> bool {
        let Some(trace) = self.order.pop_front() else { return false };
        if let Some(recent) = self.recent.remove(&trace) {
            self.nodes -= recent.nodes.iter().map(weight).sum::<usize>();
            self.sift(trace, recent.latest);
        }
        true
    }

    fn sift(&mut self, trace: TraceId, latest: i64) {
        if self.sieves.back().is_none_or(|sieve| sieve.held >= sieve.room) {
            let (first, most) = self.limits.sieve;
            let room = self.sieves.back().map_or(first, |sieve| (sieve.room * 2).min(most));
            let traces = Sbbf::new_with_num_of_bytes(room * BYTES_A_TRACE);
            self.sieves.push_back(Sieve { traces, room, held: 0, latest: i64::MIN });
            let bytes = |sieves: &VecDeque<Sieve>| sieves.iter().map(|sieve| sieve.room * BYTES_A_TRACE).sum::<usize>();
            while self.sieves.len() > 1 && bytes(&self.sieves) > self.limits.sieves {
                let gone = self.sieves.pop_front().map(|sieve| sieve.latest);
                self.since = self.since.max(gone);
            }
        }
        if let Some(sieve) = self.sieves.back_mut() {
            sieve.traces.insert(trace.as_bytes().as_slice());
            sieve.held += 1;
            sieve.latest = sieve.latest.max(latest);
        }
    }
}

/// As how many spans one counts that says whose it is.
fn weight(node: &Node) -> usize {
    let names = node.says.iter().flat_map(|says| says.iter().flatten());
    1 + names.map(|name| name.len()).sum::<usize>() / 100
}

/// Spans on their way to the table.
#[derive(Debug)]
pub(crate) struct Adding<'a> {
    known: &'a Known,
    spans: Vec<Added>,
}

impl Adding<'_> {
    pub(crate) fn done(mut self) {
        let spans = std::mem::take(&mut self.spans);
        self.known.memory().remember(spans);
    }
}

impl Drop for Adding<'_> {
    fn drop(&mut self) {
        // Nobody knows whether they are there.
        if !self.spans.is_empty() {
            let mut memory = self.known.memory();
            self.spans.iter().for_each(|(node, start)| memory.sift(node.id.1, *start));
        }
    }
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::id::ProjectId;
    use mainspring_llm::SpanId;
    use proptest::prelude::*;

    use super::*;
    use crate::{belonging::Saying, conventions::SpanType};

    const TOKENS: Uses = Uses { tokens: true, cost: false };

    const FEW: Limits = Limits { nodes: 6, sieve: (4, 8), sieves: 64 };

    fn opened() -> Known {
        let known = Known::within(Timestamp::from_micros(0), FEW);
        known.memory().since = Some(i64::MIN);
        known
    }

    fn trace(number: u8) -> TraceId {
        TraceId::from_slice(&[number + 1; 16]).unwrap()
    }

    fn node(of: u8) -> Node {
        let id = (ProjectId::from_raw(1), trace(of), SpanId::random());
        Node { id, parent: None, kind: SpanType::default(), counted: Some(TOKENS), adopted: false, uses: TOKENS, says: None }
    }

    fn asked(known: &Known, of: u8, start: i64) -> Found {
        known.of(&HashMap::from([(trace(of), start)]))
    }

    #[test]
    fn the_last_traces_are_remembered_span_by_span_and_others_as_being_there() {
        let known = opened();
        assert!(asked(&known, 0, 5).ask.is_empty(), "nothing was there before");
        let first = node(0);
        known.adding(vec![(first.clone(), 5)]).done();
        let found = asked(&known, 0, 5);
        assert_eq!((found.nodes, found.ask.len()), (vec![first.clone()], 0));
        known.stop_counting(&[(first.id, TOKENS)]);
        assert_eq!(asked(&known, 0, 5).nodes[0].counted, Some(Uses::default()));
        known.mark(&[(first.id, true)]);
        assert!(asked(&known, 0, 5).nodes[0].adopted);
        for other in 1..8 {
            known.adding(vec![(node(other), 5)]).done();
        }
        let found = asked(&known, 0, 5);
        assert_eq!((found.nodes.len(), found.ask.len()), (0, 1), "it is long ago");
        assert!(asked(&known, 7, 5).ask.is_empty());
        known.doubt();
        assert_eq!(asked(&known, 7, 5).ask.len(), 1, "somebody deleted rows");
    }

    #[test]
    fn spans_that_may_or_may_not_have_been_added_are_asked_for() {
        let known = opened();
        drop(known.adding(vec![(node(3), 5)]));
        let found = asked(&known, 3, 5);
        assert_eq!((found.nodes.len(), found.ask.len()), (0, 1));
    }

    #[test]
    fn who_says_long_names_takes_the_place_of_several() {
        let known = opened();
        for of in 0..3 {
            let says = Saying::default().of([Some("u".repeat(250).as_str()), None, None]);
            known.adding(vec![(Node { says, ..node(of) }, 5)]).done();
        }
        let found = |of: u8| asked(&known, of, 5).nodes.len();
        assert_eq!([found(0), found(1), found(2)], [0, 1, 1], "each counts as three of six");
        known.doubt();
        assert_eq!(known.memory().nodes, 0);
    }

    #[test]
    fn nothing_is_certain_before_the_table_was_looked_at() {
        let known = Known::within(Timestamp::from_micros(0), FEW);
        assert_eq!(asked(&known, 3, i64::MAX).ask.len(), 1);
    }

    proptest! {
        /// Whatever came and was forgotten since: all spans of a trace are known, or the table is asked.
        #[test]
        fn no_span_that_is_there_is_taken_for_new(
            steps in prop::collection::vec((0_u8..40, 0_i64..200, 0_u8..20), 1..200),
        ) {
            let known = opened();
            let mut there: Vec<Added> = Vec::new();
            for (of, start, what) in steps {
                let span = (node(of), start);
                match what {
                    0 => known.doubt(),
                    // It failed, and yet the rows were added.
                    1 => {
                        drop(known.adding(vec![span.clone()]));
                        there.push(span);
                    }
                    _ => {
                        known.adding(vec![span.clone()]).done();
                        there.push(span);
                    }
                }
                for (node, start) in &there {
                    let found = known.of(&HashMap::from([(node.id.1, *start)]));
                    prop_assert!(found.nodes.contains(node) || found.ask.contains(&node.id.1), "{node:?} of {start}");
                }
                let memory = known.memory();
                prop_assert!(memory.nodes <= FEW.nodes);
                prop_assert!(memory.sieves.len() <= 4);
            }
        }
    }
}
