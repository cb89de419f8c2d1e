//! Questions in SQL over what a project sent. The views let through only rows of the project, and no trace that shows documents
//! which the actor may not read.

use std::{collections::HashSet, time::Duration};

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{
        Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
        TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_schema::{DataType, Schema, TimeUnit};
use mainspring_kernel::{Labels, Timestamp};
use mainspring_lake::{
    Allowance, Comparison, Filter, JsonTest, Lake, LakeFault, SqlAnswer, SqlLimits, SqlQuery, Table, TableView,
};
use mainspring_llm::trace::names;
use serde_json::Value;

use super::{
    Asking,
    access::{hidden_of, traces_of},
};
use crate::{
    fault::TraceFault,
    searched::REST,
    table::{ADOPTED, LENT},
};

/// Rows of an answer where nobody says how many, and at most.
const ROWS_USUAL: usize = 1_000;
const ROWS_MAX: usize = 10_000;
const BYTES_MAX: usize = 16 << 20;
/// Well before the server would break the request off.
const WITHIN: Duration = Duration::from_secs(20);
/// Traces of a reader who may not see every document.
const TRACES_MAX: usize = 20_000;
const TRIES: usize = 3;
/// What says nothing to a reader: every row is of the one project, whoever sees a row may see it, what only helps to search a
/// text is in the attributes, `entry` says by which rows traces are entered, and a name is as good where a row took it.
const KEPT_BACK: [&str; 7] = ["project", "labels", "point", "stored", REST, ADOPTED, LENT];
const DAY: i64 = 86_400_000_000;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqlQuestion {
    pub text: String,
    /// Only rows from this moment on, and before that one.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub limit: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlColumn {
    pub name: String,
    /// As SQL calls it.
    pub kind: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SqlRows {
    pub columns: Vec<SqlColumn>,
    pub rows: Vec<Vec<Value>>,
    /// Whether the limits cut the answer.
    pub more: bool,
}

/// A table that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlTable {
    pub name: &'static str,
    pub says: &'static str,
    pub columns: Vec<SqlColumn>,
}

/// The tables beside that of spans, and where they lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) lake: &'a dyn Lake,
    pub(crate) points: &'a dyn Table,
    pub(crate) scores: Option<&'a dyn Table>,
}

/// Every table there is.
pub(crate) fn sql_tables(spans: &dyn Table, sources: Sources<'_>) -> Vec<SqlTable> {
    let of = |name, says, table: &dyn Table| SqlTable { name, says, columns: columns(&visible(&table.schema())) };
    let mut tables = vec![
        of(
            "spans",
            "every span, log records among them; times and durations are microseconds, cost is billionths of a dollar",
            spans,
        ),
        of("logs", "those spans that came as log records", spans),
        of("points", "points of metrics that programs sent; times are microseconds", sources.points),
    ];
    tables.extend(
        sources.scores.map(|scores| of("scores", "what people and programs say of traces; times are microseconds", scores)),
    );
    tables
}

pub(crate) async fn sql(asking: Asking<'_>, sources: Sources<'_>, question: &SqlQuestion) -> Result<SqlRows, TraceFault> {
    if asking.actor.labels == Labels::All {
        return ask(asking, sources, (question, None)).await;
    }
    // A span that comes meanwhile may show documents that the actor may not read, so the traces are looked at again.
    for _ in 0..TRIES {
        let traces = seen_traces(asking, between(asking, "start", question)).await?;
        let found = ask(asking, sources, (question, Some(&traces))).await?;
        if hidden_of(asking, &traces).await?.is_empty() {
            return Ok(found);
        }
    }
    Err(LakeFault::Contended { table: asking.table.name().to_string() }.into())
}

/// The traces that the actor may see every span of.
async fn seen_traces(asking: Asking<'_>, among: Filter) -> Result<HashSet<String>, TraceFault> {
    let mut traces: HashSet<String> = traces_of(asking, among).await?.into_keys().collect();
    let hidden = hidden_of(asking, &traces).await?;
    traces.retain(|trace| !hidden.contains(trace));
    if traces.len() > TRACES_MAX { Err(TraceFault::TooMuch { rows: TRACES_MAX }) } else { Ok(traces) }
}

/// Rows of the project, of the time that is asked about.
fn between(asking: Asking<'_>, column: &str, question: &SqlQuestion) -> Filter {
    let mut filter = asking.project();
    if let Some(from) = question.from {
        filter = filter.and(Filter::GtEq(column.to_owned(), from.as_micros().into()));
    }
    match question.to {
        Some(to) => filter.and(Filter::Lt(column.to_owned(), to.as_micros().into())),
        None => filter,
    }
}

