//! What has to be done from time to time, by any process.

use std::time::Duration;

use mainspring_jobs::JobState;
use mainspring_kernel::{Fault as _, Stop, fault};

use crate::{
    fault::BatchFault,
    run::FORGET_AT_ONCE,
    service::{Batches, job, job_kind},
    store,
};

const PERIOD: Duration = Duration::from_secs(30);
/// An upload that has taken longer than this has been broken off.
const UPLOAD_LONGEST: Duration = Duration::from_secs(86_400);
const AT_ONCE: usize = 100;

impl Batches {
    /// Keeps a job for every batch that has not ended, deletes files whose time is over, and clears away what dead
    /// processes left. Give it to `Tasks`.
    pub async fn keep_up(self, stop: Stop) {
        loop {
            if let Err(found) = self.keep_up_once().await
                && !found.kind().is_transient()
            {
                tracing::error!(error = fault::chain(&found), "upkeep of files and batches failed; it is tried again");
            }
            if !stop.sleep(PERIOD).await {
                return;
            }
        }
    }

    pub async fn keep_up_once(&self) -> Result<(), BatchFault> {
        for (project, id) in store::unfinished(self.catalog()).await? {
            // Whoever cancels its job while it waits means the batch.
            let ended = self.jobs().latest_state(project, &job_kind(), &id.to_string()).await?;
            if ended == Some(JobState::Cancelled) {
                self.cancel_from_within(id).await?;
            }
            self.jobs().enqueue(&job(project, id)).await?;
        }
        let now = self.now();
        for id in store::expired_files(self.catalog(), (now, now.minus(UPLOAD_LONGEST)), AT_ONCE).await? {
            self.catalog()
                .transact(|mut tx| async move {
                    if store::reader_of(&mut tx, id).await?.is_none() {
                        store::mark_gone(&mut tx, id).await?;
                    }
                    Ok::<_, BatchFault>((tx, ()))
                })
                .await?;
        }
        for id in store::gone_files(self.catalog(), AT_ONCE).await? {
            self.clear(id).await?;
        }
        for id in store::left_over(self.catalog(), AT_ONCE).await? {
            while store::forget_results(self.catalog(), id, FORGET_AT_ONCE).await? == FORGET_AT_ONCE {}
        }
        Ok(())
    }
}
