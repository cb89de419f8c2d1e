//! Sums and percentiles over spans, as values at the times that were asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
};

use mainspring_lake::{Aggregate, Filter, MeasureOf, Order};
use regex::{Regex, RegexBuilder};

use super::{
    fault::PromFault,
    names::{self, ASKED, Known, USUAL, Variant},
    tree::{Function, Matcher, Selector, Test},
};
use crate::{
    query::{Asking, By, access::seen, metrics::float, once::Once, sampled},
    table::{Rows, WEIGHT},
};

/// Groups times buckets of time in one answer.
const ROWS_MAX: usize = 100_000;
const BUCKETS_MAX: i64 = 20_000;
/// Values of one label that a pattern is compared with.
const VALUES_MAX: usize = 10_000;
const PATTERN_MAX: usize = 1 << 20;
const BUCKET: &str = "bucket_start";
const COUNT: &str = "group_rows";
const SAMPLED: &str = "group_sampled";

/// The moments that are asked about, in microseconds, and how far they are apart.
#[derive(Debug)]
pub(super) struct Times {
    pub(super) at: Vec<i64>,
    pub(super) step: i64,
    /// Whether some of what was found of them stands for more.
    estimated: AtomicBool,
}

impl Times {
    pub(super) const fn of(at: Vec<i64>, step: i64) -> Self {
        Self { at, step, estimated: AtomicBool::new(false) }
    }

    pub(super) fn is_estimated(&self) -> bool {
        self.estimated.load(Ordering::Relaxed)
    }

    pub(super) fn first(&self) -> i64 {
        self.at.first().copied().unwrap_or_default()
    }

    pub(super) fn last(&self) -> i64 {
        self.at.last().copied().unwrap_or_default()
    }
}

/// A value for each moment, where there is one.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) name: Option<String>,
    pub(super) values: Vec<Option<f64>>,
}

/// Which spans are meant, and what is told of them.
struct Asked {
    known: &'static Known,
    condition: Filter,
    /// Columns, which are called as the labels.
    labels: Vec<&'static str>,
    variants: Vec<Variant>,
}

/// By the values of the labels: for each variant its buckets.
type Found = BTreeMap<Vec<Option<String>>, Vec<Vec<Option<f64>>>>;

/// Later than the first, and not after the second.
type Between = (Option<i64>, i64);

/// The series of a selector: how far a counter has counted, or what a percentile was over the last step.
pub(super) async fn at(
    asking: Asking<'_>,
    selector: &Selector,
    times: &Times,
    by: Option<&[String]>,
) -> Result<Vec<Series>, PromFault> {
    let (first, last, moments) = (times.first(), times.last(), times.at.len());
    if !known(selector)?.is_counter() {
        let between = (Some(first.saturating_sub(times.step)), last);
        let asked = Asked::of(asking, selector, by, between).await?;
        let found = ask(asking, (&asked, times), between, Some(times.step)).await?;
        return Ok(series(&asked, found, true, |buckets| (0..moments).map(|n| buckets.get(n).copied().flatten()).collect()));
    }
    let asked = Asked::of(asking, selector, by, (None, last)).await?;
    let mut found = ask(asking, (&asked, times), (None, first), None).await?;
    if moments > 1 {
        // What lay before the first moment stands first, and what came until each of the others behind it.
        for (keys, variants) in ask(asking, (&asked, times), (Some(first), last), Some(times.step)).await? {
            let all = found.entry(keys).or_insert_with(|| vec![vec![None]; variants.len()]);
            all.iter_mut().zip(variants).for_each(|(all, more)| all.extend(more));
        }
    }
    Ok(series(&asked, found, true, |buckets| {
        let mut so_far: Option<f64> = None;
        let mut add = |n: usize| {
            if let Some(more) = buckets.get(n).copied().flatten() {
                so_far = Some(so_far.unwrap_or_default() + more);
            }
            so_far
        };
        (0..moments).map(&mut add).collect()
    }))
}