async fn ask(
    asking: Asking<'_>,
    Sources { lake, points, scores }: Sources<'_>,
    (question, traces): (&SqlQuestion, Option<&HashSet<String>>),
) -> Result<SqlRows, TraceFault> {
    let of_traces = |column: &str| {
        let among = between(asking, column, question);
        match traces {
            Some(traces) => among.and(Filter::any_of("trace", traces.iter().map(String::as_str))),
            None => among,
        }
    };
    let log = JsonTest::Is(Comparison::Eq, "log".into());
    let logs = of_traces("start").and(Filter::json("attributes", &[names::SIGNAL], log));
    let view = |name: &str, table: &dyn Table, filter: Filter| TableView {
        name: name.to_owned(),
        table: table.name().clone(),
        filter,
        columns: visible(&table.schema()).fields().iter().map(|field| field.name().clone()).collect(),
    };
    let mut views = vec![
        view("spans", asking.table, of_traces("start")),
        view("logs", asking.table, logs),
        view("points", points, between(asking, "time", question)),
    ];
    views.extend(scores.map(|scores| view("scores", scores, of_traces("time"))));
    let limits = SqlLimits {
        rows: question.limit.unwrap_or(ROWS_USUAL).clamp(1, ROWS_MAX),
        bytes: BYTES_MAX,
        allowance: Allowance { within: WITHIN, ..Allowance::default() },
    };
    let answer = lake.sql(SqlQuery { text: question.text.clone(), views, limits }).await;
    told(&answer.map_err(about_times)?)
}

/// As the engine writes kinds of times, and a number that a text does not make.
const NOT_A_NUMBER: [&str; 5] = ["Timestamp(", "Interval(", "Date32", "Date64", "to value of Int64"];

/// Whoever takes a column of ours for a time is told what it is, and not which tables there are.
fn about_times(fault: LakeFault) -> LakeFault {
    match fault {
        LakeFault::Sql { reason, hint: _ } if NOT_A_NUMBER.iter().any(|word| reason.contains(word)) => {
            let hint =
                "times are microseconds since 1970: `to_timestamp_micros(start)` makes one that can be compared with `now()`";
            LakeFault::Sql { reason, hint: hint.to_owned() }
        }
        other => other,
    }
}

fn visible(schema: &Schema) -> Schema {
    let seen = schema.fields().iter().filter(|field| !KEPT_BACK.contains(&field.name().as_str()));
    Schema::new(seen.cloned().collect::<Vec<_>>())
}

fn columns(schema: &Schema) -> Vec<SqlColumn> {
    schema.fields().iter().map(|field| SqlColumn { name: field.name().clone(), kind: word(field.data_type()) }).collect()
}

fn word(kind: &DataType) -> String {
    match kind {
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "TEXT".to_owned(),
        DataType::Timestamp(..) => "TIMESTAMP".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::List(of) => format!("{}[]", word(of.data_type())),
        other => other.to_string().to_uppercase(),
    }
}

fn told(answer: &SqlAnswer) -> Result<SqlRows, TraceFault> {
    let columns = columns(&answer.schema);
    let mut rows = Vec::new();
    for batch in &answer.batches {
        for row in 0..batch.num_rows() {
            rows.push(told_row(batch, row)?);
        }
    }
    Ok(SqlRows { columns, rows, more: answer.more })
}

fn told_row(batch: &RecordBatch, row: usize) -> Result<Vec<Value>, TraceFault> {
    let schema = batch.schema();
    let told = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        value(column.as_ref(), row).ok_or_else(|| TraceFault::Question {
            reason: format!(
                "the column `{}` is of type {}, which JSON has no value for: CAST it to BIGINT, DOUBLE or TEXT",
                field.name(),
                field.data_type()
            ),
        })
    });
    told.collect()
}

/// None where JSON has nothing for it. A number that is none is null.
fn value(column: &dyn Array, row: usize) -> Option<Value> {
    if column.is_null(row) {
        return Some(Value::Null);
    }
    Some(match column.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Int8 => column.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt8 => column.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => column.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Float32 => f64::from(column.as_primitive::<Float32Type>().value(row)).into(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).into(),
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row).into(),
        DataType::Utf8View => column.as_string_view().value(row).into(),
        DataType::Timestamp(unit, _) => Timestamp::from_micros(micros(column, row, *unit)).to_string().into(),
        DataType::Date32 => {
            let midnight = i64::from(column.as_primitive::<Date32Type>().value(row)).saturating_mul(DAY);
            let text = Timestamp::from_micros(midnight).to_string();
            text.split('T').next().unwrap_or_default().into()
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            (0..items.len()).map(|item| value(items.as_ref(), item)).collect::<Option<Vec<Value>>>()?.into()
        }
        _ => return None,
    })
}

fn micros(column: &dyn Array, row: usize, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => column.as_primitive::<TimestampSecondType>().value(row).saturating_mul(1_000_000),
        TimeUnit::Millisecond => column.as_primitive::<TimestampMillisecondType>().value(row).saturating_mul(1_000),
        TimeUnit::Microsecond => column.as_primitive::<TimestampMicrosecondType>().value(row),
        TimeUnit::Nanosecond => column.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000),
    }
}
