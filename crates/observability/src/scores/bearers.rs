//! The one span that bears a score where scores are counted: the one that it was given to, or the first by which its trace is
//! entered. A score of a session is borne by no one span.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use mainspring_lake::{Filter, Scalar, Scan, Table};

use super::{AT_ONCE, Given};
use crate::{fault::TraceFault, table::Rows};

/// When a span began, and what it says in the columns that were asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) start: i64,
    pub(crate) says: Vec<Option<String>>,
}

/// Of each of these scores, in their order, the span that bears it and is among these; none where there is no such span.
pub(crate) async fn bearers(
    spans: &dyn Table,
    among: &Filter,
    scores: &[Given],
    columns: &[&'static str],
) -> Result<Vec<Option<Arc<Bearer>>>, TraceFault> {
    let mut by_trace: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, score) in scores.iter().enumerate() {
        if let Some(trace) = &score.trace {
            by_trace.entry(trace).or_default().push(at);
        }
    }
    let mut asked = vec!["trace", "span", "start", "entry"];
    asked.extend(columns.iter().filter(|column| !["trace", "span"].contains(*column)));
    let mut borne: Vec<Option<Arc<Bearer>>> = vec![None; scores.len()];
    let traces: Vec<&str> = by_trace.keys().copied().collect();
    for some in traces.chunks(AT_ONCE) {
        let of_some = some.iter().filter_map(|trace| by_trace.get(trace)).flatten();
        let named: HashSet<&str> = of_some.filter_map(|at| scores[*at].span.as_deref()).collect();
        let bearing = Filter::Or(vec![Filter::Eq("entry".into(), Scalar::Bool(true)), Filter::any_of("span", named)]);
        let these = among.clone().and(Filter::any_of("trace", some.iter().copied())).and(bearing);
        let mut entries: HashMap<String, (String, Arc<Bearer>)> = HashMap::new();
        for batch in spans.scan(Scan::of(these).columns(&asked)).await? {
            let rows = Rows(&batch);
            for row in 0..batch.num_rows() {
                let trace = rows.text("trace", row)?.unwrap_or_default();
                let span = rows.text("span", row)?.unwrap_or_default();
                let says = columns.iter().map(|column| Ok(rows.text(column, row)?.map(str::to_owned)));
                let says: Vec<Option<String>> = says.collect::<Result<_, TraceFault>>()?;
                let bearer = Arc::new(Bearer { start: rows.number("start", row)?.unwrap_or_default(), says });
                // What a sender repeated may be stored twice; either says the same.
                for at in by_trace.get(trace).into_iter().flatten() {
                    if scores[*at].span.as_deref() == Some(span) {
                        borne[*at] = Some(Arc::clone(&bearer));
                    }
                }
                let first =
                    entries.get(trace).is_none_or(|(known, before)| (bearer.start, span) < (before.start, known.as_str()));
                if first && rows.yes("entry", row)? == Some(true) {
                    entries.insert(trace.to_owned(), (span.to_owned(), bearer));
                }
            }
        }
        for (trace, (_, entry)) in &entries {
            for at in by_trace.get(trace.as_str()).into_iter().flatten() {
                if scores[*at].span.is_none() {
                    borne[*at] = Some(Arc::clone(entry));
                }
            }
        }
    }
    Ok(borne)
}
