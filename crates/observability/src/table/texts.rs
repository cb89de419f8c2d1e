//! What of a span is written as text.

use std::fmt::Write as _;

use mainspring_llm::Span;

use crate::json;

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

fn written(text: &mut String, value: &impl std::fmt::Display) {
    text.clear();
    // A text in memory takes what it is given.
    let _ = write!(text, "{value}");
}
