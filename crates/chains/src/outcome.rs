//! What is known about an answer beside its text: the `mainspring` field of an OpenAI answer.

use std::{fmt, str::FromStr};

use mainspring_kernel::{AssetKind, Digest};
use mainspring_llm::{HitScores, Passage, TablePin, TraceId, Unread};
use serde::{Deserialize, Serialize};

use crate::citations::{Citation, Unsupported};

/// A version that took part in an answer, written `prompt/answer@v3#sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VersionUsed {
    pub kind: AssetKind,
    pub name: String,
    /// 0 for a model, whose version is its digest.
    pub number: u32,
    pub digest: String,
}

impl fmt::Display for VersionUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => write!(f, "{}/{}#{}", self.kind, self.name, self.digest),
            number => write!(f, "{}/{}@v{number}#{}", self.kind, self.name, self.digest),
        }
    }
}

impl FromStr for VersionUsed {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("`{text}` is not a version used");
        let (name, digest) = text.split_once('#').ok_or_else(fault)?;
        let (kind, name) = name.split_once('/').ok_or_else(fault)?;
        let kind: AssetKind = kind.parse().map_err(|_| fault())?;
        let (name, number) = match name.rsplit_once("@v") {
            // Models have no numbers, and providers' may be called anything.
            Some((name, number)) if kind != AssetKind::Model => (name, number.parse().map_err(|_| fault())?),
            _ => (name, 0),
        };
        Ok(Self { kind, name: name.to_owned(), number, digest: digest.to_owned() })
    }
}

impl VersionUsed {
    /// The digest, where it is one of ours.
    #[must_use]
    pub fn content_digest(&self) -> Option<Digest> {
        self.digest.parse().ok()
    }
}

impl Serialize for VersionUsed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for VersionUsed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A passage as the model saw it, under its number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    pub number: usize,
    pub knowledge: String,
    pub document: String,
    /// Of the parsed document the offsets count in: it may say something else by now.
    pub document_digest: String,
    pub chunk: String,
    pub title: String,
    pub uri: String,
    pub heading_path: Vec<String>,
    pub page: Option<u32>,
    /// Byte offsets into the parsed document.
    pub start: u64,
    pub end: u64,
    pub text: String,
    /// Of a later piece of a table, the table's first row, which the model saw above the text. The offsets do not count it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_head: Option<String>,
    pub scores: HitScores,
    /// Whether the answer points to it.
    pub cited: bool,
}

impl Source {
    pub(crate) fn of(number: usize, knowledge: &str, passage: &Passage, cited: bool) -> Self {
        Self {
            number,
            knowledge: knowledge.to_owned(),
            document: passage.document.clone(),
            document_digest: passage.document_digest.clone(),
            chunk: passage.chunk.clone(),
            title: passage.title.clone(),
            uri: passage.uri.clone(),
            heading_path: passage.heading_path.clone(),
            page: passage.page,
            start: passage.start,
            end: passage.end,
            text: passage.text.clone(),
            table_head: passage.table_head.clone(),
            scores: passage.scores.clone(),
            cited,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub trace_id: TraceId,
    pub target: String,
    pub versions: Vec<VersionUsed>,
    pub tables: Vec<TablePin>,
    /// Nothing relevant was found, and no model was asked.
    pub abstained: bool,
    /// Knowledges whose documents were not all read yet: what was not found may stand in the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    pub sources: Vec<Source>,
    pub citations: Vec<Citation>,
    pub unsupported: Vec<Unsupported>,
    /// Numbers in brackets that no source has.
    pub invented_citations: Vec<usize>,
    /// Sources found but left out because the prompt was full.
    pub dropped_sources: usize,
    /// Milliseconds by stage.
    pub timings: Vec<(String, f64)>,
}
