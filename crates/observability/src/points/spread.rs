//! Histograms: what came between two of them, several as one, and what can be told of the numbers that they counted.

use std::{cmp::Ordering, collections::BTreeMap};

use serde_json::Value;

#[cfg(test)]
#[path = "../tests/points/spread.rs"]
mod tests;

/// Beyond these a bucket of an exponential histogram is nothing, or everything.
const SCALES: std::ops::RangeInclusive<i64> = -20..=60;

/// A number that is finite, in order.
#[derive(Debug, Clone, Copy)]
struct Edge(f64);

impl Edge {
    /// Nought has one sign.
    fn of(number: f64) -> Self {
        Self(number + 0.0)
    }
}

impl Ord for Edge {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}
impl PartialOrd for Edge {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Edge {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Edge {}

/// A histogram as a point says it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histogram {
    pub(super) count: f64,
    pub(super) sum: Option<f64>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) buckets: Buckets,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Buckets {
    /// Nobody knows where its numbers lie.
    Unknown,
    /// One count more than bounds: the last is of what lies above all of them.
    Explicit { bounds: Vec<f64>, counts: Vec<f64> },
    /// Each bucket goes from a power of a base to the next; the base is 2 to the power of 2 to the power of minus the scale.
    Exponential { scale: i64, zero: f64, threshold: f64, positive: BTreeMap<i64, f64>, negative: BTreeMap<i64, f64> },
}

impl Buckets {
    /// As they are kept; what cannot be understood is unknown.
    pub(super) fn read(kept: &Value) -> Self {
        let explicit = || {
            let bounds = numbers(kept.get("bounds")?)?;
            let counts = numbers(kept.get("counts")?)?;
            let ascending = bounds.is_sorted_by(|one, next| one < next);
            (ascending && counts.len() == bounds.len() + 1).then_some(Self::Explicit { bounds, counts })
        };
        let exponential = || {
            let scale = kept.get("scale")?.as_i64().filter(|scale| SCALES.contains(scale))?;
            let zero = kept.get("zero_count").and_then(number).unwrap_or_default();
            let threshold = kept.get("zero_threshold").and_then(number).unwrap_or_default();
            let (positive, negative) = (side(kept.get("positive")?)?, side(kept.get("negative")?)?);
            Some(Self::Exponential { scale, zero, threshold, positive, negative })
        };
        explicit().or_else(exponential).unwrap_or(Self::Unknown)
    }

    /// How many numbers it takes to hold them.
    fn size(&self) -> usize {
        match self {
            Self::Unknown => 0,
            Self::Explicit { bounds, counts } => bounds.len() + counts.len(),
            Self::Exponential { positive, negative, .. } => 2 * (positive.len() + negative.len()),
        }
    }

    /// What came since `before`; none where a bucket fell: then they began anew. Buckets that are cut otherwise say nothing of
    /// where that lies.
    fn beyond(&self, before: &Self) -> Option<Self> {
        match (self, before) {
            (Self::Explicit { bounds, counts }, Self::Explicit { bounds: others, counts: fewer }) if bounds == others => {
                let counts: Vec<f64> = counts.iter().zip(fewer).map(|(now, then)| now - then).collect();
                let grew = counts.iter().all(|count| *count >= 0.0);
                grew.then(|| Self::Explicit { bounds: bounds.clone(), counts })
            }
            (
                Self::Exponential { scale, zero, threshold, positive, negative },
                Self::Exponential { scale: other, zero: nulls, threshold: below, positive: fewer, negative: fewer_below },
            ) => {
                // What the wider nought took in cannot be told apart any longer.
                if threshold.total_cmp(below) != Ordering::Equal {
                    return Some(Self::Unknown);
                }
                if zero < nulls {
                    return None;
                }
                // A sender makes its buckets wider as its numbers need it.
                let least = *scale.min(other);
                let rest = |now: &BTreeMap<i64, f64>, then: &BTreeMap<i64, f64>| {
                    taken(coarser(now, scale - least), &coarser(then, other - least))
                };
                let (positive, negative) = (rest(positive, fewer)?, rest(negative, fewer_below)?);
                Some(Self::Exponential { scale: least, zero: zero - nulls, threshold: *threshold, positive, negative })
            }
            _ => Some(Self::Unknown),
        }
    }
}

impl Histogram {
    pub(super) fn size(&self) -> usize {
        4 + self.buckets.size()
    }

