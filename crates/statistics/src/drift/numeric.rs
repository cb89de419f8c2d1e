use serde::{Deserialize, Serialize};

use super::{Compared, jensen_shannon, psi, psi_by_chance};
use crate::{quantiles::Quantiles, special::kolmogorov_tail};

/// How many bins of equal share in the reference the indices are made over.
const BINS: u64 = 10;

/// How the numbers of one period differ from those of another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NumericDrift {
    pub reference: u64,
    pub current: u64,
    /// Over the tenths of the reference.
    pub psi: f64,
    /// What `psi` exceeds in one of twenty comparisons of periods that do not differ.
    pub psi_by_chance: f64,
    /// In bits, over the same bins.
    pub jensen_shannon: f64,
    /// The largest distance between the two distribution functions.
    pub ks: f64,
    /// How probable such a distance is where nothing has changed.
    pub ks_p: f64,
    /// By how much numbers moved on average, in their own unit (Wasserstein's distance of order 1).
    pub moved: f64,
    /// The same over the distance between the reference's 10th and 90th percentile; nothing where these are the same.
    pub moved_relative: Option<f64>,
}

/// Numbers of a range, and the shares of both periods that they are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RangeShare {
    pub from: f64,
    pub to: f64,
    pub before: f64,
    pub after: f64,
}

/// The ranges that `psi` is made over: tenths of the reference, and what is above all of it.
#[must_use]
pub fn compare_ranges(reference: &Quantiles, current: &Quantiles) -> Vec<RangeShare> {
    let (before, after) = (reference.count(), current.count());
    let share = |held: u64, all: u64| if all == 0 { 0.0 } else { held as f64 / all as f64 };
    let range = |Tenth { ends, held }: Tenth| RangeShare {
        from: ends.0,
        to: ends.1,
        before: share(held.0, before),
        after: share(held.1, after),
    };
    tenths(&reference.side_by_side(current), before).into_iter().map(range).collect()
}

/// Compares what two sketches saw, where each saw at least `needed` numbers.
///
/// Distances are taken between the cells of the sketches. A move inside one cell, of at most two times the sketches'
/// accuracy, is not seen; what is seen is never more than the truth, so the p-value keeps its level.
#[must_use]
pub fn compare_numbers(reference: &Quantiles, current: &Quantiles, needed: u64) -> Compared<NumericDrift> {
    Compared::from_counts(reference.count(), current.count(), needed, || measure(reference, current))
}

fn measure(reference: &Quantiles, current: &Quantiles) -> NumericDrift {
    let cells = reference.side_by_side(current);
    let (before, after) = (reference.count(), current.count());
    let bins: Vec<(u64, u64)> = tenths(&cells, before).into_iter().map(|tenth| tenth.held).collect();
    let (ks, moved) = distances(&cells, before as f64, after as f64);
    let spread = reference.quantile(0.9).zip(reference.quantile(0.1)).map(|(high, low)| high - low);
    NumericDrift {
        reference: before,
        current: after,
        psi: psi(&bins),
        psi_by_chance: psi_by_chance(bins.len(), before, after, 0.05),
        jensen_shannon: jensen_shannon(&bins),
        ks,
        ks_p: kolmogorov_smirnov_p(ks, before, after),
        moved,
        moved_relative: spread.filter(|spread| *spread > 0.0).map(|spread| (moved / spread).min(f64::MAX)),
    }
}

#[derive(Debug, Clone, Copy)]
struct Tenth {
    /// What stands for its first and its last cell.
    ends: (f64, f64),
    held: (u64, u64),
}

/// Neighbouring cells together, a new bin as soon as the last has its tenth of the reference.
///
/// What only the current period has stands beside what the reference has next to it; cells above the last of the
/// reference get a bin of their own, since nobody has seen such numbers before.
fn tenths(cells: &[(f64, u64, u64)], all: u64) -> Vec<Tenth> {
    let (mut bins, mut open, mut passed) = (Vec::new(), None::<Tenth>, 0_u64);
    for (stand_in, reference, current) in cells {
        let Tenth { ends, held } = open.unwrap_or(Tenth { ends: (*stand_in, *stand_in), held: (0, 0) });
        let tenth =
            Tenth { ends: (ends.0, *stand_in), held: (held.0.saturating_add(*reference), held.1.saturating_add(*current)) };
        passed = passed.saturating_add(*reference);
        let due = u128::from(all) * (bins.len() as u128 + 1) / u128::from(BINS);
        let full = tenth.held.0 > 0 && u128::from(passed) >= due;
        if full {
            bins.push(tenth);
        }
        open = (!full).then_some(tenth);
    }
    bins.extend(open);
    bins
}

/// The largest distance between the distribution functions, and the area between them.
fn distances(cells: &[(f64, u64, u64)], before: f64, after: f64) -> (f64, f64) {
    let (mut largest, mut area) = (0.0_f64, 0.0);
    let (mut one, mut other) = (0.0, 0.0);
    for (index, (stand_in, reference, current)) in cells.iter().enumerate() {
        one += *reference as f64;
        other += *current as f64;
        let apart = (one / before - other / after).abs();
        largest = largest.max(apart);
        if let Some((next, ..)) = cells.get(index + 1) {
            // Numbers at the ends of the range are farther apart than a number can say.
            area = (area + apart * (next - stand_in).min(f64::MAX)).min(f64::MAX);
        }
    }
    (largest.min(1.0), area)
}

/// Kolmogorov's limit with the correction of Stephens ("Use of the Kolmogorov-Smirnov, Cramér-von Mises and related
/// statistics without extensive tables", 1970), for two samples.
#[must_use]
pub fn kolmogorov_smirnov_p(distance: f64, one: u64, other: u64) -> f64 {
    if one == 0 || other == 0 {
        return 1.0;
    }
    let effective = (one as f64 * (other as f64 / (one as f64 + other as f64))).sqrt();
    kolmogorov_tail((effective + 0.12 + 0.11 / effective) * distance)
}
