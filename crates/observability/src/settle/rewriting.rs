//! Rows of the table that are written again. Of several servers each reads them again where another was quicker.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use mainspring_kernel::id::ProjectId;
use mainspring_lake::{Filter, LakeFault, Scan, Table};
use mainspring_llm::{Span, trace::names};

use super::Kept;
use crate::{
    belonging::{self, Names},
    conventions::{
        Facts,
        counted::{Id, Uses},
    },
    fault::TraceFault,
    searched::Searched,
    table::{Rows, to_batch_of},
};

/// Rows that are read together to be rewritten.
const AT_ONCE: usize = 256;
/// Rows that take names by one commit, and about how many bytes of them: a commit costs the same for few.
pub(crate) const NAMED_AT_ONCE: usize = 16 * AT_ONCE;
const REWRITTEN_BYTES: usize = 8 << 20;
/// Rows that another server wrote after they were read are read again, so often.
pub(crate) const TRIES: u32 = 8;

/// Rewrites rows of the table of whose usage this counts no longer. Whoever is broken off here finds the same to do when it tries
/// again.
pub(crate) async fn stop_counting(kept: &Kept, covered: &[(Id, Uses)]) -> Result<(), TraceFault> {
    let mut by_project: HashMap<ProjectId, Vec<(Id, Uses)>> = HashMap::new();
    for (id, said) in covered {
        by_project.entry(id.0).or_default().push((*id, *said));
    }
    for (project, covered) in by_project {
        for some in covered.chunks(AT_ONCE) {
            let these = Filter::eq("project", project.to_string())
                .and(Filter::any_of("trace", distinct(some.iter().map(|(id, _)| id.1.to_string()))))
                .and(Filter::any_of("span", distinct(some.iter().map(|(id, _)| id.2.to_string()))));
            let some = some.iter().map(|(id, said)| (*id, Change::Covered(*said))).collect();
            let _turn = kept.turn().await;
            rewrite(kept.table.as_ref(), &[these], &some).await?;
        }
    }
    if let Some(known) = &kept.known {
        known.stop_counting(covered);
    }
    Ok(())
}

/// Traces are entered no longer by these: an entry comes. Whoever is broken off here finds the same to do when it tries again.
pub(crate) async fn relieve(kept: &Kept, ids: &[Id]) -> Result<(), TraceFault> {
    if ids.is_empty() {
        return Ok(());
    }
    let _turn = kept.turn().await;
    mark(kept, &ids.iter().map(|id| (*id, false)).collect::<Vec<_>>()).await.map(drop)
}

/// Says of rows whether traces are entered by them for want of an entry. Answers the spans by which they are. Whoever calls
/// this has the turn.
pub(crate) async fn mark(kept: &Kept, changes: &[(Id, bool)]) -> Result<Vec<Span>, TraceFault> {
    let mut adopted = Vec::new();
    for some in changes.chunks(AT_ONCE) {
        // Whoever adds rows meanwhile may add a span that has the id of another trace's: it must not go with the others.
        let exactly = some.iter().map(|((project, trace, span), _)| {
            Filter::And(vec![
                Filter::eq("trace", trace.to_string()),
                Filter::eq("span", span.to_string()),
                Filter::eq("project", project.to_string()),
            ])
        });
        let these = Filter::any_of("trace", distinct(some.iter().map(|(id, _)| id.1.to_string())))
            .and(Filter::any_of("span", distinct(some.iter().map(|(id, _)| id.2.to_string()))))
            .and(Filter::Or(exactly.collect()));
        let by_id = some.iter().map(|(id, adopted)| (*id, Change::Adopted(*adopted))).collect();
        adopted.extend(rewrite(kept.table.as_ref(), &[these], &by_id).await?.adopted);
        if let Some(known) = &kept.known {
            known.mark(some);
        }
    }
    Ok(adopted)
}

/// Rows take these names, each these and no others: as many of the first as one commit is for. Answers how many of the changes
/// were looked after; none are left where nothing could be written of so many. Whoever calls this has the turn.
pub(crate) async fn take_names(kept: &Kept, changes: &[(Id, Names)]) -> Result<usize, TraceFault> {
    if changes.is_empty() {
        return Ok(0);
    }
    let some = &changes[..changes.len().min(NAMED_AT_ONCE)];
    let parts: Vec<Filter> = some
        .chunks(AT_ONCE)
        .map(|part| {
            Filter::any_of("trace", distinct(part.iter().map(|(id, _)| id.1.to_string())))
                .and(Filter::any_of("span", distinct(part.iter().map(|(id, _)| id.2.to_string()))))
        })
        .collect();
    let by_id = some.iter().map(|(id, names)| (*id, Change::Takes(names.clone()))).collect();
    let written = rewrite(kept.table.as_ref(), &parts, &by_id).await?;
    Ok(if written.rows == 0 { changes.len() } else { some.len().min(written.parts * AT_ONCE) })
}

