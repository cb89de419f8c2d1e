//! What moved most within a distribution: that it moved says nothing of what to look at.

use mainspring_statistics::{
    Quantiles,
    drift::{CategoryDrift, compare_ranges},
    embedding::GrowthReport,
};

use crate::state::{Moved, Portion};

/// More parts than this are no summary.
const MOVED_MAX: usize = 8;

pub(crate) fn of_categories(found: &CategoryDrift) -> Vec<Moved> {
    let moved = found.movers.iter().map(|mover| Moved {
        what: Portion::Category(mover.category.clone()),
        before: mover.before,
        after: mover.after,
    });
    most(moved.collect())
}

/// Over the ranges that the index is made of.
pub(crate) fn of_numbers(before: &Quantiles, after: &Quantiles) -> Vec<Moved> {
    let moved = compare_ranges(before, after).into_iter().map(|range| Moved {
        what: Portion::Numbers { from: range.from, to: range.to },
        before: range.before,
        after: range.after,
    });
    most(moved.collect())
}

/// `words`: of each cluster.
pub(crate) fn of_topics(growth: &GrowthReport, words: &[Vec<String>]) -> Vec<Moved> {
    let name = |cluster: usize| Portion::Topic(words.get(cluster).cloned().unwrap_or_default());
    let moved = growth.clusters.iter().map(|growth| Moved {
        what: growth.cluster.map_or(Portion::Unlike, name),
        before: growth.before,
        after: growth.after,
    });
    most(moved.collect())
}

/// The largest change of share first; of equals what grew, since what is new is what one looks at.
fn most(mut moved: Vec<Moved>) -> Vec<Moved> {
    let by = |moved: &Moved| moved.after - moved.before;
    moved.retain(|moved| by(moved) != 0.0);
    moved.sort_by(|one, other| {
        let (one, other) = (by(one), by(other));
        other.abs().total_cmp(&one.abs()).then(other.total_cmp(&one))
    });
    moved.truncate(MOVED_MAX);
    moved
}
