//! Intervals and tests that resample what was seen instead of assuming a distribution.

use serde::{Deserialize, Serialize};

use crate::{
    random::Random,
    rates::Interval,
    special::{binomial_cdf, normal_cdf, normal_quantile},
};

/// How an interval is read off the resampled estimates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    Percentile,
    /// Corrected for bias and skewness (Efron, "Better bootstrap confidence intervals", 1987).
    #[default]
    Corrected,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    pub resamples: usize,
    pub level: f64,
    pub method: Method,
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 2_000, level: 0.95, method: Method::Corrected, seed: 0 }
    }
}

impl Bootstrap {
    /// An interval of a statistic of independent observations. Nothing where there are fewer than two, or the statistic
    /// is not finite.
    #[must_use]
    pub fn interval<T: Copy>(&self, observed: &[T], statistic: impl Fn(&[T]) -> f64) -> Option<Interval> {
        let estimate = statistic(observed);
        if observed.len() < 2 || !estimate.is_finite() || self.resamples == 0 {
            return None;
        }
        let mut random = Random::new(self.seed);
        let mut drawn = observed.to_vec();
        let mut estimates: Vec<f64> = (0..self.resamples)
            .map(|_| {
                drawn.iter_mut().for_each(|one| *one = observed[random.below(observed.len())]);
                statistic(&drawn)
            })
            .filter(|estimate| estimate.is_finite())
            .collect();
        estimates.sort_by(f64::total_cmp);
        let tail = (1.0 - self.level.clamp(0.0, 1.0)) / 2.0;
        let (low, high) = match self.method {
            Method::Percentile => (tail, 1.0 - tail),
            Method::Corrected => corrected(&estimates, estimate, acceleration(observed, &statistic), tail),
        };
        Some(Interval { estimate, low: percentile(&estimates, low)?, high: percentile(&estimates, high)? })
    }

    /// The mean of the differences of pairs: what a change did to the same cases.
    #[must_use]
    pub fn paired(&self, before: &[f64], after: &[f64]) -> Option<Interval> {
        if before.len() != after.len() {
            return None;
        }
        let differences: Vec<f64> = before.iter().zip(after).map(|(before, after)| after - before).collect();
        self.interval(&differences, mean)
    }
}

#[must_use]
pub fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// The percentiles that Efron's correction reads instead of the nominal ones.
fn corrected(estimates: &[f64], estimate: f64, acceleration: f64, tail: f64) -> (f64, f64) {
    let below = estimates.iter().filter(|drawn| **drawn < estimate).count() as f64;
    let equal = estimates.iter().filter(|drawn| **drawn == estimate).count() as f64;
    let share = (below + equal / 2.0) / estimates.len().max(1) as f64;
    let bias = normal_quantile(share);
    if !bias.is_finite() {
        return (tail, 1.0 - tail);
    }
    let read = |probability: f64| {
        let moved = bias + normal_quantile(probability);
        // Far out, the correction would turn the order around.
        normal_cdf(bias + moved / (1.0 - acceleration * moved).max(0.05))
    };
    (read(tail), read(1.0 - tail))
}

/// From the skewness of the estimates that leave one observation out.
fn acceleration<T: Copy>(observed: &[T], statistic: &impl Fn(&[T]) -> f64) -> f64 {
    let mut rest = Vec::with_capacity(observed.len());
    let without: Vec<f64> = (0..observed.len())
        .map(|out| {
            rest.clear();
            rest.extend(observed.iter().enumerate().filter(|(index, _)| *index != out).map(|(_, one)| *one));
            statistic(&rest)
        })
        .collect();
    let middle = mean(&without);
    let power = |exponent: i32| without.iter().map(|one| (middle - one).powi(exponent)).sum::<f64>();
    let scale = 6.0 * power(2).powf(1.5);
    let skew = power(3) / scale;
    if skew.is_finite() { skew } else { 0.0 }
}

fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    Some(sorted[below] + (sorted[above] - sorted[below]) * place.fract())
}

/// McNemar's test in its exact form ("Note on the sampling error of the difference between correlated proportions", 1947):
/// how probable it is, two-sided, that pairs which changed went so unevenly one way.
#[must_use]
pub fn mcnemar(better: u64, worse: u64) -> f64 {
    (2.0 * binomial_cdf(better.min(worse), better.saturating_add(worse), 0.5)).min(1.0)
}

/// Up to this many pairs, all signs are tried.
const ALL_SIGNS: usize = 20;

/// Fisher's test of paired differences ("The design of experiments", 1935): how probable, two-sided, is a sum so far from
/// zero if each sign could as well be the other. Exact for up to 20 differences, else by `draws` random ones.
#[must_use]
pub fn sign_flip(differences: &[f64], draws: usize, seed: u64) -> f64 {
    let seen = differences.iter().sum::<f64>().abs();
    let scale: f64 = differences.iter().map(|difference| difference.abs()).sum();
    // Sums in another order differ in their last digits.
    let bar = seen - scale * 1e-12;
    if differences.len() <= ALL_SIGNS {
        let all = 1_u32 << differences.len();
        let sum = |signs: u32| -> f64 {
            let signed = differences.iter().enumerate();
            signed.map(|(place, difference)| if (signs >> place) & 1 == 1 { -difference } else { *difference }).sum()
        };
        return (0..all).filter(|signs| sum(*signs).abs() >= bar).count() as f64 / f64::from(all);
    }
    let mut random = Random::new(seed);
    let mut sum = || -> f64 {
        let signed = differences.iter().map(|difference| if random.next_u64() >> 63 == 1 { -difference } else { *difference });
        signed.sum()
    };
    share_of_draws(draws, || sum().abs() >= bar)
}

/// The permutation test of two means, two-sided, by `draws` random divisions.
#[must_use]
pub fn permutation(one: &[f64], other: &[f64], draws: usize, seed: u64) -> f64 {
    if one.is_empty() || other.is_empty() {
        return 1.0;
    }
    let apart = |first: &[f64], second: &[f64]| (mean(first) - mean(second)).abs();
    let mut all = [one, other].concat();
    let scale: f64 = all.iter().map(|number| number.abs()).sum::<f64>() / all.len() as f64;
    let bar = apart(one, other) - scale * 1e-12;
    let mut random = Random::new(seed);
    share_of_draws(draws, || {
        random.shuffle(&mut all);
        apart(&all[..one.len()], &all[one.len()..]) >= bar
    })
}

/// The draw that was seen counts as one of them, so a p-value is never 0 (Phipson and Smyth, 2010).
fn share_of_draws(draws: usize, mut extreme: impl FnMut() -> bool) -> f64 {
    let found = (0..draws).filter(|_| extreme()).count();
    (found + 1) as f64 / (draws + 1) as f64
}
