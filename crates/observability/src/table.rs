//! Spans as rows of the table `spans`.

use std::{
    borrow::Cow,
    collections::HashSet,
    fmt::Write as _,
    sync::{Arc, LazyLock},
    time::Duration,
};

use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, ListArray, RecordBatch, StringArray,
    builder::{BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder},
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use mainspring_kernel::{Name, Timestamp};
use mainspring_lake::{IndexKind, IndexSpec, Past, TableSpec};
use mainspring_llm::{
    Span,
    trace::{SpanEvent, SpanKind, SpanLink, SpanStatus, names},
};
use serde_json::{Map, Value};

use crate::{
    conventions::{Facts, SpanType, counted::Id},
    fault::TraceFault,
    forget::documents_of,
    json,
    searched::{CONTENT, REST, Searched},
    values,
};

pub(crate) fn table_name() -> Result<Name, TraceFault> {
    "spans".parse().map_err(|fault: mainspring_kernel::name::NameFault| TraceFault::Unreadable { reason: fault.to_string() })
}

/// Nobody asks for spans as they were, and a busy server commits some several times a second.
const PAST: Past = Past::Brief { no_older_than: Duration::from_secs(15 * 60), versions: 200 };

pub(crate) fn spec() -> TableSpec {
    let index = |column: &str| IndexSpec { column: column.to_owned(), kind: IndexKind::Scalar };
    let packed = [CONTENT, REST, "attributes", "events", "links"].map(str::to_owned).into();
    TableSpec { schema: Arc::clone(&SCHEMA), indexes: vec![index("trace"), index("start")], past: PAST, packed }
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
    ]))
});

/// For how many spans a row stands; nothing where all of a project's are kept, and in rows of before this was a column.
pub(crate) const WEIGHT: &str = "weight";
/// A trace is entered by the row for want of an entry (`adopting.rs`); nothing in every other row.
pub(crate) const ADOPTED: &str = "adopted";
/// Which of its user, session and app a row took from other spans of its trace (`belonging.rs`), as bits; nothing where it took none.
pub(crate) const LENT: &str = "lent";
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

/// What of a span is kept as text, on the disk and in the table alike: its ids, and JSON.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    project: String,
    trace: String,
    span: String,
    /// Empty where there is none.
    parent: String,
    attributes: Vec<u8>,
    events: Vec<u8>,
    /// Empty where there are none.
    links: Vec<u8>,
}

impl Texts {
    /// Writes those of another span, into the same memory.
    pub(crate) fn write(&mut self, span: &Span) -> std::io::Result<()> {
        written(&mut self.project, &span.project);
        written(&mut self.trace, &span.trace);
        written(&mut self.span, &span.span);
        match &span.parent {
            Some(parent) => written(&mut self.parent, parent),
            None => self.parent.clear(),
        }
        self.attributes.clear();
        self.events.clear();
        self.links.clear();
        json::write_map(&span.attributes, &mut self.attributes)?;
        serde_json::to_writer(&mut self.events, &span.events)?;
        if !span.links.is_empty() {
            serde_json::to_writer(&mut self.links, &span.links)?;
        }
        Ok(())
    }

    pub(crate) fn project(&self) -> &str {
        &self.project
    }

    pub(crate) fn trace(&self) -> &str {
        &self.trace
    }

    pub(crate) fn span(&self) -> &str {
        &self.span
    }

    pub(crate) fn parent(&self) -> Option<&str> {
        Some(self.parent.as_str()).filter(|parent| !parent.is_empty())
    }

    pub(crate) fn attributes(&self) -> &[u8] {
        &self.attributes
    }

    pub(crate) fn events(&self) -> &[u8] {
        &self.events
    }