fn distinct(texts: impl Iterator<Item = String>) -> HashSet<String> {
    texts.collect()
}

/// What becomes of a row.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    /// This of its usage counts no longer.
    Covered(Uses),
    /// Whether its trace is entered by it for want of an entry.
    Adopted(bool),
    /// Whose it is, as others of its trace say.
    Takes(Names),
}

impl Change {
    fn make(&self, span: &Span, facts: &mut Facts<'_>) {
        match self {
            Self::Covered(said) => facts.cover(*said),
            Self::Adopted(adopted) => facts.adopted = *adopted && !span.attributes.contains_key(names::SIGNAL),
            Self::Takes(names) => belonging::take(names, facts),
        }
    }
}

/// What was rewritten.
#[derive(Debug)]
struct Written {
    /// Spans by which traces are entered from now on.
    adopted: Vec<Span>,
    rows: usize,
    /// Of what was to be found, the first so many.
    parts: usize,
}

/// Rewrites everything that is found by one of these after the other, until it is enough for one commit: a span of one trace may
/// have the id of another trace's.
async fn rewrite(table: &dyn Table, parts: &[Filter], changes: &HashMap<Id, Change>) -> Result<Written, TraceFault> {
    for _ in 1..TRIES {
        match rewrite_once(table, parts, changes).await {
            Err(fault) if is_outdated(&fault) => tracing::debug!("another server wrote rows meanwhile; they are read again"),
            outcome => return outcome,
        }
    }
    rewrite_once(table, parts, changes).await
}

/// Whether rows were to be written that are others by now.
pub(crate) const fn is_outdated(fault: &TraceFault) -> bool {
    matches!(fault, TraceFault::Lake(LakeFault::Contended { .. }))
}

async fn rewrite_once(table: &dyn Table, parts: &[Filter], changes: &HashMap<Id, Change>) -> Result<Written, TraceFault> {
    let id = |span: &Span| (span.project, span.trace, span.span);
    let mut found: Vec<(Span, Facts<'static>, Searched)> = Vec::new();
    let mut unreadable: HashSet<String> = HashSet::new();
    let (mut looked_for, mut bytes) = (Vec::new(), 0);
    // What one part found, another may find too.
    let mut known: HashSet<Id> = HashSet::new();
    let read_in = table.snapshot().await?;
    for part in parts {
        if bytes >= REWRITTEN_BYTES {
            break;
        }
        let first = found.len();
        for batch in read_in.scan(Scan::of(part.clone())).await? {
            bytes += batch.get_array_memory_size();
            let rows = Rows(&batch);
            for row in 0..batch.num_rows() {
                match read(&rows, row) {
                    Ok((span, ..)) if known.contains(&id(&span)) => {}
                    Ok((span, mut facts, searched)) => {
                        if let Some(change) = changes.get(&id(&span)) {
                            change.make(&span, &mut facts);
                        }
                        found.push((span, facts, searched));
                    }
                    Err(fault) => {
                        tracing::warn!(%fault, "a span of the table cannot be read; it stays as it is");
                        unreadable.extend(rows.text("span", row)?.map(str::to_owned));
                    }
                }
            }
        }
        known.extend(found[first..].iter().map(|(span, ..)| id(span)));
        looked_for.push(part.clone());
    }
    let parts = looked_for.len();
    if !unreadable.is_empty() {
        found.retain(|(span, ..)| !unreadable.contains(&span.span.to_string()));
    }
    let rows = found.len();
    if !found.is_empty() {
        let mut these = match looked_for.pop() {
            Some(only) if looked_for.is_empty() => only,
            last => {
                // An index leads to traces, and to none of several conditions.
                looked_for.extend(last);
                let traces = distinct(found.iter().map(|(span, ..)| span.trace.to_string()));
                Filter::any_of("trace", traces).and(Filter::Or(looked_for))
            }
        };
        if !unreadable.is_empty() {
            these = these.and(Filter::Not(Box::new(Filter::any_of("span", unreadable))));
        }
        let made = found.iter().map(|(span, facts, searched)| (span, facts.clone(), Some(Cow::Borrowed(searched))));
        let made = to_batch_of(made)?;
        table.replace_as_read(&read_in.version().await?, these, Some(made)).await?;
    }
    let adopted = found.into_iter().filter(|(span, ..)| changes.get(&id(span)) == Some(&Change::Adopted(true)));
    Ok(Written { adopted: adopted.map(|(span, ..)| span).collect(), rows, parts })
}

fn read(rows: &Rows<'_>, row: usize) -> Result<(Span, Facts<'static>, Searched), TraceFault> {
    let span = rows.span(row)?;
    let facts = rows.facts(row, Facts::of(&span))?.into_owned();
    Ok((span, facts, rows.searched(row)?))
}
