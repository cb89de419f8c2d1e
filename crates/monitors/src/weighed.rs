//! What is counted where only some of it is kept.
//!
//! What is kept stands for more than itself, which makes numbers larger and not surer. So what a test is told is never more
//! than was seen: as many of which all were kept as would say as much. Where each stands for itself, that is what was seen.

use std::borrow::Cow;

use mainspring_statistics::{Moments, Quantiles};

/// More different weights than this are told apart by no policy of sampling.
const STRATA_MAX: usize = 16;

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    count: f64,
    /// The sum of the squares of what each stands for; as much as the count where each stands for itself.
    squares: f64,
}

impl Tally {
    /// So many, all of which are there.
    #[must_use]
    pub const fn exact(count: u64) -> Self {
        Self::of(count, 1.0)
    }

    /// So many are there, and each of them stands for as many.
    #[must_use]
    pub const fn of(seen: u64, weight: f64) -> Self {
        let count = seen as f64 * weight;
        Self { count, squares: count * weight }
    }

    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.squares += other.squares;
    }

    /// How many there are, or about how many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.round() as u64
    }

    #[must_use]
    pub fn is_estimate(&self) -> bool {
        self.squares > self.count
    }

    /// As many of which all were kept would say as much.
    #[must_use]
    pub fn worth(&self) -> f64 {
        if self.is_estimate() { self.count * self.count / self.squares } else { self.count }
    }
}

/// Hits and trials of a rate, for a test: the rate is that of what they stand for, and the trials are worth what was seen.
#[must_use]
pub(crate) fn rate(hits: &Tally, trials: &Tally) -> (u64, u64) {
    if !trials.is_estimate() {
        return (hits.count().min(trials.count()), trials.count());
    }
    let share = (hits.count / trials.count).clamp(0.0, 1.0);
    // The variance of a ratio of two sums that are drawn together. What is kept in any case adds none that others would not.
    let spread = (1.0 - share).powi(2) * hits.squares + share.powi(2) * (trials.squares - hits.squares).max(0.0);
    let binomial = share * (1.0 - share) * trials.count * trials.count;
    let worth = if spread > 0.0 && binomial > 0.0 { binomial / spread } else { trials.worth() };
    let worth = worth.min(trials.count);
    ((share * worth).round() as u64, worth.round() as u64)
}

/// Two counts, for a test of which is larger: as large beside each other as they are, and worth what was seen of them.
pub(crate) fn beside(before: &Tally, after: &Tally) -> (u64, u64) {
    if !before.is_estimate() && !after.is_estimate() {
        return (before.count(), after.count());
    }
    let all = before.count + after.count;
    if before.count <= 0.0 || after.count <= 0.0 {
        return (before.worth().round() as u64, after.worth().round() as u64);
    }
    // As many as give the share of one of them the variance that it has.
    let worth = all * all / (before.count * after.count) / (1.0 / before.worth() + 1.0 / after.worth());
    ((worth * before.count / all).round() as u64, (worth * after.count / all).round() as u64)
}

/// Numbers that stand for as many.
#[derive(Debug, Clone, PartialEq)]
struct Stratum {
    weight: f64,
    moments: Moments,
    quantiles: Quantiles,
}

/// Numbers of one field.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Numbers {
    /// By weight. Where all is kept there is one.
    strata: Vec<Stratum>,
}

impl Numbers {
    /// Adds a number that stands for as many.
    pub fn add(&mut self, number: f64, weight: f64) {
        let stratum = self.stratum(weight);
        stratum.moments.add(number);
        stratum.quantiles.add(number);
    }

    /// Adds a number so many times.
    pub fn add_many(&mut self, number: f64, times: u64) {
        let stratum = self.stratum(1.0);
        stratum.moments.add_many(number, times);
        stratum.quantiles.add_many(number, times);
    }

    /// Adds numbers that were summed up where they lie, each of which stands for as many. For sums and means their moments are
    /// enough, and quantiles may be empty.
    pub fn add_summed(&mut self, moments: &Moments, quantiles: &Quantiles, weight: f64) {
        let stratum = self.stratum(weight);
        stratum.moments.merge(moments);
        stratum.quantiles.merge(quantiles);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for more in &other.strata {
            self.add_summed(&more.moments, &more.quantiles, more.weight);
        }
    }

    /// The numbers of a weight; of too many different ones those of the nearest.
    fn stratum(&mut self, weight: f64) -> &mut Stratum {
        let weight = if weight.is_finite() && weight > 1.0 { weight } else { 1.0 };
        let at = self.strata.partition_point(|stratum| stratum.weight < weight);
        if self.strata.get(at).is_some_and(|stratum| stratum.weight == weight) {
            return &mut self.strata[at];
        }
        if self.strata.len() < STRATA_MAX {
            self.strata.insert(at, Stratum { weight, moments: Moments::default(), quantiles: Quantiles::default() });
            return &mut self.strata[at];
        }
        let off = |at: usize| (self.strata[at].weight - weight).abs();
        let nearest = if at == self.strata.len() || (at > 0 && off(at - 1) < off(at)) { at - 1 } else { at };
        &mut self.strata[nearest]
    }

