//! Log records, one by one. They are spans, and are listed as spans are; what each says is read with it.

use std::collections::{HashMap, HashSet};

use mainspring_kernel::{Page, PageRequest, Timestamp, page::cursor};
use mainspring_lake::{Filter, Scan};
use mainspring_llm::{Span, SpanId, TraceId, trace::names};
use serde_json::{Map, Value};

use super::{
    Asking, TraceFilter,
    bodies::BYTES_MAX,
    export::{PAGE_FIRST, bytes_of, page_after},
    place,
    spans::{SpanSummary, key, list_spans},
};
use crate::{
    fault::TraceFault,
    filter::severity_of,
    table::{Rows, SPAN},
};

/// A log record with what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRecord {
    pub trace: TraceId,
    pub span: SpanId,
    /// The span it was written in.
    pub parent: Option<SpanId>,
    pub at: Timestamp,
    pub name: String,
    /// As filters call it.
    pub severity: Option<&'static str>,
    /// In its sender's word.
    pub severity_text: Option<String>,
    pub service: Option<String>,
    /// As it stands in its row: of a large value how it begins, and where the whole of it is.
    pub body: Option<Value>,
    pub attributes: Map<String, Value>,
}

/// Newest first. The filter is one of log records.
pub(crate) async fn list_logs(
    asking: Asking<'_>,
    filter: &TraceFilter,
    page: &PageRequest,
) -> Result<Page<LogRecord>, TraceFault> {
    let (_, now) = place(page, asking.now)?;
    let Page { items: found, next } = list_spans(asking, filter, page).await?;
    let mut items = Vec::with_capacity(found.len());
    let (mut bytes, mut at_once, mut rest) = (0, PAGE_FIRST, found.as_slice());
    while !rest.is_empty() && bytes < BYTES_MAX {
        let (some, others) = rest.split_at(at_once.min(rest.len()));
        let size = read(asking, some, &mut items).await?;
        at_once = page_after(at_once, some.len(), size);
        (bytes, rest) = (bytes + size, others);
    }
    if rest.is_empty() {
        return Ok(Page { items, next });
    }
    // The page is short, since its records are large, and the list goes on from where reading stopped.
    let last = found[..found.len() - rest.len()].last();
    Ok(Page { items, next: last.map(|last| cursor(&key(last, now))) })
}

/// Adds what some of them say, in their order. Answers how many bytes their rows take.
async fn read(asking: Asking<'_>, some: &[SpanSummary], items: &mut Vec<LogRecord>) -> Result<usize, TraceFault> {
    let (traces, spans): (HashSet<String>, HashSet<String>) =
        some.iter().map(|found| (found.trace.to_string(), found.span.to_string())).unzip();
    // Of a long trace only what began when they did is read.
    let (first, last) = times(some.iter().map(|found| found.start.as_micros()));
    let then = Filter::GtEq("start".into(), first.into()).and(Filter::LtEq("start".into(), last.into()));
    let these = asking.project().and(Filter::any_of("trace", traces)).and(Filter::any_of("span", spans)).and(then);
    let (mut whole, mut bytes) = (HashMap::new(), 0);
    for batch in asking.table.scan(Scan::of(these).columns(&SPAN)).await? {
        bytes += bytes_of(&batch);
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let span = rows.span(row)?;
            whole.insert((span.trace, span.span), span);
        }
    }
    // What was deleted in between is not there.
    let found = some.iter().filter_map(|found| Some(record(found, whole.remove(&(found.trace, found.span))?)));
    items.extend(found);
    Ok(bytes)
}

/// The first and the last of them.
fn times(all: impl Iterator<Item = i64>) -> (i64, i64) {
    all.fold((i64::MAX, i64::MIN), |(first, last), time| (first.min(time), last.max(time)))
}

fn record(found: &SpanSummary, span: Span) -> LogRecord {
    let Span { attributes, events, .. } = span;
    let number = attributes.get(names::SEVERITY_NUMBER).and_then(Value::as_i64);
    let said = attributes.get(names::SEVERITY).and_then(Value::as_str).map(str::to_owned);
    LogRecord {
        trace: found.trace,
        span: found.span,
        parent: found.parent,
        at: found.start,
        name: found.name.clone(),
        severity: number.and_then(severity_of),
        severity_text: said,
        service: found.service.clone(),
        body: events.into_iter().next().and_then(|event| body(event.attributes)),
        attributes,
    }
}

/// Of a message its fields, of any other record the one value that it is.
fn body(mut said: Map<String, Value>) -> Option<Value> {
    match said.len() {
        0 => None,
        1 if said.contains_key("body") => said.remove("body"),
        _ => Some(Value::Object(said)),
    }
}
