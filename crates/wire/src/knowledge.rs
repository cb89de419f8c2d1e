//! Knowledge: sources, documents, chunks, ingestion runs, search.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KnowledgeSummary {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub version: u32,
    pub digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedder: Option<String>,
    pub documents: u64,
    pub failed: u64,
    pub chunks: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// When the last ingestion that succeeded ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_at: Option<String>,
    /// `ready`, `ingesting` or `empty`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<RunView>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KnowledgeDetail {
    #[serde(flatten)]
    pub summary: KnowledgeSummary,
    pub sources: Vec<SourceView>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub chunking: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub retrieval: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<TablePin>,
    /// Rows not yet folded into the indexes; they are found all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unindexed_rows: Option<u64>,
    /// How often the server ingests by itself: `15m`, `6h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The server ingests when a local folder or file changes.
    #[serde(default)]
    pub watch: bool,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceView {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub kind: String,
    pub location: String,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub labels: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_at: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DocumentView {
    pub id: String,
    pub title: String,
    pub uri: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    pub media_type: String,
    /// `ready`, `failed`, `skipped` or `forgotten`.
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<String>,
    /// What could not be read of it as it stands, a page without a text layer for one.
    #[serde(default)]
    pub warnings: Vec<DocumentWarning>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<DocumentOrigin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<u64>,
    pub chunks: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    pub labels: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingested_at: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DocumentWarning {
    pub code: String,
    pub detail: String,
}
/// What the source said of the content when it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DocumentOrigin {
    /// The commit it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// In the words of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched_at: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DocumentText {
    pub text: String,
    pub digest: String,
    /// Whether this is what the document says now.
    pub current: bool,
    pub blocks: Vec<BlockView>,
    /// In the order of the text.
    #[serde(default)]
    pub links: Vec<LinkView>,
}
/// A link of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LinkView {
    pub text: String,
    /// As the document says it: on a page it may be relative to the page's address.
    pub target: String,
    /// Where its words stand in the text; absent where the document was parsed before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u64>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BlockView {
    pub kind: String,
    pub start: u64,
    pub end: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChunkView {
    pub id: String,
    pub ordinal: u32,
    pub start: u64,
    pub end: u64,
    pub tokens: u32,
    pub heading_path: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunView {
    pub id: String,
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knowledge: Option<String>,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<IngestProgress>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<IngestReport>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunError {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct IngestProgress {
    pub stage: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents_total: Option<u64>,
    pub documents_done: u64,
    pub documents_unchanged: u64,
    pub documents_failed: u64,
    pub chunks: u64,
    pub tokens: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_seconds: Option<f64>,
    /// The document taken up last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
}
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct IngestReport {
    /// Counts are left out for those who do not see every document, but for how many failed that they see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<u64>,
    pub failed: u64,
    /// Files of a kind that nothing here reads; the documents with status `skipped` say why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunks: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Chunks embedded now; the others had a vector already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedded: Option<u64>,
    pub seconds: f64,
    pub failures: Vec<IngestFailure>,
    /// What a person should know and what stopped nothing; each document shows its own as well.
    pub warnings: Vec<IngestWarning>,
    /// More warnings than are listed.
    pub warnings_left_out: u64,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IngestWarning {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    pub source: String,
    /// Within the source; empty where it concerns all of it.
    pub uri: String,
    pub code: String,
    pub detail: String,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IngestFailure {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    #[serde(default)]
    pub source: String,
    /// Within the source; empty where the source itself could not be read.
    pub uri: String,
    pub code: String,
    pub detail: String,
}
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IngestRequest {
    /// Answer when the run has ended instead of when it has begun.
    pub wait: bool,
    /// Parse again what did not change.
    pub full: bool,
    /// Try again what failed before and did not change since.
    pub retry_failed: bool,
    /// Look at local folders and files first, and begin nothing unless they hold something new; then only they
    /// are read. For watchers that ask every few seconds. What was never ingested, or has a new spec, is new.
    pub if_changed: bool,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IngestStarted {
    pub run: RunView,
    /// Only with `if_changed`: nothing was new and no run began; `run` is the last one.
    #[serde(default)]
    pub unchanged: bool,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    pub query: String,
    /// `hybrid` (default), `vector` or `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerank: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_budget: Option<usize>,
    /// Read the table as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<TablePin>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TablePin {
    pub table: String,
    pub version: u64,
    pub transaction: String,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HitScores {
    pub score: f32,
    pub vector_rank: Option<u32>,
    pub vector_score: Option<f32>,
    pub text_rank: Option<u32>,
    /// BM25. Absent for readers whose labels do not show them everything: it counts words in hidden documents, too. Where
    /// nothing but words is compared, their `score` is the inverse of the rank.
    pub text_score: Option<f32>,
    pub fused_score: Option<f32>,
    pub rerank_score: Option<f32>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Passage {
    pub chunk: String,
    pub document: String,
    pub title: String,
    pub uri: String,
    pub media_type: String,
    pub heading_path: Vec<String>,
    pub page: Option<u32>,
    pub start: u64,
    pub end: u64,
    pub text: String,
    /// Of a later piece of a table, the table's first row: the names of its columns. The offsets do not count it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_head: Option<String>,
    pub tokens: u32,
    pub labels: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    pub scores: HitScores,
    pub document_digest: String,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Retrieved {
    pub passages: Vec<Passage>,
    pub mode: String,
    pub reranked: bool,
    pub pin: TablePin,
    pub knowledge: String,
    pub knowledge_digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedder: Option<String>,
    /// Milliseconds by stage.
    pub timings: Vec<(String, f64)>,
    /// Cosine similarity of the nearest chunk, whether or not it came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_similarity: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Passages are given where the evidence reaches this; 0 gives them always.
    #[serde(default)]
    pub threshold: f64,
    /// Found and not given, best first.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    /// Not all documents were read yet: what was not found may stand in the others. Never there for a table as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<Unread>,
}
/// A knowledge whose documents were never all read, or those of one of its sources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Unread {
    pub knowledge: String,
    /// `not_begun`: no ingestion was begun. `under_way`: one is to read them. `broken_off`: the first one ended early.
    /// `source_unread`: ingestions came to their end, and none of them read a source that was added, or moved, or could
    /// not be reached.
    pub state: String,
    /// Where the others were read: those that were not, of which the caller may know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Absent while nobody knows, and for readers whose labels do not show them every document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<ReadSoFar>,
    /// Of what ended the ingestion that was to read them, or kept it from reading the sources. Told where nothing was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}
/// Documents that were read, of those that the sources hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadSoFar {
    pub read: u64,
    pub found: u64,
}
/// What speaks for it that something here answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Cosine similarity of the nearest chunk; absent when no vectors were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f32>,
    /// Share of the question's words of meaning that stand in one of the best chunks. From three quarters on,
    /// half the threshold is enough.
    pub coverage: f32,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LeftOut {
    pub chunk: String,
    pub document: String,
    pub title: String,
    /// `copy`: a better one says the same. `score`: below the spec's `min_score`. `room`: the limit or the token
    /// budget was reached. `irrelevant`: the evidence is below the threshold.
    pub reason: String,
    pub scores: HitScores,
}
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ForgetRequest {
    /// Documents to forget, each by its id, or by its whole path within its source, address, or the absolute path of its file:
    /// also those that are gone from their source or were moved.
    pub documents: Vec<String>,
    /// Forget everything of this source, with what is gone from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Let the next ingestion take them in again.
    pub readmit: bool,
}
