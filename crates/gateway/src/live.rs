//! Calls as they happen, for whoever looks.

use mainspring_kernel::{Timestamp, id::CallId};
use serde::Serialize;
use tokio::sync::broadcast;

use crate::record::{CallRecord, Caller};

/// A looker who falls behind by more than this misses calls, and is told so by the channel.
const BEHIND_MAX: usize = 512;

/// What happened. Lookers show what their reader may see: calls of every project come by.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Live {
    Started(Box<Started>),
    Settled(Box<CallRecord>),
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

    /// Makes the event only if somebody looks.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Live) {
        if self.0.receiver_count() > 0 {
            // The last looker may just have left.
            let _ = self.0.send(event());
        }
    }
}
