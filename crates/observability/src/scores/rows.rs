//! Scores as rows of their table.

use std::sync::{Arc, LazyLock};

use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use mainspring_kernel::Timestamp;

use super::{Score, ScoreKind, ScoreSource, ScoreValue};
use crate::{fault::TraceFault, table::Rows};

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let maybe = |name: &str| Field::new(name, DataType::Utf8, true);
    let whole = |name: &str| Field::new(name, DataType::Int64, false);
    Arc::new(Schema::new(vec![
        text("project"),
        text("id"),
        text("name"),
        text("kind"),
        Field::new("number", DataType::Float64, true),
        maybe("text"),
        maybe("comment"),
        text("source"),
        maybe("trace"),
        maybe("span"),
        maybe("session"),
        maybe("author"),
        maybe("config"),
        maybe("metadata"),
        whole("time"),
        // When it was written here: no clock but ours says it.
        whole("stored"),
    ]))
});

pub(super) fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

pub(super) fn to_batch(scores: &[Score], now: Timestamp) -> Result<RecordBatch, TraceFault> {
    let owned = |of: fn(&Score) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values(scores.iter().map(of))) };
    let text = |of: fn(&Score) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(scores.iter().map(of))) };
    let maybe = |of: fn(&Score) -> Option<String>| -> ArrayRef { Arc::new(scores.iter().map(of).collect::<StringArray>()) };
    let numbers: Float64Array = scores.iter().map(|score| score.value.number()).collect();
    let times = Int64Array::from_iter_values(scores.iter().map(|score| score.time.as_micros()));
    let stored = Int64Array::from_iter_values(scores.iter().map(|_| now.as_micros()));
    let columns: Vec<ArrayRef> = vec![
        owned(|score| score.project.to_string()),
        text(|score| &score.id),
        text(|score| &score.name),
        text(|score| score.value.kind().as_str()),
        Arc::new(numbers),
        maybe(|score| score.value.text().map(str::to_owned)),
        maybe(|score| score.comment.clone()),
        text(|score| score.source.as_str()),
        maybe(|score| score.trace.map(|trace| trace.to_string())),
        maybe(|score| score.span.map(|span| span.to_string())),
        maybe(|score| score.session.clone()),
        maybe(|score| score.author.clone()),
        maybe(|score| score.config.clone()),
        maybe(|score| score.metadata.as_ref().map(ToString::to_string)),
        Arc::new(times),
        Arc::new(stored),
    ];
    RecordBatch::try_new(schema(), columns).map_err(|error| TraceFault::Unreadable { reason: error.to_string() })
}

pub(super) fn read_all(batches: &[RecordBatch]) -> Result<Vec<Score>, TraceFault> {
    let mut found = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            found.push(read(&Rows(batch), row)?);
        }
    }
    Ok(found)
}

fn number(rows: &Rows<'_>, row: usize) -> Result<Option<f64>, TraceFault> {
    let column: &Float64Array = rows.column("number")?;
    Ok((!column.is_null(row)).then(|| column.value(row)))
}

fn unreadable(what: &str) -> TraceFault {
    TraceFault::Unreadable { reason: format!("`{what}` of a score") }
}

pub(super) fn value(rows: &Rows<'_>, row: usize) -> Result<ScoreValue, TraceFault> {
    let need = |name: &str| rows.text(name, row)?.ok_or_else(|| unreadable(name));
    let number = || number(rows, row)?.ok_or_else(|| unreadable("number"));
    Ok(match ScoreKind::read(need("kind")?).ok_or_else(|| unreadable("kind"))? {
        ScoreKind::Numeric => ScoreValue::Numeric(number()?),
        ScoreKind::Boolean => ScoreValue::Boolean(number()? > 0.5),
        ScoreKind::Categorical => ScoreValue::Categorical(need("text")?.to_owned()),
        ScoreKind::Text => ScoreValue::Text(need("text")?.to_owned()),
    })
}

fn read(rows: &Rows<'_>, row: usize) -> Result<Score, TraceFault> {
    let owned = |name: &str| -> Result<Option<String>, TraceFault> { Ok(rows.text(name, row)?.map(str::to_owned)) };
    let need = |name: &str| rows.text(name, row)?.ok_or_else(|| unreadable(name));
    let metadata = rows.text("metadata", row)?.map(serde_json::from_str).transpose();
    Ok(Score {
        project: need("project")?.parse().map_err(|_| unreadable("project"))?,
        id: need("id")?.to_owned(),
        name: need("name")?.to_owned(),
        value: value(rows, row)?,
        comment: owned("comment")?,
        source: ScoreSource::read(need("source")?).ok_or_else(|| unreadable("source"))?,
        trace: rows.text("trace", row)?.map(str::parse).transpose().map_err(|_| unreadable("trace"))?,
        span: rows.text("span", row)?.map(str::parse).transpose().map_err(|_| unreadable("span"))?,
        session: owned("session")?,
        author: owned("author")?,
        config: owned("config")?,
        metadata: metadata.map_err(|_| unreadable("metadata"))?,
        time: Timestamp::from_micros(rows.number("time", row)?.unwrap_or_default()),
    })
}
