use serde::{Deserialize, Serialize};

use crate::{
    rates::Interval,
    special::{halve, ln_beta, ln_beta_cdf},
};

/// An interval of a rate that holds at all times at once, from counts alone.
///
/// The likelihood ratio against a Beta(1/2, 1/2) mixture of all rates (Robbins, "Statistical methods related to the law of
/// the iterated logarithm", 1970; Howard and others, "Time-uniform, nonparametric, nonasymptotic confidence sequences",
/// 2021): a rate is in the interval while the evidence against it is below 1/α.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RateSequence {
    hits: u64,
    misses: u64,
}

const PRIOR: f64 = 0.5;

impl RateSequence {
    pub fn add(&mut self, hits: u64, misses: u64) {
        self.hits = self.hits.saturating_add(hits);
        self.misses = self.misses.saturating_add(misses);
    }

    #[must_use]
    pub const fn hits(&self) -> u64 {
        self.hits
    }
    #[must_use]
    pub const fn trials(&self) -> u64 {
        self.hits.saturating_add(self.misses)
    }

    /// The logarithm of the evidence against this rate.
    #[must_use]
    pub fn log_evidence_against(&self, rate: f64) -> f64 {
        let (hits, misses) = (self.hits as f64, self.misses as f64);
        ln_beta(PRIOR + hits, PRIOR + misses) - ln_beta(PRIOR, PRIOR) - log_likelihood(rate, hits, misses)
    }

    /// The rates that are not refuted at a level of `1 - level`. Everything from 0 to 1 before the first trial.
    #[must_use]
    pub fn interval(&self, level: f64) -> Interval {
        let trials = self.trials() as f64;
        if trials == 0.0 {
            return Interval { estimate: 0.5, low: 0.0, high: 1.0 };
        }
        let estimate = self.hits as f64 / trials;
        let bar = -(1.0 - level.clamp(0.0, 1.0)).ln();
        // The evidence falls towards the estimate from either side.
        let refuted = |rate: f64| self.log_evidence_against(rate) >= bar;
        let low = if self.hits == 0 { 0.0 } else { halve(0.0, estimate, refuted) };
        let high = if self.misses == 0 { 1.0 } else { 1.0 - halve(0.0, 1.0 - estimate, |off| refuted(1.0 - off)) };
        Interval { estimate, low, high }
    }
}

/// Zero times the logarithm of zero is zero here: what never happened needs no probability.
fn log_likelihood(rate: f64, hits: f64, misses: f64) -> f64 {
    let part = |count: f64, log: f64| if count > 0.0 { count * log } else { 0.0 };
    part(hits, rate.ln()) + part(misses, (-rate).ln_1p())
}

/// Evidence that a rate is above a threshold, from counts alone.
///
/// The likelihood ratio of the threshold against a Beta(1/2, 1/2) mixture of the rates above it. For every rate at or below
/// the threshold it is a supermartingale, so looking after every trial costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RateEvidence {
    threshold: f64,
    seen: RateSequence,
    highest: f64,
}

impl RateEvidence {
    /// Nothing where the threshold is not between 0 and 1.
    #[must_use]
    pub fn new(threshold: f64) -> Option<Self> {
        (threshold > 0.0 && threshold < 1.0).then(|| Self { threshold, seen: RateSequence::default(), highest: 0.0 })
    }

    pub fn add(&mut self, hits: u64, misses: u64) {
        self.seen.add(hits, misses);
        self.highest = self.highest.max(self.log_evidence());
    }

    #[must_use]
    pub const fn seen(&self) -> RateSequence {
        self.seen
    }

    /// The logarithm of the evidence as it stands.
    #[must_use]
    pub fn log_evidence(&self) -> f64 {
        let (hits, misses) = (self.seen.hits as f64, self.seen.misses as f64);
        let above = |a: f64, b: f64| ln_beta(a, b) + ln_beta_cdf(1.0 - self.threshold, b, a);
        above(PRIOR + hits, PRIOR + misses) - above(PRIOR, PRIOR) - log_likelihood(self.threshold, hits, misses)
    }

    /// The highest it ever stood at when looked at: what may be compared with 1/α.
    #[must_use]
    pub const fn highest(&self) -> f64 {
        self.highest
    }
}