/// What a counter counted within the time before each moment; of each second of it for a rate.
pub(super) async fn window(
    asking: Asking<'_>,
    (function, selector, length): (Function, &Selector, i64),
    times: &Times,
    by: Option<&[String]>,
) -> Result<Vec<Series>, PromFault> {
    if !known(selector)?.is_counter() {
        let what = format!("a rate of percentiles (`{}`)", selector.name);
        return Err(PromFault::Unsupported { at: selector.at, what });
    }
    let (first, last) = (times.first(), times.last());
    // Every window begins and ends where a bucket does.
    let width = if times.at.len() == 1 { length } else { common(times.step, length) };
    let begin = first.saturating_sub(length);
    if last.saturating_sub(begin) / width > BUCKETS_MAX {
        return Err(PromFault::question("take a range that is a multiple of the step, a longer step, or less time"));
    }
    let between = (Some(begin), last);
    let asked = Asked::of(asking, selector, by, between).await?;
    let found = ask(asking, (&asked, times), between, Some(width)).await?;
    let in_each = usize::try_from(length / width).unwrap_or(usize::MAX);
    let starts: Vec<usize> = times.at.iter().map(|at| usize::try_from((at - first) / width).unwrap_or(usize::MAX)).collect();
    let over = if function == Function::Rate { micros_as_seconds(length) } else { 1.0 };
    Ok(series(&asked, found, false, |buckets| {
        let mut until = vec![0.0];
        for bucket in buckets {
            until.push(until.last().copied().unwrap_or_default() + bucket.unwrap_or_default());
        }
        let whole = until.last().copied().unwrap_or_default();
        let upto = |n: usize| until.get(n).copied().unwrap_or(whole);
        starts.iter().map(|start| Some((upto(start.saturating_add(in_each)) - upto(*start)) / over)).collect()
    }))
}

/// The labels of every series of a selector.
pub(super) async fn there(
    asking: Asking<'_>,
    selector: &Selector,
    (from, to): (i64, i64),
) -> Result<BTreeSet<BTreeMap<String, String>>, PromFault> {
    let between = (Some(from), to);
    let asked = Asked::of(asking, selector, None, between).await?;
    let found = ask(asking, (&asked, &Times::of(Vec::new(), 1)), between, None).await?;
    let all = series(&asked, found, true, <[Option<f64>]>::to_vec);
    Ok(all
        .into_iter()
        .map(|Series { mut labels, name, .. }| {
            labels.extend(name.map(|name| ("__name__".to_owned(), name)));
            labels
        })
        .collect())
}

/// The values of a label, in order.
pub(super) async fn values_of(asking: Asking<'_>, label: &str, (from, to): (i64, i64)) -> Result<Vec<String>, PromFault> {
    match column(label) {
        Some(column) => distinct(asking, column, (Some(from), to)).await,
        None => Ok(Vec::new()),
    }
}

fn known(selector: &Selector) -> Result<&'static Known, PromFault> {
    names::find(&selector.name).ok_or_else(|| PromFault::Invalid { at: selector.at, reason: names::no_such(&selector.name) })
}

fn column(label: &str) -> Option<&'static str> {
    USUAL.into_iter().chain(ASKED).find(|name| *name == label)
}

impl Asked {
    /// `by`: only these labels are told apart.
    async fn of(asking: Asking<'_>, selector: &Selector, by: Option<&[String]>, between: Between) -> Result<Self, PromFault> {
        let known = known(selector)?;
        let labels = match by {
            Some(by) => USUAL.into_iter().chain(ASKED).filter(|name| by.iter().any(|label| label == name)).collect(),
            None => {
                let named = |name: &&str| selector.matchers.iter().any(|matcher| matcher.label == **name);
                USUAL.into_iter().chain(ASKED.into_iter().filter(named)).collect()
            }
        };
        let (mut condition, mut variants) = ((known.only)(), known.variants());
        for matcher in &selector.matchers {
            let pattern = pattern(matcher, selector.at)?;
            match column(&matcher.label) {
                Some(column) => condition = condition.and(condition_of(asking, matcher, (column, pattern), between).await?),
                None if known.own() == Some(matcher.label.as_str()) => {
                    variants.retain(|(value, _)| holds(matcher, pattern.as_ref(), value));
                }
                // No series has such a label.
                None => {
                    let value = if matcher.label == "__name__" { known.name } else { "" };
                    if !holds(matcher, pattern.as_ref(), value) {
                        variants.clear();
                    }
                }
            }
        }
        Ok(Self { known, condition, labels, variants })
    }
}

