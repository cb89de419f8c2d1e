//! Which spans bear a score: the one that it was given to, and the one by which its trace is entered; of a score of a session
//! every span of it.

use std::{collections::HashSet, sync::Arc};

use arrow_array::RecordBatch;
use mainspring_kernel::{Timestamp, id::ProjectId};
use mainspring_lake::{Filter, IdSet, Scalar, Scan};

use super::{AT_ONCE, ScoreKind, Scores, of_project, pieces::exactly};
use crate::{
    fault::TraceFault,
    filter::{Comparison, Test, Value},
    table::Rows,
};

/// As many traces, or spans, as an index leads to sooner than every row is asked.
const FEW: usize = 2_000;
/// Sessions that one condition may find: their names are as long as senders like.
const SESSIONS_MAX: usize = 20_000;
const COLUMNS: [&str; 3] = ["trace", "span", "session"];
/// By which clocks may differ, in micros: a day.
pub(crate) const CLOCKS_DIFFER: i64 = 24 * 3600 * 1_000_000;
/// Hexadecimal digits of an id.
const TRACE: usize = 32;
const SPAN: usize = 16;

/// What a condition on scores found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scored {
    /// Traces that have such a score, or a span with one.
    pub(crate) traces: Arc<IdSet>,
    pub(crate) spans: Arc<IdSet>,
    pub(crate) sessions: HashSet<String>,
}

impl Default for Scored {
    fn default() -> Self {
        Self::of(Making::default())
    }
}

impl Scored {
    fn of(Making { traces, spans, sessions }: Making) -> Self {
        Self { traces: Arc::new(traces), spans: Arc::new(spans), sessions }
    }

    /// As a condition on spans.
    pub(crate) fn condition(&self) -> Filter {
        let entered = Filter::Or(vec![Filter::Eq("entry".into(), Scalar::Bool(true)), among("span", &self.spans)]);
        let of_trace = Filter::And(vec![among("trace", &self.traces), entered]);
        if self.sessions.is_empty() {
            return of_trace;
        }
        let of_session = Filter::any_of("session", self.sessions.iter().map(String::as_str));
        Filter::Or(vec![of_trace, of_session])
    }
}

fn among(column: &str, ids: &Arc<IdSet>) -> Filter {
    if ids.len() <= FEW { Filter::any_of(column, ids.iter()) } else { Filter::Ids(column.to_owned(), Arc::clone(ids)) }
}

/// What was found so far.
struct Making {
    traces: IdSet,
    spans: IdSet,
    sessions: HashSet<String>,
}

impl Default for Making {
    fn default() -> Self {
        Self { traces: IdSet::of_digits(TRACE), spans: IdSet::of_digits(SPAN), sessions: HashSet::new() }
    }
}

impl Making {
    /// Takes every row, or those of scores of this name.
    fn take(&mut self, batch: &RecordBatch, named: Option<&str>) -> Result<(), TraceFault> {
        let rows = Rows(batch);
        for row in 0..batch.num_rows() {
            if let Some(name) = named
                && rows.text("name", row)? != Some(name)
            {
                continue;
            }
            let trace = rows.text("trace", row)?;
            if let Some(trace) = trace {
                self.traces.insert(trace);
            }
            if let Some(span) = rows.text("span", row)? {
                self.spans.insert(span);
            }
            // One that names both is about the trace.
            let session = rows.text("session", row)?.filter(|_| trace.is_none());
            if let Some(session) = session.filter(|session| !self.sessions.contains(*session)) {
                self.sessions.insert(session.to_owned());
            }
        }
        Ok(())
    }
}