    /// The only stratum, where all numbers stand for as many.
    fn alike(&self) -> Option<&Stratum> {
        if let [only] = self.strata.as_slice() { Some(only) } else { None }
    }

    fn tally(&self) -> Tally {
        self.strata.iter().fold(Tally::default(), |mut all, Stratum { weight, moments, .. }| {
            all.merge(&Tally::of(moments.count(), *weight));
            all
        })
    }

    #[must_use]
    pub fn is_estimate(&self) -> bool {
        self.tally().is_estimate()
    }

    /// How many they are worth.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.tally().worth().round() as u64
    }

    #[must_use]
    pub fn sum(&self) -> f64 {
        self.strata.iter().map(|stratum| stratum.weight * stratum.moments.sum()).sum()
    }

    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        match self.alike() {
            Some(only) => only.moments.mean(),
            None => Some(self.sum() / self.tally().count).filter(|mean| mean.is_finite()),
        }
    }

    /// Squares of distances from the mean, of each stratum with its weight to this power.
    fn squares(&self, mean: f64, power: i32) -> f64 {
        let of = |Stratum { weight, moments, .. }: &Stratum| {
            let (count, own) = (moments.count() as f64, moments.mean().unwrap_or_default());
            let within = moments.variance().unwrap_or_default() * (count - 1.0).max(0.0);
            weight.powi(power) * (within + count * (own - mean).powi(2))
        };
        self.strata.iter().map(of).sum()
    }

    /// Of what the numbers stand for.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        if let Some(only) = self.alike() {
            return only.moments.variance();
        }
        let (tally, mean) = (self.tally(), self.mean()?);
        let worth = tally.worth();
        (worth > 1.0).then(|| self.squares(mean, 1) / tally.count * worth / (worth - 1.0))
    }

    /// The variance of the mean.
    #[must_use]
    pub fn error_squared(&self) -> Option<f64> {
        if let Some(only) = self.alike() {
            return only.moments.error_squared();
        }
        let (tally, mean) = (self.tally(), self.mean()?);
        (tally.worth() > 1.0).then(|| self.squares(mean, 2) / (tally.count * tally.count))
    }

    /// The number below which this share of what the numbers stand for lies.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        if let Some(only) = self.alike() {
            return only.quantiles.quantile(share);
        }
        let cells = self.cells();
        let all: f64 = cells.iter().map(|(_, held)| held).sum();
        let mut below = 0.0;
        let found = cells.iter().find(|(_, held)| {
            below += held;
            below >= share * all
        });
        found.or(cells.last()).map(|(number, _)| *number)
    }

    /// How many are above a bound, and how many there are, for a test.
    pub(crate) fn beyond(&self, bound: f64) -> (u64, u64) {
        let (mut more, mut all) = (Tally::default(), Tally::default());
        for Stratum { weight, quantiles, .. } in &self.strata {
            let count = quantiles.count();
            let up_to = quantiles.share_up_to(bound).unwrap_or(0.0);
            let above = count - ((up_to * count as f64).round() as u64).min(count);
            more.merge(&Tally::of(above, *weight));
            all.merge(&Tally::of(count, *weight));
        }
        rate(&more, &all)
    }

    /// How they are spread, with as many as they are worth.
    pub(crate) fn distribution(&self) -> Cow<'_, Quantiles> {
        if let Some(only) = self.alike() {
            return Cow::Borrowed(&only.quantiles);
        }
        let tally = self.tally();
        let each = if tally.count > 0.0 { tally.worth() / tally.count } else { 0.0 };
        let (mut spread, mut left_over) = (Quantiles::default(), 0.0);
        for (number, held) in self.cells() {
            // Counts are whole; what is left of one goes to the next.
            left_over += held * each;
            let times = (left_over + 1e-9).floor();
            left_over -= times;
            spread.add_many(number, times as u64);
        }
        Cow::Owned(spread)
    }

    /// Numbers in order, and how many each stands for.
    fn cells(&self) -> Vec<(f64, f64)> {
        let nothing = Quantiles::default();
        let of = |stratum: &Stratum| {
            let weight = stratum.weight;
            let cells = stratum.quantiles.side_by_side(&nothing);
            cells.into_iter().map(move |(number, held, _)| (number, held as f64 * weight)).collect::<Vec<_>>()
        };
        let mut cells: Vec<(f64, f64)> = self.strata.iter().flat_map(of).collect();
        cells.sort_by(|one, other| one.0.total_cmp(&other.0));
        cells
    }
}

#[cfg(test)]
mod tests {
    use mainspring_statistics::Random;
    use proptest::prelude::*;

    use super::*;

    fn near(one: f64, other: f64, within: f64) -> bool {
        (one - other).abs() <= within * other.abs().max(1e-9)
    }

