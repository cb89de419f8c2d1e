//! How many there are.

use mainspring_kernel::Labels;
use mainspring_lake::{Aggregate, Filter, MeasureOf};

use super::{
    Asking, TraceFilter,
    access::{ROWS_MAX, hidden_of, traces_of},
};
use crate::{fault::TraceFault, scores::TraceRange, table::Rows};

/// A number of spans or traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub count: u64,
    /// Otherwise it is within about two percent, or of less than was stored.
    pub exact: bool,
    /// So many spans at least were stored at this server, of any project, and are in no answer yet: the lake does not take them.
    pub waiting: u64,
}

impl Counted {
    const fn of(count: u64) -> Self {
        Self { count, exact: true, waiting: 0 }
    }

    /// While so many spans wait.
    pub(crate) const fn while_waiting(self, waiting: u64) -> Self {
        Self { exact: self.exact && waiting == 0, waiting, ..self }
    }
}

/// A span that its sender repeated may be counted twice.
pub(crate) async fn count_spans(asking: Asking<'_>, filter: &TraceFilter) -> Result<Counted, TraceFault> {
    in_parts(asking, filter, Of::Spans).await
}

/// Traces of which the span passes by which they are entered.
pub(crate) async fn count_traces(asking: Asking<'_>, filter: &TraceFilter) -> Result<Counted, TraceFault> {
    in_parts(asking, filter, Of::Entries).await
}

/// Traces of which any span passes.
pub(crate) async fn count_any(asking: Asking<'_>, filter: &TraceFilter) -> Result<Counted, TraceFault> {
    in_parts(asking, filter, Of::Traces).await
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Spans,
    Entries,
    Traces,
}

impl Of {
    fn among(self, asking: Asking<'_>, filter: &TraceFilter) -> Filter {
        if self == Self::Entries { filter.entries(asking.actor, asking.now) } else { filter.spans(asking.actor, asking.now) }
    }

    async fn count(self, asking: Asking<'_>, among: Filter) -> Result<Counted, TraceFault> {
        if self == Self::Spans { spans_among(asking, among).await } else { traces_among(asking, among).await }
    }
}

/// Where more scores are asked for than are held at once, the traces are counted in ranges that have few enough: each trace is
/// in one of them.
async fn in_parts(asking: Asking<'_>, filter: &TraceFilter, of: Of) -> Result<Counted, TraceFault> {
    if !filter.also.asks_for_scores() {
        return of.count(asking, of.among(asking, filter)).await;
    }
    let mut sum = Counted::of(0);
    let mut rest = vec![TraceRange::ALL];
    while let Some(range) = rest.pop() {
        let Some(also) = asking.scored_in(&filter.also, range, filter.from).await? else {
            rest.extend(range.halves().ok_or(TraceFault::TooMuch { rows: ROWS_MAX })?);
            continue;
        };
        let among = of.among(asking, &filter.with(also)).and(range.condition());
        let found = of.count(asking, among).await?;
        sum = Counted { count: sum.count.saturating_add(found.count), exact: sum.exact && found.exact, ..sum };
    }
    Ok(sum)
}

async fn spans_among(asking: Asking<'_>, among: Filter) -> Result<Counted, TraceFault> {
    if asking.actor.labels == Labels::All {
        return Ok(Counted::of(asking.table.count(among).await?));
    }
    let mut traces = traces_of(asking, among).await?;
    let hidden = hidden_of(asking, &traces.keys().cloned().collect()).await?;
    traces.retain(|trace, _| !hidden.contains(trace));
    Ok(Counted::of(traces.values().sum()))
}

async fn traces_among(asking: Asking<'_>, among: Filter) -> Result<Counted, TraceFault> {
    if asking.actor.labels == Labels::All && asking.table.count(among.clone()).await? > ROWS_MAX as u64 {
        let question = Aggregate::of(among).measure("traces", MeasureOf::Distinct("trace".into()));
        let found = asking.table.aggregate(question).await?;
        let count = found.batches.first().map(|batch| Rows(batch).number("traces", 0)).transpose()?.flatten();
        let count = count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
        return Ok(Counted { exact: false, ..Counted::of(count) });
    }
    let mut traces = traces_of(asking, among).await?;
    let hidden = hidden_of(asking, &traces.keys().cloned().collect()).await?;
    traces.retain(|trace, _| !hidden.contains(trace));
    Ok(Counted::of(traces.len() as u64))
}
