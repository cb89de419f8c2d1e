//! Two stretches of time beside each other, field by field.

use std::collections::{BTreeMap, BTreeSet};

use mainspring_statistics::{
    Categories, Compared, Quantiles,
    drift::{CategoryDrift, NumericDrift, compare_categories, compare_numbers},
    multiplicity::holm,
};

use super::{fields::Field, sketch::Sketch};

/// With less than this on either side nothing is said.
pub(crate) const NEEDED: u64 = 30;
/// A population stability index that is taken for a real change.
const LARGE: f64 = 0.2;
/// How probable it may be that chance alone moved one of all fields so far.
const LEVEL: f64 = 0.05;
const BINS: usize = 24;
const CATEGORIES: usize = 20;

/// That there is nothing to compare is never "no drift".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriftState {
    Measured,
    TooFew,
    Missing,
}

impl DriftState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::TooFew => "too_few",
            Self::Missing => "missing",
        }
    }
}

/// How one field moved.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDrift {
    pub field: String,
    /// `numbers` or `categories`.
    pub kind: &'static str,
    /// What numbers are told in.
    pub unit: Option<&'static str>,
    pub state: DriftState,
    /// Values on each side.
    pub reference: u64,
    pub current: u64,
    /// The change is large, and larger than chance makes it.
    pub drifted: bool,
    pub figures: Option<Figures>,
    /// The two distributions.
    pub bins: Vec<Bin>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    pub psi: f64,
    /// What the index exceeds in one of twenty comparisons although nothing changed.
    pub psi_by_chance: f64,
    /// In bits.
    pub jensen_shannon: f64,
    /// The largest distance between the distribution functions of numbers.
    pub ks: Option<f64>,
    /// By Kolmogorov and Smirnov's test, or Pearson's; with Holm's correction over all fields of the answer.
    pub p: f64,
    /// By how much numbers moved on average.
    pub moved: Option<f64>,
    /// The share of the current values that nobody had seen before.
    pub unseen: Option<f64>,
}

/// A part of a distribution: numbers of a range, or a category.
#[derive(Debug, Clone, PartialEq)]
pub struct Bin {
    pub range: Option<(f64, f64)>,
    /// Absent of a range, and of all other categories together.
    pub category: Option<String>,
    /// Shares of all values.
    pub before: f64,
    pub after: f64,
}

/// Two releases that are compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Releases {
    /// None: the one before the current one.
    pub reference: Option<String>,
    /// None: the newest.
    pub current: Option<String>,
}

impl Releases {
    pub(crate) fn are_one(&self) -> bool {
        self.reference.is_some() && self.reference == self.current
    }
}

/// Sketches of one stretch.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// By release and field, and by the field again what is of a release alone.
    pub(crate) sketches: BTreeMap<(String, String), Sketch>,
    /// Values of attributes as texts, and the attributes of which some are not numbers. Scores that are yes or no or a category,
    /// and those of whose name most are.
    pub(crate) words: BTreeMap<(String, String), Sketch>,
    pub(crate) worded: BTreeSet<String>,
    /// Fields that are scores: how many are numbers, and how many are words.
    pub(crate) scores: BTreeMap<String, (u64, u64)>,
    /// When each release was seen first and last.
    pub(crate) releases: BTreeMap<String, (i64, i64)>,
    /// Those that are known by scores alone.
    pub(crate) scored: BTreeSet<String>,
}

impl Collected {
    pub(crate) fn add(into: &mut BTreeMap<(String, String), Sketch>, key: (String, String), sketch: Sketch) {
        match into.get_mut(&key) {
            Some(known) => known.merge(&sketch),
            None => {
                into.insert(key, sketch);
            }
        }
    }

    pub(crate) fn add_score(&mut self, (release, field): (String, String), sketch: Sketch) {
        let counts = self.scores.entry(field.clone()).or_default();
        let into = match &sketch {
            Sketch::Numbers(_) => {
                counts.0 += sketch.count();
                &mut self.sketches
            }
            Sketch::Categories(_) => {
                counts.1 += sketch.count();
                &mut self.words
            }
        };
        Self::add(into, (release, field), sketch);
    }

    /// A release that is known by its spans is as old as these are, whenever somebody said something of them.
    pub(crate) fn saw_scored(&mut self, release: &str, first: i64) {
        if !self.releases.contains_key(release) {
            self.scored.insert(release.to_owned());
        }
        self.releases.entry(release.to_owned()).or_insert((first, first));
    }

    pub(crate) fn saw(&mut self, release: &str, first: i64, last: i64) {
        let seen = self.releases.entry(release.to_owned()).or_insert((first, last));
        *seen = (seen.0.min(first), seen.1.max(last));
    }

