//! Ingestions that nobody waits for, as jobs: what is scheduled, what is watched, what was broken off.

use mainspring_jobs::NewJob;
use mainspring_kernel::{Name, Timestamp, id::ProjectId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::IngestOptions;
use crate::fault::KnowledgeFault;

/// About a quarter of an hour of tries, for a model or a source that is away.
const ATTEMPTS: u32 = 10;

/// What a job of the kind `ingest` says. Every reader of the project may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngestJob {
    pub knowledge: Name,
    pub because: Because,
    pub options: IngestOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Because {
    Schedule,
    /// A local file changed.
    Watch,
    /// A run was broken off.
    Resume,
}

impl IngestJob {
    #[must_use]
    pub const fn new(knowledge: Name, because: Because) -> Self {
        Self { knowledge, because, options: IngestOptions { full: false, retry_failed: false, local: false } }
    }

    #[must_use]
    pub const fn with(mut self, options: IngestOptions) -> Self {
        self.options = options;
        self
    }

    #[must_use]
    pub fn kind() -> Name {
        "ingest".parse().expect("`ingest` is a name")
    }

    #[must_use]
    pub fn payload(&self) -> Value {
        json!(self)
    }

    pub fn read(payload: &Value) -> Result<Self, KnowledgeFault> {
        serde_json::from_value(payload.clone()).map_err(|fault| KnowledgeFault::rows("job", fault))
    }

    /// Whatever asks for it, one unfinished job for a knowledge is enough.
    #[must_use]
    pub fn dedupe_key(&self) -> &str {
        self.knowledge.as_str()
    }

    #[must_use]
    pub fn to_job(&self, project: ProjectId, due: Timestamp) -> NewJob {
        NewJob::new(Self::kind(), self.payload())
            .in_project(project)
            .deduped_by(self.dedupe_key())
            .with_attempts(ATTEMPTS)
            .due_at(due)
    }
}
