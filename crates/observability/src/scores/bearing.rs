//! Which spans bear a score: the one that it was given to, and the one by which its trace is entered; of a score of a session
//! every span of it.

use std::collections::HashSet;

use mainspring_kernel::{Timestamp, id::ProjectId};
use mainspring_lake::{Filter, Scalar, Scan};

use super::{ScoreKind, Scores, of_project};
use crate::{
    fault::TraceFault,
    filter::{Comparison, Test, Value},
    table::Rows,
};

/// Scores that one condition may find.
const FOUND_MAX: usize = 20_000;

/// What a condition on scores found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scored {
    /// Traces that have such a score, or a span with one.
    pub(crate) traces: HashSet<String>,
    pub(crate) spans: HashSet<String>,
    pub(crate) sessions: HashSet<String>,
}

impl Scored {
    /// As a condition on spans.
    pub(crate) fn condition(&self) -> Filter {
        let among = |column: &str, values: &HashSet<String>| Filter::any_of(column, values.iter().map(String::as_str));
        let entered = Filter::Or(vec![Filter::Eq("entry".into(), Scalar::Bool(true)), among("span", &self.spans)]);
        let of_trace = Filter::And(vec![among("trace", &self.traces), entered]);
        if self.sessions.is_empty() { of_trace } else { Filter::Or(vec![of_trace, among("session", &self.sessions)]) }
    }
}

impl Scores {
    /// What bears a score of this name of which this is so. `from`: when the spans began at the earliest.
    pub(crate) async fn bearing(
        &self,
        project: ProjectId,
        (name, test): (&str, &Test),
        from: Option<Timestamp>,
    ) -> Result<Scored, TraceFault> {
        let among = of_project(project).and(Filter::eq("name", name)).and(since(from)).and(condition(test));
        let scan = Scan::of(among).columns(&["trace", "span", "session"]).limit(FOUND_MAX + 1);
        let (mut scored, mut found) = (Scored::default(), 0);
        for batch in self.table().await?.scan(scan).await? {
            let rows = Rows(&batch);
            found += batch.num_rows();
            for row in 0..batch.num_rows() {
                let trace = rows.text("trace", row)?;
                scored.traces.extend(trace.map(str::to_owned));
                scored.spans.extend(rows.text("span", row)?.map(str::to_owned));
                // One that names both is about the trace.
                scored.sessions.extend(rows.text("session", row)?.filter(|_| trace.is_none()).map(str::to_owned));
            }
        }
        if found > FOUND_MAX { Err(TraceFault::TooMuch { rows: FOUND_MAX }) } else { Ok(scored) }
    }
}

/// A score is stored after what it is about began, give or take what clocks differ.
pub(super) fn since(from: Option<Timestamp>) -> Filter {
    const DIFFER: i64 = 24 * 3600 * 1_000_000;
    from.map_or(Filter::All, |from| Filter::GtEq("stored".into(), from.as_micros().saturating_sub(DIFFER).into()))
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
