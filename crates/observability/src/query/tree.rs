//! One trace as a tree: spans without what was written and read, in pages, and single spans whole.
//!
//! A trace may have more spans than one answer should hold. Which rows a page has is told by two narrow columns; only
//! theirs are read whole.

use mainspring_kernel::{Page, PageRequest, Timestamp, page::cursor};
use mainspring_lake::{Filter, Order, Scan};
use mainspring_llm::{Span, SpanId, TraceId, trace::names};
use serde_json::{Map, Value};

use super::{
    Asking, SpanSummary,
    access::hidden,
    beneath, entry_only,
    spans::{SPAN_COLUMNS, summary_of},
    traces,
};
use crate::{
    fault::TraceFault,
    table::{Rows, SPAN},
};

/// Spans of one page at most.
pub const TREE_MAX: usize = 4_000;
/// Spans that are asked which versions a trace used.
const ASKED_MAX: usize = 50;

/// A page of a trace's spans, in the order in which they began.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceTree {
    pub spans: Page<SpanSummary>,
    /// With the first page only.
    pub totals: Option<TreeTotals>,
}

/// What a whole trace has and used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeTotals {
    pub spans: u64,
    /// Spans that failed.
    pub errors: u64,
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    /// Billionths of a dollar.
    pub cost: Option<i64>,
    pub start: Timestamp,
    /// From the first start to the last end.
    pub duration_micros: i64,
    /// As `kind/name@vN#digest`, as the spans say by which the trace was entered.
    pub versions: Vec<String>,
    /// Whether it is entered by more spans than were asked: then there may be more versions.
    pub more_versions: bool,
    /// Whether a question was kept that can be asked again.
    pub replayable: bool,
}

/// Where the next page starts: after this row, in order of start and span.
pub(super) type AfterSpan = (i64, String);

/// `place` says where the page starts, `limit` how many spans it has.
pub(crate) async fn tree(asking: Asking<'_>, id: TraceId, limit: usize, place: &PageRequest) -> Result<TraceTree, TraceFault> {
    let after: Option<AfterSpan> = place.after()?;
    let missing = || TraceFault::NotFound { id: id.to_string() };
    let trace = Filter::eq("trace", id.to_string());
    if !hidden(asking, trace.clone()).await?.is_empty() {
        return Err(missing());
    }
    let among = asking.project().and(trace);
    let totals = if after.is_none() { Some(whole(asking, id, &among).await?.ok_or_else(missing)?) } else { None };
    Ok(TraceTree { spans: part(asking, among, after, limit.clamp(1, TREE_MAX)).await?, totals })
}

pub(super) fn in_order(scan: Scan) -> Scan {
    scan.order("start", Order::Ascending).order("span", Order::Ascending)
}

fn beyond((start, span): &AfterSpan) -> Filter {
    let later = Filter::Gt("start".into(), (*start).into());
    let same = Filter::And(vec![Filter::Eq("start".into(), (*start).into()), Filter::Gt("span".into(), span.as_str().into())]);
    Filter::Or(vec![later, same])
}

/// Those of these rows that come after one.
pub(super) fn from(among: &Filter, after: Option<&AfterSpan>) -> Filter {
    match after {
        Some(after) => among.clone().and(beyond(after)),
        None => among.clone(),
    }
}

async fn part(
    asking: Asking<'_>,
    among: Filter,
    after: Option<AfterSpan>,
    limit: usize,
) -> Result<Page<SpanSummary>, TraceFault> {
    let among = from(&among, after.as_ref());
    let mut keys: Vec<AfterSpan> = Vec::new();
    let narrow = in_order(Scan::of(among.clone()).columns(&["start", "span"])).limit(limit + 1);
    for batch in asking.table.scan(narrow).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let start = rows.number("start", row)?.unwrap_or_default();
            keys.push((start, rows.text("span", row)?.unwrap_or_default().to_owned()));
        }
    }
    let more = keys.len() > limit;
    // What a sender repeated may be stored twice.
    keys.dedup();
    keys.truncate(limit);
    let Some(last) = keys.last() else { return Ok(Page { items: Vec::new(), next: None }) };
    let wide = among.and(Filter::LtEq("start".into(), last.0.into()));
    let mut items: Vec<SpanSummary> = Vec::new();
    for batch in asking.table.scan(in_order(Scan::of(wide).columns(&SPAN_COLUMNS)).limit(limit + 1)).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            items.push(summary_of(&rows, row)?);
        }
    }
    items.dedup_by(|later, earlier| later.span == earlier.span);
    items.retain(|span| (span.start.as_micros(), span.span.to_string()) <= *last);
    beneath::show_asked(asking, &mut items).await?;
    Ok(Page { items, next: more.then(|| cursor(last)) })
}

