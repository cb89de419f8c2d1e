//! Finding passages that answer a question: the seam between chains and knowledge.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use async_trait::async_trait;
use mainspring_kernel::{Actor, Fault, Name};
use serde::{Deserialize, Serialize};

use crate::{budget::Budget, trace::SpanContext};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchMode {
    Vector,
    /// BM25.
    Text,
    /// Both, fused by reciprocal rank.
    #[default]
    Hybrid,
}

/// The exact state of the table a search read; given back, it reads the same again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePin {
    pub table: Name,
    pub version: u64,
    pub transaction: String,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct RetrieveRequest {
    pub query: String,
    /// `None` takes what the knowledge spec says, here and below.
    pub mode: Option<SearchMode>,
    /// How many passages come back, counted after parents were merged.
    pub limit: Option<usize>,
    pub rerank: Option<bool>,
    /// Every key must hold one of its values.
    pub metadata: BTreeMap<String, Vec<String>>,
    /// Only these documents, by id.
    pub documents: Vec<String>,
    /// The passages together take at most this many of the embedder's tokens.
    pub token_budget: Option<usize>,
    /// Read the table as it was.
    pub at: Option<TablePin>,
}

/// Why a passage ranked where it did.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HitScores {
    /// What the list is ordered by.
    pub score: f32,
    pub vector_rank: Option<u32>,
    /// Cosine similarity of query and chunk.
    pub vector_score: Option<f32>,
    pub text_rank: Option<u32>,
    /// BM25. Absent for readers who do not see everything: it counts words in documents hidden from them, too.
    pub text_score: Option<f32>,
    pub fused_score: Option<f32>,
    pub rerank_score: Option<f32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    pub chunk: String,
    pub document: String,
    pub title: String,
    /// Where the document came from, as a person would open it.
    pub uri: String,
    pub media_type: String,
    pub heading_path: Vec<String>,
    pub page: Option<u32>,
    /// Byte offsets into the parsed document's text.
    pub start: u64,
    pub end: u64,
    pub text: String,
    /// Of a later piece of a table, the table's first row. It stands elsewhere in the document, and no offset counts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_head: Option<String>,
    /// Of all that is given: what was embedded with the text, and the table's first row.
    pub tokens: u32,
    /// Who may see it; empty: everyone in the project.
    pub labels: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    pub scores: HitScores,
    /// Digest of the parsed document the offsets refer to.
    pub document_digest: String,
}

impl Passage {
    /// The text as it is given to who is to understand it: under the names of its columns, where it goes on with a table.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, str> {
        match &self.table_head {
            Some(head) => Cow::Owned(format!("{head}\n{}", self.text)),
            None => Cow::Borrowed(&self.text),
        }
    }
}

/// What a reader of these passages needs to hold: of each list one label. The value of `trace::names::LABELS`.
#[must_use]
pub fn labels_to_read<'a>(passages: impl IntoIterator<Item = &'a Passage>) -> Vec<Vec<String>> {
    let sorted = |passage: &Passage| BTreeSet::from_iter(passage.labels.iter().cloned());
    let lists: BTreeSet<BTreeSet<String>> = passages.into_iter().map(sorted).filter(|labels| !labels.is_empty()).collect();
    lists.into_iter().map(|labels| labels.into_iter().collect()).collect()
}

/// The documents these passages are of. The value of `trace::names::DOCUMENTS`.
#[must_use]
pub fn documents_of<'a>(passages: impl IntoIterator<Item = &'a Passage>) -> Vec<String> {
    let ids: BTreeSet<&str> = passages.into_iter().map(|passage| passage.document.as_str()).collect();
    ids.into_iter().map(str::to_owned).collect()
}

/// Who may read a document now: the seam between what was kept of it and the room that knows its labels.
#[async_trait]
pub trait DocumentAccess: Send + Sync + std::fmt::Debug + 'static {
    /// Those of these documents that the actor may not read. One that is gone is among them, unless the actor
    /// may read everything: nobody knows any more who else may.
    async fn unreadable(&self, actor: &Actor, documents: Vec<String>) -> Result<BTreeSet<String>, Box<dyn Fault>>;
}

/// A model that took part in a search, by its name and by what exactly answered to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelUsed {
    pub name: String,
    pub identity: String,
}

impl std::fmt::Display for ModelUsed {
    /// As versions are written that took part in an answer.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "model/{}#{}", self.name, self.identity)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retrieved {
    /// Best first; empty when nothing relevant was found.
    pub passages: Vec<Passage>,
    /// Cosine of query and the nearest chunk the actor may see, also when it was too far to be given.
    pub best_similarity: Option<f32>,
    pub mode: SearchMode,
    pub reranked: bool,
    pub pin: TablePin,
    /// Knowledge asset and version that was asked: `name@vN`.
    pub knowledge: String,
    pub knowledge_digest: String,
    pub embedder: Option<String>,
    /// What made the query's vector, and what ordered the hits again.
    #[serde(default)]
    pub models: Vec<ModelUsed>,
    /// Milliseconds by stage, in order.
    pub timings: Vec<(String, f64)>,
    /// Not all documents were read yet: what was not found may stand in the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<Unread>,
}

/// A knowledge whose documents were never all read, or those of one of its sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Its name.
    pub knowledge: String,
    pub state: UnreadState,
    /// Where the others were read: those that were not, of which the actor may know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Absent while nobody knows, and for actors who do not see every document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<ReadSoFar>,
    /// Of what ended the ingestion that was to read them, or kept it from reading the sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnreadState {
    /// No ingestion was ever begun.
    NotBegun,
    /// One is under way that is to read them.
    UnderWay,
    /// The first one ended before it had read everything, and none came to its end since.
    BrokenOff,
    /// Ingestions came to their end, and none of them read a source that was added, or moved, or could not be reached.
    SourceUnread,
}

/// Documents that were read, of those that the sources hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSoFar {
    pub read: u64,
    pub found: u64,
}

/// What asking a knowledge comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Searched {
    /// Boxed, since it is much larger than the other.
    Read(Box<Retrieved>),
    /// There is nothing to search yet.
    Unread(Unread),
}

#[async_trait]
pub trait Retriever: Send + Sync + std::fmt::Debug + 'static {
    async fn retrieve(
        &self,
        actor: &Actor,
        knowledge: &mainspring_kernel::AssetRef,
        request: RetrieveRequest,
        trace: &SpanContext,
        budget: Budget,
    ) -> Result<Searched, Box<dyn Fault>>;
}
