//! Measures over spans: in groups, over time. Where a project keeps only some of its spans, they are of all that came, as far as
//! what is kept stands for it.

use std::{collections::HashSet, time::Duration};

use arrow_array::{Array, Float64Array, Int64Array};
use mainspring_kernel::{Timestamp, text::did_you_mean};
use mainspring_lake::{Aggregate, Filter, MeasureOf, Order};

use super::{
    Asking, TraceFilter,
    access::seen,
    by::{By, keyed},
    counted, failed,
    once::Once,
    sampled,
};
use crate::{
    fault::TraceFault,
    filter::{FIELDS, FieldKind, known},
    table::{Rows, WEIGHT},
};

/// Buckets of time in one answer at most, and groups.
const BUCKETS_MAX: i64 = 2_000;
const GROUPS_MAX: usize = 10_000;
const KEYS_MAX: usize = 4;

/// What the numbers of a measure are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Count,
    /// Of the spans, between nought and one.
    Share,
    /// Kept in microseconds, told in milliseconds.
    Time,
    /// Billionths of a dollar.
    Money,
}

#[derive(Debug)]
struct Known {
    name: &'static str,
    unit: Unit,
    of: fn() -> (MeasureOf, Filter),
}

macro_rules! quantile {
    ($column:literal, $at:literal) => {
        || (MeasureOf::Quantile { column: $column.into(), at: $at }, Filter::All)
    };
}

macro_rules! sum {
    ($column:literal) => {
        || (MeasureOf::Sum($column.into()), counted($column))
    };
}

/// Of spans whose usage counts.
macro_rules! used_quantile {
    ($column:literal, $at:literal) => {
        || (MeasureOf::Quantile { column: $column.into(), at: $at }, counted($column))
    };
}

/// Tokens were used, and nobody knows what they cost.
fn unpriced() -> Filter {
    let tokens = ["input_tokens", "output_tokens"].map(Filter::present);
    Filter::And(vec![counted("input_tokens"), Filter::IsNull("cost".to_owned()), Filter::Or(tokens.into())])
}

impl Known {
    /// Whether it is measured of requests where entries are asked for: how many there were, how they ended and how long they
    /// took.
    fn is_of_requests(&self) -> bool {
        matches!(self.name, "count" | "errors" | "error_rate") || self.name.starts_with("duration_")
    }
}

const fn measure(name: &'static str, unit: Unit, of: fn() -> (MeasureOf, Filter)) -> Known {
    Known { name, unit, of }
}

