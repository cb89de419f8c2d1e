//! From rows to spans, and to what is known of them.

use std::borrow::Cow;

use arrow_array::{Array, BooleanArray, Int64Array, ListArray, RecordBatch, StringArray};
use mainspring_kernel::Timestamp;
use mainspring_llm::{
    Span,
    trace::{SpanEvent, SpanKind, SpanLink, SpanStatus},
};
use serde_json::{Map, Value};

use super::{ADOPTED, COUNTED_PART, LENT};
use crate::{
    conventions::{
        Facts, SpanType,
        counted::{Counted, Id, Quantity, Uses},
    },
    fault::TraceFault,
    searched::{CONTENT, REST, Searched},
};

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

    /// What of usage it says.
    pub(crate) fn uses(&self, row: usize) -> Result<Uses, TraceFault> {
        let tokens = [self.number("input_tokens", row)?, self.number("output_tokens", row)?];
        Ok(Uses::read(tokens, self.number("cost", row)?))
    }

    /// Whether that counts.
    pub(crate) fn counted(&self, row: usize) -> Result<Counted, TraceFault> {
        Ok((self.yes("counted", row)?, self.text(COUNTED_PART, row)?.and_then(Quantity::read)))
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
            facts.kind = kind;
            (facts.counted, facts.counted_part) = self.counted(row)?;
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
