//! What monitors are told: rows, words and numbers over time, each slice by itself.

use std::{collections::HashSet, time::Duration};

use arrow_array::RecordBatch;
use mainspring_kernel::{Actor, Timestamp, text};
use mainspring_lake::{Aggregate, Filter, KeyOf, MeasureOf, Order, Scan};
use mainspring_llm::TraceId;

use super::{Asking, TraceFilter, access::seen, counted, entry_only, group_column, metrics::float, once::Once};
use crate::{
    fault::TraceFault,
    filter::{FIELDS, FieldKind, SpanFilter, known},
    senders::sender,
    service::Observability,
    table::{Rows, WEIGHT},
};

/// Groups of one answer at most: slices, times and words together.
const GROUPS_MAX: usize = 200_000;
/// Numbers that one answer may look at, and the least time they are read at once.
const NUMBERS_MAX: usize = 5_000_000;
const PIECE_MIN: Duration = Duration::from_secs(300);
const PIECES: u32 = 64;
/// Values of a field that are told apart by when they were first seen, each once for every service.
const FIRST_SEEN: usize = 1_000;

/// Which spans, in what time, and in which slices.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesQuestion {
    pub filter: SpanFilter,
    /// Only spans by which a trace is entered. Counts and durations are of the first of those that pass of each trace, in each
    /// slice.
    pub entries: bool,
    /// Only spans of which this field has this value.
    pub only: Option<(String, String)>,
    pub from: Timestamp,
    pub to: Timestamp,
    /// How long a point is; `from` begins the first.
    pub step: Duration,
    /// A field, each value of which is a slice, and how many slices there are at most: those with the most spans.
    pub by: Option<(String, usize)>,
}

/// One slice at one time: of its spans those that stand for as many.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesRow {
    /// When its point begins.
    pub at: Timestamp,
    pub slice: Option<String>,
    /// The value of the field that is counted by.
    pub word: Option<String>,
    /// For how many spans each of these stands: one where all are kept.
    pub weight: f64,
    /// Spans that are there.
    pub count: u64,
    /// Those of them that pass a further filter.
    pub hits: u64,
}

/// A number of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// When its span began.
    pub at: Timestamp,
    pub number: f64,
    /// For how many spans that one stands.
    pub weight: f64,
}

/// A value of a field, of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstSeen {
    pub value: String,
    /// Or the app of this server, as `app/NAME`. None: whoever sent it does not say its name.
    pub service: Option<String>,
    pub first: Timestamp,
}

