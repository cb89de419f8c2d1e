//! Spans as rows of the table `spans`.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, ListArray, RecordBatch, StringArray,
    builder::{ListBuilder, StringBuilder},
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use mainspring_kernel::{Name, Timestamp};
use mainspring_lake::{IndexKind, IndexSpec, TableSpec};
use mainspring_llm::{
    Span,
    trace::{SpanEvent, SpanKind, SpanStatus, names},
};
use serde_json::{Map, Value};

use crate::{fault::TraceFault, forget::documents_of};

pub(crate) fn table_name() -> Result<Name, TraceFault> {
    "spans".parse().map_err(|fault: mainspring_kernel::name::NameFault| TraceFault::Unreadable { reason: fault.to_string() })
}

pub(crate) fn spec() -> TableSpec {
    let index = |column: &str| IndexSpec { column: column.to_owned(), kind: IndexKind::Scalar };
    TableSpec { schema: schema(), indexes: vec![index("trace"), index("start")] }
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

pub(crate) fn to_batch(spans: &[Span]) -> Result<RecordBatch, TraceFault> {
    let text = |f: &dyn Fn(&Span) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values(spans.iter().map(f))) };
    let attribute = |key: &str| -> ArrayRef {
        Arc::new(spans.iter().map(|span| span.attributes.get(key).and_then(Value::as_str)).collect::<StringArray>())
    };
    let number = |key: &str| -> ArrayRef {
        Arc::new(spans.iter().map(|span| span.attributes.get(key).and_then(Value::as_i64)).collect::<Int64Array>())
    };
    let json = |value: &Value| value.to_string();
    let columns: Vec<ArrayRef> = vec![
        text(&|span| span.project.to_string()),
        text(&|span| span.trace.to_string()),
        text(&|span| span.span.to_string()),
        Arc::new(spans.iter().map(|span| span.parent.map(|parent| parent.to_string())).collect::<StringArray>()),
        text(&|span| span.name.clone()),
        text(&|span| kind_text(span.kind).to_owned()),
        Arc::new(spans.iter().map(|span| span.start.as_micros()).collect::<Int64Array>()),
        Arc::new(spans.iter().map(|span| span.end.as_micros() - span.start.as_micros()).collect::<Int64Array>()),
        text(&|span| status_text(&span.status).to_owned()),
        Arc::new(spans.iter().map(|span| message(&span.status)).collect::<StringArray>()),
        Arc::new(spans.iter().map(|span| Some(is_entry(span))).collect::<BooleanArray>()),
        attribute(names::ERROR),
        attribute(names::OPERATION),
        Arc::new(spans.iter().map(model).collect::<StringArray>()),
        attribute(names::APP),
        attribute(names::USER),
        attribute(names::CONVERSATION),
        number(names::INPUT_TOKENS),
        number(names::OUTPUT_TOKENS),
        Arc::new(labels(spans)),
        text(&content),
        text(&|span| json(&Value::Object(span.attributes.clone()))),
        text(&|span| serde_json::to_string(&span.events).unwrap_or_default()),
    ];
    RecordBatch::try_new(schema(), columns).map_err(|error| TraceFault::Unreadable { reason: error.to_string() })
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

fn labels(spans: &[Span]) -> ListArray {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for span in spans {
        labels_of(span).into_iter().for_each(|list| builder.values().append_value(list));
        // Who may read a document is asked when somebody reads.
        documents_of(span).into_iter().for_each(|id| builder.values().append_value(Value::String(id).to_string()));
        builder.append(true);
    }
    builder.finish()
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
