//! What a dead process left: its holds end, its runs are closed, and what they did is asked for again.

use mainspring_kernel::id::RunId;

use super::job::{Because, IngestJob};
use crate::{
    fault::KnowledgeFault,
    model::KnowledgeKey,
    service::Inner,
    store::{self, held},
};

/// All in one transaction: whichever process closes a run, also one that only looks, a job is there for it, and
/// a server takes that up. `alone`: no other process can be using this catalog.
pub(crate) async fn sweep(inner: &Inner, alone: bool) -> Result<Vec<(KnowledgeKey, RunId)>, KnowledgeFault> {
    let now = inner.clock.now();
    if !alone && !store::run::any_stranded(&inner.catalog, now).await? {
        return Ok(Vec::new());
    }
    inner
        .catalog
        .transact::<_, KnowledgeFault, _>(|mut tx| async move {
            held::free_all(&mut tx, now, alone).await?;
            let interrupted = store::run::interrupt(&mut tx, now).await?;
            for (key, run) in &interrupted {
                let broken = inner.registry.break_off_run_in(&mut tx, key.project, *run, "interrupted: its process died").await?;
                let options = broken.and_then(|run| serde_json::from_value(run.parameters).ok()).unwrap_or_default();
                let job = IngestJob::new(key.name.clone(), Because::Resume).with(options);
                inner.jobs.enqueue_in(&mut tx, &job.to_job(key.project, now)).await?;
            }
            Ok((tx, interrupted))
        })
        .await
}
