//! What files and batches are.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use mainspring_catalog::{IntoParam, Param};
use mainspring_kernel::{
    Labels, Role, Timestamp,
    id::{ApiKeyId, BatchId, IdFault, PrincipalId, ProjectId, StoredFileId},
    text,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::rest::Rest;

/// What a batch reads and writes is kept this long, unless its maker said otherwise.
pub const KEEP_FOR: Duration = Duration::from_secs(30 * 86_400);

/// OpenAI's clients know files by ids with a dash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(StoredFileId);

impl FileId {
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(StoredFileId::new(now))
    }

    pub(crate) const fn raw(self) -> u128 {
        self.0.as_raw()
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file-{:032x}", self.raw())
    }
}

impl FromStr for FileId {
    type Err = IdFault;
    fn from_str(given: &str) -> Result<Self, IdFault> {
        let fault = || IdFault { expected: "file", given: text::elide(given, 64) };
        let digits = given.strip_prefix("file-").ok_or_else(fault)?;
        format!("file_{digits}").parse().map(Self).map_err(|_| fault())
    }
}

impl Serialize for FileId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl IntoParam for FileId {
    fn absent() -> Param {
        Param::Text(None)
    }
    fn into_param(self) -> Param {
        Param::Text(Some(self.to_string()))
    }
}

/// A closed set of words, each as the protocol and the catalog have it.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal: $($variant:ident $word:literal;)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($variant,)* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl FromStr for $name {
            type Err = WordFault;
            fn from_str(given: &str) -> Result<Self, WordFault> {
                let known = Self::ALL.iter().copied();
                let found = known.clone().find(|word| word.as_str() == given);
                found.ok_or_else(|| WordFault {
                    what: $what,
                    given: text::elide(given, 80),
                    known: known.map(Self::as_str).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no {what}: use one of {known}")]
pub struct WordFault {
    pub what: &'static str,
    pub given: String,
    pub known: String,
}

words! {
    /// What a file is for.
    Purpose, "purpose":
    Assistants "assistants";
    Batch "batch";
    BatchOutput "batch_output";
    FineTune "fine-tune";
    Vision "vision";
    UserData "user_data";
    Evals "evals";
}

impl Purpose {
    /// Whether people may upload such files, or only batches write them.
    #[must_use]
    pub const fn is_given(self) -> bool {
        !matches!(self, Self::BatchOutput)
    }
}

words! {
    /// Where the lines of a batch go.
    Endpoint, "endpoint":
    Chat "/v1/chat/completions";
    Completions "/v1/completions";
    Embeddings "/v1/embeddings";
    Responses "/v1/responses";
    Moderations "/v1/moderations";
    Rerank "/v1/rerank";
}

words! {
    /// How far a batch is.
    Status, "status":
    Validating "validating";
    Failed "failed";
    InProgress "in_progress";
    Finalizing "finalizing";
    Completed "completed";
    Expired "expired";
    Cancelling "cancelling";
    Cancelled "cancelled";
}

impl Status {
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Failed | Self::Completed | Self::Expired | Self::Cancelled)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    pub id: FileId,
    pub project: ProjectId,
    pub name: String,
    pub purpose: Purpose,
    /// In bytes.
    pub size: u64,
    pub created: Timestamp,
    pub created_by: PrincipalId,
    /// Those its maker held.
    pub labels: Labels,
    /// When it is deleted by itself.
    pub expires: Option<Timestamp>,
}

/// On whose behalf lines are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    pub principal: PrincipalId,
    /// Absent for the single user of a loopback server.
    pub key: Option<ApiKeyId>,
    pub role: Role,
    pub labels: Labels,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub total: u64,
    pub completed: u64,
    pub failed: u64,
}

/// What is wrong with a line, or with the whole batch where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineError {
    pub code: String,
    pub message: String,
    pub param: Option<String>,
    /// Counted from one.
    pub line: Option<u64>,
}

impl LineError {
    pub(crate) fn of_batch(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), param: None, line: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub id: BatchId,
    pub project: ProjectId,
    pub endpoint: Endpoint,
    pub input: FileId,
    pub window: Duration,
    pub status: Status,
    pub metadata: BTreeMap<String, String>,
    pub maker: Maker,
    pub counts: Counts,
    pub errors: Vec<LineError>,
    /// What lines gave; while the batch is not at its end the files still grow.
    pub output: Option<FileId>,
    pub failures: Option<FileId>,
    /// How long those are kept.
    pub keep_output: Duration,
    /// How it ends, once that is known.
    pub(crate) ends_as: Option<Status>,
    pub created: Timestamp,
    pub expires: Timestamp,
    pub in_progress: Option<Timestamp>,
    pub finalizing: Option<Timestamp>,
    pub cancelling: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    /// Where it goes on, if it has given its place back.
    pub(crate) rest: Option<Rest>,
}

impl Batch {
    /// When it ended in this way.
    #[must_use]
    pub fn ended_as(&self, status: Status) -> Option<Timestamp> {
        self.ended.filter(|_| self.status == status)
    }

    /// A file of results, where it has stopped growing.
    #[must_use]
    pub fn written(&self, ok: bool) -> Option<FileId> {
        self.file(ok).filter(|_| self.ended.is_some())
    }

    pub(crate) const fn file(&self, ok: bool) -> Option<FileId> {
        if ok { self.output } else { self.failures }
    }

    pub(crate) const fn count(&self, ok: bool) -> u64 {
        if ok { self.counts.completed } else { self.counts.failed }
    }
}

/// Why a batch asks nothing at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    #[serde(rename = "waits_until")]
    pub until: Timestamp,
    /// What the limit said.
    #[serde(rename = "waits_for")]
    pub why: String,
}

impl Waiting {
    pub(crate) fn written(&self) -> Value {
        json!(self)
    }
}

/// A batch to be made.
#[derive(Debug, Clone)]
pub struct NewBatch {
    pub input: FileId,
    pub endpoint: Endpoint,
    pub window: Duration,
    pub metadata: BTreeMap<String, String>,
    pub keep_output: Option<Duration>,
}

/// Part of a list of files.
#[derive(Debug, Clone, Default)]
pub struct FileQuery {
    pub purpose: Option<Purpose>,
    pub after: Option<FileId>,
    pub limit: usize,
    /// Oldest first.
    pub ascending: bool,
}

/// Part of a list of batches, newest first.
#[derive(Debug, Clone, Copy, Default)]
pub struct BatchQuery {
    pub after: Option<BatchId>,
    pub limit: usize,
}
