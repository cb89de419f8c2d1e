//! Scores in parts that fit the memory, however many there are.

use arrow_array::RecordBatch;
use mainspring_lake::{Aggregate, Allowance, Filter, MeasureOf, Scan, Table};

use super::{ScoreKind, ScoreValue, Scores, rows};
use crate::{fault::TraceFault, table::Rows};

/// Parts that one question makes of a part.
const PARTS: u64 = 1_000;

/// A score as it is counted, without what was written beside it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) value: ScoreValue,
    pub(crate) trace: Option<String>,
    pub(crate) span: Option<String>,
    pub(crate) session: Option<String>,
    pub(crate) time: i64,
}

/// Scores that are counted: texts are for people to read.
pub(crate) fn counted() -> Filter {
    Filter::NotEq("kind".into(), ScoreKind::Text.as_str().into())
}

/// A text column that is exactly this, without asking an index: it would lead to each of very many rows by itself.
pub(crate) fn exactly(column: &str, text: &str) -> Filter {
    let (from, to) = (Filter::GtEq(column.to_owned(), text.into()), Filter::LtEq(column.to_owned(), text.into()));
    Filter::And(vec![from, to])
}

impl Scores {
    /// These rows in parts of so many as are read at once.
    pub(crate) async fn pieces(&self, among: &Filter, column: &str) -> Result<Vec<Filter>, TraceFault> {
        let table = self.table().await?;
        let found = stretches(table.as_ref(), among, (column, self.most.piece), Allowance::default()).await?;
        Ok(found.into_iter().map(|stretch| within(among, column, stretch)).collect())
    }

    /// One part of them.
    pub(crate) async fn given(&self, piece: Filter) -> Result<Vec<Given>, TraceFault> {
        let columns = ["name", "kind", "number", "text", "trace", "span", "session", "time"];
        let mut found = Vec::new();
        for batch in self.table().await?.scan(Scan::of(piece.and(counted())).columns(&columns)).await? {
            for row in 0..batch.num_rows() {
                found.push(given(&batch, row)?);
            }
        }
        Ok(found)
    }
}

fn given(batch: &RecordBatch, row: usize) -> Result<Given, TraceFault> {
    let rows = Rows(batch);
    let owned = |name: &str| -> Result<Option<String>, TraceFault> { Ok(rows.text(name, row)?.map(str::to_owned)) };
    Ok(Given {
        name: owned("name")?.unwrap_or_default(),
        value: rows::value(&rows, row)?,
        trace: owned("trace")?,
        span: owned("span")?,
        session: owned("session")?,
        time: rows.number("time", row)?.unwrap_or_default(),
    })
}

/// Those of these rows whose number lies between two, both included.
pub(crate) fn within(among: &Filter, column: &str, (from, to): (i64, i64)) -> Filter {
    let from = Filter::GtEq(column.to_owned(), from.into());
    among.clone().and(from).and(Filter::LtEq(column.to_owned(), to.into()))
}

/// Where parts of these rows begin and end by a column of whole numbers, both included: each of so many rows at most, unless all
/// of a part have one number. Each question may take so much.
pub(crate) async fn stretches(
    table: &dyn Table,
    among: &Filter,
    (column, most): (&str, u64),
    allowance: Allowance,
) -> Result<Vec<(i64, i64)>, TraceFault> {
    let (mut rest, mut found) = (Vec::new(), Vec::new());
    let all = Aggregate { allowance, ..Aggregate::of(among.clone()) }
        .measure("rows", MeasureOf::Rows)
        .measure("least", MeasureOf::Min(column.to_owned()))
        .measure("greatest", MeasureOf::Max(column.to_owned()));
    for batch in table.aggregate(all).await?.batches {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            if let (Some(least), Some(greatest)) = (rows.number("least", row)?, rows.number("greatest", row)?) {
                rest.push((least, greatest, count(&rows, row)?));
            }
        }
    }
    while let Some((from, to, rows)) = rest.pop() {
        if rows <= most || from >= to {
            found.push((from, to));
            continue;
        }
        let parts = rows.div_ceil(most.max(1)).saturating_mul(2).clamp(2, PARTS);
        let width = to.saturating_sub(from) / i64::try_from(parts).unwrap_or(2) + 1;
        let limit = usize::try_from(parts).unwrap_or(usize::MAX);
        let these = Aggregate { allowance, ..Aggregate::of(within(among, column, (from, to))) };
        let question = these.by_bucket("part", column, width, from).measure("rows", MeasureOf::Rows);
        for batch in table.aggregate(question.limit(limit)).await?.batches {
            let rows = Rows(&batch);
            for row in 0..batch.num_rows() {
                let begin = rows.number("part", row)?.unwrap_or(from);
                rest.push((begin, begin.saturating_add(width - 1).min(to), count(&rows, row)?));
            }
        }
    }
    Ok(found)
}

fn count(rows: &Rows<'_>, row: usize) -> Result<u64, TraceFault> {
    Ok(rows.number("rows", row)?.and_then(|rows| u64::try_from(rows).ok()).unwrap_or_default())
}
