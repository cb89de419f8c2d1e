//! Taking away what traces show of documents that were forgotten: what happened stays, what was written and read goes.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use mainspring_kernel::{Timestamp, id::ProjectId};
use mainspring_lake::{Filter, Scan, Table, UpkeepPolicy};
use mainspring_llm::{
    Span,
    trace::{SpanStatus, names},
};
use serde_json::Value;

use crate::{
    along::{Along, READ_AT_ONCE},
    conventions::Facts,
    fault::TraceFault,
    searched::Searched,
    settle::{self, Kept},
    table::{Rows, to_batch_of},
};

/// Documents that one question is about, and traces rewritten by one commit.
const AT_ONCE: usize = 50;

/// What no text was taken from.
const KEPT: &[&str] = &[
    names::OPERATION,
    names::PROVIDER,
    names::REQUEST_MODEL,
    names::RESPONSE_MODEL,
    names::RESPONSE_ID,
    names::FINISH,
    names::CONVERSATION,
    names::DATA_SOURCE,
    names::USER,
    names::ERROR,
    "resource.service.name",
    "resource.service.version",
    "resource.deployment.environment.name",
    "resource.deployment.environment",
];

/// The documents a span shows text of. Spans of before name them only in what a search found.
pub(crate) fn documents_of(span: &Span) -> BTreeSet<String> {
    let list = |key: &str| span.attributes.get(key).and_then(Value::as_array).into_iter().flatten();
    let named = list(names::DOCUMENTS).filter_map(Value::as_str);
    let found = list(names::HITS).filter_map(|hit| hit.get("document")).filter_map(Value::as_str);
    named.chain(found).map(str::to_owned).collect()
}

/// Strips every span of these traces: one that shows the text of a document need not name it. Answers how many showed something.
pub(crate) async fn strip_traces(kept: &Kept, project: ProjectId, traces: &[String]) -> Result<u64, TraceFault> {
    let mut spans = 0;
    for some in traces.chunks(AT_ONCE) {
        let of_project = Filter::eq("project", project.to_string());
        let of_traces = of_project.and(Filter::any_of("trace", some.iter().map(String::as_str)));
        let _turn = kept.deleting().await;
        spans += strip_all(kept.table.as_ref(), of_traces).await?;
    }
    Ok(spans)
}

/// Every trace in which a span names one of these documents that began between these times.
pub(crate) async fn traces_with(
    table: &dyn Table,
    project: ProjectId,
    documents: &[String],
    (since, until): (Option<Timestamp>, Option<Timestamp>),
) -> Result<HashSet<String>, TraceFault> {
    let since = since.map_or(Filter::All, |since| Filter::GtEq("start".into(), since.as_micros().into()));
    let until = until.map_or(Filter::All, |until| Filter::LtEq("start".into(), until.as_micros().into()));
    let of_project = Filter::eq("project", project.to_string());
    let all = Along::of(table, of_project.and(since).and(until), READ_AT_ONCE).await?;
    let mut traces = HashSet::new();
    for some in documents.chunks(AT_ONCE) {
        let (mut along, named) = (all.clone(), names_any(some));
        while let Some((_, batches)) = along.next(&named, &["trace"]).await? {
            for batch in &batches {
                let rows = Rows(batch);
                for row in 0..batch.num_rows() {
                    traces.extend(rows.text("trace", row)?.map(str::to_owned));
                }
            }
        }
    }
    Ok(traces)
}

/// Rows that name one of these documents somewhere.
pub(crate) fn names_any(documents: &[String]) -> Filter {
    Filter::Or(documents.iter().map(|id| Filter::Contains("attributes".into(), id.clone())).collect())
}

async fn strip_all(table: &dyn Table, of_traces: Filter) -> Result<u64, TraceFault> {
    for _ in 1..settle::TRIES {
        match strip_once(table, of_traces.clone()).await {
            Err(fault) if settle::is_outdated(&fault) => {}
            outcome => return outcome,
        }
    }
    strip_once(table, of_traces).await
}

async fn strip_once(table: &dyn Table, of_traces: Filter) -> Result<u64, TraceFault> {
    let read_in = table.snapshot().await?;
    let mut found: Vec<(Span, Facts<'static>, Option<Searched>)> = Vec::new();
    let (mut stripped, mut known) = (HashSet::new(), HashSet::new());
    let mut count = 0;
    for batch in read_in.scan(Scan::of(of_traces.clone())).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let mut span = rows.span(row)?;
            let changed = strip(&mut span);
            let first = known.insert((span.trace, span.span));
            // Of a span that is there twice either may show something.
            if changed {
                count += u64::from(first || !stripped.contains(&span.span));
                stripped.insert(span.span);
            }
            if first {
                let facts = rows.facts(row, Facts::of(&span))?.into_owned();
                // What a span no longer says is no longer searched.
                let searched = if changed { None } else { Some(rows.searched(row)?) };
                found.push((span, facts, searched));
            }
        }
    }
    if stripped.is_empty() {
        return Ok(0);
    }
    // Spans that come in the meantime stay: the next sweep looks at them. A span of another trace may have the id of one that
    // is written anew, and is written again as it is.
    found.retain(|(span, ..)| stripped.contains(&span.span));
    let these = of_traces.and(Filter::any_of("span", stripped.iter().map(ToString::to_string)));
    let made = found.iter().map(|(span, facts, searched)| (span, facts.clone(), searched.as_ref().map(Cow::Borrowed)));
    let rows = to_batch_of(made)?;
    table.replace_as_read(&read_in.version().await?, these, Some(rows)).await?;
    Ok(count)
}

/// Whether a span names one of these documents anywhere in its attributes.
pub(crate) fn mentions(span: &Span, documents: &[String]) -> bool {
    if documents.is_empty() || span.attributes.is_empty() {
        return false;
    }
    let attributes = serde_json::to_string(&span.attributes).unwrap_or_default();
    documents.iter().any(|id| attributes.contains(id.as_str()))
}

/// Takes out everything that may hold text: also what other programs wrote into the trace, of which nobody knows
/// what it is. Answers whether there was something.
pub(crate) fn strip(span: &mut Span) -> bool {
    let before = span.clone();
    span.attributes.retain(|key, value| stays(key, value));
    span.events.iter_mut().for_each(|event| event.attributes.retain(|key, value| stays(key, value)));
    span.links.iter_mut().for_each(|link| link.attributes.retain(|key, value| stays(key, value)));
    if let SpanStatus::Error(message) = &mut span.status {
        message.clear();
    }
    let changed = *span != before;
    if changed {
        span.attributes.insert(names::FORGOTTEN.to_owned(), true.into());
    }
    changed
}

fn stays(key: &str, value: &Value) -> bool {
    let ours = key.starts_with("mainspring.") && !names::CONTENT.contains(&key);
    // What is no log record any longer would be the way into its trace, and be kept for as long as spans are.
    let says_record = key == names::SIGNAL && value == "log";
    ours || says_record || KEPT.contains(&key) || !holds_text(value)
}

fn holds_text(value: &Value) -> bool {
    match value {
        Value::String(_) | Value::Object(_) => true,
        Value::Array(items) => items.iter().any(holds_text),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The files themselves: nobody reads an older state of this table. Answers how many bytes went.
pub(crate) async fn purge(table: &dyn Table) -> Result<u64, TraceFault> {
    let everything = UpkeepPolicy { fragments: 1, unindexed_rows: 1, keep_versions_for: Duration::ZERO };
    let mut freed = 0;
    // The second round takes the files that the first one replaced.
    for _ in 0..2 {
        freed += table.upkeep(&everything).await?.freed_bytes;
    }
    Ok(freed)
}