static KNOWN: [Known; 43] = [
    measure("count", Unit::Count, || (MeasureOf::Rows, Filter::All)),
    measure("errors", Unit::Count, || (MeasureOf::Rows, failed())),
    measure("error_rate", Unit::Share, || (MeasureOf::Rows, failed())),
    measure("traces", Unit::Count, || (MeasureOf::Distinct("trace".into()), Filter::All)),
    measure("users", Unit::Count, || (MeasureOf::Distinct("user".into()), Filter::All)),
    measure("sessions", Unit::Count, || (MeasureOf::Distinct("session".into()), Filter::All)),
    measure("input_tokens", Unit::Count, sum!("input_tokens")),
    measure("output_tokens", Unit::Count, sum!("output_tokens")),
    measure("cache_read_tokens", Unit::Count, sum!("cache_read_tokens")),
    measure("cache_write_tokens", Unit::Count, sum!("cache_write_tokens")),
    measure("reasoning_tokens", Unit::Count, sum!("reasoning_tokens")),
    measure("cost", Unit::Money, sum!("cost")),
    measure("duration_mean", Unit::Time, || (MeasureOf::Mean("duration".into()), Filter::All)),
    measure("duration_p50", Unit::Time, quantile!("duration", 0.50)),
    measure("duration_p90", Unit::Time, quantile!("duration", 0.90)),
    measure("duration_p95", Unit::Time, quantile!("duration", 0.95)),
    measure("duration_p99", Unit::Time, quantile!("duration", 0.99)),
    measure("duration_max", Unit::Time, || (MeasureOf::Max("duration".into()), Filter::All)),
    measure("first_token_p50", Unit::Time, quantile!("first_token", 0.50)),
    measure("first_token_p90", Unit::Time, quantile!("first_token", 0.90)),
    measure("first_token_p95", Unit::Time, quantile!("first_token", 0.95)),
    measure("first_token_p99", Unit::Time, quantile!("first_token", 0.99)),
    measure("first_token_max", Unit::Time, || (MeasureOf::Max("first_token".into()), Filter::All)),
    measure("first_token_mean", Unit::Time, || (MeasureOf::Mean("first_token".into()), Filter::All)),
    measure("unpriced", Unit::Count, || (MeasureOf::Rows, unpriced())),
    measure("input_tokens_mean", Unit::Count, || (MeasureOf::Mean("input_tokens".into()), counted("input_tokens"))),
    measure("input_tokens_p50", Unit::Count, used_quantile!("input_tokens", 0.50)),
    measure("input_tokens_p90", Unit::Count, used_quantile!("input_tokens", 0.90)),
    measure("input_tokens_p95", Unit::Count, used_quantile!("input_tokens", 0.95)),
    measure("input_tokens_p99", Unit::Count, used_quantile!("input_tokens", 0.99)),
    measure("input_tokens_max", Unit::Count, || (MeasureOf::Max("input_tokens".into()), counted("input_tokens"))),
    measure("output_tokens_mean", Unit::Count, || (MeasureOf::Mean("output_tokens".into()), counted("output_tokens"))),
    measure("output_tokens_p50", Unit::Count, used_quantile!("output_tokens", 0.50)),
    measure("output_tokens_p90", Unit::Count, used_quantile!("output_tokens", 0.90)),
    measure("output_tokens_p95", Unit::Count, used_quantile!("output_tokens", 0.95)),
    measure("output_tokens_p99", Unit::Count, used_quantile!("output_tokens", 0.99)),
    measure("output_tokens_max", Unit::Count, || (MeasureOf::Max("output_tokens".into()), counted("output_tokens"))),
    measure("cost_mean", Unit::Money, || (MeasureOf::Mean("cost".into()), counted("cost"))),
    measure("cost_p50", Unit::Money, used_quantile!("cost", 0.50)),
    measure("cost_p90", Unit::Money, used_quantile!("cost", 0.90)),
    measure("cost_p95", Unit::Money, used_quantile!("cost", 0.95)),
    measure("cost_p99", Unit::Money, used_quantile!("cost", 0.99)),
    measure("cost_max", Unit::Money, || (MeasureOf::Max("cost".into()), counted("cost"))),
];

/// Their names.
pub fn measures() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.name)
}

/// What the numbers of this measure are, if there is such a measure.
pub(crate) fn unit_of(name: &str) -> Option<Unit> {
    KNOWN.iter().find(|known| known.name == name).map(|known| known.unit)
}

/// The column of a field that groups can be made of.
pub(crate) fn group_column(field: &str) -> Result<&'static str, TraceFault> {
    let groups = || FIELDS.iter().filter(|field| field.kind == FieldKind::Text && field.name != "content");
    let found = known(field).filter(|field| groups().any(|group| group == *field));
    let found = found.ok_or_else(|| {
        let names = groups().map(|group| group.name);
        question(format!("groups cannot be made of `{}`{}", short(field), did_you_mean(field, names)))
    })?;
    Ok(found.column)
}

/// What is asked where nobody says.
const USUAL: [&str; 7] = ["count", "error_rate", "input_tokens", "output_tokens", "cost", "duration_p50", "duration_p95"];