async fn whole(asking: Asking<'_>, id: TraceId, among: &Filter) -> Result<Option<TreeTotals>, TraceFault> {
    let id = id.to_string();
    let Some(totals) = traces::totals(asking, [id.clone()]).await?.remove(&id) else { return Ok(None) };
    let Used { versions, more_versions, replayable } = used(asking, among).await?;
    Ok(Some(TreeTotals {
        spans: totals.spans,
        errors: totals.errors,
        input_tokens: totals.input_tokens,
        output_tokens: totals.output_tokens,
        cost: totals.cost,
        start: Timestamp::from_micros(totals.first),
        duration_micros: totals.end.max(totals.last).saturating_sub(totals.first),
        versions,
        more_versions,
        replayable,
    }))
}

/// Which versions were used, and whether the question was kept: an app says so where it was asked.
#[derive(Debug, Default)]
struct Used {
    versions: Vec<String>,
    more_versions: bool,
    replayable: bool,
}

async fn used(asking: Asking<'_>, among: &Filter) -> Result<Used, TraceFault> {
    let asked = Filter::Or(vec![entry_only(), Filter::eq("operation", "invoke_agent")]);
    let scan = in_order(Scan::of(among.clone().and(asked)).columns(&["start", "span", "attributes"])).limit(ASKED_MAX + 1);
    let (mut used, mut read) = (Used::default(), 0);
    for batch in asking.table.scan(scan).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            read += 1;
            if read > ASKED_MAX {
                used.more_versions = true;
                break;
            }
            let text = rows.text("attributes", row)?.unwrap_or_default();
            let unreadable = |_| TraceFault::Unreadable { reason: "`attributes` of a span".into() };
            let attributes: Map<String, Value> = serde_json::from_str(text).map_err(unreadable)?;
            used.replayable |= attributes.contains_key(names::REPLAY);
            for version in attributes.get(names::VERSIONS).and_then(Value::as_array).into_iter().flatten() {
                match version.as_str() {
                    Some(version) if !used.versions.iter().any(|known| known == version) => {
                        used.versions.push(version.to_owned());
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(used)
}

/// A span, and the one above it where there is one; the trace's first where none is named. Nothing where there is no such
/// span, or the trace is hidden.
pub(crate) async fn span(asking: Asking<'_>, id: TraceId, wanted: Option<SpanId>) -> Result<Vec<Span>, TraceFault> {
    let trace = Filter::eq("trace", id.to_string());
    if !hidden(asking, trace.clone()).await?.is_empty() {
        return Ok(Vec::new());
    }
    let among = asking.project().and(trace);
    let named = |span: SpanId| among.clone().and(Filter::eq("span", span.to_string()));
    let Some(found) = first(asking, wanted.map_or_else(|| among.clone(), named)).await? else { return Ok(Vec::new()) };
    let above = match found.parent {
        Some(parent) => first(asking, among.clone().and(Filter::eq("span", parent.to_string()))).await?,
        None => None,
    };
    Ok([Some(found), above].into_iter().flatten().collect())
}

async fn first(asking: Asking<'_>, among: Filter) -> Result<Option<Span>, TraceFault> {
    for batch in asking.table.scan(in_order(Scan::of(among).columns(&SPAN)).limit(1)).await? {
        if batch.num_rows() > 0 {
            return Rows(&batch).span(0).map(Some);
        }
    }
    Ok(None)
}
