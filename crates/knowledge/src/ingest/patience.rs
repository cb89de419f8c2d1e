//! While a store is away or a model on its way a run waits; when it stays away the run ends by name, and a job goes on
//! when it is back.

use std::{future::Future, time::Duration};

use mainspring_kernel::Fault as _;
use mainspring_llm::{Budget, Embedder, ModelFault};
use tokio::time::Instant;

use super::meter::Meter;
use crate::{fault::KnowledgeFault, model::Stage, service::Inner};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A fetch takes as long as the line does, and one that gets nowhere gives up by itself.
const FETCH: Duration = Duration::from_secs(3600);
const FETCH_PAUSE: Duration = Duration::from_millis(500);
const LOAD: Duration = Duration::from_secs(600);

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

/// Waits until a model is loaded, for as long as its files are on their way.
pub(super) async fn until_here(embedder: &dyn Embedder, meter: &Meter) -> Result<(), KnowledgeFault> {
    let patience = Budget::of(FETCH);
    let mut waited = false;
    loop {
        match embedder.prepare(Budget::of(LOAD)).await {
            Err(ModelFault::Fetching { model }) if !patience.is_spent() => {
                if !std::mem::replace(&mut waited, true) {
                    tracing::info!(%model, "an ingestion waits for a model that is being fetched");
                    meter.enter(Stage::Awaiting);
                }
                tokio::time::sleep(FETCH_PAUSE).await;
            }
            here => {
                if waited {
                    meter.enter(Stage::Working);
                }
                return Ok(here?);
            }
        }
    }
}