#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricsQuestion {
    /// Its `from` must be there; without a `to` it goes on to the present.
    pub filter: TraceFilter,
    /// Fields of spans that are texts.
    pub by: Vec<String>,
    /// How long a bucket of time is; without it all of the time is one.
    pub bucket: Option<Duration>,
    /// None: the usual ones.
    pub measures: Vec<String>,
    /// How many groups there are at most, the largest ones. Over time the same ones are told of in every bucket.
    pub limit: Option<usize>,
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured {
    Count(i64),
    Share(f64),
    Millis(f64),
    /// Billionths of a dollar.
    Nanodollars(i64),
}

#[derive(Debug, Clone, PartialEq)]
pub struct MetricsRow {
    /// Where its bucket of time begins.
    pub start: Option<Timestamp>,
    /// In the order of the fields that were asked for; none where spans have no such value.
    pub keys: Vec<Option<String>>,
    /// In the order of the measures; none where there is nothing to measure.
    pub values: Vec<Option<Measured>>,
    /// Some of its spans stand for others that were not kept: counts, sums, shares, means and percentiles are estimates.
    pub estimated: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SpanMetrics {
    pub from: Timestamp,
    pub to: Timestamp,
    pub measures: Vec<&'static str>,
    /// By time, and within a bucket the largest groups first. A bucket in which nothing happened is not there.
    pub rows: Vec<MetricsRow>,
    /// Whether there are more groups than were asked for.
    pub more: bool,
}

/// Measures spans; every measure is over those that pass, tokens and cost over those whose usage counts.
pub(crate) async fn metrics(asking: Asking<'_>, question: &MetricsQuestion) -> Result<SpanMetrics, TraceFault> {
    let Some(bucket) = question.bucket.filter(|_| !question.by.is_empty()) else {
        return metrics_among(asking, question, Filter::All).await;
    };
    let to = question.filter.to.unwrap_or(asking.now);
    let from = question.filter.from.unwrap_or(to);
    // The first bucket and the last may lie in it only in part.
    let buckets = to.as_micros().saturating_sub(from.as_micros()) / width(bucket, from, to)? + 2;
    let mut all = metrics_among(asking, &MetricsQuestion { limit: None, ..question.clone() }, Filter::All).await?;
    let groups = all.rows.iter().map(|row| row.keys.as_slice()).collect::<HashSet<_>>().len();
    let most = question.limit.unwrap_or(GROUPS_MAX).max(1);
    if !all.more && groups <= most {
        return Ok(all);
    }
    // Which groups are the largest is found over all of the time: otherwise the first buckets would take the room of the last.
    let fit = GROUPS_MAX / usize::try_from(buckets).unwrap_or(GROUPS_MAX).max(1);
    let (largest, theirs) = largest(asking, question, most.min(fit.max(1)), Filter::All).await?;
    if all.more {
        all = metrics_among(asking, &MetricsQuestion { limit: None, ..question.clone() }, theirs).await?;
    } else {
        let largest: HashSet<&[Option<String>]> = largest.rows.iter().map(|row| row.keys.as_slice()).collect();
        all.rows.retain(|row| largest.contains(row.keys.as_slice()));
    }
    Ok(SpanMetrics { more: true, ..all })
}

/// The groups that are the largest over all of the time, and the rows that are theirs.
pub(super) async fn largest(
    asking: Asking<'_>,
    question: &MetricsQuestion,
    limit: usize,
    also: Filter,
) -> Result<(SpanMetrics, Filter), TraceFault> {
    let measures = vec!["count".to_owned()];
    let counting = MetricsQuestion { bucket: None, measures, limit: Some(limit), ..question.clone() };
    let found = metrics_among(asking, &counting, also).await?;
    let theirs = one_of(&keys(&question.by)?, &found);
    Ok((found, theirs))
}

/// Rows of the groups that were found.
fn one_of(groups: &[By], found: &SpanMetrics) -> Filter {
    if let [by] = groups {
        let keys = || found.rows.iter().filter_map(|row| row.keys.first());
        let named = by.one_of(&keys().flatten().cloned().collect::<Vec<_>>());
        return if keys().any(Option::is_none) { Filter::Or(vec![named, by.is(None)]) } else { named };
    }
    let is = |row: &MetricsRow| groups.iter().zip(&row.keys).map(|(by, key)| by.is(key.as_ref())).collect();
    Filter::Or(found.rows.iter().map(|row| Filter::And(is(row))).collect())
}

/// The same of those spans only that pass this as well.
pub(super) async fn metrics_among(
    asking: Asking<'_>,
    question: &MetricsQuestion,
    also: Filter,
) -> Result<SpanMetrics, TraceFault> {
    let to = question.filter.to.unwrap_or(asking.now);
    let from = question.filter.from.unwrap_or(to);
    let measures = wanted(&question.measures)?;
    let keys = keys(&question.by)?;
    let width = question.bucket.map(|bucket| width(bucket, from, to)).transpose()?;
    let filter = TraceFilter { from: Some(from), to: Some(to), ..question.filter.clone() };
    let among = seen(asking, filter.spans(asking.actor, asking.now).and(also)).await?;
    let limit = question.limit.unwrap_or(GROUPS_MAX).clamp(1, GROUPS_MAX);
    let of_requests = measures.iter().any(|known| known.is_of_requests());
    let question = |first: &Filter| {
        let of_rows = if of_requests { first.clone() } else { Filter::All };
        let mut asked = Aggregate::of(among.clone())
            .measure_weighed(ROWS, MeasureOf::Rows, of_rows.clone(), WEIGHT)
            .measure_of(SAMPLED, MeasureOf::Rows, sampled().and(of_rows))
            .limit(limit);
        if let Some(width) = width {
            asked = asked.by_bucket(BUCKET, "start", width, 0).order(BUCKET, Order::Ascending);
        }
        asked = keyed(asked.order(ROWS, Order::Descending), KEYS.into_iter().zip(keys.iter().map(Some)));
        for (at, known) in measures.iter().enumerate() {
            let (of, only) = (known.of)();
            let only = if known.is_of_requests() { only.and(first.clone()) } else { only };
            asked = asked.measure_weighed(&format!("measure_{at}"), of, only, WEIGHT);
        }
        asked
    };
    let once = Once::of(&among, &keys, question);
    // Of requests nothing is said of a time in which none began, though other entries of some did.
    let may_be_empty = once.is_of_traces() && measures.iter().all(|known| known.is_of_requests());
    let is_grouped = width.is_some() || !keys.is_empty();
    let (grouped, every) = once.ask(asking).await?;
    let mut rows = Vec::new();
    for batch in &grouped.batches {
        let read = Rows(batch);
        for row in 0..batch.num_rows() {
            if may_be_empty && is_grouped && read.number(ROWS, row)? == Some(0) {
                continue;
            }
            rows.push(MetricsRow {
                start: width.map(|_| read.number(BUCKET, row)).transpose()?.flatten().map(Timestamp::from_micros),
                keys: KEYS
                    .into_iter()
                    .take(keys.len())
                    .map(|name| Ok(read.text(name, row)?.map(str::to_owned)))
                    .collect::<Result<_, TraceFault>>()?,
                values: values(&read, row, &measures)?,
                estimated: every || read.number(SAMPLED, row)?.unwrap_or_default() > 0,
            });
        }
    }
    Ok(SpanMetrics { from, to, measures: measures.into_iter().map(|known| known.name).collect(), rows, more: grouped.more })
}

/// Names within a question; no column is called so.
const BUCKET: &str = "bucket_start";
const ROWS: &str = "group_rows";
const SAMPLED: &str = "group_sampled";
const KEYS: [&str; KEYS_MAX] = ["group_key_1", "group_key_2", "group_key_3", "group_key_4"];

fn wanted(names: &[String]) -> Result<Vec<&'static Known>, TraceFault> {
    let find = |name: &str| {
        let known = KNOWN.iter().find(|known| known.name == name);
        known.ok_or_else(|| question(format!("there is no measure `{}`{}", short(name), did_you_mean(name, measures()))))
    };
    if names.is_empty() {
        return USUAL.into_iter().map(find).collect();
    }
    if names.len() > KNOWN.len() {
        return Err(question("a measure is asked for more than once".to_owned()));
    }
    names.iter().map(|name| find(name)).collect()
}

