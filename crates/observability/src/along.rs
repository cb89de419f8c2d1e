//! A question that reads the attributes of every row of a project, asked of a stretch of time after the other: asked of all of
//! them at once it would not be answered in time.

use std::time::Duration;

use arrow_array::RecordBatch;
use mainspring_lake::{Allowance, Filter, LakeFault, Scan, Table};

use crate::{
    fault::TraceFault,
    scores::{stretches, within},
};

/// Rows whose attributes one question reads, about.
pub(crate) const READ_AT_ONCE: u64 = 200_000;
/// Where that takes too long, the time they began in is halved, down to the shortest, in microseconds.
const STRETCH_MIN: i64 = 60_000_000;
/// As long as finding out where rows lie may take; nobody looks on.
const LAID_OUT_WITHIN: Duration = Duration::from_secs(150);

/// Rows by when they began, the earliest first.
#[derive(Debug, Clone)]
pub(crate) struct Along<'t> {
    table: &'t dyn Table,
    among: Filter,
    /// Both ends are in it. The earliest is the last.
    left: Vec<(i64, i64)>,
}

impl<'t> Along<'t> {
    /// In stretches of so many of these rows, about.
    pub(crate) async fn of(table: &'t dyn Table, among: Filter, at_once: u64) -> Result<Self, TraceFault> {
        let allowance = Allowance { within: LAID_OUT_WITHIN, ..Allowance::default() };
        let mut left = stretches(table, &among, ("start", at_once), allowance).await?;
        left.sort_unstable_by(|one, other| other.cmp(one));
        Ok(Self { table, among, left })
    }

    /// When the first and the last began of what is not asked about yet.
    pub(crate) fn left(&self) -> Option<(i64, i64)> {
        Some((self.left.last()?.0, self.left.first()?.1))
    }

    /// The rows of the next stretch of which this is so, and up to when it went; nothing where all were asked about.
    pub(crate) async fn next(&mut self, said: &Filter, columns: &[&str]) -> Result<Option<(i64, Vec<RecordBatch>)>, TraceFault> {
        while let Some(stretch) = self.left.pop() {
            let these = within(&self.among, "start", stretch).and(said.clone());
            match self.table.scan(Scan::of(these).columns(columns)).await {
                Ok(batches) => return Ok(Some((stretch.1, batches))),
                Err(fault) => {
                    let [early, late] = halves(stretch).filter(|_| took_too_long(&fault)).ok_or(fault)?;
                    self.left.extend([late, early]);
                }
            }
        }
        Ok(None)
    }
}

/// Both halves of a time, whose ends are in it, unless it is short.
fn halves((from, to): (i64, i64)) -> Option<[(i64, i64); 2]> {
    let width = to.saturating_sub(from);
    let middle = from.saturating_add(width / 2);
    (width > STRETCH_MIN).then_some([(from, middle), (middle.saturating_add(1), to)])
}

/// Whether fewer rows might be answered. A lake says that it is away where it gave no answer in time.
const fn took_too_long(fault: &LakeFault) -> bool {
    fault.is_too_much() || matches!(fault, LakeFault::Unavailable { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_halved_without_a_gap_until_it_is_short() {
        let mut stretch = (-7, 6 * 3_600_000_000);
        while let Some([one, other]) = halves(stretch) {
            assert_eq!((one.0, other.1, one.1 + 1), (stretch.0, stretch.1, other.0));
            assert!(one.0 < one.1 && other.0 < other.1, "{one:?} and {other:?}");
            stretch = other;
        }
        assert!(stretch.1 - stretch.0 <= STRETCH_MIN, "{stretch:?}");
    }
}
