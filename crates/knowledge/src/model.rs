//! What a knowledge holds, and what its ingestion says of itself.

use std::{collections::BTreeMap, fmt, str::FromStr};

use mainspring_kernel::{
    Digest, Labels, Name, Timestamp,
    id::{ProjectId, RunId},
};
use mainspring_lake::LakeVersion;
use serde::{Deserialize, Serialize};

/// A knowledge of a project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KnowledgeKey {
    pub project: ProjectId,
    pub name: Name,
}

impl KnowledgeKey {
    #[must_use]
    pub const fn new(project: ProjectId, name: Name) -> Self {
        Self { project, name }
    }
}

/// `doc_` and 32 hex digits: the digest of knowledge, source and name within the source, so the same
/// file is the same document in every run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct DocumentId(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not an id of the form `doc_<32 hex digits>`")]
pub struct DocumentIdFault {
    pub given: String,
}

impl DocumentId {
    #[must_use]
    pub(crate) fn of(knowledge: &KnowledgeKey, source: &str, identity: &[u8]) -> Self {
        let project = knowledge.project.to_string();
        let parts = [project.as_bytes(), knowledge.name.as_str().as_bytes(), source.as_bytes(), identity];
        Self(format!("doc_{}", &Digest::of_parts(parts).hex()[..32]))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DocumentId {
    type Err = DocumentIdFault;
    fn from_str(given: &str) -> Result<Self, DocumentIdFault> {
        let digits = given.strip_prefix("doc_").unwrap_or_default();
        let shaped = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if shaped {
            Ok(Self(given.to_owned()))
        } else {
            Err(DocumentIdFault { given: mainspring_kernel::text::elide(given, 64) })
        }
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DocumentId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocumentStatus {
    /// Searchable. With a reason: what is searchable is older than what the source holds now, or there is
    /// nothing to search in it.
    Ready,
    Failed,
    /// Of a kind that holds no text for us.
    Skipped,
    /// Was to be forgotten: only this row remains, so that no ingestion brings it back.
    Forgotten,
}

impl DocumentStatus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Forgotten => "forgotten",
        }
    }
}

impl FromStr for DocumentStatus {
    type Err = String;
    fn from_str(given: &str) -> Result<Self, String> {
        [Self::Ready, Self::Failed, Self::Skipped, Self::Forgotten]
            .into_iter()
            .find(|status| status.as_str() == given)
            .ok_or_else(|| {
                format!("`{}` is none of ready, failed, skipped, forgotten", mainspring_kernel::text::elide(given, 40))
            })
    }
}

/// Why something is not as it should be: a stable code and words for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub code: String,
    pub detail: String,
}

/// What a source said of a document's content when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// The commit it was read from; later ones that do not touch it leave this as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// In the words of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetched: Option<Timestamp>,
}

/// There is nothing in the document that could be searched.
pub(crate) const NO_TEXT: &str = "parse-no-text";

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document {
    pub id: DocumentId,
    pub source: String,
    pub path: String,
    pub uri: String,
    pub title: String,
    pub media_type: String,
    /// Empty: everyone in the project.
    pub labels: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    /// Of the bytes as the source had them.
    pub digest: Option<Digest>,
    /// The blob that holds the parsed text; offsets count in it.
    pub parsed: Option<Digest>,
    pub bytes: u64,
    pub pages: Option<u32>,
    pub chunks: u64,
    pub tokens: u64,
    pub status: DocumentStatus,
    pub reason: Option<Reason>,
    /// What a person should know of it: pages without a text layer, bytes that were no text.
    pub warnings: Vec<Reason>,
    /// `None`: not read by this run, or before this was kept.
    pub origin: Option<Origin>,
    pub updated: Timestamp,
}

/// What is searched, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnowledgeVersion {
    pub config: Digest,
    pub table: Name,
    pub version: LakeVersion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl RunState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for RunState {
    type Err = String;
    fn from_str(given: &str) -> Result<Self, String> {
        [Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|state| state.as_str() == given)
            .ok_or_else(|| format!("`{given}` is no state of a run"))
    }
}

/// What an ingestion does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    #[default]
    Listing,
    /// The weights of the embedding model are on their way.
    Awaiting,
    /// Fetching, parsing, cutting, embedding and writing, side by side.
    Working,
    /// Indexes and tags.
    Settling,
    Done,
}

/// How far an ingestion is. Cheap to make and to send; kept with the run a few times a second.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    pub stage: Stage,
    /// Documents the sources listed.
    pub seen: u64,
    pub unchanged: u64,
    /// Documents to fetch, parse or write again.
    pub to_do: u64,
    pub done: u64,
    pub parsed: u64,
    pub moved: u64,
    pub failed: u64,
    pub deleted: u64,
    pub chunks: u64,
    /// Chunks that got their vector from an earlier one.
    pub reused: u64,
    pub embedded: u64,
    /// Tokens the encoder took in.
    pub tokens: u64,
    pub tokens_per_second: Option<f64>,
    /// Share of the working time in which the encoder had work.
    pub encoder_busy: Option<f64>,
    pub elapsed_seconds: f64,
    pub eta_seconds: Option<f64>,
    /// The document taken up last. Told while the run is under way and never kept: a name outlives nothing.
    #[serde(skip)]
    pub current: Option<String>,
}

