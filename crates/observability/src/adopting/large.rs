//! A trace that has more spans than are in memory at once.
//!
//! What was adopted of it is little, and asked for by itself; its entries are counted. The first of its topmost spans is looked
//! for in the order in which they began, a page at a time: mostly it is among the first, and whether a parent is there, the table
//! is asked.

use std::collections::HashSet;

use mainspring_lake::{Filter, Order, Scalar, Scan, Table};
use mainspring_llm::SpanId;

use super::{Seen, readable, seen};
use crate::{
    conventions::counted::Id,
    fault::TraceFault,
    sampling::Key,
    table::{ADOPTED, Rows},
};

/// Spans of a page, and parents that are asked for at once.
pub(crate) const PAGE: usize = 2_000;
const COLUMNS: [&str; 8] = ["project", "trace", "span", "parent", "start", "type", "entry", ADOPTED];

/// The same as `changes` of all its spans, where the first of the topmost ones is among the `most` that began first. Otherwise
/// the very first is adopted, as of a trace that goes in a circle.
pub(crate) async fn changes(table: &dyn Table, key: Key, (page, most): (usize, usize)) -> Result<Vec<(Id, bool)>, TraceFault> {
    let entries = of(key).and(Filter::Eq("entry".into(), Scalar::Bool(true)));
    let is_adopted = Filter::Eq(ADOPTED.into(), Scalar::Bool(true));
    // Every span of a trace may be an entry: these are not read.
    let begun = table.count(entries.clone().and(Filter::Unless(Box::new(is_adopted.clone())))).await? > 0;
    let first = if begun { None } else { first(table, key, (page, most)).await? };
    let adopted: HashSet<Id> = read(table, Scan::of(entries.and(is_adopted))).await?.into_iter().map(|seen| seen.id).collect();
    let mut changes: Vec<(Id, bool)> = adopted.iter().filter(|id| first != Some(**id)).map(|id| (*id, false)).collect();
    changes.extend(first.filter(|id| !adopted.contains(id)).map(|id| (id, true)));
    Ok(changes)
}

fn of((project, trace): Key) -> Filter {
    Filter::eq("trace", trace.to_string()).and(Filter::eq("project", project.to_string()))
}

async fn read(table: &dyn Table, scan: Scan) -> Result<Vec<Seen>, TraceFault> {
    let mut found = Vec::new();
    for batch in table.scan(scan.columns(&COLUMNS)).await? {
        let rows = Rows(&batch);
        found.extend((0..batch.num_rows()).filter_map(|row| readable(seen(&rows, row))));
    }
    Ok(found)
}

async fn first(table: &dyn Table, key: Key, (page, most): (usize, usize)) -> Result<Option<Id>, TraceFault> {
    let mut very_first = None;
    let mut after: Option<(i64, SpanId)> = None;
    let mut looked_at = 0;
    while looked_at < most {
        let later = after.map_or(Filter::All, |(start, span)| {
            let then = Filter::Eq("start".into(), start.into()).and(Filter::Gt("span".into(), span.to_string().into()));
            Filter::Or(vec![Filter::Gt("start".into(), start.into()), then])
        });
        let in_order = Scan::of(of(key).and(later)).order("start", Order::Ascending).order("span", Order::Ascending);
        let spans = read(table, in_order.limit(page)).await?;
        let Some(last) = spans.last() else { break };
        after = Some((last.start, last.id.2));
        looked_at += spans.len();
        let here = parents(table, key, &spans).await?;
        let is_top = |seen: &&Seen| seen.parent.is_none_or(|parent| parent == seen.id.2 || !here.contains(&parent));
        let mut spans = spans.iter().filter(|seen| !seen.is_event).peekable();
        very_first = very_first.or_else(|| spans.peek().map(|seen| seen.id));
        if let Some(top) = spans.find(is_top) {
            return Ok(Some(top.id));
        }
    }
    Ok(very_first)
}

/// Which of their parents are in the trace.
async fn parents(table: &dyn Table, key: Key, spans: &[Seen]) -> Result<HashSet<SpanId>, TraceFault> {
    let asked: HashSet<String> = spans.iter().filter_map(|seen| seen.parent).map(|parent| parent.to_string()).collect();
    let found =
        if asked.is_empty() { Vec::new() } else { read(table, Scan::of(of(key).and(Filter::any_of("span", asked)))).await? };
    Ok(found.into_iter().map(|seen| seen.id.2).collect())
}