    pub(crate) fn links(&self) -> &[u8] {
        &self.links
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
    /// Columns of text that a span may lack, in the order of `words`.
    words: [StringBuilder; WORDS],
    /// Columns of whole numbers that a span may lack, in the order of `numbers`.
    numbers: [Int64Builder; NUMBERS],
    labels: ListBuilder<StringBuilder>,
    content: StringBuilder,
    attributes: StringBuilder,
    events: StringBuilder,
    tags: ListBuilder<StringBuilder>,
    counted: BooleanBuilder,
    links: StringBuilder,
    /// Values that lie among the blobs, by their digests, and how many bytes they take there.
    large: ListBuilder<StringBuilder>,
    large_bytes: Int64Builder,
    weight: Float64Builder,
    rest: StringBuilder,
    adopted: BooleanBuilder,
    lent: Int64Builder,
}

const WORDS: usize = 14;
const NUMBERS: usize = 7;
/// What the attributes of a call take, about.
const ATTRIBUTES: usize = 512;

fn words<'a>(facts: &'a Facts<'_>) -> [Option<&'a str>; WORDS] {
    [
        facts.error_type.as_deref(),
        facts.operation.as_deref(),
        facts.model(),
        facts.app.as_deref(),
        facts.user.as_deref(),
        facts.session.as_deref(),
        Some(facts.kind.as_str()),
        facts.provider.as_deref(),
        facts.response_model.as_deref(),
        facts.service.as_deref(),
        facts.environment.as_deref(),
        facts.release.as_deref(),
        facts.prompt.as_deref(),
        facts.key.as_deref(),
    ]
}

fn numbers(Facts { tokens, cost, first_token, .. }: &Facts<'_>) -> [Option<i64>; NUMBERS] {
    [tokens.input, tokens.output, tokens.cache_read, tokens.cache_write, tokens.reasoning, *cost, *first_token]
}

impl Making {
    pub(crate) fn with_room_for(rows: usize) -> Self {
        let text = |bytes: usize| StringBuilder::with_capacity(rows, rows * bytes);
        let list = || ListBuilder::with_capacity(StringBuilder::new(), rows);
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
            words: std::array::from_fn(|_| text(0)),
            numbers: std::array::from_fn(|_| Int64Builder::with_capacity(rows)),
            labels: list(),
            content: text(0),
            attributes: text(ATTRIBUTES),
            events: text(2),
            tags: list(),
            counted: BooleanBuilder::with_capacity(rows),
            links: text(0),
            large: list(),
            large_bytes: Int64Builder::with_capacity(rows),
            weight: Float64Builder::with_capacity(rows),
            rest: text(0),
            adopted: BooleanBuilder::with_capacity(rows),
            lent: Int64Builder::with_capacity(rows),
        }
    }

    /// Adds the row of a span. `texts`, `facts` and `searched` are its own.
    pub(crate) fn push(&mut self, span: &Span, texts: &Texts, facts: &Facts<'_>, searched: &Searched) {
        self.project.append_value(texts.project());
        self.trace.append_value(texts.trace());
        self.span.append_value(texts.span());
        self.parent.append_option(texts.parent());
        self.name.append_value(&span.name);
        self.kind.append_value(kind_text(span.kind));
        self.start.append_value(span.start.as_micros());
        // Clocks are wrong now and then.
        self.duration.append_value(span.end.as_micros().saturating_sub(span.start.as_micros()).max(0));
        self.status.append_value(status_text(&span.status));
        self.message.append_option(message(&span.status));
        let begins = is_entry(span);
        self.entry.append_value(begins || facts.adopted);
        self.words.iter_mut().zip(words(facts)).for_each(|(column, word)| column.append_option(word));
        self.numbers.iter_mut().zip(numbers(facts)).for_each(|(column, number)| column.append_option(number));
        labels_of(span).into_iter().for_each(|list| self.labels.values().append_value(list));
        // Who may read a document is asked when somebody reads.
        documents_of(span).into_iter().for_each(|id| self.labels.values().append_value(Value::String(id).to_string()));
        self.labels.append(true);
        self.content.append_value(&searched.content);
        // JSON is UTF-8.
        let json = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        self.attributes.append_value(json(texts.attributes()));
        self.events.append_value(json(texts.events()));
        facts.tags.iter().for_each(|tag| self.tags.values().append_value(tag));
        self.tags.append(!facts.tags.is_empty());
        self.counted.append_option(facts.counted);
        self.links.append_option(Some(json(texts.links())).filter(|links| !links.is_empty()));
        let large = values::named_by(span);
        large.iter().for_each(|value| self.large.values().append_value(value.digest.to_string()));
        self.large.append(!large.is_empty());
        let bytes: u64 = large.iter().map(|value| value.bytes).sum();
        self.large_bytes.append_option((!large.is_empty()).then(|| i64::try_from(bytes).unwrap_or(i64::MAX)));
        self.weight.append_option(weight_of(span));
        self.rest.append_option(searched.rest.as_deref());
        self.adopted.append_option((facts.adopted && !begins).then_some(true));
        self.lent.append_option(facts.lent);
    }

    pub(crate) fn finish(mut self) -> Result<RecordBatch, TraceFault> {
        let [error, operation, model, app, user, session, kind, provider, answered, service, environment, release, prompt, key] =
            &mut self.words;
        let [input, output, cache_read, cache_write, reasoning, cost, first_token] = &mut self.numbers;
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
            Arc::new(model.finish()),
            Arc::new(app.finish()),
            Arc::new(user.finish()),
            Arc::new(session.finish()),
            Arc::new(input.finish()),
            Arc::new(output.finish()),
            Arc::new(self.labels.finish()),
            Arc::new(self.content.finish()),
            Arc::new(self.attributes.finish()),
            Arc::new(self.events.finish()),
            Arc::new(kind.finish()),
            Arc::new(provider.finish()),
            Arc::new(answered.finish()),
            Arc::new(service.finish()),
            Arc::new(environment.finish()),
            Arc::new(release.finish()),
            Arc::new(prompt.finish()),
            Arc::new(key.finish()),
            Arc::new(cache_read.finish()),
            Arc::new(cache_write.finish()),
            Arc::new(reasoning.finish()),
            Arc::new(cost.finish()),
            Arc::new(first_token.finish()),
            Arc::new(self.tags.finish()),
            Arc::new(self.counted.finish()),
            Arc::new(self.links.finish()),
            Arc::new(self.large.finish()),
            Arc::new(self.large_bytes.finish()),
            Arc::new(self.weight.finish()),
            Arc::new(self.rest.finish()),
            Arc::new(self.adopted.finish()),
            Arc::new(self.lent.finish()),
        ];
        RecordBatch::try_new(Arc::clone(&SCHEMA), columns).map_err(|error| TraceFault::Unreadable { reason: error.to_string() })
    }
}

