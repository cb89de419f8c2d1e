//! Whether two periods differ: numbers by their quantile sketches, categories by their counts.

mod categorical;
mod numeric;

use serde::{Deserialize, Serialize};

pub use categorical::{CategoryDrift, Mover, compare_categories};
pub use numeric::{NumericDrift, RangeShare, compare_numbers, compare_ranges, kolmogorov_smirnov_p};

/// A comparison, or why there is none. That there is nothing to compare is never "no drift".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Compared<T> {
    /// One of the two has nothing.
    Missing {
        reference: u64,
        current: u64,
    },
    /// One of the two has less than the rule wants.
    TooFew {
        reference: u64,
        current: u64,
        needed: u64,
    },
    Measured(T),
}

impl<T> Compared<T> {
    pub fn measured(self) -> Option<T> {
        if let Self::Measured(found) = self { Some(found) } else { None }
    }

    /// Measures where both have enough.
    pub fn from_counts(reference: u64, current: u64, needed: u64, measure: impl FnOnce() -> T) -> Self {
        if reference == 0 || current == 0 {
            return Self::Missing { reference, current };
        }
        if reference < needed || current < needed {
            return Self::TooFew { reference, current, needed };
        }
        Self::Measured(measure())
    }
}

/// The population stability index: the sum of (current - reference) × ln(current / reference) over shares, which is
/// Kullback and Leibler's divergence both ways (1951).
///
/// Every bin gets half an observation more, so that an empty one does not make it infinite.
#[must_use]
pub fn psi(bins: &[(u64, u64)]) -> f64 {
    shares(bins, 0.5).map(|(reference, current)| (current - reference) * (current / reference).ln()).sum()
}

/// What `psi` exceeds with this probability although nothing has changed: `psi` over the sum of the inverse sample sizes
/// goes to a chi-squared variable (Yurdakul, "Statistical properties of population stability index", 2018).
#[must_use]
pub fn psi_by_chance(bins: usize, reference: u64, current: u64, probability: f64) -> f64 {
    if bins < 2 || reference == 0 || current == 0 {
        return 0.0;
    }
    crate::special::chi_squared_critical(probability, (bins - 1) as f64) * (1.0 / reference as f64 + 1.0 / current as f64)
}

/// Jensen and Shannon's divergence in bits: 0 for the same shares, 1 for shares with nothing in common (Lin, 1991).
#[must_use]
pub fn jensen_shannon(bins: &[(u64, u64)]) -> f64 {
    let part = |share: f64, middle: f64| if share > 0.0 { share * (share / middle).log2() } else { 0.0 };
    let both = shares(bins, 0.0).map(|(reference, current)| {
        let middle = f64::midpoint(reference, current);
        (part(reference, middle) + part(current, middle)) / 2.0
    });
    both.sum::<f64>().clamp(0.0, 1.0)
}

fn shares(bins: &[(u64, u64)], more: f64) -> impl Iterator<Item = (f64, f64)> {
    let (reference, current) = bins.iter().fold((0.0, 0.0), |(one, other), bin| (one + bin.0 as f64, other + bin.1 as f64));
    let extra = more * bins.len() as f64;
    let share = move |held: u64, all: f64| {
        let all = all + extra;
        if all > 0.0 { (held as f64 + more) / all } else { 0.0 }
    };
    bins.iter().map(move |bin| (share(bin.0, reference), share(bin.1, current)))
}
