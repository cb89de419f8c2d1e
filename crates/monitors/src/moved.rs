//! What moved most within a distribution: that it moved says nothing of what to look at.

use mainspring_statistics::{
    Quantiles,
    drift::{CategoryDrift, compare_ranges},
    embedding::{ClusterGrowth, GrowthReport},
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

/// What surely grew comes first, whatever others lost to it or by chance: it is what is asked about now. `words`: of each cluster.
pub(crate) fn of_topics(growth: &GrowthReport, words: &[Vec<String>]) -> Vec<Moved> {
    let name = |cluster: usize| Portion::Topic(words.get(cluster).cloned().unwrap_or_default());
    let moved = |of: &ClusterGrowth| Moved { what: of.cluster.map_or(Portion::Unlike, name), before: of.before, after: of.after };
    let part = |grew: bool| most(growth.clusters.iter().filter(|of| of.grew() == grew).map(&moved).collect());
    let mut all = part(true);
    all.extend(part(false));
    all.truncate(MOVED_MAX);
    all
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
