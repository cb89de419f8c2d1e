//! Spans as rows of the table `spans`.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use arrow_array::{
    Array, ArrayRef, Int64Array, ListArray, RecordBatch, StringArray,
    builder::{BooleanBuilder, Int64Builder, ListBuilder, StringBuilder},
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use mainspring_kernel::{Name, Timestamp};
use mainspring_lake::{IndexKind, IndexSpec, Past, TableSpec};
use mainspring_llm::{
    Span,
    trace::{SpanEvent, SpanKind, SpanStatus, names},
};
use serde_json::{Map, Value};

use crate::{fault::TraceFault, forget::documents_of};

pub(crate) fn table_name() -> Result<Name, TraceFault> {
    "spans".parse().map_err(|fault: mainspring_kernel::name::NameFault| TraceFault::Unreadable { reason: fault.to_string() })
}

/// Nobody asks for spans as they were, and a busy server commits some several times a second.
const PAST: Past = Past::Brief { no_older_than: Duration::from_secs(15 * 60), versions: 200 };

pub(crate) fn spec() -> TableSpec {
    let index = |column: &str| IndexSpec { column: column.to_owned(), kind: IndexKind::Scalar };
    TableSpec { schema: schema(), indexes: vec![index("trace"), index("start")], past: PAST }
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let maybe = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    let item = Field::new("item", DataType::Utf8, true);
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
        Field::new("labels", DataType::List(Arc::new(item)), false),
        text("content"),
        text("attributes"),
        text("events"),
    ]))
}

/// Longer content is searched by its beginning; the attributes hold all of it.
const CONTENT_MAX: usize = 8_000;

/// What of a span is kept as JSON, on the disk and in the table alike.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    attributes: Vec<u8>,
    events: Vec<u8>,
}

impl Texts {
    /// Writes those of another span, into the same memory.
    pub(crate) fn write(&mut self, span: &Span) -> serde_json::Result<()> {
        self.attributes.clear();
        self.events.clear();
        serde_json::to_writer(&mut self.attributes, &span.attributes)?;
        serde_json::to_writer(&mut self.events, &span.events)
    }

    pub(crate) fn attributes(&self) -> &[u8] {
        &self.attributes
    }

    pub(crate) fn events(&self) -> &[u8] {
        &self.events
    }
}

/// Rows of the table, made one by one.
#[derive(Debug)]
pub(crate) struct Making {
    project: StringBuilder,
    trace: StringBuilder,
    span: StringBuilder,
    parent: StringBuilder,
    name: StringBuilder,
    kind: StringBuilder,
    start: Int64Builder,
    duration: Int64Builder,
    status: StringBuilder,
    message: StringBuilder,
    entry: BooleanBuilder,
    /// Attributes that are texts and have columns of their own, in the order of `TEXTS`.
    texts: [StringBuilder; TEXTS.len()],
    model: StringBuilder,
    input_tokens: Int64Builder,
    output_tokens: Int64Builder,
    labels: ListBuilder<StringBuilder>,
    content: StringBuilder,
    attributes: StringBuilder,
    events: StringBuilder,
}

const TEXTS: [&str; 5] = [names::ERROR, names::OPERATION, names::APP, names::USER, names::CONVERSATION];
/// What the attributes of a call take, about.
const ATTRIBUTES: usize = 512;

impl Making {
    pub(crate) fn with_room_for(rows: usize) -> Self {
        let text = |bytes: usize| StringBuilder::with_capacity(rows, rows * bytes);
        Self {
            project: text(40),
            trace: text(32),
            span: text(16),
            parent: text(16),
            name: text(16),
            kind: text(8),
            start: Int64Builder::with_capacity(rows),
            duration: Int64Builder::with_capacity(rows),
            status: text(8),
            message: text(0),
            entry: BooleanBuilder::with_capacity(rows),
            texts: std::array::from_fn(|_| text(0)),
            model: text(16),
            input_tokens: Int64Builder::with_capacity(rows),
            output_tokens: Int64Builder::with_capacity(rows),
            labels: ListBuilder::with_capacity(StringBuilder::new(), rows),
            content: text(0),
            attributes: text(ATTRIBUTES),
            events: text(2),
        }
    }

