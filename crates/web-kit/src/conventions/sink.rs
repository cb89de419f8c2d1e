//! What a client says of its request, in the trace of it.

use std::sync::Arc;

use mainspring_kernel::text;
use mainspring_llm::{EventSink, Span, SpanId, trace::names};
use serde_json::{Map, Value};

use super::Wished;

/// Before the client's own names.
const METADATA: &str = "mainspring.metadata.";
const NAME_MAX: usize = 64;
const VALUE_MAX: usize = 512;
const ENTRIES_MAX: usize = 64;
/// Of what traces keep, what was answered; the rest of it was asked.
const ANSWERED: [&str; 2] = [names::OUTPUT_MESSAGES, "gen_ai.tool.call.result"];

/// The sink itself where there is nothing to add and nothing to leave out.
pub(super) fn of(wished: &Wished, inner: Arc<dyn EventSink>, parent: Option<SpanId>, may_omit: bool) -> Arc<dyn EventSink> {
    let attributes = attributes(wished);
    let kept = |omit: Option<&str>| omit.is_none() || !may_omit;
    let (asked, answered) = (kept(wished.omit_request), kept(wished.omit_response));
    if attributes.is_empty() && asked && answered {
        return inner;
    }
    Arc::new(Told { inner, parent, attributes, asked, answered })
}

fn attributes(wished: &Wished) -> Map<String, Value> {
    let mut attributes = Map::new();
    if let Some(session) = &wished.session {
        attributes.insert(names::CONVERSATION.to_owned(), text::elide(session, VALUE_MAX).into());
    }
    if let Some(user) = &wished.user {
        attributes.insert(names::USER.to_owned(), text::elide(user, VALUE_MAX).into());
    }
    for (name, value) in wished.metadata.iter().take(ENTRIES_MAX) {
        attributes.insert(format!("{METADATA}{}", text::elide(name, NAME_MAX)), short(value));
    }
    attributes
}

/// Texts, numbers and lists of texts stay what they are; what is deeper becomes text.
fn short(value: &Value) -> Value {
    match value {
        Value::String(said) => text::elide(said, VALUE_MAX).into(),
        Value::Array(list) if list.iter().all(Value::is_string) => list.iter().take(ENTRIES_MAX).map(short).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        deep => text::elide(&deep.to_string(), VALUE_MAX).into(),
    }
}

#[derive(Debug)]
struct Told {
    inner: Arc<dyn EventSink>,
    parent: Option<SpanId>,
    attributes: Map<String, Value>,
    /// Whether what was asked, and what was answered, may be kept.
    asked: bool,
    answered: bool,
}

impl EventSink for Told {
    fn record(&self, mut span: Span) {
        if span.parent == self.parent {
            for (name, value) in &self.attributes {
                // What we found out ourselves comes first.
                span.attributes.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        let kept = |key: &str| {
            let allowed = if ANSWERED.contains(&key) { self.answered } else { self.asked };
            allowed || !names::CONTENT.contains(&key)
        };
        span.attributes.retain(|key, _| kept(key));
        for event in &mut span.events {
            event.attributes.retain(|key, _| kept(key));
        }
        self.inner.record(span);
    }
}
