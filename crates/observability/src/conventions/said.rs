//! What the attributes of a span say, each by the name that counts most.

use std::borrow::Cow;

use mainspring_llm::Span;
use serde_json::Value;

use super::{
    aliases::{self, Alias, Convention, Fact},
    kinds::SpanType,
    values,
};

#[derive(Debug)]
pub(crate) struct Said<'a> {
    heard: [Option<(Alias, &'a Value)>; Fact::COUNT],
    /// The first of its names that means more than that there is a span.
    kind: Option<(u16, SpanType)>,
    bare: bool,
    written_out: bool,
}

impl<'a> Said<'a> {
    pub(super) fn by(span: &'a Span) -> Self {
        let mut said = Self { heard: [None; Fact::COUNT], kind: None, bare: false, written_out: false };
        for (name, value) in &span.attributes {
            if let Some(alias) = aliases::alias(name) {
                said.written_out |= !alias.whole;
                said.hear(name, alias, value);
            }
        }
        said
    }

    fn hear(&mut self, name: &str, alias: Alias, value: &'a Value) {
        if value.is_null() || value.as_str().is_some_and(str::is_empty) {
            return;
        }
        if matches!(alias.fact, Fact::Type | Fact::Operation) {
            let kind = values::text(value).and_then(|word| SpanType::of_word(&word));
            if let Some(kind) = kind.filter(|_| self.kind.is_none_or(|(rank, _)| alias.rank < rank)) {
                self.kind = Some((alias.rank, kind));
            }
        }
        let place = &mut self.heard[alias.fact as usize];
        if place.is_none_or(|(before, _)| alias.rank < before.rank) {
            *place = Some((alias, value));
            if alias.fact == Fact::InputTokens {
                self.bare = name == aliases::BARE_INPUT;
            }
        }
    }

    pub(super) fn value(&self, fact: Fact) -> Option<&'a Value> {
        self.heard[fact as usize].map(|(_, value)| value)
    }

    /// The same; a text without its quotes where they write everything as JSON.
    pub(super) fn written(&self, fact: Fact) -> Option<Cow<'a, Value>> {
        let (spoken, value) = self.heard(fact)?;
        let quoted = value.as_str().filter(|_| matches!(spoken, Convention::Mlflow | Convention::OpenLlmetry));
        match quoted.map(values::unquoted) {
            Some(Cow::Owned(text)) => Some(Cow::Owned(text.into())),
            _ => Some(Cow::Borrowed(value)),
        }
    }

    /// What went into a step or came out of it, in a convention that has one pair of names for steps of every kind; messages of
    /// the present conventions are messages in any step.
    pub(super) fn of_step(&self, fact: Fact) -> Option<Cow<'a, Value>> {
        self.written(fact).filter(|_| self.is_whole(fact) && !self.is_current(fact))
    }

    /// Whether it is one attribute, and not one of many that begin alike.
    pub(super) fn is_whole(&self, fact: Fact) -> bool {
        self.heard[fact as usize].is_some_and(|(alias, _)| alias.whole)
    }

    /// Whether it is said as the present conventions say it.
    pub(super) fn is_current(&self, fact: Fact) -> bool {
        self.heard[fact as usize].is_some_and(|(alias, _)| alias.whole && alias.spoken == Convention::GenAi)
    }

    /// With who speaks so.
    pub(super) fn heard(&self, fact: Fact) -> Option<(Convention, &'a Value)> {
        self.heard[fact as usize].map(|(alias, value)| (alias.spoken, value))
    }

    pub(super) fn has(&self, fact: Fact) -> bool {
        self.heard[fact as usize].is_some()
    }

    /// By what the span calls itself, otherwise by what it carries.
    pub(super) fn kind(&self) -> SpanType {
        if let Some((_, kind)) = self.kind {
            return kind;
        }
        let has = |facts: &[Fact]| facts.iter().any(|fact| self.has(*fact));
        if has(&[Fact::ToolName, Fact::ToolResult, Fact::ToolArguments]) {
            SpanType::Tool
        } else if has(&[Fact::Documents, Fact::Query]) {
            SpanType::Retriever
        } else if has(&[Fact::RequestModel, Fact::ResponseModel, Fact::Model])
            && has(&[Fact::InputTokens, Fact::OutputTokens, Fact::Usage, Fact::Provider])
        {
            SpanType::Chat
        } else {
            SpanType::Span
        }
    }

    /// Whether nothing is written by this kind of call, so that all its tokens are input.
    pub(super) fn reads_only(&self) -> bool {
        matches!(self.kind(), SpanType::Embedding | SpanType::Rerank)
    }

    /// Whether anything is said in many attributes that begin alike.
    pub(super) const fn is_written_out(&self) -> bool {
        self.written_out
    }

    pub(super) const fn counts_cache_beside(&self) -> bool {
        self.bare
    }
}