fn written(text: &mut String, value: &impl std::fmt::Display) {
    text.clear();
    // A text in memory takes what it is given.
    let _ = write!(text, "{value}");
}

/// What a row is made of: what is searched of the span is read from it where nobody knows more of it.
pub(crate) type Made<'a> = (&'a Span, Facts<'a>, Option<Cow<'a, Searched>>);

pub(crate) fn to_batch(spans: &[Span]) -> Result<RecordBatch, TraceFault> {
    to_batch_of(spans.iter().map(|span| (span, Facts::of(span), None)))
}

pub(crate) fn to_batch_of<'a>(spans: impl ExactSizeIterator<Item = Made<'a>>) -> Result<RecordBatch, TraceFault> {
    let (mut rows, mut texts) = (Making::with_room_for(spans.len()), Texts::default());
    for (span, facts, searched) in spans {
        texts.write(span).map_err(|error| TraceFault::Unreadable { reason: error.to_string() })?;
        rows.push(span, &texts, &facts, &searched.unwrap_or_else(|| Cow::Owned(Searched::of(span))));
    }
    rows.finish()
}

/// The same rows, of which these count no longer.
pub(crate) fn uncounted(batch: &RecordBatch, ids: &HashSet<Id>) -> Result<RecordBatch, TraceFault> {
    let rows = Rows(batch);
    let mut counted = BooleanBuilder::with_capacity(batch.num_rows());
    let mut changed = false;
    for row in 0..batch.num_rows() {
        let covered = rows.yes("counted", row)? == Some(true) && ids.contains(&rows.id(row)?);
        changed |= covered;
        counted.append_option(if covered { Some(false) } else { rows.yes("counted", row)? });
    }
    if changed { with_counted(batch, counted.finish()) } else { Ok(batch.clone()) }
}

