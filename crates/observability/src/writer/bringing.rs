//! The second worker: from the disk, or from memory before that, to the lake.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use mainspring_kernel::Stop;
use tokio::{sync::mpsc, time::Instant};

use super::{Bring, COMMIT_BYTES, COMMIT_MAX, Counters, LITTLE, Stored, commit, sweep};
use crate::{
    errand::{self, ErrandKind, Errands},
    fault::TraceFault,
    settle::Kept,
    spill::Spill,
};

const RETRY: Duration = Duration::from_secs(2);
/// It is quiet when no more than so many spans came between two looks, so many times in a row: half a minute.
const QUIET_SPANS: u64 = 1_000;
const QUIET_LOOKS: u32 = 15;
/// The share of the disk that may be waited for quiet in.
const LET_WAIT: u64 = 4;

/// The second worker: brings stored groups into the table, and now and then whatever waits on disk.
pub(crate) async fn bring(
    mut inbox: mpsc::Receiver<Stored>,
    kept: Kept,
    (spill, counters, bring): (Arc<Spill>, Arc<Counters>, Bring),
    errands: Option<Errands>,
    stop: Stop,
) {
    let mut ended = false;
    let mut look_at = Instant::now() + RETRY;
    let mut quiet = Quiet::default();
    while !ended {
        let (mut groups, mut asked) = (Vec::new(), false);
        tokio::select! {
            biased;
            first = inbox.recv() => match (first, bring) {
                (Some(first), Bring::Within(linger)) => {
                    groups.push(first);
                    ended = gather_groups(&mut inbox, &mut groups, linger, &stop).await;
                }
                (Some(first), Bring::WhenQuiet) => groups.push(first),
                (None, _) => ended = true,
            },
            () = counters.asked.notified(), if bring == Bring::WhenQuiet => asked = true,
            () = tokio::time::sleep_until(look_at) => {}
        }
        let mut outcome = commit(&kept, &spill, &counters, groups).await;
        // On a busy server there is no pause to wait for.
        if outcome.is_ok() && (ended || asked || Instant::now() >= look_at) {
            let due = match bring {
                // What is more waits for the next process.
                _ if ended => spill.bytes() <= LITTLE,
                Bring::Within(_) => true,
                Bring::WhenQuiet => asked || quiet.has_come(&counters, &spill),
            };
            if due && errands.as_ref().is_none_or(|errands| errands.may_run(ErrandKind::Bring)) {
                let waited = bring == Bring::WhenQuiet && spill.segments().is_ok_and(|segments| !segments.is_empty());
                outcome = match &errands {
                    Some(errands) => errand::send(errands, &spill, &counters).await.map(|_| ()),
                    // What is little has the time that a stop may take.
                    None if ended => sweep(&kept, &spill, &counters, &Stop::never()).await,
                    None => sweep(&kept, &spill, &counters, &stop).await,
                };
                // A gateway runs the code of the lake at no other time.
                if waited {
                    mainspring_telemetry::let_go_of_code();
                }
            }
            look_at = Instant::now() + RETRY;
            if counters.trouble.borrow().is_some() && spill.has_room() {
                counters.works_again();
            }
        }
        match outcome {
            // Nothing was tried, perhaps.
            Ok(()) if errands.as_ref().is_some_and(|errands| errands.is_failing(ErrandKind::Bring)) => {}
            Ok(()) => {
                counters.lake_down.send_if_modified(std::mem::take);
            }
            Err(fault) => {
                // What another process failed at is told of already.
                if !matches!(fault, TraceFault::Errand { .. }) {
                    tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "spans wait on disk: the lake did not take them");
                }
                counters.lake_down.send_replace(true);
                if !stop.sleep(RETRY).await {
                    return;
                }
            }
        }
    }
}

/// Whether what waits is to be brought now.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    recorded: u64,
    looks: u32,
}

impl Quiet {
    pub(crate) fn has_come(&mut self, counters: &Counters, spill: &Spill) -> bool {
        let recorded = counters.recorded.load(Ordering::Relaxed);
        let more = recorded.saturating_sub(std::mem::replace(&mut self.recorded, recorded));
        self.looks = if more <= QUIET_SPANS { self.looks.saturating_add(1) } else { 0 };
        spill.bytes() > 0 && (self.looks >= QUIET_LOOKS || spill.bytes() >= spill.limit() / LET_WAIT)
    }
}

/// Takes more groups for a moment; answers whether the channel has ended.
async fn gather_groups(inbox: &mut mpsc::Receiver<Stored>, groups: &mut Vec<Stored>, linger: Duration, stop: &Stop) -> bool {
    let until = Instant::now() + linger;
    loop {
        let (spans, bytes) = groups.iter().fold((0, 0), |(spans, bytes), group| (spans + group.spans(), bytes + group.bytes));
        if spans >= COMMIT_MAX || bytes >= COMMIT_BYTES {
            return false;
        }
        let more = tokio::select! {
            biased;
            more = inbox.recv() => more,
            () = stop.requested() => match inbox.try_recv() {
                Ok(more) => Some(more),
                Err(mpsc::error::TryRecvError::Empty) => return false,
                Err(mpsc::error::TryRecvError::Disconnected) => None,
            },
            () = tokio::time::sleep_until(until) => return false,
        };
        match more {
            Some(group) => groups.push(group),
            None => return true,
        }
    }
}
