//! Columns that mostly say again what others of their row say.
//!
//! What was said in a span is searched in a column of its own, and stands among its attributes too. Texts of one column are packed
//! together, so the two never meet. Of such a column only what the others do not say is kept, with the places of the rest
//! (`text.rs`). Which columns these are is written in the table's schema, so that everybody who opens it does the same; rows of
//! before are whole, and stay so. Rows become so in the one place where files are written, and are put together where rows are
//! read, in conditions, and beneath the views that groups and questions in SQL are asked of. Nobody above sees anything of it.

pub(crate) mod said;
pub(crate) mod text;

use std::{collections::HashSet, sync::Arc};

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, builder::StringBuilder, cast::AsArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use mainspring_lake::{Echo, LakeFault, TableSpec};
use serde_json::Value;

use crate::schema;

/// Bytes that the texts of an array can have together.
const ARRAY_MAX: usize = 0x7fff_ffff;

/// What is written in the metadata of such a column: the names of the others, as JSON.
pub(crate) const ECHO_OF: &str = "mainspring:echo-of";

/// Whether these columns can be kept so.
pub(crate) fn check(spec: &TableSpec, table: &str) -> Result<(), LakeFault> {
    let fault = |reason: String| Err(LakeFault::Schema { table: table.to_owned(), reason });
    let mut seen = HashSet::new();
    for Echo { column, of } in &spec.echoes {
        for name in std::iter::once(column).chain(of) {
            if *schema::column(&spec.schema, table, name)?.data_type() != DataType::Utf8 {
                return fault(format!("column `{name}` is no echo and has none: it is not text"));
            }
        }
        if of.is_empty() || !seen.insert(column) {
            return fault(format!("column `{column}` is an echo of nothing, or of several things at once"));
        }
        if spec.echoes.iter().any(|other| of.contains(&other.column)) {
            return fault(format!("column `{column}` is an echo of an echo"));
        }
        if spec.indexes.iter().any(|index| index.column == *column) {
            return fault(format!("column `{column}` is an echo and cannot carry an index"));
        }
    }
    Ok(())
}

/// What is written of it in the schema.
pub(crate) fn mark(echo: &Echo) -> (String, String) {
    (ECHO_OF.to_owned(), Value::from(echo.of.clone()).to_string())
}

/// What a column is an echo of, if it is one.
fn others(field: &Field) -> Option<Vec<String>> {
    serde_json::from_str(field.metadata().get(ECHO_OF)?).ok()
}

pub(crate) fn is_echo(field: &Field) -> bool {
    field.metadata().contains_key(ECHO_OF)
}

pub(crate) fn any(schema: &Schema) -> bool {
    schema.fields().iter().any(|field| is_echo(field))
}

/// The columns as everybody above sees them.
pub(crate) fn hidden(schema: &SchemaRef) -> SchemaRef {
    if !any(schema) {
        return Arc::clone(schema);
    }
    let fields = schema.fields().iter().map(|field| {
        let mut field = field.as_ref().clone();
        field.metadata_mut().remove(ECHO_OF);
        field
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

/// These columns, and behind them what is read to put them together.
pub(crate) fn with_others<'a>(schema: &Schema, columns: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let asked: Vec<&str> = columns.into_iter().collect();
    let more = asked.iter().filter_map(|name| schema.field_with_name(name).ok().and_then(others)).flatten();
    let mut names: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
    for name in more {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// No order is known of a column that does not lie there as it was written.
pub(crate) fn check_order(schema: &Schema, column: &str, table: &str) -> Result<(), LakeFault> {
    if is_echo(schema::column(schema, table, column)?) {
        let reason = format!("rows cannot be put in the order of column `{column}`, which says again what others say");
        return Err(LakeFault::Query { table: table.to_owned(), reason });
    }
    Ok(())
}

/// Rows as they are kept, of the table's columns.
pub(crate) fn kept(rows: RecordBatch, schema: &Schema, table: &str) -> Result<RecordBatch, LakeFault> {
    let columns = each(&rows, schema, in_pieces, table)?;
    rebuilt(rows.schema(), columns, table)
}

/// Rows as they were written. What echoes were made of must be among their columns.
pub(crate) fn whole(rows: RecordBatch, schema: &Schema, table: &str) -> Result<RecordBatch, LakeFault> {
    if !any(schema) || rows.num_columns() == 0 {
        return Ok(rows);
    }
    let columns = each(&rows, schema, together, table)?;
    rebuilt(hidden(rows.schema_ref()), columns, table)
}

fn rebuilt(schema: SchemaRef, columns: Vec<ArrayRef>, table: &str) -> Result<RecordBatch, LakeFault> {
    let engine = |reason: String| LakeFault::Engine { table: table.to_owned(), reason };
    RecordBatch::try_new(schema, columns).map_err(|error| engine(error.to_string()))
}

/// How a column is made of itself and the others; nothing where an array cannot hold it.
type Making = fn(&StringArray, &[&StringArray]) -> Option<ArrayRef>;

/// The columns of the rows, echoes made anew.
fn each(rows: &RecordBatch, schema: &Schema, made: Making, table: &str) -> Result<Vec<ArrayRef>, LakeFault> {
    let missing = |name: &str| {
        let reason = format!("rows came without the texts of column `{name}`");
        LakeFault::Engine { table: table.to_owned(), reason }
    };
    let column = |name: &str| {
        let found = rows.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        found.ok_or_else(|| missing(name))
    };
    let mut columns = rows.columns().to_vec();
    for (at, field) in rows.schema_ref().fields().iter().enumerate() {
        let Some(others) = schema.field_with_name(field.name()).ok().and_then(others) else { continue };
        let beside = others.iter().map(|name| column(name)).collect::<Result<Vec<_>, _>>()?;
        columns[at] = made(column(field.name())?, &beside).ok_or_else(|| {
            let reason = format!("the texts of column `{}` are too long to be in memory at once", field.name());
            LakeFault::Query { table: table.to_owned(), reason }
        })?;
    }
    Ok(columns)
}

fn in_pieces(texts: &StringArray, others: &[&StringArray]) -> Option<ArrayRef> {
    by_row(texts, others, text::in_pieces)
}

fn together(texts: &StringArray, others: &[&StringArray]) -> Option<ArrayRef> {
    if !texts.iter().flatten().any(text::is_in_pieces) {
        return Some(Arc::new(texts.clone()));
    }
    by_row(texts, others, text::together)
}

/// Each text, or what is made of it and what the others say beside it: nothing where they are null.
fn by_row(texts: &StringArray, others: &[&StringArray], make: impl Fn(&str, &[&str], &mut String) -> bool) -> Option<ArrayRef> {
    let mut anew = StringBuilder::with_capacity(texts.len(), 0);
    let (mut made, mut beside, mut bytes) = (String::new(), Vec::with_capacity(others.len()), 0);
    for (row, text) in texts.iter().enumerate() {
        let Some(text) = text else {
            anew.append_null();
            continue;
        };
        beside.clear();
        beside.extend(others.iter().map(|other| if other.is_null(row) { "" } else { other.value(row) }));
        let text = if make(text, &beside, &mut made) { made.as_str() } else { text };
        bytes += text.len();
        if bytes > ARRAY_MAX {
            return None;
        }
        anew.append_value(text);
    }
    Some(Arc::new(anew.finish()))
}