pub(super) fn pattern(matcher: &Matcher, at: usize) -> Result<Option<Regex>, PromFault> {
    if !matches!(matcher.test, Test::Matches | Test::MatchesNot) {
        return Ok(None);
    }
    let whole = format!("^(?s:{})$", matcher.value);
    let built = RegexBuilder::new(&whole).size_limit(PATTERN_MAX).build();
    built.map(Some).map_err(|_| PromFault::Invalid { at, reason: format!("the pattern of `{}` cannot be read", matcher.label) })
}

pub(super) fn holds(matcher: &Matcher, pattern: Option<&Regex>, value: &str) -> bool {
    let matches = || pattern.is_some_and(|pattern| pattern.is_match(value));
    match matcher.test {
        Test::Equal => matcher.value == value,
        Test::NotEqual => matcher.value != value,
        Test::Matches => matches(),
        Test::MatchesNot => !matches(),
    }
}

/// A label that a span does not say is empty.
async fn condition_of(
    asking: Asking<'_>,
    matcher: &Matcher,
    (column, pattern): (&'static str, Option<Regex>),
    between: Between,
) -> Result<Filter, PromFault> {
    let (values, or_missing) = match &pattern {
        None => (vec![matcher.value.clone()], matcher.value.is_empty()),
        Some(pattern) if pattern.as_str() == "^(?s:.*)$" => {
            return Ok(if matcher.test == Test::Matches { Filter::All } else { Filter::any_of("trace", Vec::<String>::new()) });
        }
        Some(pattern) => {
            let mut values = distinct(asking, column, between).await?;
            values.retain(|value| pattern.is_match(value));
            (values, pattern.is_match(""))
        }
    };
    let mut one_of = Filter::any_of(column, values);
    if or_missing {
        one_of = Filter::Or(vec![one_of, Filter::IsNull(column.to_owned())]);
    }
    Ok(match matcher.test {
        Test::Equal | Test::Matches => one_of,
        Test::NotEqual | Test::MatchesNot => Filter::Unless(Box::new(one_of)),
    })
}

async fn within(asking: Asking<'_>, (from, to): Between, condition: Filter) -> Result<Filter, PromFault> {
    let mut among = asking.project().and(Filter::LtEq("start".to_owned(), to.into()));
    if let Some(from) = from {
        among = among.and(Filter::Gt("start".to_owned(), from.into()));
    }
    Ok(seen(asking, among.and(condition)).await?)
}

async fn distinct(asking: Asking<'_>, column: &'static str, between: Between) -> Result<Vec<String>, PromFault> {
    let among = within(asking, between, Filter::All).await?;
    let question =
        Aggregate::of(among).by(column).order(column, Order::Ascending).measure(COUNT, MeasureOf::Rows).limit(VALUES_MAX);
    let grouped = asking.table.aggregate(question).await?;
    if grouped.more {
        return Err(PromFault::question(format!("the label `{column}` has more than {VALUES_MAX} values in that time")));
    }
    let mut values = Vec::new();
    for batch in &grouped.batches {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            values.extend(rows.text(column, row)?.map(str::to_owned));
        }
    }
    Ok(values)
}

