use serde::{Deserialize, Serialize};

use crate::rates::Interval;

/// An interval of the mean of numbers between 0 and 1 that holds at all times at once, whatever their distribution.
///
/// The predictable plug-in empirical-Bernstein confidence sequence of Waudby-Smith and Ramdas, "Estimating means of bounded
/// random variables by betting", 2023 (theorem 2), narrowed by what earlier looks have ruled out. Numbers outside are
/// taken for the nearest bound; those that are not finite are left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BoundedMean {
    alpha: f64,
    weighed: f64,
    weights: f64,
    penalty: f64,
    plug: Plug,
    low: f64,
    high: f64,
}

/// The estimates of mean and variance that a bet may know: those of all numbers before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Plug {
    count: u64,
    sum: f64,
    squares: f64,
}

impl Plug {
    const NEW: Self = Self { count: 0, sum: 0.0, squares: 0.0 };

    fn mean(&self) -> f64 {
        (0.5 + self.sum) / (self.count as f64 + 1.0)
    }

    fn variance(&self) -> f64 {
        (0.25 + self.squares) / (self.count as f64 + 1.0)
    }

    fn add(&mut self, number: f64) {
        self.count = self.count.saturating_add(1);
        self.sum += number;
        self.squares += (number - self.mean()).powi(2);
    }

    /// How much to bet on the next number for evidence of ln(`bar`) soonest.
    fn bet(&self, bar: f64) -> f64 {
        let next = self.count as f64 + 1.0;
        (2.0 * bar / (self.variance() * next * (next + 1.0).ln())).sqrt()
    }
}

impl BoundedMean {
    /// `level` is the probability with which the interval holds at all times.
    #[must_use]
    pub fn new(level: f64) -> Self {
        let alpha = (1.0 - level).clamp(1e-12, 1.0 - 1e-12);
        Self { alpha, weighed: 0.0, weights: 0.0, penalty: 0.0, plug: Plug::NEW, low: 0.0, high: 1.0 }
    }

    pub fn add(&mut self, number: f64) {
        if !number.is_finite() {
            return;
        }
        let number = number.clamp(0.0, 1.0);
        let bar = (2.0 / self.alpha).ln();
        let bet = self.plug.bet(bar).min(0.5);
        self.weighed += bet * number;
        self.weights += bet;
        self.penalty += (number - self.plug.mean()).powi(2) * (-(-bet).ln_1p() - bet);
        self.plug.add(number);
        let (middle, half) = (self.weighed / self.weights, (bar + self.penalty) / self.weights);
        self.low = self.low.max(middle - half);
        self.high = self.high.min(middle + half);
    }

    #[must_use]
    pub const fn count(&self) -> u64 {
        self.plug.count
    }

    /// Everything from 0 to 1 at first. Where `low` is above `high` the mean was not the same all the time.
    #[must_use]
    pub fn interval(&self) -> Interval {
        let estimate = if self.plug.count == 0 { 0.5 } else { self.plug.sum / self.plug.count as f64 };
        Interval { estimate, low: self.low, high: self.high }
    }
}

/// Evidence that the mean of numbers between 0 and 1 is above a threshold, whatever their distribution.
///
/// A bet on each next number with a stake that only earlier numbers decide (the same paper, section 4): while the mean of
/// the next number, given those before, is at or below the threshold, nobody can expect to win. The stake is the one that
/// would have grown fastest so far (its "approximate GRAPA"), and nothing while the mean so far is not above.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanBet {
    threshold: f64,
    log_evidence: f64,
    highest: f64,
    plug: Plug,
}

/// The share of what could be lost that is bet at most.
const BOLDEST: f64 = 0.75;

impl MeanBet {
    /// Nothing where the threshold is not between 0 and 1.
    #[must_use]
    pub fn new(threshold: f64) -> Option<Self> {
        let fits = threshold > 0.0 && threshold < 1.0;
        fits.then_some(Self { threshold, log_evidence: 0.0, highest: 0.0, plug: Plug::NEW })
    }

    pub fn add(&mut self, number: f64) {
        if !number.is_finite() {
            return;
        }
        let number = number.clamp(0.0, 1.0);
        let above = self.plug.mean() - self.threshold;
        let stake = (above / (self.plug.variance() + above * above)).clamp(0.0, BOLDEST / self.threshold);
        self.log_evidence += (stake * (number - self.threshold)).ln_1p();
        self.highest = self.highest.max(self.log_evidence);
        self.plug.add(number);
    }

    #[must_use]
    pub const fn count(&self) -> u64 {
        self.plug.count
    }
    #[must_use]
    pub const fn log_evidence(&self) -> f64 {
        self.log_evidence
    }
    #[must_use]
    pub const fn highest(&self) -> f64 {
        self.highest
    }
}
