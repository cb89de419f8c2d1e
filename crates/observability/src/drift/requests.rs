//! Requests: each trace once, by the first of its entries.
//!
//! A trace that goes through several programs, or that is tried again, has an entry for each. What all of it is like is told by the
//! first entry that has a value; what a release of one program is like, by the first entry of that release. So an entry that is
//! not the first of its trace may still be the first of its release, and is put aside for that.

use std::collections::HashMap;

use arrow_array::RecordBatch;

use crate::{fault::TraceFault, table::Rows};

/// What a value of an entry counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// For its trace, and for its release.
    First,
    FirstOfRelease,
    Never,
}

/// Of the fields of an entry, each a bit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turns {
    first: u32,
    of_release: u32,
}

impl Turns {
    /// The turn of the field at this place.
    pub(super) const fn of(self, place: usize) -> Turn {
        let bit = 1_u32 << place;
        if self.first & bit != 0 {
            Turn::First
        } else if self.of_release & bit != 0 {
            Turn::FirstOfRelease
        } else {
            Turn::Never
        }
    }
}

/// Of traces that were seen, the fields that counted: of any entry, and of one of a release.
#[derive(Debug, Default)]
pub(super) struct Requests {
    of_any: HashMap<u128, u32>,
    of_release: HashMap<(u128, usize), u32>,
}

impl Requests {
    /// Whose turn it is of the fields of which the next entry has values.
    pub(super) fn turns(&mut self, trace: u128, release: usize, values: u32) -> Turns {
        let any = self.of_any.entry(trace).or_default();
        let first = values & !*any;
        *any |= values;
        let own = self.of_release.entry((trace, release)).or_default();
        let of_release = values & !*own & !first;
        *own |= values;
        Turns { first, of_release }
    }

    /// Entries in the order in which they began; of those that began together the ones come first above which nothing is.
    pub(super) fn in_order(batches: &[RecordBatch]) -> Result<Vec<(&RecordBatch, usize)>, TraceFault> {
        let mut all = Vec::new();
        for batch in batches {
            let rows = Rows(batch);
            for row in 0..batch.num_rows() {
                let began = rows.number("start", row)?.unwrap_or_default();
                all.push(((began, rows.text("parent", row)?.is_some()), batch, row));
            }
        }
        all.sort_by_key(|(order, ..)| *order);
        Ok(all.into_iter().map(|(_, batch, row)| (batch, row)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_of_a_trace_counts_once_and_once_for_each_release() {
        let mut requests = Requests::default();
        let mut of = |trace: u128, release: usize, values: u32| {
            let turns = requests.turns(trace, release, values);
            [turns.of(0), turns.of(1)]
        };
        // The first says one thing of two, and whoever comes next the other.
        assert_eq!(of(7, 0, 0b01), [Turn::First, Turn::Never]);
        assert_eq!(of(7, 1, 0b11), [Turn::FirstOfRelease, Turn::First]);
        // It is tried again.
        assert_eq!(of(7, 1, 0b11), [Turn::Never, Turn::Never]);
        assert_eq!(of(7, 0, 0b11), [Turn::Never, Turn::FirstOfRelease]);
        assert_eq!(of(8, 1, 0b11), [Turn::First, Turn::First]);
    }
}
