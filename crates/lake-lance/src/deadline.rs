//! No question waits for its store for ever. The client of an object store gives up each request after a while, but
//! Lance asks again and again, and for one answer it asks many times.

use std::time::Duration;

use mainspring_lake::{Answer, LakeFault};

use crate::lake::Shared;

/// As long as anybody waits for an answer: the largest tables are read in a fraction of it.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(180);
/// As long as a writer works on one change, also when who asked has gone: then it is the next one's turn.
pub(crate) const CHANGE_WITHIN: Duration = Duration::from_secs(600);
/// Building the indexes of a large table takes minutes.
pub(crate) const UPKEEP_WITHIN: Duration = Duration::from_secs(1_800);

impl Shared {
    /// The answer, or that the store gave none in time.
    pub(crate) async fn in_time<T>(&self, asking: Answer<'_, T>) -> Result<T, LakeFault> {
        self.within(ANSWER_WITHIN, asking).await
    }

    pub(crate) async fn within<T>(&self, limit: Duration, asking: Answer<'_, T>) -> Result<T, LakeFault> {
        tokio::time::timeout(limit, asking).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {} s", limit.as_secs());
            Err(LakeFault::Unavailable { location: self.stores.label.clone(), reason })
        })
    }
}
