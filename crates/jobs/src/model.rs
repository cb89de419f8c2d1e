//! What a job is.

use std::{str::FromStr, time::Duration};

use mainspring_kernel::{
    Name, Timestamp,
    id::{JobId, ProjectId},
    text,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Waits for its moment and a worker.
    Queued,
    /// Held by a worker, or by one that died and whose lease has not run out.
    Running,
    Done,
    Failed,
    Cancelled,
}

impl JobState {
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Done, Self::Failed, Self::Cancelled];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown state `{given}`: use queued, running, done, failed or cancelled")]
pub struct JobStateFault {
    pub given: String,
}

impl FromStr for JobState {
    type Err = JobStateFault;
    fn from_str(given: &str) -> Result<Self, JobStateFault> {
        Self::ALL.into_iter().find(|state| state.as_str() == given).ok_or_else(|| JobStateFault { given: text::elide(given, 40) })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    pub id: JobId,
    /// Absent for the building's own upkeep, which no project sees.
    pub project: Option<ProjectId>,
    pub kind: Name,
    pub state: JobState,
    /// Higher goes first.
    pub priority: i64,
    pub payload: Value,
    /// How many times it was leased.
    pub attempt: u32,
    pub max_attempts: u32,
    /// Not before this moment.
    pub due: Timestamp,
    pub owner: Option<String>,
    pub lease_until: Option<Timestamp>,
    pub cancel_asked: bool,
    pub progress: Option<Value>,
    pub result: Option<Value>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    pub created: Timestamp,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
}

/// A job to be made. `NewJob::new(kind, payload)` and then what differs from the usual.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    pub project: Option<ProjectId>,
    pub kind: Name,
    pub payload: Value,
    pub dedupe: Option<String>,
    pub priority: i64,
    pub max_attempts: u32,
    pub due: Option<Timestamp>,
}

impl NewJob {
    /// Of normal priority, tried five times, due at once.
    #[must_use]
    pub const fn new(kind: Name, payload: Value) -> Self {
        Self { project: None, kind, payload, dedupe: None, priority: 0, max_attempts: 5, due: None }
    }

    #[must_use]
    pub const fn in_project(mut self, project: ProjectId) -> Self {
        self.project = Some(project);
        self
    }

    /// One unfinished job with this key is enough. Keys of different projects and kinds never meet.
    #[must_use]
    pub fn deduped_by(mut self, key: impl Into<String>) -> Self {
        self.dedupe = Some(key.into());
        self
    }

    #[must_use]
    pub const fn with_priority(mut self, priority: i64) -> Self {
        self.priority = priority;
        self
    }

    #[must_use]
    pub const fn with_attempts(mut self, max_attempts: u32) -> Self {
        self.max_attempts = max_attempts;
        self
    }

    #[must_use]
    pub const fn due_at(mut self, due: Timestamp) -> Self {
        self.due = Some(due);
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    New(JobId),
    /// An unfinished job with the same dedupe key was there already.
    Already(JobId),
}

impl Enqueued {
    #[must_use]
    pub const fn id(self) -> JobId {
        match self {
            Self::New(id) | Self::Already(id) => id,
        }
    }
}

/// The right to work on a job until `until`.
#[derive(Debug, Clone, PartialEq)]
pub struct Lease {
    pub job: Job,
    pub fence: i64,
    pub until: Timestamp,
    pub lasts: Duration,
}

/// What to do with a job whose attempt has not ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Try again after a pause that doubles, until the attempts are used up.
    Later,
    /// The same input would fail again.
    Never,
    /// Nothing failed: there is nothing to do before this moment. It costs no attempt.
    At(Timestamp),
}

/// How the jobs of a kind stand in each other's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contest {
    /// Jobs under way of the project that has fewest of those with a job that is due.
    pub theirs: u64,
    /// Jobs under way of the project that asks.
    pub ours: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    pub kind: Option<Name>,
    pub state: Option<JobState>,
}

/// For metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobCount {
    pub kind: Name,
    pub state: JobState,
    pub count: u64,
    /// When the oldest of these fell due.
    pub oldest_due: Timestamp,
}
