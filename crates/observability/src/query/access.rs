//! Which traces an actor may see: by the labels their documents had then, and by those they have now.

use std::collections::{HashMap, HashSet};

use arrow_array::RecordBatch;
use mainspring_kernel::Labels;
use mainspring_lake::{Filter, Scan};

use super::Asking;
use crate::{fault::TraceFault, table::Rows};

/// Rows that are looked at to tell what must not be counted, and traces that may be left out. Whoever sees everything is
/// bounded by neither.
pub(super) const ROWS_MAX: usize = 200_000;
const HIDDEN_MAX: usize = 5_000;
/// Traces asked for at once.
const AT_ONCE: usize = 2_000;

/// Traces among these rows with a span that the actor may not see.
pub(crate) async fn hidden(asking: Asking<'_>, among: Filter) -> Result<HashSet<String>, TraceFault> {
    if asking.actor.labels == Labels::All {
        return Ok(HashSet::new());
    }
    hidden_in(asking, &asking.table.scan(Scan::of(asking.project().and(among)).columns(&["trace", "labels"])).await?).await
}

/// The same of rows that were read.
pub(crate) async fn hidden_in(
    Asking { access, actor, .. }: Asking<'_>,
    batches: &[RecordBatch],
) -> Result<HashSet<String>, TraceFault> {
    let mut hidden = HashSet::new();
    let mut users: HashMap<String, HashSet<String>> = HashMap::new();
    for batch in batches {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            let trace = rows.text("trace", row)?.unwrap_or_default();
            for needed in rows.labels(row)? {
                match serde_json::from_str::<String>(&needed) {
                    Ok(document) => {
                        users.entry(document).or_default().insert(trace.to_owned());
                    }
                    Err(_) if holds(&actor.labels, &needed) => {}
                    Err(_) => {
                        hidden.insert(trace.to_owned());
                    }
                }
            }
        }
    }
    let unreadable = access.unreadable(actor, users.keys().cloned().collect()).await.map_err(TraceFault::Access)?;
    hidden.extend(unreadable.iter().filter_map(|document| users.remove(document)).flatten());
    Ok(hidden)
}

/// The same of these traces: every span of them counts.
pub(super) async fn hidden_of(asking: Asking<'_>, traces: &HashSet<String>) -> Result<HashSet<String>, TraceFault> {
    let mut hidden = HashSet::new();
    if asking.actor.labels == Labels::All {
        return Ok(hidden);
    }
    let traces: Vec<&str> = traces.iter().map(String::as_str).collect();
    for some in traces.chunks(AT_ONCE) {
        hidden.extend(self::hidden(asking, Filter::any_of("trace", some.iter().copied())).await?);
    }
    Ok(hidden)
}

/// What the actor may count of these rows.
pub(crate) async fn seen(asking: Asking<'_>, among: Filter) -> Result<Filter, TraceFault> {
    if asking.actor.labels == Labels::All {
        return Ok(among);
    }
    let traces = traces_of(asking, among.clone()).await?.into_keys().collect();
    let hidden = hidden_of(asking, &traces).await?;
    if hidden.len() > HIDDEN_MAX {
        return Err(TraceFault::TooMuch { rows: ROWS_MAX });
    }
    Ok(if hidden.is_empty() { among } else { among.and(Filter::Not(Box::new(Filter::any_of("trace", hidden)))) })
}

/// The traces of these rows, each with the number of them.
pub(super) async fn traces_of(asking: Asking<'_>, among: Filter) -> Result<HashMap<String, u64>, TraceFault> {
    let mut traces: HashMap<String, u64> = HashMap::new();
    let mut looked_at = 0;
    for batch in asking.table.scan(Scan::of(among).columns(&["trace"]).limit(ROWS_MAX + 1)).await? {
        let rows = Rows(&batch);
        looked_at += batch.num_rows();
        for row in 0..batch.num_rows() {
            let trace = rows.text("trace", row)?.unwrap_or_default();
            match traces.get_mut(trace) {
                Some(count) => *count += 1,
                None => {
                    traces.insert(trace.to_owned(), 1);
                }
            }
        }
    }
    if looked_at > ROWS_MAX { Err(TraceFault::TooMuch { rows: ROWS_MAX }) } else { Ok(traces) }
}

/// Whether the actor holds one label of a list. A list that cannot be read is held by nobody.
pub(super) fn holds(held: &Labels, list: &str) -> bool {
    match held {
        Labels::All => true,
        Labels::Some(held) => {
            let labels: Vec<String> = serde_json::from_str(list).unwrap_or_default();
            labels.iter().any(|label| held.contains(label))
        }
    }
}