    /// Adds the row of a span. `texts` are its own.
    pub(crate) fn push(&mut self, span: &Span, texts: &Texts) {
        written(&mut self.project, &span.project);
        written(&mut self.trace, &span.trace);
        written(&mut self.span, &span.span);
        match &span.parent {
            Some(parent) => written(&mut self.parent, parent),
            None => self.parent.append_null(),
        }
        self.name.append_value(&span.name);
        self.kind.append_value(kind_text(span.kind));
        self.start.append_value(span.start.as_micros());
        self.duration.append_value(span.end.as_micros() - span.start.as_micros());
        self.status.append_value(status_text(&span.status));
        self.message.append_option(message(&span.status));
        self.entry.append_value(is_entry(span));
        for (column, key) in self.texts.iter_mut().zip(TEXTS) {
            column.append_option(span.attributes.get(key).and_then(Value::as_str));
        }
        self.model.append_option(model(span));
        let number = |key: &str| span.attributes.get(key).and_then(Value::as_i64);
        self.input_tokens.append_option(number(names::INPUT_TOKENS));
        self.output_tokens.append_option(number(names::OUTPUT_TOKENS));
        labels_of(span).into_iter().for_each(|list| self.labels.values().append_value(list));
        // Who may read a document is asked when somebody reads.
        documents_of(span).into_iter().for_each(|id| self.labels.values().append_value(Value::String(id).to_string()));
        self.labels.append(true);
        self.content.append_value(content(span));
        // JSON is UTF-8.
        self.attributes.append_value(std::str::from_utf8(texts.attributes()).unwrap_or_default());
        self.events.append_value(std::str::from_utf8(texts.events()).unwrap_or_default());
    }

    pub(crate) fn finish(mut self) -> Result<RecordBatch, TraceFault> {
        let [error, operation, app, user, session] = &mut self.texts;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.project.finish()),
            Arc::new(self.trace.finish()),
            Arc::new(self.span.finish()),
            Arc::new(self.parent.finish()),
            Arc::new(self.name.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.start.finish()),
            Arc::new(self.duration.finish()),
            Arc::new(self.status.finish()),
            Arc::new(self.message.finish()),
            Arc::new(self.entry.finish()),
            Arc::new(error.finish()),
            Arc::new(operation.finish()),
            Arc::new(self.model.finish()),
            Arc::new(app.finish()),
            Arc::new(user.finish()),
            Arc::new(session.finish()),
            Arc::new(self.input_tokens.finish()),
            Arc::new(self.output_tokens.finish()),
            Arc::new(self.labels.finish()),
            Arc::new(self.content.finish()),
            Arc::new(self.attributes.finish()),
            Arc::new(self.events.finish()),
        ];
        RecordBatch::try_new(schema(), columns).map_err(|error| TraceFault::Unreadable { reason: error.to_string() })
    }
}

fn written(column: &mut StringBuilder, value: &impl std::fmt::Display) {
    // A column in memory takes what it is given; the empty end closes the value.
    let _ = write!(column, "{value}");
    column.append_value("");
}

pub(crate) fn to_batch(spans: &[Span]) -> Result<RecordBatch, TraceFault> {
    let (mut rows, mut texts) = (Making::with_room_for(spans.len()), Texts::default());
    for span in spans {
        texts.write(span).map_err(|error| TraceFault::Unreadable { reason: error.to_string() })?;
        rows.push(span, &texts);
    }
    rows.finish()
}

/// The model that was asked. Whoever asks an app names the app where a model would be named.
fn model(span: &Span) -> Option<&str> {
    let of = |key: &str| span.attributes.get(key).and_then(Value::as_str);
    if of(names::OPERATION) == Some("invoke_agent") {
        of(names::RESPONSE_MODEL)
    } else {
        of(names::REQUEST_MODEL).or(of(names::RESPONSE_MODEL))
    }
}

/// Where a trace is entered: what lists show. A caller's own span may stand above it.
fn is_entry(span: &Span) -> bool {
    span.parent.is_none() || span.kind == SpanKind::Server
}

/// Each list as JSON: a reader needs one label of it. The column also holds documents, as JSON strings.
pub(crate) fn labels_of(span: &Span) -> Vec<String> {
    span.attributes.get(names::LABELS).and_then(Value::as_array).into_iter().flatten().map(Value::to_string).collect()
}

