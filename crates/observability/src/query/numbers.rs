//! The numbers of a field, summed up where they lie: what a monitor is told of a month is as small as what it is told of a
//! minute, however many spans there were.

use std::time::Duration;

use arrow_array::{Array, BinaryArray};
use mainspring_kernel::{Actor, Timestamp, text};
use mainspring_lake::{Aggregate, Filter, JsonTest, MeasureOf, Numbers};
use mainspring_statistics::{Moments, Quantiles, SketchFault};

use super::{
    Asking, By, SeriesQuestion,
    by::{attribute, keyed},
    counted,
    metrics::float,
    once::Once,
    series::{GROUPS_MAX, POINT, SLICE, WEIGHS, chosen, within},
};
use crate::{
    fault::TraceFault,
    filter::{FIELDS, FieldKind, known},
    service::Observability,
    table::{Rows, WEIGHT},
};

/// The time that is asked about at once; where that is more than one question may take, it is halved, down to the shortest. Of
/// a trace a number is told once in each.
const PIECE: Duration = Duration::from_secs(24 * 3600);
const PIECE_MIN: Duration = Duration::from_secs(60);

/// Numbers of one slice at one time, of spans that stand for as many. Of one slice and time there may be several, which add up.
#[derive(Debug, Clone, PartialEq)]
pub struct NumbersRow {
    /// When its point begins.
    pub at: Timestamp,
    pub slice: Option<String>,
    /// For how many spans each of these stands: one where all are kept.
    pub weight: f64,
    pub moments: Moments,
    /// How they are spread; empty where that was not asked.
    pub spread: Quantiles,
}

/// Who is told of numbers.
pub type Listener<'l> = dyn FnMut(NumbersRow) + Send + 'l;

/// Names within a question; no column is called so.
const MOMENTS: &str = "point_moments";
const SPREAD: &str = "point_spread";

/// Whether a field has numbers. Of an attribute that is seen when they come.
pub fn check_number_field(field: &str) -> Result<(), TraceFault> {
    numbers_of(field).map(drop)
}

/// The numbers of a field, in seconds, dollars and tokens, or of an attribute.
fn numbers_of(field: &str) -> Result<Numbers, TraceFault> {
    if let Some(key) = attribute(field)? {
        return Ok(Numbers { column: "attributes".to_owned(), path: vec![key], unit: 1.0 });
    }
    let unit = |kind: FieldKind| match kind {
        FieldKind::Duration => Some(1e6),
        FieldKind::Money => Some(1e9),
        FieldKind::Number => Some(1.0),
        _ => None,
    };
    let found = known(field).and_then(|known| Some((known.column.to_owned(), unit(known.kind)?)));
    let (column, unit) = found.ok_or_else(|| {
        let names = FIELDS.iter().filter(|field| unit(field.kind).is_some()).map(|field| field.name);
        let near = text::did_you_mean(field, names);
        TraceFault::Question { reason: format!("`{}` is no field of numbers{near}", text::elide(field, 40)) }
    })?;
    Ok(Numbers { column, path: Vec::new(), unit })
}

/// Rows that have such numbers.
fn with(numbers: &Numbers) -> Filter {
    let Numbers { column, path, .. } = numbers;
    if !path.is_empty() {
        return Filter::Json { column: column.clone(), path: path.clone(), test: JsonTest::Exists };
    }
    let there = Filter::present(column);
    if is_usage(column) { there.and(counted(column)) } else { there }
}

/// Tokens and cost of a span count where its usage does.
fn is_usage(column: &str) -> bool {
    column == "cost" || column.ends_with("_tokens")
}

