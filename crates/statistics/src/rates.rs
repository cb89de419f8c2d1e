//! Rates, their intervals and their differences.

use serde::{Deserialize, Serialize};

use crate::special::{ln_choose, normal_quantile, normal_tail};

/// An estimate and where the truth lies with the level asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub estimate: f64,
    pub low: f64,
    pub high: f64,
}

impl Interval {
    #[must_use]
    pub fn contains(&self, truth: f64) -> bool {
        self.low <= truth && truth <= self.high
    }
    /// Whether it is all on one side of zero.
    #[must_use]
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// The number of standard errors that leaves (1 - level) / 2 on either side.
pub(crate) fn deviations(level: f64) -> f64 {
    normal_quantile(0.5 + level.clamp(0.0, 1.0 - 1e-15) / 2.0)
}

/// Wilson's score interval of a rate ("Probable inference, the law of succession, and statistical inference", 1927).
/// Nothing where there were no trials.
#[must_use]
pub fn wilson(hits: u64, trials: u64, level: f64) -> Option<Interval> {
    if trials == 0 || hits > trials {
        return None;
    }
    let (n, z) = (trials as f64, deviations(level));
    let rate = hits as f64 / n;
    let middle = rate + z * z / (2.0 * n);
    let half = z * (rate * (1.0 - rate) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    let low = if hits == 0 { 0.0 } else { ((middle - half) / scale).max(0.0) };
    let high = if hits == trials { 1.0 } else { ((middle + half) / scale).min(1.0) };
    Some(Interval { estimate: rate, low, high })
}

/// The difference of two rates, the first less the second: Newcombe's method 10 ("Interval estimation for the difference
/// between independent proportions", 1998). Everything is possible where one has no trials.
#[must_use]
pub fn newcombe(one: (u64, u64), other: (u64, u64), level: f64) -> Interval {
    let (Some(first), Some(second)) = (wilson(one.0, one.1, level), wilson(other.0, other.1, level)) else {
        return Interval { estimate: 0.0, low: -1.0, high: 1.0 };
    };
    let estimate = first.estimate - second.estimate;
    let below = (first.estimate - first.low).hypot(second.high - second.estimate);
    let above = (first.high - first.estimate).hypot(second.estimate - second.low);
    Interval { estimate, low: (estimate - below).max(-1.0), high: (estimate + above).min(1.0) }
}

/// How probable a difference of two rates like this is where there is none, either way: the pooled normal test, and
/// Fisher's exact one where fewer than five of anything are expected. 1 where one has no trials.
#[must_use]
pub fn two_proportions(one: (u64, u64), other: (u64, u64)) -> f64 {
    let (n, m) = (one.1 as f64, other.1 as f64);
    if one.1 == 0 || other.1 == 0 || one.0 > one.1 || other.0 > other.1 {
        return 1.0;
    }
    let pooled = (one.0 as f64 + other.0 as f64) / (n + m);
    let rarest = pooled.min(1.0 - pooled) * n.min(m);
    if rarest < 5.0 {
        return fisher_exact(one, other);
    }
    let z = (one.0 as f64 / n - other.0 as f64 / m) / (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    (2.0 * normal_tail(z.abs())).min(1.0)
}

/// Fisher's exact test of two rates, two-sided: the probability of all tables with these margins that are no more
/// probable than this one (Fisher, "The design of experiments", 1935).
#[must_use]
pub fn fisher_exact(one: (u64, u64), other: (u64, u64)) -> f64 {
    let (hits, all) = (one.0.saturating_add(other.0), one.1.saturating_add(other.1));
    let misses = all.saturating_sub(hits);
    // The rarer of hits and misses is walked over, so the sum stays short.
    let (drawn, rare) = if hits <= misses { (one.0, hits) } else { (one.1.saturating_sub(one.0), misses) };
    let least = rare.saturating_sub(other.1);
    let most = rare.min(one.1);
    let total = ln_choose(all, rare);
    let chance = |k: u64| (ln_choose(one.1, k) + ln_choose(other.1, rare - k) - total).exp();
    let seen = chance(drawn.clamp(least, most)) * (1.0 + 1e-7);
    (least..=most).map(chance).filter(|chance| *chance <= seen).sum::<f64>().min(1.0)
}