/// Texts of messages, for search: last question first, then the answer.
fn content(span: &Span) -> String {
    let mut text = String::new();
    for key in [names::QUERY, names::INPUT_MESSAGES, names::OUTPUT_MESSAGES] {
        if let Some(value) = span.attributes.get(key) {
            collect_text(value, &mut text);
        }
    }
    mainspring_kernel::text::elide(&text, CONTENT_MAX)
}

fn collect_text(value: &Value, text: &mut String) {
    match value {
        Value::String(part) => {
            text.push_str(part);
            text.push('\n');
        }
        Value::Array(items) => items.iter().for_each(|item| collect_text(item, text)),
        Value::Object(fields) => {
            for key in ["parts", "content"] {
                if let Some(value) = fields.get(key) {
                    collect_text(value, text);
                }
            }
        }
        _ => {}
    }
}

const fn kind_text(kind: SpanKind) -> &'static str {
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

fn message(status: &SpanStatus) -> Option<&str> {
    match status {
        SpanStatus::Error(message) => Some(message),
        SpanStatus::Unset | SpanStatus::Ok => None,
    }
}

/// Typed access to the columns of one batch.
pub(crate) struct Rows<'a>(pub(crate) &'a RecordBatch);

impl Rows<'_> {
    fn column<T: Array + 'static>(&self, name: &str) -> Result<&T, TraceFault> {
        self.0
            .column_by_name(name)
            .and_then(|column| column.as_any().downcast_ref::<T>())
            .ok_or_else(|| TraceFault::Unreadable { reason: format!("column `{name}` is missing or of another type") })
    }

    pub(crate) fn text(&self, name: &str, row: usize) -> Result<Option<&str>, TraceFault> {
        let column: &StringArray = self.column(name)?;
        Ok((!column.is_null(row)).then(|| column.value(row)))
    }

    pub(crate) fn number(&self, name: &str, row: usize) -> Result<Option<i64>, TraceFault> {
        let column: &Int64Array = self.column(name)?;
        Ok((!column.is_null(row)).then(|| column.value(row)))
    }

    pub(crate) fn labels(&self, row: usize) -> Result<Vec<String>, TraceFault> {
        let column: &ListArray = self.column("labels")?;
        let values = column.value(row);
        let values = values
            .as_any()
            .downcast_ref::<StringArray>()
            .ok_or_else(|| TraceFault::Unreadable { reason: "labels are not text".into() })?;
        Ok(values.iter().flatten().map(str::to_owned).collect())
    }

    pub(crate) fn span(&self, row: usize) -> Result<Span, TraceFault> {
        let unreadable = |what: &str| TraceFault::Unreadable { reason: format!("`{what}` of a span") };
        let need = |name: &str| self.text(name, row)?.ok_or_else(|| unreadable(name));
        let start = self.number("start", row)?.unwrap_or_default();
        let duration = self.number("duration", row)?.unwrap_or_default();
        let attributes: Map<String, Value> = serde_json::from_str(need("attributes")?).map_err(|_| unreadable("attributes"))?;
        let events: Vec<SpanEvent> = serde_json::from_str(need("events")?).map_err(|_| unreadable("events"))?;
        let parent = self.text("parent", row)?.map(str::parse).transpose().map_err(|_| unreadable("parent"))?;
        Ok(Span {
            project: need("project")?.parse().map_err(|_| unreadable("project"))?,
            trace: need("trace")?.parse().map_err(|_| unreadable("trace"))?,
            span: need("span")?.parse().map_err(|_| unreadable("span"))?,
            parent,
            name: need("name")?.to_owned(),
            kind: kind_of(need("kind")?),
            start: Timestamp::from_micros(start),
            end: Timestamp::from_micros(start + duration),
            status: match need("status")? {
                "ok" => SpanStatus::Ok,
                "error" => SpanStatus::Error(self.text("message", row)?.unwrap_or_default().to_owned()),
                _ => SpanStatus::Unset,
            },
            attributes,
            events,
        })
    }
}

fn kind_of(text: &str) -> SpanKind {
    match text {
        "server" => SpanKind::Server,
        "client" => SpanKind::Client,
        "producer" => SpanKind::Producer,
        "consumer" => SpanKind::Consumer,
        _ => SpanKind::Internal,
    }
}
