//! Measures over spans, and metrics that programs sent, as Prometheus' query API tells them, for Grafana and whatever else
//! reads that.
//!
//! `text` → a tree (`parser`, `tree`) → sums over spans (`series`), or points (`sent`) → values at the times that were asked for
//! (`evaluate`).
//! It is a part of PromQL, and what is left out is refused by name. Counters are counted when somebody asks: nothing is
//! scraped, and nothing is lost between two scrapes. A rate is exact where all spans are kept, and an estimate where some are.

mod evaluate;
mod fault;
mod names;
mod parser;
mod sent;
mod series;
mod spelling;
mod tree;

#[cfg(test)]
mod tests;

pub use fault::PromFault;
pub use names::PromMetric;

use std::collections::{BTreeMap, BTreeSet};

use mainspring_kernel::Timestamp;

use super::Asking;
use crate::points::{LOOK_BACK, MetricPoints};
use sent::Sending;
use series::Times;

/// What Prometheus allows of one series.
const POINTS_MAX: i64 = 11_000;

/// The moments that are asked about: one, or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromTimes {
    pub start: Timestamp,
    pub end: Timestamp,
    /// None: `start` alone.
    pub step_micros: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PromSeries {
    pub labels: BTreeMap<String, String>,
    pub points: Vec<(Timestamp, f64)>,
}

/// What is listed, and whether more was sent than one answer looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PromListed<T> {
    pub found: T,
    pub cut: bool,
}

