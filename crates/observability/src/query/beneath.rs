//! What was said in a call that an instrumentation wrote as log records: they lie beneath the call.

use std::collections::{HashMap, HashSet};

use mainspring_lake::{Filter, Order, Scan};
use mainspring_llm::{Span, SpanId, trace::names};
use serde_json::{Map, Value};

use super::{Asking, SpanSummary, access::hidden, traces::preview};
use crate::{
    conventions::{QUESTIONS, SpanType, said_above},
    fault::TraceFault,
    table::{Rows, SPAN},
};

/// Records of one call that are read: of more the last, among which is what was answered.
const RECORDS_MAX: usize = 1_000;
/// Calls whose questions are looked for at once, and records that are looked at for them.
const AT_ONCE: usize = 500;
const QUESTIONS_MAX: usize = 1_000;

/// The messages directly beneath a span, in the order in which they were written.
pub(crate) async fn records(asking: Asking<'_>, of: &Span) -> Result<Vec<Span>, TraceFault> {
    let trace = Filter::eq("trace", of.trace.to_string());
    if !hidden(asking, trace.clone()).await?.is_empty() {
        return Ok(Vec::new());
    }
    let these =
        asking.project().and(trace).and(Filter::eq("parent", of.span.to_string())).and(Filter::any_of("name", said_above()));
    let mut records: Vec<Span> = Vec::new();
    for batch in asking.table.scan(newest(Scan::of(these).columns(&SPAN)).limit(RECORDS_MAX)).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            records.push(rows.span(row)?);
        }
    }
    // What a sender repeated may be stored twice.
    let mut known: HashSet<SpanId> = HashSet::new();
    records.retain(|record| record.attributes.contains_key(names::SIGNAL) && known.insert(record.span));
    records.sort_by_key(|record| (record.start.as_micros(), place(&record.attributes)));
    Ok(records)
}

fn newest(scan: Scan) -> Scan {
    scan.order("start", Order::Descending).order("span", Order::Ascending)
}

/// Which of its request a record was. Those of one call may have one and the same time.
fn place(attributes: &Map<String, Value>) -> u64 {
    attributes.get(names::PLACE).and_then(Value::as_u64).unwrap_or_default()
}

/// A call by its trace and its id.
pub(super) type Call = (String, String);

/// Whether a span may have its words beneath it.
pub(super) fn is_wordless(kind: Option<&str>, words: Option<&String>) -> bool {
    words.is_none() && kind == Some(SpanType::Chat.as_str())
}

/// Shows calls that say nothing themselves with what was asked beneath them. The spans are ones that the actor may see.
pub(super) async fn show_asked(asking: Asking<'_>, spans: &mut [SpanSummary]) -> Result<(), TraceFault> {
    let wordless = spans.iter_mut().filter(|span| is_wordless(span.kind.as_deref(), span.preview.as_ref()));
    let calls = wordless.map(|span| ((span.trace.to_string(), span.span.to_string()), &mut span.preview)).collect();
    give_words(asking, calls).await
}

/// The same of calls and the places of their words.
pub(super) async fn give_words(asking: Asking<'_>, mut calls: Vec<(Call, &mut Option<String>)>) -> Result<(), TraceFault> {
    for some in calls.chunks_mut(AT_ONCE) {
        let (traces, parents): (HashSet<String>, HashSet<String>) = some.iter().map(|(call, _)| call.clone()).unzip();
        let mut found = asked(asking, traces, parents).await?;
        for (call, words) in some {
            **words = found.remove(&*call).map(|(_, asked)| asked);
        }
    }
    Ok(())
}

/// When and where in its request something was written.
type At = (i64, u64);

/// What was asked last in each of these calls.
async fn asked(
    asking: Asking<'_>,
    traces: HashSet<String>,
    parents: HashSet<String>,
) -> Result<HashMap<Call, (At, String)>, TraceFault> {
    let these = asking
        .project()
        .and(Filter::any_of("trace", traces))
        .and(Filter::any_of("parent", parents))
        .and(Filter::any_of("name", QUESTIONS));
    let columns = ["trace", "span", "parent", "start", "attributes", "content"];
    let mut found: HashMap<Call, (At, String)> = HashMap::new();
    for batch in asking.table.scan(newest(Scan::of(these).columns(&columns)).limit(QUESTIONS_MAX)).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let Some(words) = preview(&rows, row)? else { continue };
            let attributes = rows.text("attributes", row)?.unwrap_or_default();
            let Ok(attributes) = serde_json::from_str::<Map<String, Value>>(attributes) else { continue };
            if !attributes.contains_key(names::SIGNAL) {
                continue;
            }
            let text = |name: &str| Ok::<_, TraceFault>(rows.text(name, row)?.unwrap_or_default().to_owned());
            let call = (text("trace")?, text("parent")?);
            let at = (rows.number("start", row)?.unwrap_or_default(), place(&attributes));
            if found.get(&call).is_none_or(|(known, _)| *known < at) {
                found.insert(call, (at, words));
            }
        }
    }
    Ok(found)
}
