//! A tree's value.

use std::{collections::BTreeMap, future::Future, pin::Pin};

use super::{
    fault::PromFault,
    names,
    sent::{self, Sending},
    series::{self, Series, Times},
    tree::{Aggregation, Expr, Operator, Selector},
};
use crate::query::Asking;

#[derive(Debug)]
pub(super) enum Value {
    Scalar(f64),
    Vector(Vec<Series>),
}

/// Spans, and points that programs sent.
type Places<'a> = (Asking<'a>, Sending<'a>);

type Evaluating<'a> = Pin<Box<dyn Future<Output = Result<Value, PromFault>> + Send + 'a>>;

pub(super) fn evaluate<'a>(places: Places<'a>, expr: &'a Expr, times: &'a Times) -> Evaluating<'a> {
    Box::pin(async move {
        Ok(match expr {
            Expr::Number(number) => Value::Scalar(*number),
            Expr::Selector(_) | Expr::Window { .. } => Value::Vector(read(places, expr, times, None).await?),
            Expr::Aggregate { of, by, inner, at } => {
                let vector = match pushed(*of, inner, *at)? {
                    true => read(places, inner, times, Some(by)).await?,
                    false => match evaluate(places, inner, times).await? {
                        Value::Vector(vector) => vector,
                        Value::Scalar(_) => {
                            let reason = "series are put together here, not a number".to_owned();
                            return Err(PromFault::Invalid { at: *at, reason });
                        }
                    },
                };
                Value::Vector(aggregated(*of, by, vector, times.at.len()))
            }
            Expr::Negative(inner) => match evaluate(places, inner, times).await? {
                Value::Scalar(number) => Value::Scalar(-number),
                Value::Vector(vector) => Value::Vector(mapped(vector, |value| -value)),
            },
            Expr::Binary { left, operator, right } => {
                let (left, right) = (evaluate(places, left, times).await?, evaluate(places, right, times).await?);
                binary(left, *operator, right)?
            }
        })
    })
}

/// Whether programs sent what it names: it is none of what spans tell.
fn is_sent(selector: &Selector) -> bool {
    names::find(&selector.name).is_none()
}

/// What stands in the table; `by`: only these labels are told apart.
async fn read(
    (asking, sending): Places<'_>,
    expr: &Expr,
    times: &Times,
    by: Option<&Vec<String>>,
) -> Result<Vec<Series>, PromFault> {
    let by = by.map(Vec::as_slice);
    match expr {
        Expr::Selector(selector) if is_sent(selector) => sent::at(sending, selector, times).await,
        Expr::Window { function, selector, micros } if is_sent(selector) => {
            sent::window(sending, (*function, selector, *micros), times).await
        }
        Expr::Selector(selector) => series::at(asking, selector, times, by).await,
        Expr::Window { function, selector, micros } => series::window(asking, (*function, selector, *micros), times, by).await,
        _ => Ok(Vec::new()),
    }
}

/// Whether the table puts together what the question wants put together. Of percentiles that is also the truer answer: the
/// percentile of all spans of a group, which no mean of percentiles is.
fn pushed(of: Aggregation, inner: &Expr, at: usize) -> Result<bool, PromFault> {
    let counter = |name: &str| names::find(name).is_some_and(names::Known::is_counter);
    match inner {
        // Labels of points are told apart after they are read.
        Expr::Window { selector, .. } | Expr::Selector(selector) if is_sent(selector) => Ok(false),
        Expr::Window { .. } => Ok(of == Aggregation::Sum),
        Expr::Selector(selector) if counter(&selector.name) => Ok(of == Aggregation::Sum),
        Expr::Selector(_) if of == Aggregation::Sum => {
            Err(PromFault::Unsupported { at, what: "a sum of percentiles (write `avg` or `max`)".to_owned() })
        }
        Expr::Selector(_) => Ok(of != Aggregation::Count),
        _ => Ok(false),
    }
}

fn mapped(mut vector: Vec<Series>, change: impl Fn(f64) -> f64) -> Vec<Series> {
    for series in &mut vector {
        series.name = None;
        series.values.iter_mut().flatten().for_each(|value| *value = change(*value));
    }
    vector
}

fn aggregated(of: Aggregation, by: &[String], vector: Vec<Series>, moments: usize) -> Vec<Series> {
    let mut groups: BTreeMap<BTreeMap<String, String>, Vec<Vec<Option<f64>>>> = BTreeMap::new();
    for Series { labels, values, .. } in vector {
        let kept = labels.into_iter().filter(|(label, _)| by.contains(label)).collect();
        groups.entry(kept).or_default().push(values);
    }
    let put = |all: &[Vec<Option<f64>>], n: usize| {
        let values = || all.iter().filter_map(|values| values.get(n).copied().flatten());
        let count = values().fold(0.0, |count, _| count + 1.0);
        values()
            .reduce(|one, other| match of {
                Aggregation::Sum | Aggregation::Avg => one + other,
                Aggregation::Min => one.min(other),
                Aggregation::Max => one.max(other),
                Aggregation::Count => one,
            })
            .map(|value| match of {
                Aggregation::Avg => value / count,
                Aggregation::Count => count,
                _ => value,
            })
    };
    let group = |(labels, all): (_, Vec<Vec<Option<f64>>>)| {
        let values = (0..moments).map(|n| put(&all, n)).collect();
        Series { labels, name: None, values }
    };
    groups.into_iter().map(group).collect()
}

fn binary(left: Value, operator: Operator, right: Value) -> Result<Value, PromFault> {
    Ok(match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => Value::Scalar(operator.of(left, right)),
        (Value::Vector(vector), Value::Scalar(number)) => Value::Vector(mapped(vector, |value| operator.of(value, number))),
        (Value::Scalar(number), Value::Vector(vector)) => Value::Vector(mapped(vector, |value| operator.of(number, value))),
        (Value::Vector(left), Value::Vector(right)) => Value::Vector(paired(left, operator, right)?),
    })
}

/// Series with the same labels, one on each side.
fn paired(left: Vec<Series>, operator: Operator, right: Vec<Series>) -> Result<Vec<Series>, PromFault> {
    let twice = || PromFault::question("two series of one side have the same labels: put them together with `sum by`");
    let mut others = BTreeMap::new();
    for series in right {
        if others.insert(series.labels, series.values).is_some() {
            return Err(twice());
        }
    }
    let mut known = std::collections::BTreeSet::new();
    let mut pairs = Vec::new();
    for Series { labels, values, .. } in left {
        if !known.insert(labels.clone()) {
            return Err(twice());
        }
        let Some(other) = others.get(&labels) else { continue };
        let values = values.iter().zip(other).map(|(one, other)| Some(operator.of((*one)?, (*other)?))).collect();
        pairs.push(Series { labels, name: None, values });
    }
    Ok(pairs)
}
