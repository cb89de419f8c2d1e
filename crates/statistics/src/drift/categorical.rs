use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Compared, jensen_shannon, psi, psi_by_chance};
use crate::{
    categories::Categories,
    rates::{Interval, newcombe},
    special::chi_squared_tail,
};

/// Below this expectation a cell makes the chi-squared approximation bad (Cochran, "Some methods for strengthening the
/// common chi-squared tests", 1954); such cells are pooled.
const EXPECTED: f64 = 5.0;
/// How many categories are named as those that moved most.
const MOVERS: usize = 10;

/// How the shares of categories of one period differ from those of another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CategoryDrift {
    pub reference: u64,
    pub current: u64,
    /// Over the categories that are frequent enough, the rest pooled.
    pub psi: f64,
    /// What `psi` exceeds in one of twenty comparisons of periods that do not differ.
    pub psi_by_chance: f64,
    /// In bits.
    pub jensen_shannon: f64,
    pub chi_squared: f64,
    pub degrees: u64,
    /// How probable such a difference is where nothing has changed.
    pub p: f64,
    /// The share of the current period in categories the reference does not name.
    pub unseen: f64,
    /// What moved most, the largest change of share first.
    pub movers: Vec<Mover>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mover {
    pub category: String,
    pub before: f64,
    pub after: f64,
    /// Of the change, such that all categories' intervals hold at once with 95 %.
    pub change: Interval,
}

/// Compares what two sketches saw, where each saw at least `needed` things.
#[must_use]
pub fn compare_categories(reference: &Categories, current: &Categories, needed: u64) -> Compared<CategoryDrift> {
    Compared::from_counts(reference.total(), current.total(), needed, || measure(reference, current))
}

fn measure(reference: &Categories, current: &Categories) -> CategoryDrift {
    let (before, after) = (reference.total(), current.total());
    let named = likeliest(reference, current);
    let bins = pooled(&named, before, after);
    let (chi_squared, degrees) = chi_squared(&bins);
    let known: BTreeSet<&str> = reference.iter().map(|(name, _)| name).collect();
    let new = current.iter().filter(|(name, _)| !known.contains(name));
    let unseen = new.fold(0_u64, |sum, (_, held)| sum.saturating_add(held));
    CategoryDrift {
        reference: before,
        current: after,
        psi: psi(&bins),
        psi_by_chance: psi_by_chance(bins.len(), before, after, 0.05),
        jensen_shannon: jensen_shannon(&bins),
        chi_squared,
        degrees,
        p: if degrees == 0 { 1.0 } else { chi_squared_tail(chi_squared, degrees as f64) },
        unseen: unseen as f64 / after as f64,
        movers: movers(&named, before, after),
    }
}

/// Counts that both sketches allow and whose shares differ least: where a sketch does not know a count exactly, that must
/// not look like drift.
fn likeliest<'c>(reference: &'c Categories, current: &'c Categories) -> BTreeMap<&'c str, (u64, u64)> {
    let mut named = BTreeMap::<&str, (u64, u64)>::new();
    for (name, held) in reference.iter() {
        named.entry(name).or_default().0 = held;
    }
    for (name, held) in current.iter() {
        named.entry(name).or_default().1 = held;
    }
    let (before, after) = (reference.total() as f64, current.total() as f64);
    for held in named.values_mut() {
        let (one, other) = (held.0 as f64 / before, held.1 as f64 / after);
        if one < other {
            let missing = ((other * before) as u64).saturating_sub(held.0);
            held.0 = held.0.saturating_add(missing.min(reference.error()));
        } else {
            let missing = ((one * after) as u64).saturating_sub(held.1);
            held.1 = held.1.saturating_add(missing.min(current.error()));
        }
    }
    named
}

/// The counts of categories that are frequent enough, and of all others together.
fn pooled(named: &BTreeMap<&str, (u64, u64)>, before: u64, after: u64) -> Vec<(u64, u64)> {
    let smaller = before.min(after) as f64 / (before as f64 + after as f64);
    let frequent = |held: &&(u64, u64)| (held.0 as f64 + held.1 as f64) * smaller >= EXPECTED;
    let mut bins: Vec<(u64, u64)> = named.values().filter(frequent).copied().collect();
    let sum = bins.iter().fold((0_u64, 0_u64), |sum, bin| (sum.0.saturating_add(bin.0), sum.1.saturating_add(bin.1)));
    let rest = (before.saturating_sub(sum.0), after.saturating_sub(sum.1));
    if frequent(&&rest) {
        bins.push(rest);
    } else if rest != (0, 0) {
        // Too little to stand alone: it goes to the smallest of the others.
        match bins.iter_mut().min_by_key(|bin| bin.0.saturating_add(bin.1)) {
            Some(bin) => *bin = (bin.0.saturating_add(rest.0), bin.1.saturating_add(rest.1)),
            None => bins.push(rest),
        }
    }
    bins
}

/// Pearson's test that two samples have the same shares: the statistic and its degrees of freedom.
fn chi_squared(bins: &[(u64, u64)]) -> (f64, u64) {
    let (before, after) = bins.iter().fold((0.0, 0.0), |sum, bin| (sum.0 + bin.0 as f64, sum.1 + bin.1 as f64));
    let all = before + after;
    let statistic = bins.iter().map(|bin| {
        let share = (bin.0 as f64 + bin.1 as f64) / all;
        let part = |held: u64, sample: f64| (held as f64 - share * sample).powi(2) / (share * sample);
        if share > 0.0 { part(bin.0, before) + part(bin.1, after) } else { 0.0 }
    });
    (statistic.sum(), (bins.len() as u64).saturating_sub(1))
}

fn movers(named: &BTreeMap<&str, (u64, u64)>, before: u64, after: u64) -> Vec<Mover> {
    let level = 1.0 - 0.05 / named.len().max(1) as f64;
    let share = |held: u64, all: u64| held as f64 / all as f64;
    let mut moved: Vec<_> = named.iter().map(|(name, held)| (*name, *held)).filter(|(_, held)| *held != (0, 0)).collect();
    let by = |held: (u64, u64)| (share(held.1, after) - share(held.0, before)).abs();
    moved.sort_by(|one, other| by(other.1).total_cmp(&by(one.1)));
    let mover = |(name, held): (&str, (u64, u64))| Mover {
        category: name.to_owned(),
        before: share(held.0, before),
        after: share(held.1, after),
        change: newcombe((held.1, after), (held.0, before), level),
    };
    moved.into_iter().take(MOVERS).map(mover).collect()
}
