//! From spans to rows.

use std::{borrow::Cow, sync::Arc};

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder},
};
use mainspring_llm::{
    Span,
    trace::{SpanStatus, names},
};
use serde_json::Value;

use super::{SCHEMA, is_entry, kind_text, status_text, texts::Texts};
use crate::{
    conventions::{Facts, counted::Quantity},
    fault::TraceFault,
    forget::documents_of,
    searched::Searched,
    values,
};

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
    counted_part: StringBuilder,
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
            counted_part: text(0),
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
        self.counted_part.append_option(facts.counted_part.map(Quantity::as_str));
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
            Arc::new(self.counted_part.finish()),
        ];
        RecordBatch::try_new(Arc::clone(&SCHEMA), columns).map_err(|error| TraceFault::Unreadable { reason: error.to_string() })
    }
}

/// What a row is made of: what is searched of the span is read from it where nobody knows more of it.
type Made<'a> = (&'a Span, Facts<'a>, Option<Cow<'a, Searched>>);

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

/// Each list as JSON: a reader needs one label of it. The column also holds documents, as JSON strings.
fn labels_of(span: &Span) -> Vec<String> {
    span.attributes.get(names::LABELS).and_then(Value::as_array).into_iter().flatten().map(Value::to_string).collect()
}

/// For how many spans this one stands, where its project keeps only some of them.
fn weight_of(span: &Span) -> Option<f64> {
    span.attributes.get(names::SAMPLING_WEIGHT).and_then(Value::as_f64).filter(|weight| weight.is_finite() && *weight >= 1.0)
}

fn message(status: &SpanStatus) -> Option<&str> {
    match status {
        SpanStatus::Error(message) => Some(message),
        SpanStatus::Unset | SpanStatus::Ok => None,
    }
}