/// The same rows, of which these count.
pub(crate) fn with_counted(batch: &RecordBatch, counted: BooleanArray) -> Result<RecordBatch, TraceFault> {
    let unreadable = |reason: String| TraceFault::Unreadable { reason };
    let at = batch.schema().index_of("counted").map_err(|error| unreadable(error.to_string()))?;
    let mut columns = batch.columns().to_vec();
    columns[at] = Arc::new(counted);
    RecordBatch::try_new(batch.schema(), columns).map_err(|error| unreadable(error.to_string()))
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

/// Each list as JSON: a reader needs one label of it. The column also holds documents, as JSON strings.
pub(crate) fn labels_of(span: &Span) -> Vec<String> {
    span.attributes.get(names::LABELS).and_then(Value::as_array).into_iter().flatten().map(Value::to_string).collect()
}

/// For how many spans this one stands, where its project keeps only some of them.
fn weight_of(span: &Span) -> Option<f64> {
    span.attributes.get(names::SAMPLING_WEIGHT).and_then(Value::as_f64).filter(|weight| weight.is_finite() && *weight >= 1.0)
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

fn message(status: &SpanStatus) -> Option<&str> {
    match status {
        SpanStatus::Error(message) => Some(message),
        SpanStatus::Unset | SpanStatus::Ok => None,
    }
}

/// Typed access to the columns of one batch.
pub(crate) struct Rows<'a>(pub(crate) &'a RecordBatch);

impl Rows<'_> {
    pub(crate) fn column<T: Array + 'static>(&self, name: &str) -> Result<&T, TraceFault> {
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

    /// What is searched of a span, as it was written.
    pub(crate) fn searched(&self, row: usize) -> Result<Searched, TraceFault> {
        let text = |name: &str| Ok::<_, TraceFault>(self.text(name, row)?.map(str::to_owned));
        Ok(Searched { content: text(CONTENT)?.unwrap_or_default(), rest: text(REST)? })
    }

    pub(crate) fn id(&self, row: usize) -> Result<Id, TraceFault> {
        let unreadable = |what: &str| TraceFault::Unreadable { reason: format!("`{what}` of a span") };
        let need = |name: &str| self.text(name, row)?.ok_or_else(|| unreadable(name));
        Ok((
            need("project")?.parse().map_err(|_| unreadable("project"))?,
            need("trace")?.parse().map_err(|_| unreadable("trace"))?,
            need("span")?.parse().map_err(|_| unreadable("span"))?,
        ))
    }

    pub(crate) fn yes(&self, name: &str, row: usize) -> Result<Option<bool>, TraceFault> {
        let column: &BooleanArray = self.column(name)?;
        Ok((!column.is_null(row)).then(|| column.value(row)))
    }

    /// What was written of a span when there was more to read it from: numbers and ids, which forgetting does not take; and what
    /// the table alone knows.
    pub(crate) fn facts<'a>(&self, row: usize, mut facts: Facts<'a>) -> Result<Facts<'a>, TraceFault> {
        let words = [
            ("operation", &mut facts.operation),
            ("provider", &mut facts.provider),
            ("model", &mut facts.request_model),
            ("response_model", &mut facts.response_model),
            ("user", &mut facts.user),
            ("session", &mut facts.session),
            ("app", &mut facts.app),
        ];
        for (name, fact) in words {
            if let Some(word) = self.text(name, row)? {
                *fact = Some(Cow::Owned(word.to_owned()));
            }
        }
        let numbers = [
            ("input_tokens", &mut facts.tokens.input),
            ("output_tokens", &mut facts.tokens.output),
            ("cache_read_tokens", &mut facts.tokens.cache_read),
            ("cache_write_tokens", &mut facts.tokens.cache_write),
            ("reasoning_tokens", &mut facts.tokens.reasoning),
            ("cost", &mut facts.cost),
            ("first_token", &mut facts.first_token),
        ];
        for (name, fact) in numbers {
            *fact = self.number(name, row)?.or(*fact);
        }
        if let Some(kind) = self.text("type", row)?.and_then(SpanType::read) {
            (facts.kind, facts.counted) = (kind, self.yes("counted", row)?);
        }
        facts.adopted = self.yes(ADOPTED, row)? == Some(true);
        facts.lent = self.number(LENT, row)?;
        Ok(facts)
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
        // Rows of before there were links lack the column or have nothing in it.
        let links = self.text("links", row).ok().flatten();
        let links: Vec<SpanLink> =
            links.map(serde_json::from_str).transpose().map_err(|_| unreadable("links"))?.unwrap_or_default();
        let parent = self.text("parent", row)?.map(str::parse).transpose().map_err(|_| unreadable("parent"))?;
        let (project, trace, span) = self.id(row)?;
        Ok(Span {
            project,
            trace,
            span,
            parent,
            name: need("name")?.to_owned(),
            kind: kind_of(need("kind")?),
            start: Timestamp::from_micros(start),
            end: Timestamp::from_micros(start.saturating_add(duration)),
            status: match need("status")? {
                "ok" => SpanStatus::Ok,
                "error" => SpanStatus::Error(self.text("message", row)?.unwrap_or_default().to_owned()),
                _ => SpanStatus::Unset,
            },
            attributes,
            events,
            links,
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
