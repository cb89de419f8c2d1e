//! Metrics that programs sent, called as Prometheus calls what comes from OpenTelemetry.

use std::collections::{BTreeMap, BTreeSet};

use mainspring_kernel::{Actor, text::elide};
use regex::Regex;
use serde_json::{Map, Value};

use super::{
    LOOK_BACK, PromListed,
    fault::PromFault,
    names::PromMetric,
    series::{Series, Times, holds, micros_as_seconds, pattern},
    spelling::{Labels, is_counter, labels, may_mean, spelled},
    tree::{Function, Matcher, Selector},
};
use crate::{
    fault::TraceFault,
    points::{MetricForm, MetricPoints, POINTS_MAX, Part, PointKind, Sent, Temporality},
};

/// How much earlier than a window it is looked for what counters count from.
const BEFORE_MAX: i64 = 3_600_000_000;

/// Metrics that one name may mean.
const ALIKE_MAX: usize = 20;
/// Points, each as often as there are windows that it lies in.
const LOOKED_AT_MAX: usize = 100_000_000;

/// Who asks, and of which points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sending<'a> {
    pub(super) points: &'a MetricPoints,
    pub(super) actor: &'a Actor,
}

/// What a name means.
#[derive(Debug)]
struct Meant {
    /// As it was sent.
    name: String,
    form: MetricForm,
    part: Part,
}

impl Meant {
    /// What only grows, or tells what came.
    fn is_counter(&self) -> bool {
        self.part != Part::Value || is_counter(&self.form) || self.form.temporality == Some(Temporality::Delta)
    }

    /// Whether several that say it say more together.
    fn adds(&self) -> bool {
        self.part != Part::Value || self.form.kind == PointKind::Sum
    }

    fn is_like(&self, other: &Self) -> bool {
        self.name == other.name && self.part == other.part && self.form.is_like(&other.form)
    }
}

const fn is_spread(kind: PointKind) -> bool {
    matches!(kind, PointKind::Histogram | PointKind::ExponentialHistogram | PointKind::Summary)
}

/// Series with the same labels together, by these.
type Alike = BTreeMap<Labels, Vec<Sent>>;

/// What each series was at each moment: its last point of the five minutes before.
pub(super) async fn at(of: Sending<'_>, selector: &Selector, times: &Times) -> Result<Vec<Series>, PromFault> {
    let (from, to) = (times.first().saturating_sub(LOOK_BACK), times.last());
    let all = of.find(selector, (from, to)).await?;
    let Some(meant) = all.first() else { return Ok(Vec::new()) };
    if meant.is_counter() && meant.form.temporality == Some(Temporality::Delta) {
        let what = format!("`{}` without rate or increase: it is sent as differences, which have no total", selector.name);
        return Err(PromFault::Unsupported { at: selector.at, what });
    }
    let adds = meant.adds();
    let told = |alike: &[Sent], moment: i64| {
        let last = |one: &Sent| {
            let until = one.points.partition_point(|point| point.time <= moment);
            let point = one.points.get(until.checked_sub(1)?)?;
            (point.time > moment.saturating_sub(LOOK_BACK)).then_some((point.time, point.number))
        };
        let all = alike.iter().filter_map(last);
        // Of one gauge that several tell of nobody knows more than what was told last.
        if adds {
            all.map(|(_, number)| number).reduce(|one, other| one + other)
        } else {
            all.max_by_key(|(time, _)| *time).map(|(_, number)| number)
        }
    };
    let mut alike = of.alike(selector, &all, (from, to, from)).await?;
    // Differences among totals have no total.
    alike.values_mut().flatten().for_each(|one| one.points.retain(|point| point.is_whole));
    Ok(series(alike, Some(selector.name.as_str()), times, told))
}

