//! Senders are held to the pace of the lake: an answer waits a moment while much is on its way there.
//!
//! What is acknowledged faster than it can be found piles up on the disk, is read back from there at twice the cost, and whoever
//! opens a trace waits for all of it. A lake that is away or slow for long keeps nobody from storing spans: the wait is short.

use std::{sync::Arc, time::Duration};

use crate::{
    room::Room,
    writer::{Bring, COMMIT_MAX, Counters},
};

/// How long an export waits at most.
const PACED_FOR: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
pub(crate) struct Pace {
    counters: Arc<Counters>,
    /// That of stored groups on their way to the lake.
    room: Room,
    bring: Bring,
}

impl Pace {
    pub(crate) fn new(counters: Arc<Counters>, room: Room, bring: Bring) -> Self {
        Self { counters, room, bring }
    }

    /// Waits while more is on its way to the lake than the next commits take.
    pub(crate) async fn keep(&self) {
        // What waits for quiet is looked at by nobody, and a lake that is away takes nothing however long one waits.
        if self.bring == Bring::WhenQuiet || !self.is_ahead() || *self.counters.lake_down.borrow() {
            return;
        }
        let mut queryable = self.counters.queryable.subscribe();
        let caught_up = queryable.wait_for(|_| !self.is_ahead());
        // Both mean that the export goes on.
        let _ = tokio::time::timeout(PACED_FOR, caught_up).await;
    }

    fn is_ahead(&self) -> bool {
        self.counters.on_their_way() > COMMIT_MAX as u64 || self.room.is_half_taken()
    }
}