/// Without a width all of the time is one bucket.
async fn ask(
    asking: Asking<'_>,
    (asked, times): (&Asked, &Times),
    between: Between,
    width: Option<i64>,
) -> Result<Found, PromFault> {
    let mut found = Found::new();
    if asked.variants.is_empty() {
        return Ok(found);
    }
    let origin = between.0.unwrap_or_default().saturating_add(1);
    let buckets = width.map_or(1, |width| (between.1.saturating_sub(origin) / width).saturating_add(1));
    let buckets = usize::try_from(buckets).unwrap_or_default().max(1);
    let among = within(asking, between, asked.condition.clone()).await?;
    let question = |of: &Filter| {
        let mut question = Aggregate::of(among.clone())
            .measure_of(COUNT, MeasureOf::Rows, of.clone())
            .measure_of(SAMPLED, MeasureOf::Rows, sampled().and(of.clone()))
            .limit(ROWS_MAX);
        if let Some(width) = width {
            question = question.by_bucket(BUCKET, "start", width, origin);
        }
        question = asked.labels.iter().fold(question, |question, label| question.by(label));
        for (n, (_, measured)) in asked.variants.iter().enumerate() {
            question = question.measure_weighed(&format!("measure_{n}"), measured.clone(), of.clone(), WEIGHT);
        }
        question
    };
    let labels: Vec<By> = asked.labels.iter().map(|label| By::Column(label)).collect();
    let (grouped, every) = Once::of(&among, &labels, question).ask(asking).await?;
    times.estimated.fetch_or(every, Ordering::Relaxed);
    if grouped.more {
        return Err(PromFault::question(
            "that is more series than one answer holds: take fewer labels, a longer step, or less time",
        ));
    }
    for batch in &grouped.batches {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            if rows.number(COUNT, row)?.unwrap_or_default() == 0 {
                continue;
            }
            times.estimated.fetch_or(rows.number(SAMPLED, row)?.unwrap_or_default() > 0, Ordering::Relaxed);
            let begins = if width.is_some() { rows.number(BUCKET, row)?.unwrap_or(origin) } else { origin };
            let bucket = usize::try_from(begins.saturating_sub(origin) / width.unwrap_or(1)).unwrap_or_default();
            let mut keys = Vec::with_capacity(asked.labels.len());
            for label in &asked.labels {
                keys.push(rows.text(label, row)?.filter(|value| !value.is_empty()).map(str::to_owned));
            }
            let variants = found.entry(keys).or_insert_with(|| vec![vec![None; buckets]; asked.variants.len()]);
            for (n, values) in variants.iter_mut().enumerate() {
                let more = float(&rows, &format!("measure_{n}"), row)?.map(|value| value * asked.known.scale);
                if let Some(place) = values.get_mut(bucket) {
                    // No value and an empty one are the same label.
                    *place = match (*place, more) {
                        (Some(one), Some(other)) if asked.known.is_counter() => Some(one + other),
                        (one, other) => other.or(one),
                    };
                }
            }
        }
    }
    Ok(found)
}

fn series(asked: &Asked, found: Found, named: bool, values: impl Fn(&[Option<f64>]) -> Vec<Option<f64>>) -> Vec<Series> {
    let mut all = Vec::new();
    for (keys, variants) in found {
        let pairs = asked.labels.iter().zip(keys).filter_map(|(label, value)| Some(((*label).to_owned(), value?)));
        let labels: BTreeMap<String, String> = pairs.collect();
        for ((variant, _), buckets) in asked.variants.iter().zip(variants) {
            if buckets.iter().all(Option::is_none) {
                continue;
            }
            let mut labels = labels.clone();
            labels.extend(asked.known.own().map(|own| (own.to_owned(), (*variant).to_owned())));
            all.push(Series { labels, name: named.then(|| asked.known.name.to_owned()), values: values(&buckets) });
        }
    }
    all
}

/// The greatest length that both are multiples of.
const fn common(mut one: i64, mut other: i64) -> i64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    if one > 0 { one } else { 1 }
}

#[expect(clippy::cast_precision_loss, reason = "stretches of time are far below 2^52 microseconds")]
pub(super) fn micros_as_seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