    /// The reference and the current release: those that were asked for, though nothing be known of them, or else the
    /// newest and the one before it, as they were first seen.
    pub(crate) fn two(&self, asked: &Releases) -> Option<(String, String)> {
        let mut known: Vec<(&(i64, i64), &str)> =
            self.releases.iter().map(|(name, seen)| (seen, name.as_str())).filter(|(_, name)| !name.is_empty()).collect();
        known.sort_unstable();
        let mut newest = known.iter().rev().map(|(_, name)| *name).filter(|name| Some(*name) != asked.reference.as_deref());
        let current = asked.current.as_deref().or_else(|| newest.next())?;
        let place = known.iter().position(|(_, name)| *name == current).unwrap_or(known.len());
        let before = known.get(..place).and_then(<[_]>::last).map(|(_, name)| *name);
        let reference = asked.reference.as_deref().or(before)?;
        Some((reference.to_owned(), current.to_owned()))
    }

    /// What is known of a field, of one release or of all.
    fn of(&self, field: &str, release: Option<&str>, worded: bool) -> Option<Sketch> {
        let among = if worded { &self.words } else { &self.sketches };
        let again = Field::again(field);
        let is_meant = |of: &str, name: &str| match release {
            Some(release) => of == release && (name == field || name == again),
            None => name == field,
        };
        let parts = among.iter().filter(|((of, name), _)| is_meant(of, name));
        parts.map(|(_, sketch)| sketch.clone()).reduce(|mut all, more| {
            all.merge(&more);
            all
        })
    }
}

/// Of scores of which some are numbers and some are words those are compared of which there are more, on both sides the same.
/// Answers the fields that are scores, those with the most first.
pub(crate) fn settle_scores(sides: &mut [&mut Collected]) -> Vec<String> {
    let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (field, (numbers, words)) in sides.iter().flat_map(|side| &side.scores) {
        let sum = counts.entry(field.clone()).or_default();
        *sum = (sum.0 + numbers, sum.1 + words);
    }
    let worded: BTreeSet<String> =
        counts.iter().filter(|(_, (numbers, words))| words > numbers).map(|(field, _)| field.clone()).collect();
    sides.iter_mut().for_each(|side| side.worded.extend(worded.iter().cloned()));
    let mut fields: Vec<(u64, String)> = counts.into_iter().map(|(field, (numbers, words))| (numbers + words, field)).collect();
    fields.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    fields.into_iter().map(|(_, field)| field).collect()
}

/// One side of a comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) of: &'a Collected,
    pub(crate) release: Option<&'a str>,
}

/// What moved most comes first.
pub(crate) fn compare(fields: &[Field], reference: Side<'_>, current: Side<'_>) -> Vec<FieldDrift> {
    let mut found: Vec<FieldDrift> = fields.iter().map(|field| compare_field(field, reference, current)).collect();
    let p_values: Vec<f64> = found.iter().filter_map(|field| Some(field.figures?.p)).collect();
    let measured = found.iter_mut().filter_map(|field| Some((&mut field.drifted, field.figures.as_mut()?)));
    for ((drifted, figures), p) in measured.zip(holm(&p_values)) {
        figures.p = p;
        *drifted = figures.psi >= LARGE && figures.psi > figures.psi_by_chance && p <= LEVEL;
    }
    let rank = |field: &FieldDrift| (field.drifted, field.figures.map_or(-1.0, |figures| figures.psi));
    found.sort_by(|one, other| {
        let (one, other) = (rank(one), rank(other));
        other.0.cmp(&one.0).then(other.1.total_cmp(&one.1))
    });
    found
}

fn compare_field(field: &Field, reference: Side<'_>, current: Side<'_>) -> FieldDrift {
    let worded = reference.of.worded.contains(&field.name) || current.of.worded.contains(&field.name);
    let before = reference.of.of(&field.name, reference.release, worded);
    let after = current.of.of(&field.name, current.release, worded);
    let empty = field.empty();
    let kind = before.as_ref().or(after.as_ref()).map_or_else(|| empty.kind(), Sketch::kind);
    let counts = (before.as_ref().map_or(0, Sketch::count), after.as_ref().map_or(0, Sketch::count));
    let nothing = Compared::Missing { reference: counts.0, current: counts.1 };
    let (compared, bins) = match (before, after) {
        (Some(Sketch::Numbers(before)), Some(Sketch::Numbers(after))) => {
            let compared = compare_numbers(&before, &after, NEEDED);
            (mapped(compared, of_numbers), ranges(&before, &after))
        }
        (Some(Sketch::Numbers(only)), None) => (nothing, ranges(&only, &Quantiles::default())),
        (None, Some(Sketch::Numbers(only))) => (nothing, ranges(&Quantiles::default(), &only)),
        (Some(Sketch::Categories(before)), Some(Sketch::Categories(after))) => {
            (mapped(compare_categories(&before, &after, NEEDED), of_categories), named(&before, &after))
        }
        (Some(Sketch::Categories(only)), None) => (nothing, named(&only, &Categories::default())),
        (None, Some(Sketch::Categories(only))) => (nothing, named(&Categories::default(), &only)),
        // One of each kind cannot be: both sides are read as words where one has words.
        (None, None) | (Some(_), Some(_)) => (nothing, Vec::new()),
    };
    let (state, figures) = match compared {
        Compared::Missing { .. } => (DriftState::Missing, None),
        Compared::TooFew { .. } => (DriftState::TooFew, None),
        Compared::Measured(figures) => (DriftState::Measured, Some(figures)),
    };
    FieldDrift {
        field: field.name.clone(),
        kind,
        unit: field.unit.map(|(unit, _)| unit),
        state,
        reference: counts.0,
        current: counts.1,
        drifted: false,
        figures,
        bins,
    }
}

