//! Spans as rows of the table `spans`.

mod making;
mod rows;
mod texts;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{BooleanBuilder, StringBuilder},
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use mainspring_kernel::Name;
use mainspring_lake::{Echo, IndexKind, IndexSpec, Past, TableSpec};
use mainspring_llm::{
    Span,
    trace::{SpanKind, SpanStatus, names},
};
use serde_json::Value;

pub(crate) use making::{Making, to_batch, to_batch_of};
pub(crate) use rows::Rows;
pub(crate) use texts::Texts;

use crate::{
    conventions::counted::{Id, Quantity, Uses},
    fault::TraceFault,
    searched::{CONTENT, REST},
};

pub(crate) fn table_name() -> Result<Name, TraceFault> {
    "spans".parse().map_err(|fault: mainspring_kernel::name::NameFault| TraceFault::Unreadable { reason: fault.to_string() })
}

/// Nobody asks for spans as they were, and a busy server commits some several times a second.
const PAST: Past = Past::Brief { no_older_than: Duration::from_secs(15 * 60), versions: 200 };

pub(crate) fn spec() -> TableSpec {
    let index = |column: &str| IndexSpec { column: column.to_owned(), kind: IndexKind::Scalar };
    let packed = [CONTENT, REST, "attributes", "events", "links"].map(str::to_owned).into();
    // What was said came as attributes, or as events, and is searched in a column of its own.
    let echo = |column: &str| Echo { column: column.to_owned(), of: [CONTENT, REST].map(str::to_owned).into() };
    let echoes = vec![echo("attributes"), echo("events")];
    TableSpec { schema: Arc::clone(&SCHEMA), indexes: vec![index("trace"), index("start")], past: PAST, packed, echoes }
}

/// Older tables lack the columns after `events`; they are added when a table is opened.
static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let maybe = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    let list = || DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
    Arc::new(Schema::new(vec![
        text("project"),
        text("trace"),
        text("span"),
        maybe("parent"),
        text("name"),
        text("kind"),
        Field::new("start", DataType::Int64, false),
        Field::new("duration", DataType::Int64, false),
        text("status"),
        maybe("message"),
        Field::new("entry", DataType::Boolean, false),
        maybe("error_type"),
        maybe("operation"),
        maybe("model"),
        maybe("app"),
        maybe("user"),
        maybe("session"),
        number("input_tokens"),
        number("output_tokens"),
        Field::new("labels", list(), false),
        text(CONTENT),
        text("attributes"),
        text("events"),
        maybe("type"),
        maybe("provider"),
        maybe("response_model"),
        maybe("service"),
        maybe("environment"),
        maybe("release"),
        maybe("prompt"),
        maybe("key"),
        number("cache_read_tokens"),
        number("cache_write_tokens"),
        number("reasoning_tokens"),
        number("cost"),
        number("first_token"),
        Field::new("tags", list(), true),
        Field::new("counted", DataType::Boolean, true),
        maybe("links"),
        Field::new("large", list(), true),
        number("large_bytes"),
        Field::new(WEIGHT, DataType::Float64, true),
        maybe(REST),
        Field::new(ADOPTED, DataType::Boolean, true),
        number(LENT),
        maybe(COUNTED_PART),
    ]))
});

/// For how many spans a row stands; nothing where all of a project's are kept, and in rows of before this was a column.
pub(crate) const WEIGHT: &str = "weight";
/// A trace is entered by the row for want of an entry (`adopting.rs`); nothing in every other row.
pub(crate) const ADOPTED: &str = "adopted";
/// Which of its user, session and app a row took from other spans of its trace (`belonging.rs`), as bits; nothing where it took none.
pub(crate) const LENT: &str = "lent";
/// Of a row that is not `counted`, the part of its usage that counts all the same (`counted.rs`); nothing in every other row.
pub(crate) const COUNTED_PART: &str = "counted_part";
/// What a span is made of.
pub(crate) const SPAN: [&str; 13] = [
    "project",
    "trace",
    "span",
    "parent",
    "name",
    "kind",
    "start",
    "duration",
    "status",
    "message",
    "attributes",
    "events",
    "links",
];

/// The same rows, of whose usage this counts no longer.
pub(crate) fn uncounted(batch: &RecordBatch, covered: &HashMap<Id, Uses>) -> Result<RecordBatch, TraceFault> {
    let rows = Rows(batch);
    let said = |row: usize| -> Result<Option<Uses>, TraceFault> {
        let counts = rows.uses(row)?.counted(rows.counted(row)?).is_some_and(Uses::any);
        Ok(if counts { covered.get(&rows.id(row)?).copied() } else { None })
    };
    let said = (0..batch.num_rows()).map(said).collect::<Result<Vec<_>, TraceFault>>()?;
    if said.iter().any(Option::is_some) { cover(batch, &said) } else { Ok(batch.clone()) }
}

/// The same rows, of each of which this is said by others, and counts there.
pub(crate) fn cover(batch: &RecordBatch, said: &[Option<Uses>]) -> Result<RecordBatch, TraceFault> {
    let rows = Rows(batch);
    let (mut counted, mut parts) = (BooleanBuilder::with_capacity(said.len()), StringBuilder::new());
    for (row, said) in said.iter().enumerate() {
        let (all, part) = rows.uses(row)?.covered(rows.counted(row)?, said.unwrap_or_default());
        counted.append_option(all);
        parts.append_option(part.map(Quantity::as_str));
    }
    let unreadable = |error: arrow_schema::ArrowError| TraceFault::Unreadable { reason: error.to_string() };
    let (schema, mut columns) = (batch.schema(), batch.columns().to_vec());
    let changed: [(&str, ArrayRef); 2] = [("counted", Arc::new(counted.finish())), (COUNTED_PART, Arc::new(parts.finish()))];
    for (name, column) in changed {
        columns[schema.index_of(name).map_err(unreadable)?] = column;
    }
    RecordBatch::try_new(schema, columns).map_err(unreadable)
}

/// Where a trace is entered: what lists show. A caller's own span may stand above it, here or only elsewhere. A log record is no
/// way in. A trace of which no span is one is entered by a row that was adopted, of which the span says nothing.
pub(crate) fn is_entry(span: &Span) -> bool {
    let begins = span.parent.is_none() || span.kind == SpanKind::Server || parent_is_remote(span);
    begins && !span.attributes.contains_key(names::SIGNAL)
}

fn parent_is_remote(span: &Span) -> bool {
    span.attributes.get(names::PARENT_REMOTE).and_then(Value::as_bool) == Some(true)
}

pub(crate) const fn kind_text(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
    }
}

pub(crate) const fn status_text(status: &SpanStatus) -> &'static str {
    match status {
        SpanStatus::Unset => "unset",
        SpanStatus::Ok => "ok",
        SpanStatus::Error(_) => "error",
    }
}
