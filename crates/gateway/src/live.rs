//! Calls as they happen, for whoever looks.

use mainspring_kernel::{
    Timestamp,
    id::{CallId, ProjectId},
};
use mainspring_llm::TraceId;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::record::{CallRecord, Caller};

/// A looker who falls behind by more than this misses calls, and is told so by the channel.
const BEHIND_MAX: usize = 2_048;

/// What happened. Lookers show what their reader may see: calls of every project come by.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Live {
    Started(Box<Started>),
    /// A stream began, or went on for a while.
    Answering(Box<Answering>),
    Settled(Box<CallRecord>),
}

impl Live {
    /// Whose readers may see it.
    #[must_use]
    pub fn project(&self) -> ProjectId {
        match self {
            Self::Started(started) => started.caller.project,
            Self::Answering(answering) => answering.project,
            Self::Settled(record) => record.caller.project,
        }
    }
}

/// A call that was let in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Started {
    pub id: CallId,
    #[serde(flatten)]
    pub caller: Caller,
    pub at: Timestamp,
    pub model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    pub operation: String,
    pub stream: bool,
    pub batch: bool,
    pub trace: TraceId,
}

/// How far a stream is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answering {
    pub id: CallId,
    pub project: ProjectId,
    pub provider: String,
    pub target: String,
    pub attempts: u32,
    /// From the call's start to its first token.
    pub first_ms: u32,
    /// Guessed from the length of the text: what was used is told at the end.
    pub output_tokens: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Board(broadcast::Sender<Live>);

impl Default for Board {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND_MAX))
    }
}

impl Board {
    pub(crate) fn look(&self) -> broadcast::Receiver<Live> {
        self.0.subscribe()
    }

    /// Whether somebody looks.
    pub(crate) fn is_watched(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Makes the event only if somebody looks.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Live) {
        if self.is_watched() {
            // The last looker may just have left.
            let _ = self.0.send(event());
        }
    }
}
