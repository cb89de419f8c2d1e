//! Spans, oldest first, a page at a time, however many there are.
//!
//! A page is looked for in a window of time that grows and shrinks with what it holds, so that no page costs more than the
//! rows around it.

use std::{collections::HashSet, sync::Arc};

use arrow_array::{Array as _, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use mainspring_kernel::{Actor, Timestamp};
use mainspring_lake::{Filter, Order, Scan};
use mainspring_llm::Span;
use tokio::sync::OwnedSemaphorePermit;

use super::{Asking, TraceFilter, access::hidden, beyond_id};
use crate::{
    fault::TraceFault,
    filter::{At, SpanFilter},
    scores::Score,
    searched::REST,
    service::Observability,
    table::Rows,
};

/// Exports under way at once.
pub(crate) const EXPORTS_MAX: usize = 4;
/// Spans of the first page, and of a page at most; in between it has as many as took this many bytes before.
pub(super) const PAGE_FIRST: usize = 32;
const PAGE_MAX: usize = 500;
const PAGE_BYTES: usize = 16 << 20;
const WINDOW_MIN: i64 = 1_000_000;
const WINDOW_FIRST: i64 = 3_600_000_000;

/// The start, the span and the trace of a row.
type LastGiven = (i64, String, String);

/// An export under way. Spans that come meanwhile are in it when they began after what was already given.
#[derive(Debug)]
pub struct Export {
    room: Observability,
    actor: Actor,
    among: Filter,
    /// Where more scores are asked for than are held at once, those of a page's traces are looked up.
    asks: Option<SpanFilter>,
    now: Timestamp,
    /// Where the window begins, and how wide it is.
    from: i64,
    width: i64,
    /// When the last span began.
    end: i64,
    /// The last row given, where the window was not finished.
    after: Option<LastGiven>,
    /// Spans of the next page.
    page: usize,
    _place: OwnedSemaphorePermit,
}

impl Export {
    pub(crate) async fn begin(
        room: &Observability,
        actor: Actor,
        filter: &TraceFilter,
        now: Timestamp,
        place: OwnedSemaphorePermit,
    ) -> Result<Self, TraceFault> {
        let asks = filter.also.asks_for_scores().then(|| filter.also.clone());
        let among = filter.with(filter.also.without_scores()).spans(&actor, now);
        let first = edge(room, &among, Order::Ascending).await?;
        let last = edge(room, &among, Order::Descending).await?;
        // Where there is none, the window begins after its end.
        let (from, end) = first.zip(last).unwrap_or((1, 0));
        let (room, width, after, page) = (room.clone(), WINDOW_FIRST, None, PAGE_FIRST);
        Ok(Self { room, actor, among, asks, now, from, width, end, after, page, _place: place })
    }

    /// The next spans; none when all were given.
    pub async fn next(&mut self) -> Result<Option<Vec<Span>>, TraceFault> {
        let Some(batches) = self.next_rows().await? else { return Ok(None) };
        let mut spans = Vec::new();
        for batch in &batches {
            let rows = Rows(batch);
            for row in 0..batch.num_rows() {
                spans.push(rows.span(row)?);
            }
        }
        Ok(Some(spans))
    }

    /// Puts the large values of a span back into it. Answers whether it has any. One that was erased a moment ago stays as it
    /// was read.
    pub async fn fill(&self, span: &mut Span) -> Result<bool, TraceFault> {
        match self.room.fill(span).await {
            Err(TraceFault::NoValue { .. }) => Ok(false),
            filled => filled,
        }
    }

    /// The scores that each of these spans bears, in their order.
    pub async fn scores(&self, spans: &[Span]) -> Result<Vec<Vec<Score>>, TraceFault> {
        self.room.borne_by(&self.actor, spans).await
    }

    /// The columns of the rows: those of the table, without what only helps to search them.
    pub(crate) fn schema(&self) -> SchemaRef {
        let table = self.room.table().schema();
        let given = table.fields().iter().filter(|field| field.name() != REST);
        Arc::new(Schema::new(given.cloned().collect::<Vec<_>>()))
    }

    /// The same as rows of the table.
    pub(crate) async fn next_rows(&mut self) -> Result<Option<Vec<RecordBatch>>, TraceFault> {
        while self.from <= self.end {
            let batches = self.page().await?;
            let runs = self.runs(&batches).await?;
            if !runs.is_empty() {
                return Ok(Some(runs));
            }
        }
        Ok(None)
    }

    async fn page(&mut self) -> Result<Vec<RecordBatch>, TraceFault> {
        let to = self.from.saturating_add(self.width);
        let limit = self.page;
        // Where spans are compared here, all of what is searched of them is looked into.
        let (schema, compared) = (self.room.table().schema(), self.asks.is_some());
        let columns = schema.fields().iter().map(|field| field.name().as_str());
        let columns: Vec<&str> = columns.filter(|name| compared || *name != REST).collect();
        let scan = Scan::of(self.window(to)).columns(&columns).order("start", Order::Ascending);
        let scan = scan.order("span", Order::Ascending).order("trace", Order::Ascending).limit(limit);
        let batches = self.room.table().scan(scan).await?;
        let found: usize = batches.iter().map(RecordBatch::num_rows).sum();
        self.page = page_after(limit, found, batches.iter().map(bytes_of).sum());
        let last = batches.iter().rfind(|batch| batch.num_rows() > 0).map(last_of).transpose()?;
        match last {
            Some(last) if found == limit => {
                self.from = last.0;
                self.after = Some(last);
                self.width = (self.width / 2).max(WINDOW_MIN);
            }
            _ => {
                self.after = None;
                self.from = to;
                if found * 4 < limit {
                    self.width = self.width.saturating_mul(2);
                }
            }
        }
        Ok(batches)
    }

    /// The rows that the actor may see, each once, in runs of those that follow each other.
    async fn runs(&self, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>, TraceFault> {
        let mut traces = HashSet::new();
        for batch in batches {
            let rows = Rows(batch);
            for row in 0..batch.num_rows() {
                traces.extend(rows.text("trace", row)?.map(str::to_owned));
            }
        }
        if traces.is_empty() {
            return Ok(Vec::new());
        }
        let asking: Asking<'_> = self.room.asking(&self.actor, self.now);
        let passing = match &self.asks {
            Some(asks) => asking.scored_among(asks, &traces).await?,
            None => SpanFilter::all(),
        };
        let hidden = hidden(asking, Filter::any_of("trace", traces)).await?;
        let (mut runs, mut before) = (Vec::new(), None);
        for batch in batches {
            let (rows, mut begun) = (Rows(batch), None);
            for row in 0..batch.num_rows() {
                let id = (rows.text("trace", row)?.map(str::to_owned), rows.text("span", row)?.map(str::to_owned));
                // What a sender repeated may be stored twice.
                let mut kept = before.as_ref() != Some(&id) && !id.0.as_ref().is_some_and(|trace| hidden.contains(trace));
                if kept && self.asks.is_some() {
                    kept = passing.holds(At::new(&rows, row), self.now)?;
                }
                before = Some(id);
                match (kept, begun) {
                    (true, None) => begun = Some(row),
                    (false, Some(from)) => {
                        runs.push(batch.slice(from, row - from));
                        begun = None;
                    }
                    _ => {}
                }
            }
            runs.extend(begun.map(|from| batch.slice(from, batch.num_rows() - from)));
        }
        Ok(runs)
    }

    fn window(&self, to: i64) -> Filter {
        let from = Filter::GtEq("start".into(), self.from.into());
        let window = self.among.clone().and(from).and(Filter::Lt("start".into(), to.into()));
        let Some((start, span, trace)) = &self.after else { return window };
        let later = Filter::Gt("start".into(), (*start).into());
        window.and(Filter::Or(vec![later, beyond_id(span, trace)]))
    }
}

/// How many spans the page after one of so many has. What is read next may be larger than what was, so it grows by steps.
pub(super) fn page_after(page: usize, found: usize, bytes: usize) -> usize {
    if found == 0 {
        return page;
    }
    let fit = PAGE_BYTES / (bytes / found).max(1);
    fit.min(page * 4).clamp(1, PAGE_MAX)
}

/// What the rows take, whatever else their buffers hold.
pub(super) fn bytes_of(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default()).sum()
}

/// The last row of a batch that has one.
fn last_of(batch: &RecordBatch) -> Result<LastGiven, TraceFault> {
    let (rows, row) = (Rows(batch), batch.num_rows() - 1);
    let text = |name| Ok::<_, TraceFault>(rows.text(name, row)?.unwrap_or_default().to_owned());
    Ok((rows.number("start", row)?.unwrap_or_default(), text("span")?, text("trace")?))
}

/// When the first or the last of these spans began.
async fn edge(room: &Observability, among: &Filter, order: Order) -> Result<Option<i64>, TraceFault> {
    let scan = Scan::of(among.clone()).columns(&["start"]).order("start", order).limit(1);
    let batches = room.table().scan(scan).await?;
    let found = batches.iter().find(|batch| batch.num_rows() > 0).map(|batch| Rows(batch).number("start", 0)).transpose()?;
    Ok(found.flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_as_many_spans_as_fit() {
        assert_eq!(page_after(PAGE_FIRST, PAGE_FIRST, PAGE_FIRST * 1_000), PAGE_FIRST * 4, "it grows by steps");
        assert_eq!(page_after(PAGE_MAX, PAGE_MAX, PAGE_MAX * 1_000), PAGE_MAX);
        assert_eq!(page_after(PAGE_MAX, 10, 10 << 20), 16);
        assert_eq!(page_after(PAGE_FIRST, 3, 30 << 20), 1);
        assert_eq!(page_after(1, 1, 64 << 20), 1);
        assert_eq!(page_after(1, 1, 1 << 10), 4);
        assert_eq!(page_after(7, 0, 0), 7, "an empty window tells nothing");
    }
}
