//! What is counted of batches, for metrics.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mainspring_kernel::{Fault as _, Stop, Timestamp};

use crate::{
    fault::BatchFault,
    service::{Batches, job_kind},
    store,
};

const LOOK_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Tally {
    completed: AtomicU64,
    failed: AtomicU64,
    seen: Mutex<Option<Seen>>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    unfinished: u64,
    running: u64,
    oldest: Option<Timestamp>,
}

/// How batches stand, as far as was seen within the last seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Batches of all processes that share the catalog, whose lines are asked by one of them.
    pub running: u64,
    /// Those that wait: for a place, a limit, a provider or a time.
    pub waiting: u64,
    /// How long ago the oldest batch was made that has not ended.
    pub oldest: Duration,
    /// Lines that this process has written results of since it began.
    pub completed: u64,
    pub failed: u64,
}

impl Tally {
    pub(crate) fn lines(&self, completed: u64, failed: u64) {
        self.completed.fetch_add(completed, Ordering::Relaxed);
        self.failed.fetch_add(failed, Ordering::Relaxed);
    }
}

impl Batches {
    /// For whoever asks for metrics: nothing is read for it. Nothing is said where nobody looks.
    #[must_use]
    pub fn measured(&self) -> Option<Measured> {
        let tally = self.tally();
        let Seen { unfinished, running, oldest } = (*tally.seen.lock().unwrap_or_else(PoisonError::into_inner))?;
        let running = running.min(unfinished);
        Some(Measured {
            running,
            waiting: unfinished - running,
            oldest: oldest.map(|made| self.now().since(made)).unwrap_or_default(),
            completed: tally.completed.load(Ordering::Relaxed),
            failed: tally.failed.load(Ordering::Relaxed),
        })
    }

    /// Looks how batches stand, for as long as the server runs. Give it to `Tasks`.
    pub async fn keep_measuring(self, stop: Stop) {
        loop {
            if let Err(found) = self.measure().await
                && !found.kind().is_transient()
            {
                tracing::error!(error = mainspring_kernel::fault::chain(&found), "it cannot be said how batches stand");
            }
            if !stop.sleep(LOOK_EVERY).await {
                return;
            }
        }
    }

    pub(crate) async fn measure(&self) -> Result<(), BatchFault> {
        let (unfinished, oldest) = store::oldest_open(self.catalog()).await?;
        let running = self.jobs().under_way(&job_kind()).await?;
        *self.tally().seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Seen { unfinished, running, oldest });
        Ok(())
    }
}
