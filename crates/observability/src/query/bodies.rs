//! One trace whole: its spans with what was written and read, in pages that memory holds.

use arrow_array::RecordBatch;
use mainspring_kernel::{Page, PageRequest, page::cursor};
use mainspring_lake::{Filter, Scan};
use mainspring_llm::{Span, TraceId};

use super::{
    Asking,
    access::hidden,
    export::{PAGE_FIRST, bytes_of, page_after},
    tree::{AfterSpan, TREE_MAX, from, in_order},
};
use crate::{
    fault::TraceFault,
    table::{Rows, SPAN},
};

/// Bytes of the rows of one page, about: it has fewer spans than were asked for where they are large.
pub(super) const BYTES_MAX: usize = 8 << 20;

/// A page of a trace's spans, in the order in which they began.
#[derive(Debug, Clone, PartialEq)]
pub struct TracePart {
    pub spans: Page<Span>,
    /// How many the trace has. One that its sender repeated may be counted twice.
    pub total: u64,
}

/// `place` says where the page starts, `limit` how many spans it has at most.
pub(crate) async fn trace(asking: Asking<'_>, id: TraceId, limit: usize, place: &PageRequest) -> Result<TracePart, TraceFault> {
    let mut after: Option<AfterSpan> = place.after()?;
    let missing = || TraceFault::NotFound { id: id.to_string() };
    let trace = Filter::eq("trace", id.to_string());
    if !hidden(asking, trace.clone()).await?.is_empty() {
        return Err(missing());
    }
    let (among, limit, is_first) = (asking.project().and(trace), limit.clamp(1, TREE_MAX), after.is_none());
    let mut items: Vec<Span> = Vec::new();
    let (mut bytes, mut at_once, mut more) = (0, PAGE_FIRST, true);
    while more && items.len() < limit && bytes < BYTES_MAX {
        let wanted = at_once.min(limit - items.len());
        let scan = in_order(Scan::of(from(&among, after.as_ref())).columns(&SPAN)).limit(wanted);
        let batches = asking.table.scan(scan).await?;
        let found: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let size: usize = batches.iter().map(bytes_of).sum();
        for batch in &batches {
            let rows = Rows(batch);
            for row in 0..batch.num_rows() {
                items.push(rows.span(row)?);
            }
        }
        after = items.last().map(|span| (span.start.as_micros(), span.span.to_string())).or(after);
        (more, bytes, at_once) = (found == wanted, bytes + size, page_after(at_once, found, size));
        // What a sender repeated may be stored twice.
        items.dedup_by(|later, earlier| later.span == earlier.span);
    }
    if items.is_empty() && is_first {
        return Err(missing());
    }
    if is_first && !more {
        let total = items.len() as u64;
        return Ok(TracePart { spans: Page { items, next: None }, total });
    }
    let goes_on = more && is_there(asking, from(&among, after.as_ref())).await?;
    let next = after.as_ref().filter(|_| goes_on).map(cursor);
    Ok(TracePart { spans: Page { items, next }, total: asking.table.count(among).await? })
}

async fn is_there(asking: Asking<'_>, among: Filter) -> Result<bool, TraceFault> {
    let batches = asking.table.scan(Scan::of(among).columns(&["span"]).limit(1)).await?;
    Ok(batches.iter().any(|batch| batch.num_rows() > 0))
}
