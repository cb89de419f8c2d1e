//! What the queue needs done from time to time, by any process.

use std::time::Duration;

use mainspring_kernel::{Fault as _, Stop, fault};

use crate::{JobFault, Jobs, store};

const PERIOD: Duration = Duration::from_secs(1);
const PRUNE_BATCH: usize = 500;

impl Jobs {
    /// Runs schedules, ends jobs whose workers died too often, and forgets jobs that ended longer
    /// than `keep` ago. Give it to `Tasks`.
    pub async fn keep_up(self, keep: Duration, stop: Stop) {
        while stop.sleep(PERIOD).await {
            if let Err(found) = self.keep_up_once(keep).await
                && !found.kind().is_transient()
            {
                tracing::error!(error = fault::chain(&found), "job.upkeep failed");
            }
        }
    }

    pub async fn keep_up_once(&self, keep: Duration) -> Result<(), JobFault> {
        self.run_schedules().await?;
        self.end_exhausted().await?;
        while store::prune(&self.catalog, self.clock.now().minus(keep), PRUNE_BATCH).await? == PRUNE_BATCH {}
        Ok(())
    }
}