impl Observability {
    /// Tells how many numbers of a field there are at each time, their mean and their variance; with `spread` also how they are
    /// spread. Times are in seconds, money in dollars.
    pub async fn numbers(
        &self,
        actor: &Actor,
        question: &SeriesQuestion,
        (field, spread): (&str, bool),
        listener: &mut Listener<'_>,
    ) -> Result<(), TraceFault> {
        self.catch_up().await;
        let since = Some(question.from);
        let question = &SeriesQuestion { filter: self.looked_up(actor, &question.filter, since).await?, ..question.clone() };
        let asking = self.asking(actor, self.now());
        let numbers = numbers_of(field)?;
        let Some((among, slice)) = chosen(asking, question, with(&numbers)).await? else { return Ok(()) };
        let width = i64::try_from(question.step.as_micros()).unwrap_or(i64::MAX).max(1);
        // How long a trace took, and what its attributes say, is told by its first entry within the piece that says it, as where
        // traces are counted; what it used by all that used it.
        let of_traces = !(numbers.path.is_empty() && is_usage(&numbers.column));
        let asked = |(from, to): (Timestamp, Timestamp)| {
            let among = among.clone().and(within(from, to));
            let question = |of: &Filter| {
                let of = if of_traces { of.clone() } else { Filter::All };
                let asked = Aggregate::of(among.clone())
                    .by_bucket(POINT, "start", width, question.from.as_micros())
                    .measure_of(MOMENTS, MeasureOf::Moments(numbers.clone()), of.clone())
                    .limit(GROUPS_MAX);
                let asked = if spread { asked.measure_of(SPREAD, MeasureOf::Spread(numbers.clone()), of) } else { asked };
                keyed(asked, [(SLICE, slice.as_ref()), (WEIGHS, Some(&By::Column(WEIGHT)))])
            };
            if of_traces { Once::of(&among, slice.as_slice(), question) } else { Once::every(question(&Filter::All)) }
        };
        let mut left = pieces((question.from, question.to));
        while let Some((from, to)) = left.pop() {
            match summed(asking, asked((from, to)), (slice.is_some(), spread)).await {
                Ok(rows) => rows.into_iter().for_each(&mut *listener),
                Err(fault) if fault.is_too_much() && to.since(from) > PIECE_MIN => {
                    let middle = from.plus(to.since(from) / 2);
                    left.extend([(middle, to), (from, middle)]);
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }
}

/// A time in pieces, the last first.
fn pieces((from, to): (Timestamp, Timestamp)) -> Vec<(Timestamp, Timestamp)> {
    let mut pieces = Vec::new();
    let mut begin = from;
    while begin < to {
        let end = begin.plus(PIECE).min(to);
        pieces.push((begin, end));
        begin = end;
    }
    pieces.reverse();
    pieces
}

async fn summed(asking: Asking<'_>, asked: Once, (sliced, spread): (bool, bool)) -> Result<Vec<NumbersRow>, TraceFault> {
    let grouped = asked.ask_exactly(asking).await?;
    if grouped.more {
        return Err(TraceFault::TooMuch { rows: GROUPS_MAX });
    }
    let unreadable = |fault: SketchFault| TraceFault::Unreadable { reason: fault.to_string() };
    let mut rows = Vec::new();
    for batch in &grouped.batches {
        let read = Rows(batch);
        let moments: &BinaryArray = read.column(MOMENTS)?;
        let spreads: Option<&BinaryArray> = if spread { Some(read.column(SPREAD)?) } else { None };
        for row in 0..batch.num_rows() {
            let spread = spreads.filter(|spreads| spreads.is_valid(row)).map(|spreads| Quantiles::from_bytes(spreads.value(row)));
            // An attribute may be something else than a number in all of them.
            if moments.is_null(row) {
                continue;
            }
            rows.push(NumbersRow {
                at: Timestamp::from_micros(read.number(POINT, row)?.unwrap_or_default()),
                slice: if sliced { read.text(SLICE, row)?.map(str::to_owned) } else { None },
                weight: float(&read, WEIGHS, row)?.unwrap_or(1.0),
                moments: Moments::from_bytes(moments.value(row)).map_err(unreadable)?,
                spread: spread.transpose().map_err(unreadable)?.unwrap_or_default(),
            });
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_asked_about_in_pieces_without_a_gap() {
        let at = Timestamp::from_micros;
        let to = at(0).plus(PIECE * 2).plus(Duration::from_secs(1));
        let mut found = pieces((at(0), to));
        assert_eq!(found.len(), 3);
        found.reverse();
        assert_eq!((found[0].0, found[2].1), (at(0), to));
        assert!(found.windows(2).all(|two| two[0].1 == two[1].0), "{found:?}");
        assert!(pieces((to, at(0))).is_empty());
    }
}