/// Who is told the numbers of a field: each with its slice.
pub type Listener<'l> = dyn for<'s> FnMut(Option<&'s str>, Told) + Send + 'l;

/// Names within a question; no column is called so.
const POINT: &str = "point_start";
const ROWS: &str = "point_rows";
const HITS: &str = "point_hits";
const SLICE: &str = "point_slice";
const WORD: &str = "point_word";
const WEIGHS: &str = "point_weight";
const FIRST: &str = "first_seen";
const SENDER: &str = "first_service";
const SENDING_APP: &str = "first_app";

/// Which traces were told of, in each slice.
type TracesOfSlices = HashSet<(TraceId, Option<String>)>;

/// Whether slices can be made of a field, and its values counted.
pub fn check_group_field(field: &str) -> Result<(), TraceFault> {
    group_column(field).map(drop)
}

/// Whether a field has numbers.
pub fn check_number_field(field: &str) -> Result<(), TraceFault> {
    number_column(field).map(drop)
}

/// The column of a field of numbers, and how many of its units are one: of a second, of a dollar, of a token.
fn number_column(field: &str) -> Result<(&'static str, f64), TraceFault> {
    let unit = |kind: FieldKind| match kind {
        FieldKind::Duration => Some(1e6),
        FieldKind::Money => Some(1e9),
        FieldKind::Number => Some(1.0),
        _ => None,
    };
    let found = known(field).and_then(|known| Some((known.column, unit(known.kind)?)));
    found.ok_or_else(|| {
        let names = FIELDS.iter().filter(|field| unit(field.kind).is_some()).map(|field| field.name);
        let near = text::did_you_mean(field, names);
        TraceFault::Question { reason: format!("`{}` is no field of numbers{near}", text::elide(field, 40)) }
    })
}

/// Tokens and cost of a span count where its usage does.
fn is_usage(column: &str) -> bool {
    column == "cost" || column.ends_with("_tokens")
}

impl Observability {
    /// Counts spans over time: in slices, by the values of a field, and those among them that pass a further filter. Spans that
    /// stand for as many others have a row of their own.
    pub async fn series(
        &self,
        actor: &Actor,
        question: &SeriesQuestion,
        (hits, word): (Option<&SpanFilter>, Option<&str>),
    ) -> Result<Vec<SeriesRow>, TraceFault> {
        self.catch_up().await;
        let since = Some(question.from);
        let question = &SeriesQuestion { filter: self.looked_up(actor, &question.filter, since).await?, ..question.clone() };
        let hits = match hits {
            Some(hits) => Some(self.looked_up(actor, hits, since).await?),
            None => None,
        };
        let asking = self.asking(actor, self.now());
        let Some((among, slice)) = chosen(asking, question, Filter::All).await? else { return Ok(Vec::new()) };
        let word = word.map(group_column).transpose()?;
        let among = word.map_or(Filter::All, present).and(among);
        let hit = hits.as_ref().map(|hits| hits.condition(asking.now));
        let width = i64::try_from(question.step.as_micros()).unwrap_or(i64::MAX).max(1);
        let asked = |of: &Filter| {
            let mut asked = Aggregate::of(among.clone()).measure_of(ROWS, MeasureOf::Rows, of.clone());
            if let Some(hit) = &hit {
                asked = asked.measure_of(HITS, MeasureOf::Rows, hit.clone().and(of.clone()));
            }
            asked = asked.by_bucket(POINT, "start", width, question.from.as_micros());
            for (name, column) in [(SLICE, slice), (WORD, word), (WEIGHS, Some(WEIGHT))] {
                if let Some(column) = column {
                    asked.keys.push(mainspring_lake::Key { name: name.to_owned(), of: KeyOf::Column(column.to_owned()) });
                }
            }
            asked.order(POINT, Order::Ascending).limit(GROUPS_MAX)
        };
        let (grouped, _) = Once::of(&among, slice.as_slice(), asked).ask(asking).await?;
        if grouped.more {
            return Err(TraceFault::TooMuch { rows: GROUPS_MAX });
        }
        let mut rows = Vec::new();
        for batch in &grouped.batches {
            let read = Rows(batch);
            let number = |name: &str, row: usize| -> Result<u64, TraceFault> {
                Ok(read.number(name, row)?.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
            };
            let key = |name: &str, of: Option<&str>, row: usize| -> Result<Option<String>, TraceFault> {
                if of.is_none() { Ok(None) } else { Ok(read.text(name, row)?.map(str::to_owned)) }
            };
            for row in 0..batch.num_rows() {
                // Of traces that began at another time.
                let count = number(ROWS, row)?;
                if count == 0 {
                    continue;
                }
                rows.push(SeriesRow {
                    at: Timestamp::from_micros(read.number(POINT, row)?.unwrap_or_default()),
                    slice: key(SLICE, slice, row)?,
                    word: key(WORD, word, row)?,
                    weight: float(&read, WEIGHS, row)?.unwrap_or(1.0),
                    count,
                    hits: if hits.is_some() { number(HITS, row)? } else { 0 },
                });
            }
        }
        Ok(rows)
    }

    /// Tells every number of a field. Times are in seconds, money in dollars.
    pub async fn numbers(
        &self,
        actor: &Actor,
        question: &SeriesQuestion,
        field: &str,
        listener: &mut Listener<'_>,
    ) -> Result<(), TraceFault> {
        self.catch_up().await;
        let since = Some(question.from);
        let question = &SeriesQuestion { filter: self.looked_up(actor, &question.filter, since).await?, ..question.clone() };
        let asking = self.asking(actor, self.now());
        let (column, unit) = number_column(field)?;
        let has = if is_usage(column) { present(column).and(counted()) } else { present(column) };
        let Some((among, slice)) = chosen(asking, question, has).await? else { return Ok(()) };
        let piece = (question.to.since(question.from) / PIECES).max(PIECE_MIN);
        let mut columns = vec!["start", column, WEIGHT];
        columns.extend(slice);
        // Of a trace that goes through several programs it is the first entry that is measured, as where they are counted.
        let mut told = (question.entries && column == "duration").then(HashSet::new);
        if told.is_some() {
            // A slice may be one of these.
            columns.extend(["trace", "span"].into_iter().filter(|name| slice != Some(*name)));
        }
        let (mut from, mut left) = (question.from, NUMBERS_MAX);
        while from < question.to {
            let to = from.plus(piece).min(question.to);
            let mut scan = Scan::of(among.clone().and(within(from, to))).columns(&columns).limit(left + 1);
            if told.is_some() {
                scan = scan.order("start", Order::Ascending).order("span", Order::Ascending);
            }
            for batch in asking.table.scan(scan).await? {
                left = left.checked_sub(batch.num_rows()).ok_or(TraceFault::TooMuch { rows: NUMBERS_MAX })?;
                tell(&batch, (column, unit), (slice, told.as_mut()), listener)?;
            }
            from = to;
        }
        Ok(())
    }

    /// The values of a field and when each was seen first of each service, in that order: of those seen last, so many.
    pub async fn first_seen(
        &self,
        actor: &Actor,
        (filter, entries): (&SpanFilter, bool),
        field: &str,
    ) -> Result<Vec<FirstSeen>, TraceFault> {
        self.catch_up().await;
        let asking = self.asking(actor, self.now());
        let column = group_column(field)?;
        let of = TraceFilter { also: self.looked_up(actor, filter, None).await?, ..TraceFilter::default() };
        let spans = of.spans(asking.actor, asking.now).and(present(column));
        let among = seen(asking, if entries { spans.and(entry_only()) } else { spans }).await?;
        let mut asked = Aggregate::of(among).by(column).measure(FIRST, MeasureOf::Min("start".into()));
        for (name, column) in [(SENDER, "service"), (SENDING_APP, "app")] {
            asked.keys.push(mainspring_lake::Key { name: name.to_owned(), of: KeyOf::Column(column.to_owned()) });
        }
        let grouped = asking.table.aggregate(asked.order(FIRST, Order::Descending).limit(FIRST_SEEN)).await?;
        let mut found = Vec::new();
        for batch in &grouped.batches {
            let read = Rows(batch);
            for row in 0..batch.num_rows() {
                if let (Some(value), Some(first)) = (read.text(column, row)?, read.number(FIRST, row)?) {
                    let service = sender(read.text(SENDER, row)?, read.text(SENDING_APP, row)?);
                    found.push(FirstSeen { value: value.to_owned(), service, first: Timestamp::from_micros(first) });
                }
            }
        }
        found.reverse();
        Ok(found)
    }

    /// The same filter, with what it says of scores looked up where they are. `since`: when the spans began at the earliest.
    async fn looked_up(&self, actor: &Actor, filter: &SpanFilter, since: Option<Timestamp>) -> Result<SpanFilter, TraceFault> {
        let found = self.with_scores_found(actor, filter, since, &mut self.room_for_scores()).await?;
        Ok(found.unwrap_or_else(|| filter.clone()))
    }
}

fn present(column: &str) -> Filter {
    Filter::Not(Box::new(Filter::IsNull(column.to_owned())))
}

fn within(from: Timestamp, to: Timestamp) -> Filter {
    Filter::GtEq("start".into(), from.as_micros().into()).and(Filter::Lt("start".into(), to.as_micros().into()))
}

/// The rows that a question is about, and the column of its slices. Nothing where there are no slices.
async fn chosen(
    asking: Asking<'_>,
    question: &SeriesQuestion,
    has: Filter,
) -> Result<Option<(Filter, Option<&'static str>)>, TraceFault> {
    let SeriesQuestion { filter, entries, only, from, to, step: _, by } = question;
    let of = TraceFilter { from: Some(*from), to: Some(*to), also: filter.clone(), ..TraceFilter::default() };
    let mut among = of.spans(asking.actor, asking.now).and(has);
    if *entries {
        among = among.and(entry_only());
    }
    if let Some((field, value)) = only {
        among = among.and(Filter::eq(group_column(field)?, value.as_str()));
    }
    let among = seen(asking, among).await?;
    let Some((field, most)) = by else { return Ok(Some((among, None))) };
    let column = group_column(field)?;
    let among = among.and(present(column));
    let largest = |of: &Filter| {
        let counted = Aggregate::of(among.clone()).by(column).measure_weighed(ROWS, MeasureOf::Rows, of.clone(), WEIGHT);
        counted.order(ROWS, Order::Descending).limit(*most)
    };
    let (grouped, _) = Once::of(&among, &[column], largest).ask(asking).await?;
    let mut slices = Vec::new();
    for batch in &grouped.batches {
        let read = Rows(batch);
        for row in 0..batch.num_rows() {
            slices.extend(read.text(column, row)?.map(str::to_owned));
        }
    }
    Ok((!slices.is_empty()).then(|| (among.and(Filter::any_of(column, slices)), Some(column))))
}

#[expect(clippy::cast_precision_loss, reason = "counts, durations and money are far below 2^52")]
fn tell(
    batch: &RecordBatch,
    (column, unit): (&str, f64),
    (slice, mut known): (Option<&str>, Option<&mut TracesOfSlices>),
    listener: &mut Listener<'_>,
) -> Result<(), TraceFault> {
    let rows = Rows(batch);
    for row in 0..batch.num_rows() {
        let (Some(start), Some(number)) = (rows.number("start", row)?, rows.number(column, row)?) else { continue };
        let slice = slice.map(|slice| rows.text(slice, row)).transpose()?.flatten();
        if let Some(known) = &mut known {
            let trace = rows.text("trace", row)?.and_then(|trace| trace.parse::<TraceId>().ok());
            let trace = trace.ok_or_else(|| TraceFault::Unreadable { reason: "a trace id".into() })?;
            if !known.insert((trace, slice.map(str::to_owned))) {
                continue;
            }
        }
        let told = Told { at: Timestamp::from_micros(start), number: number as f64 / unit, weight: rows.weight(row)? };
        listener(slice, told);
    }
    Ok(())
}
