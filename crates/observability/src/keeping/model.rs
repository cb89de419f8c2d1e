//! What is kept for how long, and what is to be erased.

use std::{str::FromStr, time::Duration};

use mainspring_kernel::{Digest, Id, IdKind, Name, Timestamp, id::ProjectId, text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::KeepingFault;

#[derive(Debug)]
pub enum ErasureKind {}
impl IdKind for ErasureKind {
    const PREFIX: &'static str = "ers";
}
pub type ErasureId = Id<ErasureKind>;

#[derive(Debug)]
pub enum ServerKind {}
impl IdKind for ServerKind {
    const PREFIX: &'static str = "srv";
}
/// A server by its data directory: the same one after a restart.
pub type ServerId = Id<ServerKind>;

/// What telemetry consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Telemetry {
    Spans,
    /// Log records, and spans that are an event.
    Logs,
    /// Points of metrics.
    Points,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not kept here: use spans, logs or points")]
pub struct TelemetryFault {
    pub given: String,
}

impl Telemetry {
    pub const ALL: [Self; 3] = [Self::Spans, Self::Logs, Self::Points];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spans => "spans",
            Self::Logs => "logs",
            Self::Points => "points",
        }
    }
}

impl FromStr for Telemetry {
    type Err = TelemetryFault;

    fn from_str(given: &str) -> Result<Self, TelemetryFault> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == given);
        found.ok_or_else(|| TelemetryFault { given: text::elide(given, 40) })
    }
}

/// What a project says of one kind; what it does not say is as the settings have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    pub keep_for: Option<Duration>,
    /// Bytes at most; the oldest go first.
    pub max_bytes: Option<u64>,
}

/// What the last removal that found something took away, and all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal {
    pub at: Timestamp,
    pub rows: u64,
    pub bytes: u64,
    pub all_rows: u64,
    pub all_bytes: u64,
}

/// What a project holds of one kind, and how long it stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    pub kind: Telemetry,
    pub rows: u64,
    /// About: what a row of the table takes on the average, and the large values of these.
    pub bytes: u64,
    pub oldest: Option<Timestamp>,
    pub own: Retention,
    /// In force where the project says nothing.
    pub default_keep_for: Duration,
    pub last: Option<Removal>,
}

/// Whose telemetry is to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    User(String),
    Session(String),
    Trace(String),
    /// A document of a knowledge, by its id: it is forgotten there too.
    Document {
        knowledge: Name,
        document: String,
    },
}

/// Names of people and sessions that senders make up are no longer than this.
const SUBJECT_MAX: usize = 1_000;

impl Subject {
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Session(_) => "session",
            Self::Trace(_) => "trace",
            Self::Document { .. } => "document",
        }
    }

    /// Who or what it is, as `read` reads it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::User(text) | Self::Session(text) | Self::Trace(text) => text.clone(),
            Self::Document { knowledge, document } => format!("{knowledge}/{document}"),
        }
    }

    pub fn read(kind: &str, text: &str) -> Result<Self, KeepingFault> {
        let invalid = |reason: String| KeepingFault::Invalid { reason };
        if text.is_empty() || text.len() > SUBJECT_MAX {
            return Err(invalid(format!("the {} has 1 to {SUBJECT_MAX} bytes", text::elide(kind, 20))));
        }
        match kind {
            "user" => Ok(Self::User(text.to_owned())),
            "session" => Ok(Self::Session(text.to_owned())),
            "trace" => {
                let id: Result<mainspring_llm::TraceId, _> = text.parse();
                id.map(|id| Self::Trace(id.to_string())).map_err(|fault| invalid(format!("the trace is {fault}")))
            }
            "document" => {
                let parts = text.split_once('/').filter(|(_, document)| !document.is_empty());
                let (knowledge, document) = parts.ok_or_else(|| invalid("a document is named `knowledge/id`".to_owned()))?;
                let knowledge =
                    knowledge.parse().map_err(|fault: mainspring_kernel::name::NameFault| invalid(fault.to_string()))?;
                Ok(Self::Document { knowledge, document: document.to_owned() })
            }
            _ => Err(invalid("what is erased is of a user, a session, a trace or a document".to_owned())),
        }
    }

    /// By which a subject is known again when nothing else is left of it.
    #[must_use]
    pub fn fingerprint(&self, project: ProjectId) -> Digest {
        let (project, text) = (project.to_string(), self.text());
        Digest::of_parts([project.as_bytes(), self.kind().as_bytes(), text.as_bytes()])
    }
}

/// By which a trace that was erased is known again.
pub(crate) fn trace_mark(project: ProjectId, trace: &str) -> Digest {
    Subject::Trace(trace.to_owned()).fingerprint(project)
}

/// By which a document that was erased is known again in spans, which do not say of which knowledge it is.
pub(crate) fn document_mark(project: ProjectId, document: &str) -> Digest {
    let project = project.to_string();
    Digest::of_parts([project.as_bytes(), b"document id".as_slice(), document.as_bytes()])
}

/// How far an erasure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErasureState {
    Waiting,
    Running,
    /// Nothing is left, in no file.
    Done,
    Failed,
}

impl ErasureState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }
}

impl FromStr for ErasureState {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let found = [Self::Waiting, Self::Running, Self::Done, Self::Failed].into_iter().find(|state| state.as_str() == given);
        found.ok_or_else(|| format!("`{}` is no state of an erasure", text::elide(given, 40)))
    }
}

/// What was taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// With log records.
    pub spans: u64,
    pub points: u64,
    /// What the files that went took.
    pub bytes: u64,
    /// Large values.
    pub values: u64,
}