/// What came within the time before each moment; of each second of it for a rate.
pub(super) async fn window(
    of: Sending<'_>,
    (function, selector, length): (Function, &Selector, i64),
    times: &Times,
) -> Result<Vec<Series>, PromFault> {
    let begin = times.first().saturating_sub(length);
    let from = begin.saturating_sub(length.min(BEFORE_MAX));
    let all = of.find(selector, (from, times.last())).await?;
    let Some(meant) = all.first() else { return Ok(Vec::new()) };
    if !meant.is_counter() {
        let what = format!("a rate of what rises and falls (`{}`)", selector.name);
        return Err(PromFault::Unsupported { at: selector.at, what });
    }
    let over = if function == Function::Rate { micros_as_seconds(length) } else { 1.0 };
    let told = |alike: &[Sent], moment: i64| {
        let within = |one: &Sent| {
            let place = |time: i64| one.points.partition_point(|point| point.time <= time);
            let points = &one.points[place(moment.saturating_sub(length))..place(moment)];
            points.iter().filter_map(|point| point.came).reduce(|one, other| one + other)
        };
        alike.iter().filter_map(within).reduce(|one, other| one + other).map(|came| came / over)
    };
    let alike = of.alike(selector, &all, (from, times.last(), begin)).await?;
    let points: usize = alike.values().flatten().map(|one| one.points.len()).sum();
    let windows = usize::try_from(length / times.step.max(1)).unwrap_or(usize::MAX).saturating_add(1).min(times.at.len());
    if points.saturating_mul(windows) > LOOKED_AT_MAX {
        let reason = format!("too many points lie in too many windows of `{}`: take a longer step or less time", selector.name);
        return Err(PromFault::question(reason));
    }
    Ok(series(alike, None, times, told))
}

/// The labels of every series of a selector.
pub(super) async fn there(
    of: Sending<'_>,
    selector: &Selector,
    between: (i64, i64),
) -> Result<PromListed<BTreeSet<Labels>>, PromFault> {
    let passing = Passing::of(selector)?;
    let mut listed: PromListed<BTreeSet<Labels>> = PromListed::default();
    for Meant { name, form, .. } in of.find(selector, between).await? {
        let take = |attributes: &Map<String, Value>| {
            let mut labels = labels(attributes);
            if passing.lets(&labels) {
                labels.insert("__name__".to_owned(), selector.name.clone());
                listed.found.insert(labels);
            }
        };
        listed.cut |= of.points.attributes_sent(of.actor, Some((name.as_str(), &form)), between, take).await?;
    }
    Ok(listed)
}

/// Something of the labels of everything that was sent. Where that is more than a question may take, nothing is told of any.
async fn everything(
    of: Sending<'_>,
    between: (i64, i64),
    mut take: impl FnMut(Labels, &mut BTreeSet<String>) + Send,
) -> Result<PromListed<BTreeSet<String>>, PromFault> {
    let mut found = BTreeSet::new();
    let sent = of.points.attributes_sent(of.actor, None, between, |attributes| take(labels(attributes), &mut found)).await;
    let cut = match sent {
        Err(fault) if fault.is_too_much() => true,
        sent => sent?,
    };
    Ok(PromListed { found, cut })
}

/// Every label that a series has.
pub(super) async fn label_names(of: Sending<'_>, between: (i64, i64)) -> Result<PromListed<BTreeSet<String>>, PromFault> {
    everything(of, between, |labels, found| found.extend(labels.into_keys())).await
}

/// The values of a label.
pub(super) async fn label_values(
    of: Sending<'_>,
    label: &str,
    between: (i64, i64),
) -> Result<PromListed<BTreeSet<String>>, PromFault> {
    everything(of, between, |mut labels, found| found.extend(labels.remove(label))).await
}

/// Every metric that can be asked for, those first that were sent last.
pub(super) async fn metrics(of: Sending<'_>, between: (i64, i64)) -> Result<PromListed<Vec<PromMetric>>, PromFault> {
    let (forms, cut) = of.points.forms_sent(of.actor, |_| true, between).await?;
    Ok(PromListed { found: forms.into_iter().flat_map(told).collect(), cut })
}

/// What can be asked for of a metric.
fn told((name, form): (String, MetricForm)) -> Vec<PromMetric> {
    let spelled = spelled(&name, &form);
    if spelled.is_empty() {
        return Vec::new();
    }
    let of = |part: Part| {
        let (end, help) = match part {
            Part::Value => ("", format!("`{name}`, as programs send it.")),
            Part::Count => ("_count", format!("How often something was counted in `{name}`.")),
            Part::Sum => ("_sum", format!("What was counted in `{name}`, together.")),
        };
        let unit = if part == Part::Count { String::new() } else { form.unit.clone() };
        let meant = Meant { name: name.clone(), form: form.clone(), part };
        let kind = if meant.is_counter() { "counter" } else { "gauge" };
        PromMetric { name: format!("{spelled}{end}"), kind, help, unit }
    };
    if is_spread(form.kind) { vec![of(Part::Count), of(Part::Sum)] } else { vec![of(Part::Value)] }
}

