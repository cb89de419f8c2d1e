//! Whether a rate is the same in every slice of the traffic.

use serde::{Deserialize, Serialize};

use crate::{
    multiplicity::holm,
    rates::{Interval, newcombe, two_proportions, wilson},
};

/// How often something happened in one part of the traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    pub name: String,
    pub hits: u64,
    pub trials: u64,
}

/// What is known of a slice's rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum SliceState {
    /// Nothing was seen.
    Missing,
    /// Fewer trials than the rule wants, here or in all other slices together; not compared.
    TooFew { needed: u64 },
    Measured {
        rate: Interval,
        /// Its rate less that of everything else.
        against_rest: Interval,
        p: f64,
        /// Holm's correction over all slices that were compared.
        p_adjusted: f64,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceFinding {
    pub slice: Slice,
    #[serde(flatten)]
    pub state: SliceState,
}

/// The slices in the order given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceReport {
    pub level: f64,
    pub overall: Option<Interval>,
    pub slices: Vec<SliceFinding>,
    /// The lowest rate over the highest among slices that were compared: below 0.8, the "four-fifths rule" of the US
    /// Uniform Guidelines on Employee Selection Procedures (1978) speaks of adverse impact.
    pub lowest_to_highest: Option<f64>,
}

impl SliceReport {
    /// The slices whose rate differs from the rest, all errors together at most one less the level.
    pub fn differing(&self) -> impl Iterator<Item = &SliceFinding> {
        let most = 1.0 - self.level;
        self.slices
            .iter()
            .filter(move |finding| matches!(finding.state, SliceState::Measured { p_adjusted, .. } if p_adjusted <= most))
    }
}

/// Each slice against everything else.
#[must_use]
pub fn compare_slices(slices: Vec<Slice>, needed: u64, level: f64) -> SliceReport {
    let hits = slices.iter().fold(0_u64, |sum, slice| sum.saturating_add(slice.hits.min(slice.trials)));
    let trials = slices.iter().fold(0_u64, |sum, slice| sum.saturating_add(slice.trials));
    let needed_or_one = needed.max(1);
    let mut p_values = Vec::new();
    let mut findings: Vec<SliceFinding> = Vec::with_capacity(slices.len());
    for slice in slices {
        let own = (slice.hits.min(slice.trials), slice.trials);
        let rest = (hits.saturating_sub(own.0), trials.saturating_sub(own.1));
        let rate = wilson(own.0, own.1, level);
        let state = match rate {
            None => SliceState::Missing,
            Some(rate) if own.1 >= needed_or_one && rest.1 >= needed_or_one => {
                let p = two_proportions(own, rest);
                p_values.push(p);
                SliceState::Measured { rate, against_rest: newcombe(own, rest, level), p, p_adjusted: 1.0 }
            }
            Some(_) => SliceState::TooFew { needed },
        };
        findings.push(SliceFinding { slice, state });
    }
    let mut corrected = holm(&p_values).into_iter();
    let (mut lowest, mut highest) = (f64::INFINITY, f64::NEG_INFINITY);
    for finding in &mut findings {
        if let SliceState::Measured { rate, p_adjusted, .. } = &mut finding.state {
            *p_adjusted = corrected.next().unwrap_or(1.0);
            (lowest, highest) = (lowest.min(rate.estimate), highest.max(rate.estimate));
        }
    }
    let lowest_to_highest = (p_values.len() > 1 && highest > 0.0).then(|| lowest / highest);
    SliceReport { level, overall: wilson(hits, trials, level), slices: findings, lowest_to_highest }
}