/// What groups are made of, by these fields.
fn keys(fields: &[String]) -> Result<Vec<By>, TraceFault> {
    if fields.len() > KEYS_MAX {
        return Err(question(format!("groups are made of {KEYS_MAX} fields at most")));
    }
    let mut keys = Vec::new();
    for name in fields {
        let by = By::read(name)?;
        if keys.contains(&by) {
            return Err(question(format!("groups are made of `{name}` twice")));
        }
        keys.push(by);
    }
    Ok(keys)
}

fn width(bucket: Duration, from: Timestamp, to: Timestamp) -> Result<i64, TraceFault> {
    let width = i64::try_from(bucket.as_micros()).unwrap_or(i64::MAX);
    if width == 0 {
        return Err(question("a bucket of time has some length".to_owned()));
    }
    if to.as_micros().saturating_sub(from.as_micros()) / width >= BUCKETS_MAX {
        return Err(question(format!("that is more than {BUCKETS_MAX} buckets: take longer ones, or less time")));
    }
    Ok(width)
}

fn question(reason: String) -> TraceFault {
    TraceFault::Question { reason }
}

fn short(text: &str) -> String {
    mainspring_kernel::text::elide(text, 40)
}

#[expect(clippy::cast_precision_loss, reason = "counts and durations are far below 2^52")]
fn values(rows: &Rows<'_>, row: usize, measures: &[&Known]) -> Result<Vec<Option<Measured>>, TraceFault> {
    let all = rows.number(ROWS, row)?.unwrap_or_default();
    let each = |(at, known): (usize, &&Known)| -> Result<Option<Measured>, TraceFault> {
        let name = format!("measure_{at}");
        Ok(match known.unit {
            Unit::Count => whole(rows, &name, row)?.map(Measured::Count),
            Unit::Money => whole(rows, &name, row)?.map(Measured::Nanodollars),
            Unit::Share => rows.number(&name, row)?.filter(|_| all > 0).map(|some| Measured::Share(some as f64 / all as f64)),
            Unit::Time => float(rows, &name, row)?.map(|micros| Measured::Millis(micros / 1000.0)),
        })
    };
    measures.iter().enumerate().map(each).collect()
}

/// Sums and counts are whole; means and percentiles are rounded to whole tokens and billionths of a dollar.
fn whole(rows: &Rows<'_>, name: &str, row: usize) -> Result<Option<i64>, TraceFault> {
    rows.number(name, row).or_else(|_| Ok(float(rows, name, row)?.map(|number| number.round() as i64)))
}

/// Greatest values have the type of their column, everything else is a float.
#[expect(clippy::cast_precision_loss, reason = "durations are far below 2^52")]
pub(crate) fn float(rows: &Rows<'_>, name: &str, row: usize) -> Result<Option<f64>, TraceFault> {
    let unreadable = || TraceFault::Unreadable { reason: format!("the measure `{name}`") };
    let column = rows.0.column_by_name(name).ok_or_else(unreadable)?;
    if column.is_null(row) {
        return Ok(None);
    }
    if let Some(column) = column.as_any().downcast_ref::<Float64Array>() {
        return Ok(Some(column.value(row)));
    }
    column.as_any().downcast_ref::<Int64Array>().map(|column| Some(column.value(row) as f64)).ok_or_else(unreadable)
}
