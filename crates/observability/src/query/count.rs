//! How many there are.

use mainspring_kernel::Labels;
use mainspring_lake::{Aggregate, Filter, MeasureOf};

use super::{
    Asking, TraceFilter,
    access::{ROWS_MAX, hidden_of, traces_of},
};
use crate::{fault::TraceFault, table::Rows};

/// A number of spans or traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub count: u64,
    /// Otherwise it is within about two percent.
    pub exact: bool,
}

/// A span that its sender repeated may be counted twice.
pub(crate) async fn count_spans(asking: Asking<'_>, filter: &TraceFilter) -> Result<Counted, TraceFault> {
    let among = filter.spans(asking.actor, asking.now);
    if asking.actor.labels == Labels::All {
        return Ok(Counted { count: asking.table.count(among).await?, exact: true });
    }
    let mut traces = traces_of(asking, among).await?;
    let hidden = hidden_of(asking, &traces.keys().cloned().collect()).await?;
    traces.retain(|trace, _| !hidden.contains(trace));
    Ok(Counted { count: traces.values().sum(), exact: true })
}

pub(crate) async fn count_traces(asking: Asking<'_>, filter: &TraceFilter) -> Result<Counted, TraceFault> {
    count_among(asking, filter.entries(asking.actor, asking.now)).await
}

/// Traces of which any span passes.
pub(crate) async fn count_any(asking: Asking<'_>, filter: &TraceFilter) -> Result<Counted, TraceFault> {
    count_among(asking, filter.spans(asking.actor, asking.now)).await
}

async fn count_among(asking: Asking<'_>, among: Filter) -> Result<Counted, TraceFault> {
    if asking.actor.labels == Labels::All && asking.table.count(among.clone()).await? > ROWS_MAX as u64 {
        let question = Aggregate::of(among).measure("traces", MeasureOf::Distinct("trace".into()));
        let found = asking.table.aggregate(question).await?;
        let count = found.batches.first().map(|batch| Rows(batch).number("traces", 0)).transpose()?.flatten();
        return Ok(Counted { count: count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default(), exact: false });
    }
    let mut traces = traces_of(asking, among).await?;
    let hidden = hidden_of(asking, &traces.keys().cloned().collect()).await?;
    traces.retain(|trace, _| !hidden.contains(trace));
    Ok(Counted { count: traces.len() as u64, exact: true })
}
