//! Which rows go through the model together.

use std::sync::Arc;

use crate::queue::Job;

/// What is wanted of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// One vector.
    Pooled,
    /// A vector for every token.
    Tokens,
    /// A sequence classifier's outputs.
    Logits,
}

/// One text or pair, on its way through the engine.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) ids: Vec<u32>,
    /// Which of two texts a token belongs to.
    pub(crate) types: Vec<u32>,
    pub(crate) want: Want,
    pub(crate) job: Arc<Job>,
    /// The row's place in its job.
    pub(crate) index: usize,
}

/// Rows padded to one length, as the model takes them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Padded {
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) ids: Vec<i32>,
    pub(crate) mask: Vec<i32>,
    pub(crate) types: Vec<i32>,
}

impl Padded {
    pub(crate) fn of(rows: &[Row], pad: u32) -> Self {
        let width = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let mut padded = Self { rows: rows.len(), width, ..Self::default() };
        let signed = |id: u32| i32::try_from(id).unwrap_or(i32::MAX);
        for row in rows {
            let empty = width - row.ids.len();
            padded.ids.extend(row.ids.iter().map(|id| signed(*id)).chain(std::iter::repeat_n(signed(pad), empty)));
            padded.mask.extend(std::iter::repeat_n(1, row.ids.len()).chain(std::iter::repeat_n(0, empty)));
            padded.types.extend(row.types.iter().map(|id| signed(*id)).chain(std::iter::repeat_n(0, empty)));
        }
        padded
    }
}

/// Cuts rows into batches of at most `budget` padded tokens, at least one row each. Rows of like
/// length stand together, so that little is padded.
pub(crate) fn plan(mut rows: Vec<Row>, budget: usize) -> Vec<Vec<Row>> {
    rows.sort_by_key(|row| std::cmp::Reverse(row.ids.len()));
    let mut batches: Vec<Vec<Row>> = Vec::new();
    for row in rows {
        match batches.last_mut() {
            // Sorted by length: the first row of a batch is its widest.
            Some(batch) if (batch.len() + 1) * batch[0].ids.len() <= budget => batch.push(row),
            _ => batches.push(vec![row]),
        }
    }
    batches
}