    #[test]
    fn what_stands_for_itself_is_counted_as_it_is() {
        let (hits, trials) = (Tally::exact(7), Tally::exact(50));
        assert_eq!((hits.count(), hits.is_estimate(), rate(&hits, &trials)), (7, false, (7, 50)));
        assert_eq!(beside(&hits, &trials), (7, 50));
        let mut numbers = Numbers::default();
        (1..=100).for_each(|number| numbers.add(f64::from(number), 1.0));
        assert_eq!((numbers.count(), numbers.mean(), numbers.sum(), numbers.is_estimate()), (100, Some(50.5), 5_050.0, false));
        assert_eq!(numbers.beyond(f64::INFINITY), (0, 100));
        let mut summed = Numbers::default();
        for part in [1..=40, 41..=100] {
            let part = || part.clone().map(f64::from);
            summed.add_summed(&part().collect(), &part().collect(), 1.0);
        }
        assert_eq!((summed.count(), summed.quantile(0.9)), (100, numbers.quantile(0.9)));
        assert!(near(summed.variance().unwrap(), numbers.variance().unwrap(), 1e-12));
    }

    #[test]
    fn a_rate_is_of_what_came_and_worth_what_was_seen() {
        // Of a thousand requests ten failed. All of those are kept, and a tenth of the others.
        let mut trials = Tally::of(99, 10.0);
        trials.merge(&Tally::exact(10));
        assert_eq!((trials.count(), trials.is_estimate()), (1_000, true));
        let (hits, worth) = rate(&Tally::exact(10), &trials);
        assert!(near(hits as f64 / worth as f64, 0.01, 0.1), "{hits} of {worth}: without weights it would be 9 %");
        assert!((100..=1_000).contains(&worth), "{worth}");
        // Where everything is drawn alike, what is kept says as much as it is.
        assert_eq!(rate(&Tally::of(5, 10.0), &Tally::of(50, 10.0)), (5, 50));
        assert_eq!(rate(&Tally::default(), &Tally::of(50, 10.0)), (0, 50));
    }

    #[test]
    fn two_counts_of_samples_are_as_sure_as_what_was_kept() {
        let (before, after) = beside(&Tally::of(100, 10.0), &Tally::of(120, 10.0));
        assert_eq!((before, after), (100, 120));
        let (before, after) = beside(&Tally::exact(1_000), &Tally::of(120, 10.0));
        assert!(before + after < 600, "{before} and {after}: the one that is exact makes the other no surer");
        assert!(near(after as f64 / before as f64, 1.2, 0.02));
    }

    #[test]
    fn numbers_of_a_sample_are_those_of_all() {
        let mut random = Random::new(11);
        let (mut all, mut kept) = (Numbers::default(), Numbers::default());
        for _ in 0..20_000 {
            let number = 100.0 * random.normal().exp();
            all.add(number, 1.0);
            // What is slow is kept in any case, and a tenth of the rest.
            if number > 400.0 {
                kept.add(number, 1.0);
            } else if random.happens(0.1) {
                kept.add(number, 10.0);
            }
        }
        assert!(kept.is_estimate() && kept.count() < 6_000, "{}", kept.count());
        assert!(near(kept.mean().unwrap(), all.mean().unwrap(), 0.08));
        assert!(near(kept.sum(), all.sum(), 0.08));
        assert!(near(kept.variance().unwrap(), all.variance().unwrap(), 0.1));
        assert!(kept.error_squared().unwrap() > all.error_squared().unwrap(), "it is not as sure");
        for share in [0.5, 0.9, 0.99] {
            assert!(near(kept.quantile(share).unwrap(), all.quantile(share).unwrap(), 0.12), "{share}");
        }
        let (more, of) = kept.beyond(200.0);
        let (more_of_all, of_all) = all.beyond(200.0);
        assert!(near(more as f64 / of as f64, more_of_all as f64 / of_all as f64, 0.15));
        let spread = kept.distribution();
        assert!(near(spread.quantile(0.5).unwrap(), all.quantile(0.5).unwrap(), 0.12));
        assert!(near(spread.count() as f64, kept.count() as f64, 0.01));
    }

    proptest! {
        #[test]
        fn whatever_the_weights_a_test_is_told_no_more_than_there_is(
            numbers in prop::collection::vec((-1e6_f64..1e6, prop_oneof![Just(1.0), 1.0..100.0_f64]), 1..200),
            bound in -1e6_f64..1e6,
        ) {
            let (mut whole, mut parts) = (Numbers::default(), [Numbers::default(), Numbers::default()]);
            for (index, (number, weight)) in numbers.iter().enumerate() {
                whole.add(*number, *weight);
                parts[index % 2].add(*number, *weight);
            }
            let (more, all) = whole.beyond(bound);
            let came = whole.tally().count;
            prop_assert!(more <= all && all as f64 <= came + 1.0, "{} of {}, {} came", more, all, came);
            prop_assert!(whole.strata.len() <= STRATA_MAX && whole.count() as usize <= numbers.len());
            prop_assert!(whole.quantile(0.5).is_some() && whole.distribution().count() <= whole.count() + 1);
            let [mut first, second] = parts;
            first.merge(&second);
            let off = (first.sum() - whole.sum()).abs();
            prop_assert!(off <= 1e-3 + 1e-6 * whole.sum().abs() || numbers.len() > STRATA_MAX, "{} off", off);
        }
    }
}
