//! Senders are held to the pace of the lake: an answer waits a moment while much is on its way there.
//!
//! What is acknowledged faster than it can be found piles up on the disk, is read back from there at twice the cost, and whoever
//! opens a trace waits for all of it. A lake that is away or slow for long keeps nobody from storing spans: the wait is short.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};

use crate::{
    room::Room,
    writer::{Bring, COMMIT_MAX, Counters},
};

/// So many spans on their way to the lake are enough to keep it busy: one commit's while the next gathers.
const AHEAD: u64 = COMMIT_MAX as u64;
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

    /// Waits while more is on its way to the lake than keeps it busy.
    pub(crate) async fn keep(&self) {
        // What waits for quiet is looked at by nobody, and a lake that is away takes nothing however long one waits.
        if self.bring == Bring::WhenQuiet || !self.is_ahead() || *self.counters.lake_down.borrow() {
            return;
        }
        let until = Instant::now() + PACED_FOR;
        let mut queryable = self.counters.queryable.subscribe();
        // Looked at between two changes and not within one: who looks holds what tells of them otherwise, and asks it again.
        while self.is_ahead() && matches!(timeout_at(until, queryable.changed()).await, Ok(Ok(()))) {}
    }

    fn is_ahead(&self) -> bool {
        self.counters.on_their_way() > AHEAD || self.room.is_half_taken()
    }
}

#[cfg(test)]
mod tests {
    use mainspring_telemetry::Metrics;
    use tokio::time::timeout;

    use super::*;

    const WITHIN: Bring = Bring::Within(Duration::from_millis(100));

    fn pace(bring: Bring) -> (Pace, Arc<Counters>, Room) {
        let (counters, room) = (Arc::new(Counters::new(Metrics::default())), Room::of(1_000));
        (Pace::new(Arc::clone(&counters), room.clone(), bring), counters, room)
    }

    /// Looked at once: no clock says how long "a moment" is on a busy machine.
    async fn holds_up(pace: &Pace) -> bool {
        tokio::select! {
            biased;
            () = pace.keep() => false,
            () = std::future::ready(()) => true,
        }
    }

    #[tokio::test]
    async fn an_export_waits_while_more_spans_are_on_their_way_than_keep_the_lake_busy() {
        let (pace, counters, _) = pace(WITHIN);
        counters.announce(AHEAD);
        assert!(!holds_up(&pace).await, "so many are taken at once");
        counters.announce(1);
        assert!(holds_up(&pace).await, "one too many");
        counters.brought(1);
        assert!(!holds_up(&pace).await, "one was brought");
    }

    #[tokio::test]
    async fn large_spans_are_as_many_and_none_is_waited_for_long() {
        let (pace, _, room) = pace(WITHIN);
        let held = room.try_take(501).unwrap();
        assert!(holds_up(&pace).await);
        // Ends by itself, though nothing is brought.
        pace.keep().await;
        drop(held);
        assert!(!holds_up(&pace).await, "there is room");
    }

    #[tokio::test]
    async fn nobody_waits_for_a_lake_that_is_away_or_for_quiet_or_for_what_is_not_brought() {
        let (quiet, counters, _) = pace(Bring::WhenQuiet);
        counters.announce(100_000);
        assert!(!holds_up(&quiet).await, "nobody brings it");
        let (pace, counters, _) = pace(WITHIN);
        counters.announce(100_000);
        assert!(holds_up(&pace).await);
        counters.lake_down.send_replace(true);
        assert!(!holds_up(&pace).await, "nobody can");
        counters.lake_down.send_replace(false);
        assert!(holds_up(&pace).await);
        counters.pass(100_000);
        assert!(!holds_up(&pace).await, "they were sampled away");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_who_wait_and_many_changes_do_not_lock_each_other_out() {
        let (pace, counters, _) = pace(WITHIN);
        counters.announce(100_000);
        let waiting: Vec<_> = (0..64)
            .map(|_| {
                let pace = pace.clone();
                tokio::spawn(async move { pace.keep().await })
            })
            .collect();
        let changing = std::thread::spawn(move || (0..100_000).for_each(|_| counters.brought(0)));
        // A thread that is locked out never ends.
        timeout(Duration::from_secs(60), async {
            while !changing.is_finished() {
                tokio::time::sleep(Duration::from_millis(10)).await
            }
        })
        .await
        .unwrap();
        for one in waiting {
            timeout(Duration::from_secs(60), one).await.unwrap().unwrap();
        }
    }
}