/// Which series pass.
struct Passing<'a> {
    name: &'a str,
    patterns: Vec<(&'a Matcher, Option<Regex>)>,
}

impl<'a> Passing<'a> {
    fn of(selector: &'a Selector) -> Result<Self, PromFault> {
        let mut patterns = Vec::with_capacity(selector.matchers.len());
        for matcher in &selector.matchers {
            patterns.push((matcher, pattern(matcher, selector.at)?));
        }
        Ok(Self { name: &selector.name, patterns })
    }

    fn lets(&self, labels: &Labels) -> bool {
        self.patterns.iter().all(|(matcher, pattern)| {
            let value = match matcher.label.as_str() {
                "__name__" => self.name,
                label => labels.get(label).map_or("", String::as_str),
            };
            holds(matcher, pattern.as_ref(), value)
        })
    }
}

impl Sending<'_> {
    /// The metrics of this name, that first which was sent last, as far as the others are of its sort: a counter and a gauge are
    /// not one.
    async fn find(self, selector: &Selector, between: (i64, i64)) -> Result<Vec<Meant>, PromFault> {
        let mut found: Vec<Meant> = Vec::new();
        let mut refused = None;
        let (forms, cut) = self.points.forms_sent(self.actor, |name| may_mean(name, &selector.name), between).await?;
        for (name, form) in forms {
            let spelled = spelled(&name, &form);
            if spelled.is_empty() {
                continue;
            }
            let Some(rest) = selector.name.strip_prefix(spelled.as_str()) else { continue };
            let part = match (is_spread(form.kind), rest) {
                (false, "") => Part::Value,
                (true, "_count") => Part::Count,
                (true, "_sum") => Part::Sum,
                (true, "" | "_bucket") => {
                    let ask = format!("ask for `{spelled}_count` or `{spelled}_sum`");
                    refused = Some(format!("`{}`, which is counted in buckets ({ask}),", selector.name));
                    continue;
                }
                _ => continue,
            };
            let meant = Meant { name, form, part };
            let fits = found.first().is_none_or(|first| first.is_counter() == meant.is_counter() && first.adds() == meant.adds());
            if fits && !found.iter().any(|known| known.is_like(&meant)) {
                found.push(meant);
            }
        }
        if found.len() > ALIKE_MAX {
            let reason =
                format!("more than {ALIKE_MAX} metrics are called `{}` here: give them names that differ", selector.name);
            return Err(PromFault::question(reason));
        }
        match refused {
            // Another one may have that name by itself.
            Some(what) if found.is_empty() => Err(PromFault::Unsupported { at: selector.at, what }),
            None if found.is_empty() && cut => {
                let what = "may be one of more names and units than one answer looks through: ask about less time";
                Err(PromFault::question(format!("`{}` {what}", elide(&selector.name, 80))))
            }
            _ => Ok(found),
        }
    }

    /// Their series that pass, by their labels.
    async fn alike(self, selector: &Selector, all: &[Meant], times: (i64, i64, i64)) -> Result<Alike, PromFault> {
        let passing = Passing::of(selector)?;
        let (mut alike, mut sent, mut left) = (Alike::new(), Vec::new(), POINTS_MAX);
        for Meant { name, form, part } in all {
            let more = self.points.sent(self.actor, (name.as_str(), form, *part), times, left).await;
            let more = more.map_err(|fault| match fault {
                TraceFault::TooManyPoints { .. } => TraceFault::TooManyPoints { most: POINTS_MAX },
                other => other,
            })?;
            left = more.iter().fold(left, |left, one| left.saturating_sub(one.points.len() as u64));
            sent.extend(more);
        }
        for sent in sent {
            let labels = labels(&sent.attributes);
            if passing.lets(&labels) {
                alike.entry(labels).or_default().push(sent);
            }
        }
        Ok(alike)
    }
}

fn series(alike: Alike, name: Option<&str>, times: &Times, told: impl Fn(&[Sent], i64) -> Option<f64>) -> Vec<Series> {
    let one = |(labels, alike): (_, Vec<Sent>)| {
        let values: Vec<Option<f64>> = times.at.iter().map(|moment| told(&alike, *moment)).collect();
        Series { labels, name: name.map(str::to_owned), values }
    };
    alike.into_iter().map(one).filter(|series| series.values.iter().any(Option::is_some)).collect()
}
