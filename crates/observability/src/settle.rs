//! Spans that a sender may repeat, and usage that several spans say: both are decided against what the table has of a trace.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use arrow_array::{Array as _, BooleanArray, RecordBatch, StringArray};
use mainspring_lake::{Filter, Scan, Table};
use mainspring_llm::{Span, SpanId};

use crate::{
    conventions::{
        Facts, SpanType,
        counted::{Id, Node, covered},
    },
    fault::TraceFault,
    table::{Rows, is_entry, to_batch_of, uncounted},
};

/// Rows rewritten by one commit.
const AT_ONCE: usize = 50;
const COLUMNS: [&str; 6] = ["project", "trace", "span", "parent", "type", "counted"];

/// What is to be done for a batch, in this order.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Rows of the table that count no longer.
    pub(crate) stop: Vec<Id>,
    pub(crate) add: Vec<RecordBatch>,
}

/// The traces of a batch of which the table may have spans that matter: all of those whose sender may repeat itself, and those
/// that somebody else began, whose caller may have told of them already.
pub(crate) fn doubtful(rows: &[RecordBatch], spans: &[Span], repeatable: bool) -> Result<HashSet<String>, TraceFault> {
    let continued = |span: &&Span| repeatable || (span.parent.is_some() && is_entry(span));
    let mut traces: HashSet<String> = spans.iter().filter(continued).map(|span| span.trace.to_string()).collect();
    for batch in rows {
        let rows = Rows(batch);
        let (entry, parent): (&BooleanArray, &StringArray) = (rows.column("entry")?, rows.column("parent")?);
        for row in (0..batch.num_rows()).filter(|row| entry.value(*row) && parent.is_valid(*row)) {
            traces.extend(rows.text("trace", row)?.map(str::to_owned));
        }
    }
    Ok(traces)
}

/// What the table has of these traces.
pub(crate) async fn present(table: &dyn Table, traces: HashSet<String>) -> Result<Vec<Node>, TraceFault> {
    if traces.is_empty() {
        return Ok(Vec::new());
    }
    let mut nodes = Vec::new();
    for batch in table.scan(Scan::of(Filter::any_of("trace", traces)).columns(&COLUMNS)).await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            nodes.push(node(&rows, row)?);
        }
    }
    Ok(nodes)
}

fn node(rows: &Rows<'_>, row: usize) -> Result<Node, TraceFault> {
    let parent = rows.text("parent", row)?.map(str::parse::<SpanId>).transpose();
    Ok(Node {
        id: rows.id(row)?,
        parent: parent.map_err(|_| TraceFault::Unreadable { reason: "`parent` of a span".into() })?,
        kind: rows.text("type", row)?.and_then(SpanType::read).unwrap_or_default(),
        counted: rows.yes("counted", row)?,
    })
}

/// Leaves out spans that are in the table, and says whose usage counts. Rows that are made already are looked at where the
/// traces are those of others.
pub(crate) fn settle(
    mut rows: Vec<RecordBatch>,
    spans: &[Span],
    present: Vec<Node>,
    traces: HashSet<String>,
) -> Result<Settled, TraceFault> {
    let mut nodes: HashMap<Id, Node> = present.into_iter().map(|node| (node.id, node)).collect();
    let before: HashSet<Id> = nodes.keys().copied().collect();
    let mut kept = Vec::with_capacity(spans.len());
    for span in spans {
        let id = (span.project, span.trace, span.span);
        if let Entry::Vacant(place) = nodes.entry(id) {
            let facts = Facts::of(span);
            place.insert(Node { id, parent: span.parent, kind: facts.kind, counted: facts.counted });
            kept.push((id, span, facts));
        }
    }
    let mut among = traces;
    if !rows.is_empty() {
        among.extend(spans.iter().map(|span| span.trace.to_string()));
    }
    for batch in rows.iter().filter(|_| !among.is_empty()) {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            if rows.text("trace", row)?.is_some_and(|trace| among.contains(trace)) {
                let node = node(&rows, row)?;
                nodes.entry(node.id).or_insert(node);
            }
        }
    }
    let nodes: Vec<Node> = nodes.into_values().collect();
    let covered = covered(&nodes);
    for batch in rows.iter_mut().filter(|_| !covered.is_empty()) {
        *batch = uncounted(batch, &covered)?;
    }
    if !kept.is_empty() {
        let settled = kept.into_iter().map(|(id, span, mut facts)| {
            facts.counted = facts.counted.map(|counts| counts && !covered.contains(&id));
            (span, facts)
        });
        rows.push(to_batch_of(settled)?);
    }
    Ok(Settled { stop: covered.intersection(&before).copied().collect(), add: rows })
}

/// Rewrites rows of the table that count no longer. Whoever is broken off here finds the same to do when it tries again.
pub(crate) async fn stop_counting(table: &dyn Table, ids: &[Id]) -> Result<(), TraceFault> {
    let this = |(project, trace, span): &Id| {
        Filter::And(vec![
            Filter::eq("project", project.to_string()),
            Filter::eq("trace", trace.to_string()),
            Filter::eq("span", span.to_string()),
        ])
    };
    for some in ids.chunks(AT_ONCE) {
        let these = Filter::Or(some.iter().map(this).collect());
        let mut found: HashMap<Id, (Span, Facts<'static>)> = HashMap::new();
        for batch in table.scan(Scan::of(these.clone())).await? {
            let rows = Rows(&batch);
            for row in 0..batch.num_rows() {
                let span = rows.span(row)?;
                let mut facts = rows.facts(row, Facts::of(&span))?.into_owned();
                facts.counted = Some(false);
                found.insert(rows.id(row)?, (span, facts));
            }
        }
        if !found.is_empty() {
            let rows = to_batch_of(found.values().map(|(span, facts)| (span, facts.clone())))?;
            table.replace(these, Some(rows)).await?;
        }
    }
    Ok(())
}
