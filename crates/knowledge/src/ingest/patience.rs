//! While a store is away a run waits; when it stays away the run ends by name, and a job goes on when it is back.

use std::{future::Future, time::Duration};

use mainspring_kernel::Fault as _;
use tokio::time::Instant;

use crate::{fault::KnowledgeFault, service::Inner};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Waits out a store that is away or contended; everything done here may be done twice.
pub(crate) async fn patiently<T, F>(inner: &Inner, work: impl Fn() -> F) -> Result<T, KnowledgeFault>
where
    F: Future<Output = Result<T, KnowledgeFault>>,
{
    let deadline = Instant::now() + inner.config.patience;
    let mut pause = FIRST_PAUSE;
    loop {
        match Box::pin(work()).await {
            Err(fault) if fault.kind().is_transient() && Instant::now() < deadline => {
                tracing::warn!(code = fault.code(), "a store is away; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            other => return other,
        }
    }
}