impl Scores {
    /// What bears a score of this name of which this is so. None where more were found than there is room for, which shrinks
    /// by what was found.
    pub(crate) async fn bearing(
        &self,
        project: ProjectId,
        (name, test): (&str, &Test),
        among: Filter,
        room: &mut u64,
    ) -> Result<Option<Scored>, TraceFault> {
        let table = self.table().await?;
        let these = |named: Filter| of_project(project).and(named).and(among.clone()).and(condition(test));
        let at_once = self.most.piece.min(*room);
        let limit = usize::try_from(at_once).unwrap_or(usize::MAX).saturating_add(1);
        let few = table.scan(Scan::of(these(Filter::eq("name", name))).columns(&COLUMNS).limit(limit)).await?;
        let mut found = few.iter().map(RecordBatch::num_rows).sum::<usize>() as u64;
        let mut making = Making::default();
        if found <= at_once {
            few.iter().try_for_each(|batch| making.take(batch, None))?;
        } else {
            let many = these(exactly("name", name));
            found = table.count(many.clone()).await?;
            if found > *room {
                return Ok(None);
            }
            for piece in self.pieces(&many, "stored").await? {
                let batches = table.scan(Scan::of(piece).columns(&COLUMNS)).await?;
                batches.iter().try_for_each(|batch| making.take(batch, None))?;
                if making.sessions.len() > SESSIONS_MAX {
                    return Ok(None);
                }
            }
        }
        *room = room.saturating_sub(found);
        Ok((making.sessions.len() <= SESSIONS_MAX).then(|| Scored::of(making)))
    }

    /// The same among these traces, and these sessions, only. The index of traces leads to their scores; that of names would
    /// lead to every other one of the name.
    pub(crate) async fn bearing_among(
        &self,
        project: ProjectId,
        (name, test): (&str, &Test),
        (traces, sessions): (&[&str], &[String]),
    ) -> Result<Scored, TraceFault> {
        let table = self.table().await?;
        let columns = [&COLUMNS[..], &["name"]].concat();
        let mut making = Making::default();
        let of_traces = traces.chunks(AT_ONCE).map(|some| Filter::any_of("trace", some.iter().copied()));
        let of_sessions = sessions.chunks(AT_ONCE).map(|some| {
            let about = Filter::any_of("session", some.iter().map(String::as_str));
            Filter::IsNull("trace".into()).and(Filter::eq("name", name)).and(about)
        });
        let parts: Vec<Filter> = of_traces.chain(of_sessions).collect();
        for among in parts {
            let these = of_project(project).and(among).and(condition(test));
            for batch in table.scan(Scan::of(these).columns(&columns)).await? {
                making.take(&batch, Some(name))?;
            }
        }
        Ok(Scored::of(making))
    }
}

/// A score is stored after what it is about began, give or take what clocks differ.
pub(super) fn since(from: Option<Timestamp>) -> Filter {
    from.map_or(Filter::All, |from| Filter::GtEq("stored".into(), from.as_micros().saturating_sub(CLOCKS_DIFFER).into()))
}

/// A test as a condition on scores.
fn condition(test: &Test) -> Filter {
    let text = || "text".to_owned();
    match test {
        Test::Compare(comparison, value) => compared(*comparison, value),
        Test::In(values) => Filter::Or(values.iter().map(|value| compared(Comparison::Eq, value)).collect()),
        Test::Contains(part) => Filter::Contains(text(), part.clone()),
        Test::Words(words) => Filter::And(words.iter().map(|word| Filter::Contains(text(), word.clone())).collect()),
        Test::StartsWith(start) => Filter::StartsWith(text(), start.clone()),
        Test::Exists | Test::Holds => Filter::All,
    }
}

fn compared(comparison: Comparison, value: &Value) -> Filter {
    match value {
        Value::Text(text) => with("text", comparison, text.as_str().into()),
        Value::Flag(flag) => {
            let boolean = Filter::eq("kind", ScoreKind::Boolean.as_str());
            boolean.and(with("number", comparison, Scalar::Float(f64::from(u8::from(*flag)))))
        }
        Value::Decimal(number) => with("number", comparison, Scalar::Float(*number)),
        #[expect(clippy::cast_precision_loss, reason = "scores are floats")]
        Value::Number(number) | Value::Duration(number) | Value::Money(number) => {
            with("number", comparison, Scalar::Float(*number as f64))
        }
        // A score is never compared with a time.
        Value::Time(_) => Filter::In("id".into(), Vec::new()),
    }
}

fn with(column: &str, comparison: Comparison, value: Scalar) -> Filter {
    let column = column.to_owned();
    match comparison {
        Comparison::Eq => Filter::Eq(column, value),
        Comparison::NotEq => Filter::NotEq(column, value),
        Comparison::Lt => Filter::Lt(column, value),
        Comparison::LtEq => Filter::LtEq(column, value),
        Comparison::Gt => Filter::Gt(column, value),
        Comparison::GtEq => Filter::GtEq(column, value),
    }
}