/// A server whose own disk may hold something of what is erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub server: ServerId,
    /// For people: which process of which machine it was last.
    pub name: String,
    /// When it was heard of last.
    pub seen: Timestamp,
    /// It was heard of within a minute.
    pub alive: bool,
}

/// What an erasure is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErasureStep {
    /// Servers let go of what they hold of it, and bring the rest.
    Asking,
    /// Rows are read for whose they are.
    Looking,
    /// Rows go, or what was written and read in them.
    Deleting,
    /// Files are rewritten that hold what rows no longer do.
    Rewriting,
    /// Large values go that no row names any longer.
    Sweeping,
}

impl ErasureStep {
    const ALL: [Self; 5] = [Self::Asking, Self::Looking, Self::Deleting, Self::Rewriting, Self::Sweeping];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Looking => "looking",
            Self::Deleting => "deleting",
            Self::Rewriting => "rewriting",
            Self::Sweeping => "sweeping",
        }
    }
}

impl FromStr for ErasureStep {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|step| step.as_str() == given);
        found.ok_or_else(|| format!("`{}` is no step of an erasure", text::elide(given, 40)))
    }
}

/// How far rows were read for whose they are, by when they began, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    pub(super) from: i64,
    /// Those that began later are still to be read.
    pub(super) until: i64,
    pub(super) to: i64,
    /// Every server had brought what it had when it began: whoever goes on for a dead process goes on from here. Otherwise rows
    /// may have come since to where it had looked.
    pub(super) lasts: bool,
}

impl Looked {
    /// 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        if self.until >= self.to {
            return 1.0;
        }
        let since = |moment: i64| moment as f64 - self.from as f64;
        (since(self.until) / since(self.to)).clamp(0.0, 1.0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    pub id: ErasureId,
    pub project: ProjectId,
    pub kind: String,
    /// Gone when it is done: what was erased is known by its fingerprint only.
    pub subject: Option<String>,
    pub fingerprint: Digest,
    pub state: ErasureState,
    pub asked: Timestamp,
    pub asked_by: String,
    pub ended: Option<Timestamp>,
    pub erased: Erased,
    /// Why it waits or has failed.
    pub trouble: Option<String>,
    /// When the lake held none of it for the first time.
    pub cleaned: Option<Timestamp>,
    /// What it is at, or was when it was broken off; none before it begins and when it is done.
    pub step: Option<ErasureStep>,
    /// While it looks, and until the lake holds none of it.
    pub looked: Option<Looked>,
    /// While it is under way: servers that have not said yet that their own disk holds none of it.
    pub waits_for: Vec<Holder>,
    /// When it is done: servers that nobody had heard of for so long that it was done without them. They carry it out when
    /// they are back, before they bring anything.
    pub without: Vec<Holder>,
}

/// What a job of the kind `erase` says. Every reader of the project may see it, so it says no more than which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EraseJob {
    pub erasure: String,
}

impl EraseJob {
    #[must_use]
    pub fn kind() -> Name {
        "erase".parse().expect("`erase` is a name")
    }

    pub(super) fn of(id: ErasureId) -> Value {
        json!(Self { erasure: id.to_string() })
    }

    pub fn read(payload: &Value) -> Result<ErasureId, KeepingFault> {
        let read: Option<Self> = serde_json::from_value(payload.clone()).ok();
        let id = read.and_then(|job| job.erasure.parse().ok());
        id.ok_or_else(|| KeepingFault::Invalid { reason: "a job names no erasure".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_subject_is_read_as_it_is_written() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        for (kind, text) in [("user", "4711"), ("session", "a/b c"), ("trace", trace), ("document", "notes/doc_1")] {
            let subject = Subject::read(kind, text).unwrap();
            assert_eq!((subject.kind(), subject.text().as_str()), (kind, text));
        }
        for (kind, text) in [("user", ""), ("trace", "4bf9"), ("document", "notes"), ("document", "notes/"), ("key", "x")] {
            assert!(matches!(Subject::read(kind, text), Err(KeepingFault::Invalid { .. })), "{kind} {text}");
        }
        assert!(Subject::read("user", &"u".repeat(SUBJECT_MAX + 1)).is_err());
    }

    #[test]
    fn what_was_looked_through_is_a_share_of_the_whole() {
        for (from, until, to, share) in
            [(0, -1, 10, 0.0), (0, 5, 10, 0.5), (0, 10, 10, 1.0), (7, 6, 7, 0.0), (7, 7, 7, 1.0), (i64::MIN, 0, i64::MAX, 0.5)]
        {
            let looked = Looked { from, until, to, lasts: true };
            assert!((looked.share() - share).abs() < 0.01, "{looked:?}: {}", looked.share());
        }
    }

    #[test]
    fn a_trace_and_a_document_are_known_again_within_their_project_only() {
        let (one, other) = (ProjectId::from_raw(1), ProjectId::from_raw(2));
        assert_eq!(trace_mark(one, "t"), Subject::Trace("t".into()).fingerprint(one));
        assert_ne!(document_mark(one, "d"), document_mark(other, "d"));
        assert_ne!(document_mark(one, "t"), trace_mark(one, "t"));
    }

    proptest! {
        #[test]
        fn no_two_subjects_have_one_fingerprint(one in ".{1,20}", other in ".{1,20}", kinds in any::<(bool, bool)>()) {
            let read = |user: bool, text: &str| Subject::read(if user { "user" } else { "session" }, text).unwrap();
            let project = ProjectId::from_raw(1);
            let (one, other) = (read(kinds.0, &one), read(kinds.1, &other));
            prop_assert_eq!(one.fingerprint(project) == other.fingerprint(project), one == other);
            prop_assert_ne!(one.fingerprint(project), one.fingerprint(ProjectId::from_raw(2)));
        }
    }
}
