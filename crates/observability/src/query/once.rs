//! Each trace once.
//!
//! A trace that goes through several programs has an entry in each: every request to a server is one. Whoever counts entries, or
//! how long they took, means requests, and a request is one however many programs it went through. So where only entries are
//! asked for, each trace is measured by the first of those that pass, as lists show it (`traces.rs`); in groups it is by the
//! first of each group, as a list of that group alone shows it. What a trace used is told by the spans that used it: tokens and
//! cost are of every entry that passes.
//!
//! Where a time is asked about in stretches (`numbers.rs`, a day at once; `series.rs`, where it is too much at once), each
//! stretch is a question by itself: a trace whose entries lie in two of them is measured in both. Which entry is the first of
//! all could be told only by holding the traces of all the time before, and that is what was too much.

use mainspring_lake::{Aggregate, Filter, First, Grouped, Scalar};

use super::{Asking, By};
use crate::fault::TraceFault;

/// What a question calls rows that come first in their trace; no column is called so.
const FIRST: &str = "entered_first";

/// Whether only rows pass by which a trace is entered.
fn asks_entries(among: &Filter) -> bool {
    match among {
        Filter::And(parts) => parts.iter().any(asks_entries),
        Filter::Eq(column, Scalar::Bool(true)) => column == "entry",
        _ => false,
    }
}

/// A question about groups.
#[derive(Debug)]
pub(super) struct Once {
    /// Where only entries are asked for.
    each: Option<Aggregate>,
    every: Aggregate,
}

impl Once {
    /// Of rows in groups by these, and by time; the question is handed which of them count for their traces. In groups by an
    /// attribute a trace is in that of its first entry alone.
    pub(super) fn of(among: &Filter, keys: &[By], question: impl Fn(&Filter) -> Aggregate) -> Self {
        let is_first = Filter::present(FIRST);
        let columns = keys.iter().filter_map(By::column);
        let by = std::iter::once("trace").chain(columns).map(str::to_owned).collect();
        let first = First { name: FIRST.to_owned(), by, at: "start".to_owned(), above: "parent".to_owned() };
        let each = asks_entries(among).then(|| question(&is_first).first(first));
        Self { each, every: question(&Filter::All) }
    }

    /// A question about every row.
    pub(super) const fn every(question: Aggregate) -> Self {
        Self { each: None, every: question }
    }

    /// Whether each trace is measured once.
    pub(super) const fn is_of_traces(&self) -> bool {
        self.each.is_some()
    }

    /// Answers as well whether every entry was measured where each trace should have been: of many millions of traces a question
    /// may not hold them all.
    pub(super) async fn ask(self, asking: Asking<'_>) -> Result<(Grouped, bool), TraceFault> {
        let Some(mut each) = self.each else { return Ok((asking.table.aggregate(self.every).await?, false)) };
        // There must be time for the other.
        each.allowance.within /= 2;
        match asking.table.aggregate(each).await {
            Err(fault) if fault.is_too_much() => Ok((asking.table.aggregate(self.every).await?, true)),
            found => Ok((found?, false)),
        }
    }

    /// The same, or the fault that it is too much: whoever can ask for less asks again.
    pub(super) async fn ask_exactly(self, asking: Asking<'_>) -> Result<Grouped, TraceFault> {
        Ok(asking.table.aggregate(self.each.unwrap_or(self.every)).await?)
    }
}