    /// What came since `before`; none where it fell: then it began anew.
    pub(super) fn beyond(&self, before: &Self) -> Option<Self> {
        if self.count < before.count {
            return None;
        }
        let buckets = self.buckets.beyond(&before.buckets)?;
        let sum = self.sum.zip(before.sum).map(|(now, then)| now - then);
        // The least and the greatest of all that was counted bound those that came since as well.
        Some(Self { count: self.count - before.count, sum, min: self.min, max: self.max, buckets })
    }

    /// From where to where its numbers lie, and how many.
    fn ranges(&self) -> Vec<(f64, f64, f64)> {
        let all = match &self.buckets {
            Buckets::Unknown => Vec::new(),
            Buckets::Explicit { bounds, counts } => self.between(bounds, counts),
            Buckets::Exponential { scale, zero, threshold, positive, negative } => {
                let edge = |index: i64| power(*scale, index);
                let mut all: Vec<_> = negative.iter().map(|(index, count)| (-edge(index + 1), -edge(*index), *count)).collect();
                let below = if negative.is_empty() { 0.0 } else { -threshold };
                all.push((below, *threshold, *zero));
                all.extend(positive.iter().map(|(index, count)| (edge(*index), edge(index + 1), *count)));
                all
            }
        };
        all.into_iter().filter(|(_, _, count)| *count > 0.0).collect()
    }

    /// The outer buckets have one bound: they end at the least and the greatest number where these are said. Otherwise the first
    /// begins at nought, where its bound is above, and the numbers beyond a bound lie on it.
    fn between(&self, bounds: &[f64], counts: &[f64]) -> Vec<(f64, f64, f64)> {
        let (Some(first), Some(last)) = (bounds.first(), bounds.last()) else {
            let whole = self.min.zip(self.max).filter(|(min, max)| min <= max);
            return whole.map(|(min, max)| (min, max, counts.iter().sum::<f64>())).into_iter().collect();
        };
        let lowest = self.min.map_or(if *first > 0.0 { 0.0 } else { *first }, |min| min.min(*first));
        let highest = self.max.map_or(*last, |max| max.max(*last));
        let lows = std::iter::once(lowest).chain(bounds.iter().copied());
        let highs = bounds.iter().copied().chain([highest]);
        lows.zip(highs).zip(counts).map(|((low, high), count)| (low, high, *count)).collect()
    }
}

/// So many numbers, of which no more is known than between what they lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricRange {
    pub low: f64,
    pub high: f64,
    pub count: f64,
}

/// Histograms together, however their buckets are cut.
#[derive(Debug, Clone, Default)]
pub(super) struct Merged {
    count: f64,
    sum: f64,
    /// One of them did not say its sum, or where its numbers lie.
    unsummed: bool,
    unplaced: bool,
    /// Between these all of its numbers lie.
    within: Option<(f64, f64)>,
    ranges: BTreeMap<(Edge, Edge), f64>,
}

impl Merged {
    /// How many numbers more it takes to hold.
    pub(super) fn add(&mut self, one: &Histogram) -> usize {
        let held = self.ranges.len();
        self.count += one.count;
        if one.count <= 0.0 {
            return 0;
        }
        match one.sum {
            Some(sum) => self.sum += sum,
            None => self.unsummed = true,
        }
        let ranges = one.ranges();
        let low = ranges.iter().map(|(low, _, _)| *low).reduce(f64::min);
        let high = ranges.iter().map(|(_, high, _)| *high).reduce(f64::max);
        let Some((low, high)) = low.zip(high) else {
            self.unplaced = true;
            return 0;
        };
        // A greatest number below the bucket that it should lie in is a slip of the sender's.
        let (low, high) = (one.min.map_or(low, |min| min.max(low)), one.max.map_or(high, |max| max.min(high)));
        let (least, most) = self.within.unwrap_or((low, high));
        self.within = Some((least.min(low), most.max(high)));
        for (low, high, count) in ranges {
            *self.ranges.entry((Edge::of(low), Edge::of(high))).or_default() += count;
        }
        3 * (self.ranges.len() - held)
    }