/// An answer, and whether it is of a sample: some of its spans stand for others that were not kept.
#[derive(Debug, Clone, PartialEq)]
pub struct PromFound {
    pub answer: PromAnswer,
    pub estimated: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum PromAnswer {
    /// The same at every moment.
    Scalar(Vec<(Timestamp, f64)>),
    Series(Vec<PromSeries>),
}

/// Answers a question in PromQL.
pub(crate) async fn prometheus(
    asking: Asking<'_>,
    points: &MetricPoints,
    text: &str,
    times: PromTimes,
) -> Result<PromFound, PromFault> {
    let expr = parser::parse(text)?;
    let times = moments(times)?;
    let answer = match evaluate::evaluate((asking, sending(asking, points)), &expr, &times).await? {
        evaluate::Value::Scalar(number) => PromAnswer::Scalar(times.at.iter().map(|at| (moment(*at), number)).collect()),
        evaluate::Value::Vector(all) => {
            let mut series: Vec<PromSeries> = all.into_iter().filter_map(|one| told(one, &times.at)).collect();
            series.sort_by(|one, other| one.labels.cmp(&other.labels));
            PromAnswer::Series(series)
        }
    };
    Ok(PromFound { answer, estimated: times.is_estimated() })
}

const fn sending<'a>(asking: Asking<'a>, points: &'a MetricPoints) -> Sending<'a> {
    Sending { points, actor: asking.actor }
}

fn told(one: series::Series, at: &[i64]) -> Option<PromSeries> {
    let series::Series { mut labels, name, values } = one;
    labels.extend(name.map(|name| ("__name__".to_owned(), name)));
    let points: Vec<_> = at.iter().zip(values).filter_map(|(at, value)| Some((moment(*at), value?))).collect();
    (!points.is_empty()).then_some(PromSeries { labels, points })
}

const fn moment(at: i64) -> Timestamp {
    Timestamp::from_micros(at)
}

fn moments(PromTimes { start, end, step_micros }: PromTimes) -> Result<Times, PromFault> {
    let (start, end) = (start.as_micros(), end.as_micros());
    let Some(step) = step_micros else { return Ok(Times::of(vec![start], LOOK_BACK)) };
    if step <= 0 || end < start {
        return Err(PromFault::question("`step` is above zero, and `end` not before `start`"));
    }
    let steps = end.saturating_sub(start) / step;
    if steps >= POINTS_MAX {
        return Err(PromFault::question(format!("that is more than {POINTS_MAX} points for each series: take a longer step")));
    }
    Ok(Times::of((0..=steps).map(|n| start + n * step).collect(), step))
}

/// The labels of every series that one of the selectors finds, between two moments.
pub(crate) async fn prometheus_series(
    asking: Asking<'_>,
    points: &MetricPoints,
    selectors: &[String],
    (from, to): (Timestamp, Timestamp),
) -> Result<PromListed<Vec<BTreeMap<String, String>>>, PromFault> {
    let (mut found, mut cut) = (BTreeSet::new(), false);
    for text in selectors {
        let selector = parser::selector(text)?;
        let there = there(asking, points, &selector, (from.as_micros(), to.as_micros())).await?;
        found.extend(there.found);
        cut |= there.cut;
    }
    Ok(PromListed { found: found.into_iter().collect(), cut })
}

async fn there(
    asking: Asking<'_>,
    points: &MetricPoints,
    selector: &tree::Selector,
    between: (i64, i64),
) -> Result<PromListed<BTreeSet<BTreeMap<String, String>>>, PromFault> {
    if names::find(&selector.name).is_some() {
        Ok(PromListed { found: series::there(asking, selector, between).await?, cut: false })
    } else {
        sent::there(sending(asking, points), selector, between).await
    }
}

/// The labels there are, between two moments: all, or those of the series that one of the selectors finds.
pub(crate) async fn prometheus_labels(
    asking: Asking<'_>,
    points: &MetricPoints,
    selectors: &[String],
    (from, to): (Timestamp, Timestamp),
) -> Result<PromListed<Vec<String>>, PromFault> {
    let (found, cut): (BTreeSet<String>, bool) = if selectors.is_empty() {
        let mut sent = sent::label_names(sending(asking, points), (from.as_micros(), to.as_micros())).await?;
        sent.found.extend(names::labels().map(str::to_owned));
        (sent.found, sent.cut)
    } else {
        let series = prometheus_series(asking, points, selectors, (from, to)).await?;
        (series.found.into_iter().flat_map(BTreeMap::into_keys).collect(), series.cut)
    };
    Ok(PromListed { found: found.into_iter().collect(), cut })
}

/// The values that a label has, between two moments.
pub(crate) async fn prometheus_values(
    asking: Asking<'_>,
    points: &MetricPoints,
    label: &str,
    selectors: &[String],
    (from, to): (Timestamp, Timestamp),
) -> Result<PromListed<Vec<String>>, PromFault> {
    let between = (from.as_micros(), to.as_micros());
    let (mut values, mut cut) = (BTreeSet::new(), false);
    if selectors.is_empty() {
        match names::fixed_values(label) {
            Some(fixed) => values.extend(fixed),
            None => values.extend(series::values_of(asking, label, between).await?),
        }
        let sending = sending(asking, points);
        let sent = if label == "__name__" {
            let PromListed { found, cut } = sent::metrics(sending, between).await?;
            PromListed { found: found.into_iter().map(|metric| metric.name).collect(), cut }
        } else {
            sent::label_values(sending, label, between).await?
        };
        values.extend(sent.found);
        cut = sent.cut;
    }
    for text in selectors {
        let mut selector = parser::selector(text)?;
        selector.mention(label);
        let there = there(asking, points, &selector, between).await?;
        values.extend(there.found.into_iter().filter_map(|mut labels| labels.remove(label)));
        cut |= there.cut;
    }
    Ok(PromListed { found: values.into_iter().collect(), cut })
}

/// The metrics there are, between two moments, by name; one that is sent in several ways is there several times.
pub(crate) async fn prometheus_metrics(
    asking: Asking<'_>,
    points: &MetricPoints,
    (from, to): (Timestamp, Timestamp),
) -> Result<PromListed<Vec<PromMetric>>, PromFault> {
    let sent = sent::metrics(sending(asking, points), (from.as_micros(), to.as_micros())).await?;
    let mut found: Vec<PromMetric> = names::metrics().chain(sent.found).collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(PromListed { found, cut: sent.cut })
}