fn mapped<T>(compared: Compared<T>, with: impl FnOnce(T) -> Figures) -> Compared<Figures> {
    match compared {
        Compared::Missing { reference, current } => Compared::Missing { reference, current },
        Compared::TooFew { reference, current, needed } => Compared::TooFew { reference, current, needed },
        Compared::Measured(found) => Compared::Measured(with(found)),
    }
}

fn of_numbers(found: NumericDrift) -> Figures {
    let NumericDrift { psi, psi_by_chance, jensen_shannon, ks, ks_p, moved, .. } = found;
    Figures { psi, psi_by_chance, jensen_shannon, ks: Some(ks), p: ks_p, moved: Some(moved), unseen: None }
}

fn of_categories(found: CategoryDrift) -> Figures {
    let CategoryDrift { psi, psi_by_chance, jensen_shannon, p, unseen, .. } = found;
    Figures { psi, psi_by_chance, jensen_shannon, ks: None, p, moved: None, unseen: Some(unseen) }
}

fn share(held: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { held as f64 / all as f64 }
}

/// Neighbouring cells together. Cells grow by a factor, so the ranges do.
fn ranges(before: &Quantiles, after: &Quantiles) -> Vec<Bin> {
    let cells = before.side_by_side(after);
    let together = cells.len().div_ceil(BINS).max(1);
    let bin = |cells: &[(f64, u64, u64)]| {
        let held = cells.iter().fold((0, 0), |sum, cell| (sum.0 + cell.1, sum.1 + cell.2));
        let ends = cells.first().zip(cells.last());
        Bin {
            range: ends.map(|(first, last)| (first.0, last.0)),
            category: None,
            before: share(held.0, before.count()),
            after: share(held.1, after.count()),
        }
    };
    cells.chunks(together).map(bin).collect()
}

