//! What is kept of what people wrote and read.

mod fault;
mod policies;
mod policy;
mod recognise;
mod redact;
mod store;

#[cfg(test)]
mod tests;

use mainspring_llm::{
    Span,
    trace::{SpanStatus, names},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::conventions::{alias, is_content, is_content_of_event, is_person, may_be_content_of_event};

pub use fault::CaptureFault;
pub use policies::{CapturePolicies, Policies, Preview, ShownPolicy};
pub use policy::{CapturePolicy, OwnPattern};
pub use redact::Found;

pub(crate) use policy::Policy;

/// How much is kept, from the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capture {
    /// Names, times, tokens, versions; no content, no user and no session, and no text under a name that nobody knows.
    None,
    /// No content.
    Metadata,
    /// Content with addresses, numbers and secrets replaced.
    Redacted,
    #[default]
    Full,
}

impl Capture {
    pub const ALL: [Self; 4] = [Self::None, Self::Metadata, Self::Redacted, Self::Full];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Metadata => "metadata",
            Self::Redacted => "redacted",
            Self::Full => "full",
        }
    }
}

/// Text as a project keeps it that has no patterns of its own.
#[cfg(test)]
pub(crate) fn redact(text: &str) -> String {
    Policy::of(Capture::Redacted).redactor.text(text, &mut Found::default()).unwrap_or_else(|| text.to_owned())
}

/// This server's own words, by which it finds and guards things: nobody wrote them, and none is the same when it is changed.
const OURS: &[&str] = &[
    names::APP,
    names::KEY,
    names::RUN,
    names::REQUEST,
    names::VERSIONS,
    names::LAKE_TABLE,
    names::LAKE_VERSION,
    names::LAKE_TRANSACTION,
    names::LAKE_PINS,
    names::SOURCES,
    names::DOCUMENTS,
    names::LABELS,
    names::ANSWER_DIGEST,
    names::REDACTED,
    names::SAMPLING_WEIGHT,
    names::SIGNAL,
];

/// Beginnings of names whose text is a machine's: kept where nothing of a person is.
const MACHINES: &[&str] = &[
    "mainspring.",
    "otel.",
    "resource.service.",
    "resource.telemetry.",
    "resource.deployment.",
    "error.type",
    "gen_ai.token.type",
    "http.request.method",
    "http.route",
    "server.address",
];

/// Under which names the parameters of a call name its model.
const MODELS: &[&str] = &["model", "model_name"];

/// Texts of events that tell of an error, and may quote what was asked.
const OF_ERRORS: &[&str] = &["exception.message", "exception.stacktrace"];

impl Policy {
    /// Takes out of a span what may not be kept, before anything is written. Answers what was redacted, which the span says too.
    pub(crate) fn apply(&self, span: &mut Span) -> Found {
        let mut found = Found::default();
        if self.capture == Capture::Full {
            return found;
        }
        if self.capture <= Capture::Metadata {
            self.leave_out(span);
        }
        self.redact(span, &mut found);
        if !found.is_empty() {
            span.attributes.insert(names::REDACTED.to_owned(), found.to_json());
        }
        found
    }

    /// Of the attributes of points, which hold no prompts but may hold who asked.
    pub(crate) fn apply_to_point(&self, attributes: &mut Map<String, Value>) -> Found {
        let mut found = Found::default();
        if self.capture <= Capture::Metadata {
            attributes.retain(|name, value| self.keeps(name, value));
        }
        if self.capture < Capture::Full {
            self.redact_attributes(attributes, &mut found);
        }
        found
    }

    fn leave_out(&self, span: &mut Span) {
        // A log record is an event too, and some say beside its body what others say in it.
        let record = span.attributes.contains_key(names::SIGNAL).then_some(span.name.as_str());
        let is_said = |name: &str| !is_person(name) && record.is_some_and(|record| is_content_of_event(record, name));
        span.attributes.retain(|name, value| !is_said(name) && self.keeps(name, value));
        for (_, value) in span.attributes.iter_mut().filter(|(name, _)| holds_more(name)) {
            leave_out_words(value);
        }
        for event in &mut span.events {
            let kind = &event.name;
            event.attributes.retain(|name, value| !may_be_content_of_event(kind, name) && self.keeps(name, value));
        }
        for link in &mut span.links {
            link.attributes.retain(|name, value| self.keeps(name, value));
        }
        if self.capture == Capture::None
            && let SpanStatus::Error(message) = &mut span.status
        {
            message.clear();
        }
    }

    /// Whether an attribute may be kept where content may not.
    fn keeps(&self, name: &str, value: &Value) -> bool {
        if is_content(name) {
            return false;
        }
        if self.capture != Capture::None {
            return true;
        }
        let plain = matches!(value, Value::Null | Value::Bool(_) | Value::Number(_));
        let known =
            alias(name).is_some_and(|alias| !alias.fact.holds_more()) || MACHINES.iter().any(|begins| name.starts_with(begins));
        !is_person(name) && !OF_ERRORS.contains(&name) && (plain || known)
    }

    fn redact(&self, span: &mut Span, found: &mut Found) {
        self.redactor.string(&mut span.name, found);
        if let SpanStatus::Error(message) = &mut span.status {
            self.redactor.string(message, found);
        }
        self.redact_attributes(&mut span.attributes, found);
        for event in &mut span.events {
            self.redactor.string(&mut event.name, found);
            self.redact_attributes(&mut event.attributes, found);
        }
        for link in &mut span.links {
            self.redact_attributes(&mut link.attributes, found);
        }
    }

    fn redact_attributes(&self, attributes: &mut Map<String, Value>, found: &mut Found) {
        for (name, value) in attributes.iter_mut() {
            // Without content, who asked is all there is to tell users apart by.
            let is_who = self.capture <= Capture::Metadata && is_person(name);
            if !is_who && !OURS.contains(&name.as_str()) {
                self.redactor.field(name, value, found);
            }
        }
        self.redactor.names(attributes, found);
    }
}

fn holds_more(name: &str) -> bool {
    alias(name).is_some_and(|alias| alias.fact.holds_more())
}

/// Of what a call was made with, leaves which model it was to ask, and what is no text: among the others is what a model is told.
fn leave_out_words(value: &mut Value) {
    let (fields, is_text) = match value {
        Value::String(text) => (serde_json::from_str::<Map<String, Value>>(text).ok(), true),
        Value::Object(fields) => (Some(std::mem::take(fields)), false),
        _ => (None, false),
    };
    let mut fields = fields.unwrap_or_default();
    fields.retain(|name, value| MODELS.contains(&name.as_str()) || matches!(value, Value::Bool(_) | Value::Number(_)));
    *value = if is_text { Value::Object(fields).to_string().into() } else { fields.into() };
}
