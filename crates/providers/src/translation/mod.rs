//! What of a request and of an answer survives translation, found out by translating: a table for people, and for a test
//! that keeps it true.
//!
//! Each row holds something to say, as each dialect that can say it says it, and marks by which it is known again on the
//! other side.

mod answers;
mod endings;
mod page;
mod requests;
mod samples;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub use page::page;

use crate::{seam::Endpoint, spec::ProviderKind};

/// What clients speak here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    Chat,
    Responses,
    Messages,
}

/// Who is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// OpenAI itself, over chat completions; Azure is alike.
    OpenAi,
    /// A server of that dialect of which nothing more is known.
    Compatible,
    Anthropic,
    Gemini,
    Bedrock,
}

/// What became of something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    /// Said, but for these fields or in another way.
    Changed(Vec<String>),
    /// Left behind, and named.
    Lost(Vec<String>),
    Refused,
    /// Left behind without a word.
    Gone,
}

impl Client {
    pub(crate) const ALL: [Self; 3] = [Self::Chat, Self::Responses, Self::Messages];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Chat => "Chat completions",
            Self::Responses => "Responses",
            Self::Messages => "Anthropic's messages",
        }
    }

    /// Whom requests of this dialect are translated for; others get them as they came.
    pub(crate) const fn servers(self) -> &'static [Server] {
        match self {
            Self::Chat => &[Server::Anthropic, Server::Gemini, Server::Bedrock],
            Self::Responses => &[Server::Compatible, Server::Anthropic, Server::Gemini, Server::Bedrock],
            Self::Messages => &[Server::OpenAi, Server::Compatible, Server::Gemini, Server::Bedrock],
        }
    }
}

impl Server {
    pub(crate) const ALL: [Self; 4] = [Self::OpenAi, Self::Anthropic, Self::Gemini, Self::Bedrock];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "OpenAI, Azure",
            Self::Compatible => "others of OpenAI's dialect",
            Self::Anthropic => "Anthropic",
            Self::Gemini => "Gemini",
            Self::Bedrock => "Bedrock",
        }
    }

    const fn kind(self) -> ProviderKind {
        match self {
            Self::OpenAi | Self::Compatible => ProviderKind::OpenAi,
            Self::Anthropic => ProviderKind::Anthropic,
            Self::Gemini => ProviderKind::Gemini,
            Self::Bedrock => ProviderKind::Bedrock,
        }
    }

    const fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::OpenAi => ("https://api.openai.com/v1", "gpt-4.1"),
            Self::Compatible => ("https://models.example/v1", "a-model"),
            Self::Anthropic => ("https://api.anthropic.com", "claude-sonnet-4-5"),
            Self::Gemini => ("https://generativelanguage.googleapis.com/v1beta", "gemini-2.5-flash"),
            Self::Bedrock => ("https://bedrock-runtime.us-east-1.amazonaws.com", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        }
    }

    /// A model of it. Nothing is sent there.
    pub(crate) fn endpoint(self) -> Option<Endpoint> {
        let (base_url, model) = self.place();
        let region = Some("us-east-1".to_owned());
        Some(Endpoint { region, ..Endpoint::new("main".parse().ok()?, self.kind(), base_url, model) })
    }
}

/// Whether a text holds every mark; a mark may have alternatives, between bars.
fn holds(text: &str, marks: &[&str]) -> bool {
    marks.iter().all(|mark| mark.split(" | ").any(|mark| text.contains(mark)))
}

/// The fields of `more` take the places of those of `base`.
fn merged(base: &str, more: &str) -> Option<Value> {
    let mut base: Value = serde_json::from_str(base).ok()?;
    let Value::Object(more) = serde_json::from_str(more).ok()? else { return None };
    base.as_object_mut()?.extend(more);
    Some(base)
}