impl Progress {
    /// The last of a run that succeeded: what its report says.
    #[must_use]
    pub(crate) fn ended(self, report: &Report) -> Self {
        Self {
            stage: Stage::Done,
            done: self.to_do,
            unchanged: report.unchanged,
            parsed: report.parsed,
            moved: report.moved,
            failed: report.failed,
            deleted: report.deleted,
            chunks: report.chunks,
            reused: report.reused,
            embedded: report.embedded,
            tokens: report.tokens,
            tokens_per_second: report.tokens_per_second,
            encoder_busy: report.encoder_busy,
            elapsed_seconds: report.seconds,
            eta_seconds: None,
            current: None,
            seen: self.seen,
            to_do: self.to_do,
        }
    }
}

/// A document that could not be taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub document: Option<DocumentId>,
    pub source: String,
    pub path: String,
    pub code: String,
    pub detail: String,
    /// Who may see the document, and so its name; `None`: only who sees everything.
    pub labels: Option<Vec<String>>,
    /// It failed in an earlier run, and nothing changed since.
    pub known: bool,
}

impl Failure {
    /// Whether the source did not give the document: nobody knows what it says.
    pub(crate) fn was_not_had(&self) -> bool {
        self.document.is_some() && self.code.starts_with("source-")
    }
}

/// Something worth telling that stopped nothing: a link that leaves the root, a page without a text layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    #[serde(default)]
    pub document: Option<DocumentId>,
    pub source: String,
    pub path: String,
    pub code: String,
    pub detail: String,
    /// Who may hear of it; `None`: only who sees everything.
    #[serde(default)]
    pub labels: Option<Vec<String>>,
}

/// What an ingestion did.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    pub added: u64,
    pub changed: u64,
    pub unchanged: u64,
    pub moved: u64,
    pub deleted: u64,
    pub failed: u64,
    /// Of kinds that hold no text for us: pictures, programs.
    pub skipped: u64,
    /// Kept out because they were to be forgotten.
    pub forgotten: u64,
    pub parsed: u64,
    pub chunks: u64,
    pub embedded: u64,
    pub reused: u64,
    pub tokens: u64,
    pub seconds: f64,
    pub tokens_per_second: Option<f64>,
    pub encoder_busy: Option<f64>,
    pub failures: Vec<Failure>,
    /// More failures than are kept by name.
    pub unlisted: u64,
    #[serde(alias = "notes")]
    pub warnings: Vec<Warning>,
    /// More warnings than are kept.
    pub warnings_left_out: u64,
    pub version: Option<KnowledgeVersion>,
    pub tag: Option<String>,
    /// A table built beside the old one took over.
    pub switched: bool,
    /// Whoever reads it does not see every document: of counts it has only how many failed that they see.
    #[serde(skip)]
    pub partial: bool,
}

impl Report {
    /// Ids of the documents it names.
    pub(crate) fn documents(&self) -> Vec<String> {
        let failed = self.failures.iter().filter_map(|failure| failure.document.as_ref());
        let warned = self.warnings.iter().filter_map(|warning| warning.document.as_ref());
        failed.chain(warned).map(ToString::to_string).collect()
    }

    /// Leaves of the documents it names those that are wanted.
    pub(crate) fn keep(&mut self, wanted: impl Fn(&DocumentId) -> bool) {
        let before = self.failures.len() as u64;
        self.failures.retain(|failure| failure.document.as_ref().is_none_or(&wanted));
        self.warnings.retain(|warning| warning.document.as_ref().is_none_or(&wanted));
        self.failed = self.failed.saturating_sub(before - self.failures.len() as u64);
    }

    /// Takes the names of documents out; whether there were any.
    pub(crate) fn forget(&mut self, documents: &[DocumentId]) -> bool {
        let before = self.failures.len() + self.warnings.len();
        let is_gone = |id: Option<&DocumentId>| id.is_some_and(|id| documents.contains(id));
        self.failures.retain(|failure| !is_gone(failure.document.as_ref()));
        self.warnings.retain(|warning| !is_gone(warning.document.as_ref()));
        before != self.failures.len() + self.warnings.len()
    }

    /// The report without the names of documents these labels do not show.
    #[must_use]
    pub fn visible_to(mut self, labels: &Labels) -> Self {
        if *labels == Labels::All {
            return self;
        }
        let hears = |of: Option<&[String]>| of.is_some_and(|of| labels.may_see(of));
        self.failures.retain(|failure| hears(failure.labels.as_deref()));
        self.warnings.retain(|warning| hears(warning.labels.as_deref()));
        // Counts of everything tell of what is hidden.
        let failed = self.failures.len() as u64;
        Self {
            failures: self.failures,
            warnings: self.warnings,
            failed,
            seconds: self.seconds,
            version: self.version,
            tag: self.tag,
            switched: self.switched,
            partial: true,
            ..Self::default()
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IngestRun {
    pub id: RunId,
    pub knowledge: Name,
    pub state: RunState,
    pub started: Timestamp,
    pub finished: Option<Timestamp>,
    pub asset_version: u32,
    pub trace: Option<String>,
    pub progress: Option<Progress>,
    pub report: Option<Report>,
    pub error: Option<Reason>,
}