/// The most frequent categories of both, and all others together.
fn named(before: &Categories, after: &Categories) -> Vec<Bin> {
    let names: BTreeSet<&str> = before.iter().chain(after.iter()).map(|(name, _)| name).collect();
    let bin = |name: &str| Bin {
        range: None,
        category: Some(name.to_owned()),
        before: share(before.count(name), before.total()),
        after: share(after.count(name), after.total()),
    };
    let mut bins: Vec<Bin> = names.into_iter().map(bin).collect();
    bins.sort_by(|one, other| other.before.max(other.after).total_cmp(&one.before.max(one.after)));
    bins.truncate(CATEGORIES);
    let sum = bins.iter().fold((0.0, 0.0), |sum, bin| (sum.0 + bin.before, sum.1 + bin.after));
    let rest = |total: u64, named: f64| if total == 0 { 0.0 } else { (1.0 - named).max(0.0) };
    let (before, after) = (rest(before.total(), sum.0), rest(after.total(), sum.1));
    if before > 1e-9 || after > 1e-9 {
        bins.push(Bin { range: None, category: None, before, after });
    }
    bins
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn collected(field: &Field, release: &str, sketch: Sketch) -> Collected {
        let mut collected = Collected::default();
        Collected::add(&mut collected.sketches, (release.to_owned(), field.name.clone()), sketch);
        collected
    }

    fn numbers(values: impl IntoIterator<Item = f64>) -> Sketch {
        let mut sketch = Sketch::Numbers(Quantiles::default());
        values.into_iter().for_each(|value| sketch.number(value));
        sketch
    }

    fn one(field: &str, before: Sketch, after: Sketch) -> FieldDrift {
        let field = Field::named(field).unwrap();
        let (before, after) = (collected(&field, "", before), collected(&field, "", after));
        let found = compare(&[field], Side { of: &before, release: None }, Side { of: &after, release: None });
        found.into_iter().next().unwrap()
    }

    #[test]
    fn what_moved_is_told_from_what_did_not_and_from_what_is_too_little() {
        let usual = || numbers((0..500).map(|n| 100.0 + f64::from(n)));
        let slower = one("duration", usual(), numbers((0..500).map(|n| 900.0 + f64::from(n))));
        assert!(slower.drifted && slower.figures.unwrap().ks.unwrap() > 0.9, "{slower:?}");
        let same = one("duration", usual(), usual());
        assert_eq!((same.drifted, same.state, same.unit), (false, DriftState::Measured, Some("ms")));
        let few = one("duration", usual(), numbers([5.0]));
        assert_eq!((few.drifted, few.state, few.current), (false, DriftState::TooFew, 1));
        assert!(few.figures.is_none() && !few.bins.is_empty());
        let none = one("duration", usual(), numbers([]));
        assert_eq!(none.state, DriftState::Missing);
    }

    #[test]
    fn scores_of_two_kinds_are_compared_by_that_of_which_there_are_more() {
        let score = |field: &str, sketch: Sketch| ((String::new(), field.to_owned()), sketch);
        let words = |count: usize| Sketch::Categories(std::iter::repeat_n("good", count).collect());
        let (mut before, mut after) = (Collected::default(), Collected::default());
        for (key, sketch) in [score("score.a", numbers([1.0; 40])), score("score.a", words(10)), score("score.b", words(50))] {
            before.add_score(key, sketch);
        }
        for (key, sketch) in [score("score.a", words(35)), score("score.b", words(40)), score("score.b", numbers([2.0; 60]))] {
            after.add_score(key, sketch);
        }
        assert_eq!(settle_scores(&mut [&mut before, &mut after]), ["score.b", "score.a"]);
        let fields = ["score.a", "score.b"].map(|name| Field::named(name).unwrap());
        let found = compare(&fields, Side { of: &before, release: None }, Side { of: &after, release: None });
        let of =
            |name: &str| found.iter().find(|field| field.field == name).map(|field| (field.kind, field.reference, field.current));
        assert_eq!(of("score.a"), Some(("categories", 10, 35)), "45 words and 40 numbers");
        assert_eq!(of("score.b"), Some(("categories", 50, 40)));
    }

    #[test]
    fn releases_are_those_asked_for_or_the_two_first_seen_last() {
        let mut collected = Collected::default();
        collected.saw("", 0, 99);
        collected.saw("1.10", 50, 99);
        assert_eq!(collected.two(&Releases::default()), None);
        collected.saw("1.9", 10, 80);
        collected.saw("1.8", 5, 20);
        let two = |reference: Option<&str>, current: Option<&str>| {
            let asked = Releases { reference: reference.map(str::to_owned), current: current.map(str::to_owned) };
            collected.two(&asked)
        };
        let pair = |before: &str, after: &str| Some((before.to_owned(), after.to_owned()));
        assert_eq!(two(None, None), pair("1.9", "1.10"));
        assert_eq!(two(Some("1.8"), None), pair("1.8", "1.10"));
        assert_eq!(two(None, Some("1.9")), pair("1.8", "1.9"));
        assert_eq!(two(Some("1.10"), Some("1.8")), pair("1.10", "1.8"), "a step back is a comparison too");
        assert_eq!(two(None, Some("1.8")), None, "nothing was before it");
        assert_eq!(two(Some("0.9"), Some("1.8")), pair("0.9", "1.8"), "that nothing is known of one is for the fields to say");
    }

    proptest! {
        #[test]
        fn shares_of_bins_are_whole_whatever_was_seen(
            before in prop::collection::vec(-1e6_f64..1e6, 1..300),
            after in prop::collection::vec(-1e6_f64..1e6, 1..300),
            words in prop::collection::vec("[a-z]{1,3}", 1..200),
        ) {
            let found = one("duration", numbers(before), numbers(after));
            prop_assert!(found.bins.len() <= BINS);
            let sum = found.bins.iter().fold((0.0, 0.0), |sum, bin| (sum.0 + bin.before, sum.1 + bin.after));
            prop_assert!((sum.0 - 1.0).abs() < 1e-9 && (sum.1 - 1.0).abs() < 1e-9, "{:?}", sum);
            let words = Sketch::Categories(words.iter().map(String::as_str).collect());
            let read = Sketch::read(words.kind(), &words.written()).unwrap();
            prop_assert_eq!(&read, &words);
            let found = one("model", words, read);
            let sum = found.bins.iter().fold((0.0, 0.0), |sum, bin| (sum.0 + bin.before, sum.1 + bin.after));
            prop_assert!((sum.0 - 1.0).abs() < 1e-6 && (sum.1 - 1.0).abs() < 1e-6, "{:?}", sum);
            prop_assert!(!found.drifted);
        }

        #[test]
        fn no_text_makes_a_sketch_panic(kind in "numbers|categories|x", text in ".{0,80}") {
            let _ = Sketch::read(&kind, &text);
        }
    }
}