    pub(super) const fn count(&self) -> f64 {
        self.count
    }

    pub(super) fn sum(&self) -> Option<f64> {
        (!self.unsummed).then_some(self.sum)
    }

    pub(super) fn mean(&self) -> Option<f64> {
        self.sum().filter(|_| self.count > 0.0).map(|sum| sum / self.count)
    }

    /// Where its numbers lie; nothing where that is not known of all of them.
    pub(super) fn ranges(&self) -> Vec<MetricRange> {
        let range = |((low, high), count): (&(Edge, Edge), &f64)| MetricRange { low: low.0, high: high.0, count: *count };
        if self.unplaced { Vec::new() } else { self.ranges.iter().map(range).collect() }
    }

    /// Below which number these shares of them lie, as if the numbers of a bucket were spread over it evenly.
    pub(super) fn quantiles<const N: usize>(&self, at: [f64; N]) -> [Option<f64>; N] {
        let Some((least, most)) = self.within.filter(|_| !self.unplaced) else { return [None; N] };
        let mut edges: Vec<Edge> = self.ranges.keys().flat_map(|(low, high)| [*low, *high]).collect();
        edges.sort_unstable();
        edges.dedup();
        let all = edges.last().map_or(0.0, |last| self.up_to(last.0, true));
        at.map(|share| {
            let wanted = share * all;
            let place = edges.partition_point(|edge| self.up_to(edge.0, true) < wanted).min(edges.len().checked_sub(1)?);
            let edge = edges[place].0;
            let found = match place.checked_sub(1).map(|before| edges[before].0) {
                None => edge,
                Some(before) => {
                    let (below, until) = (self.up_to(before, true), self.up_to(edge, false));
                    if until > below && wanted < until {
                        let along = (wanted - below) / (until - below);
                        (before + along * (edge - before)).max(before).min(edge)
                    } else {
                        edge
                    }
                }
            };
            Some(found.max(least).min(most))
        })
    }

    /// How many lie below an edge, and with `on` also on it.
    fn up_to(&self, edge: f64, on: bool) -> f64 {
        let part = |((low, high), count): (&(Edge, Edge), &f64)| {
            let (low, high) = (low.0, high.0);
            if edge < low || (edge <= low && low >= high && !on) {
                0.0
            } else if edge >= high {
                *count
            } else {
                count * ((edge - low) / (high - low))
            }
        };
        self.ranges.iter().map(part).sum()
    }
}

fn power(scale: i64, index: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "indexes come from 32 bits, and scales are below 64")]
    let exponent = index as f64 * (-(scale as f64)).exp2();
    exponent.exp2().min(f64::MAX)
}

/// The same in buckets twice as wide, so many times over.
fn coarser(buckets: &BTreeMap<i64, f64>, times: i64) -> BTreeMap<i64, f64> {
    let mut wider: BTreeMap<i64, f64> = BTreeMap::new();
    for (index, count) in buckets {
        *wider.entry(index >> times.clamp(0, 62)).or_default() += count;
    }
    wider
}

fn taken(mut now: BTreeMap<i64, f64>, then: &BTreeMap<i64, f64>) -> Option<BTreeMap<i64, f64>> {
    for (index, fewer) in then {
        let count = now.get_mut(index).filter(|count| **count >= *fewer)?;
        *count -= fewer;
    }
    now.retain(|_, count| *count > 0.0);
    Some(now)
}

/// What is not finite is kept as a text, and is nothing to reckon with.
fn number(kept: &Value) -> Option<f64> {
    kept.as_f64().filter(|number| number.is_finite())
}

fn numbers(kept: &Value) -> Option<Vec<f64>> {
    kept.as_array()?.iter().map(number).collect()
}

/// Buckets above nought, or below, that hold something.
fn side(kept: &Value) -> Option<BTreeMap<i64, f64>> {
    if kept.is_null() {
        return Some(BTreeMap::new());
    }
    let offset = kept.get("offset")?.as_i64()?;
    let counts = numbers(kept.get("counts")?)?;
    Some((offset..).zip(counts).filter(|(_, count)| *count > 0.0).collect())
}
