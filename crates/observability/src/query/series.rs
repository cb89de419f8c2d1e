//! What monitors are told: rows, words and numbers over time, each slice by itself.

use std::time::Duration;

use mainspring_kernel::{Actor, Timestamp};
use mainspring_lake::{Aggregate, Filter, MeasureOf, Order};

use super::{
    Asking, TraceFilter,
    access::seen,
    by::{By, keyed},
    entry_only,
    metrics::float,
    once::Once,
};
use crate::{
    fault::TraceFault,
    filter::SpanFilter,
    service::Observability,
    table::{Rows, WEIGHT},
};

/// Groups of one answer at most: slices, times and words together.
pub(super) const GROUPS_MAX: usize = 200_000;

/// Which spans, in what time, and in which slices.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesQuestion {
    pub filter: SpanFilter,
    /// Only spans by which a trace is entered. Counts and numbers, but for what was used, are of the first of those that pass of each
    /// trace, in each slice, and in each of the stretches that the time is asked about in (`once.rs`).
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

/// Names within a question; no column is called so.
pub(super) const POINT: &str = "point_start";
const ROWS: &str = "point_rows";
const HITS: &str = "point_hits";
pub(super) const SLICE: &str = "point_slice";
const WORD: &str = "point_word";
pub(super) const WEIGHS: &str = "point_weight";

/// Whether slices can be made of a field, and its values counted.
pub fn check_group_field(field: &str) -> Result<(), TraceFault> {
    By::read(field).map(drop)
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
        let word = word.map(By::read).transpose()?;
        let among = word.as_ref().map_or(Filter::All, By::present).and(among);
        let hit = hits.as_ref().map(|hits| hits.condition(asking.now));
        let width = i64::try_from(question.step.as_micros()).unwrap_or(i64::MAX).max(1);
        let weighed = By::Column(WEIGHT);
        let asked = |(from, to): (Timestamp, Timestamp)| {
            let among = among.clone().and(within(from, to));
            let asked = |of: &Filter| {
                let mut asked = Aggregate::of(among.clone()).measure_of(ROWS, MeasureOf::Rows, of.clone());
                if let Some(hit) = &hit {
                    asked = asked.measure_of(HITS, MeasureOf::Rows, hit.clone().and(of.clone()));
                }
                asked = asked.by_bucket(POINT, "start", width, question.from.as_micros());
                asked = keyed(asked, [(SLICE, slice.as_ref()), (WORD, word.as_ref()), (WEIGHS, Some(&weighed))]);
                asked.order(POINT, Order::Ascending).limit(GROUPS_MAX)
            };
            Once::of(&among, slice.as_slice(), asked)
        };
        // What is too much at once is asked in halves, a point at least. A trace with entries in both halves counts in each, as
        // one with entries in two windows does; but all entries are never counted in its stead, as where people look.
        let (mut batches, mut left) = (Vec::new(), vec![(question.from, question.to)]);
        while let Some((from, to)) = left.pop() {
            let found = match asked((from, to)).ask_exactly(asking).await {
                Ok(grouped) if grouped.more => Err(TraceFault::TooMuch { rows: GROUPS_MAX }),
                found => found,
            };
            let points = to.as_micros().saturating_sub(from.as_micros()) / width;
            match found {
                Ok(grouped) => batches.extend(grouped.batches),
                Err(fault) if fault.is_too_much() && points >= 2 => {
                    let middle = Timestamp::from_micros(from.as_micros().saturating_add(points / 2 * width));
                    left.extend([(middle, to), (from, middle)]);
                }
                Err(fault) => return Err(fault),
            }
        }
        let mut rows = Vec::new();
        for batch in &batches {
            let read = Rows(batch);
            let number = |name: &str, row: usize| -> Result<u64, TraceFault> {
                Ok(read.number(name, row)?.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
            };
            let key = |name: &str, of: Option<&By>, row: usize| -> Result<Option<String>, TraceFault> {
                if of.is_none() { Ok(None) } else { Ok(read.text(name, row)?.map(str::to_owned)) }
            };
            for row in 0..batch.num_rows() {
                let said = key(WORD, word.as_ref(), row)?;
                let count = number(ROWS, row)?;
                // An attribute that is an object or a list is no word. And there may be nothing but traces that began at another time.
                if (word.is_some() && said.is_none()) || count == 0 {
                    continue;
                }
                rows.push(SeriesRow {
                    at: Timestamp::from_micros(read.number(POINT, row)?.unwrap_or_default()),
                    slice: key(SLICE, slice.as_ref(), row)?,
                    word: said,
                    weight: float(&read, WEIGHS, row)?.unwrap_or(1.0),
                    count,
                    hits: if hits.is_some() { number(HITS, row)? } else { 0 },
                });
            }
        }
        Ok(rows)
    }

    /// The same filter, with what it says of scores looked up where they are. `since`: when the spans began at the earliest.
    pub(super) async fn looked_up(
        &self,
        actor: &Actor,
        filter: &SpanFilter,
        since: Option<Timestamp>,
    ) -> Result<SpanFilter, TraceFault> {
        let found = self.with_scores_found(actor, filter, since, &mut self.room_for_scores()).await?;
        Ok(found.unwrap_or_else(|| filter.clone()))
    }
}

pub(super) fn within(from: Timestamp, to: Timestamp) -> Filter {
    Filter::GtEq("start".into(), from.as_micros().into()).and(Filter::Lt("start".into(), to.as_micros().into()))
}

/// The rows that a question is about, and what its slices are made of. Nothing where there are no slices.
pub(super) async fn chosen(
    asking: Asking<'_>,
    question: &SeriesQuestion,
    has: Filter,
) -> Result<Option<(Filter, Option<By>)>, TraceFault> {
    let SeriesQuestion { filter, entries, only, from, to, step: _, by } = question;
    let of = TraceFilter { from: Some(*from), to: Some(*to), also: filter.clone(), ..TraceFilter::default() };
    let mut among = of.spans(asking.actor, asking.now).and(has);
    if *entries {
        among = among.and(entry_only());
    }
    if let Some((field, value)) = only {
        among = among.and(By::read(field)?.one_of(std::slice::from_ref(value)));
    }
    let among = seen(asking, among).await?;
    let Some((field, most)) = by else { return Ok(Some((among, None))) };
    let by = By::read(field)?;
    let among = among.and(by.present());
    let largest = |of: &Filter| {
        let counted = Aggregate::of(among.clone()).measure_weighed(ROWS, MeasureOf::Rows, of.clone(), WEIGHT);
        keyed(counted, [(SLICE, Some(&by))]).order(ROWS, Order::Descending).limit(*most)
    };
    let (grouped, _) = Once::of(&among, std::slice::from_ref(&by), largest).ask(asking).await?;
    let mut slices = Vec::new();
    for batch in &grouped.batches {
        let read = Rows(batch);
        for row in 0..batch.num_rows() {
            slices.extend(read.text(SLICE, row)?.map(str::to_owned));
        }
    }
    Ok((!slices.is_empty()).then(|| (among.and(by.one_of(&slices)), Some(by))))
}
