//! One run, or one forgetting, at a time changes a knowledge. A hold is a lease in the catalog, so it also counts between
//! processes, and it runs out by itself when its process dies.

use std::{sync::Arc, time::Duration};

use mainspring_catalog::{CatalogFault, Tx};
use mainspring_kernel::{Actor, Fault as _, Timestamp, id::RunId};
use mainspring_registry::{Outcome, RunStatus};

use super::{job::IngestJob, meter::Meter, patience::patiently};
use crate::{
    fault::KnowledgeFault,
    model::{KnowledgeKey, Reason, RunState},
    service::Inner,
    store::{self, RunRow, held},
};

#[derive(Debug, Clone)]
pub(crate) struct Hold {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inner: Arc<Inner>,
    key: KnowledgeKey,
    /// What holds: the id of a run, or of a receipt.
    by: String,
}

impl Hold {
    /// Takes hold in a transaction that records what for, or says who has it.
    pub(crate) async fn take_in(tx: &mut Tx, inner: &Inner, key: &KnowledgeKey, by: &str) -> Result<(), KnowledgeFault> {
        let now = inner.clock.now();
        let until = now.plus(inner.config.lease);
        if held::hold(tx, key, (&inner.process, by), (now, until)).await? {
            return Ok(());
        }
        let run = held::holder(tx, key).await?.unwrap_or_else(|| "unknown".to_owned());
        Err(KnowledgeFault::Busy { name: key.name.to_string(), run })
    }

    pub(crate) async fn take(inner: &Arc<Inner>, key: &KnowledgeKey, by: String) -> Result<Self, KnowledgeFault> {
        let taken = inner.catalog.transact::<(), KnowledgeFault, _>(|mut tx| {
            let by = &by;
            async move {
                Self::take_in(&mut tx, inner, key, by).await?;
                Ok((tx, ()))
            }
        });
        taken.await?;
        Ok(Self::taken(inner, key, by))
    }

    /// The handle to a hold that was taken.
    pub(crate) fn taken(inner: &Arc<Inner>, key: &KnowledgeKey, by: String) -> Self {
        Self { shared: Arc::new(Shared { inner: inner.clone(), key: key.clone(), by }) }
    }

    pub(crate) fn key(&self) -> &KnowledgeKey {
        &self.shared.key
    }
    pub(crate) fn by(&self) -> &str {
        &self.shared.by
    }
    pub(crate) fn lost(&self) -> KnowledgeFault {
        KnowledgeFault::LostHold { run: self.shared.by.clone() }
    }

    /// Before a step that must not be taken when somebody else has taken over: renews the hold, or says that it is lost.
    pub(crate) async fn fence(&self) -> Result<(), KnowledgeFault> {
        let inner = &self.shared.inner;
        patiently(inner, || self.renew(inner.clock.now())).await
    }

    /// Lets go of the knowledge, if it is still held.
    pub(crate) async fn let_go(&self) -> Result<(), KnowledgeFault> {
        let freed = self.shared.inner.catalog.transact::<(), KnowledgeFault, _>(|mut tx| async move {
            held::free(&mut tx, self.key(), self.by()).await?;
            Ok((tx, ()))
        });
        freed.await
    }

    /// Keeps hold for as long as something is being done. What is done is given up when the hold is lost.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = Result<T, KnowledgeFault>>) -> Result<T, KnowledgeFault> {
        let keeping = async {
            loop {
                tokio::time::sleep(self.pause()).await;
                if let Err(fault) = self.fence().await {
                    return fault;
                }
            }
        };
        tokio::select! {
            result = work => result,
            fault = keeping => Err(fault),
        }
    }

    /// A third of the lease: two renewals may fail before anybody else may take hold.
    fn pause(&self) -> Duration {
        (self.shared.inner.config.lease / 3).min(Duration::from_secs(2))
    }

    async fn renew(&self, now: Timestamp) -> Result<(), KnowledgeFault> {
        let (key, text) = (self.key(), self.by());
        let until = now.plus(self.shared.inner.config.lease);
        let held = self
            .shared
            .inner
            .catalog
            .transact::<bool, CatalogFault, _>(|mut tx| async move {
                let held = held::renew(&mut tx, key, text, until).await?;
                Ok((tx, held))
            })
            .await?;
        if held { Ok(()) } else { Err(self.lost()) }
    }

    /// Keeps hold, and writes down how far the run is, until dropped: it ends only with a fault.
    pub(super) async fn keep(&self, run: RunId, meter: &Meter) -> KnowledgeFault {
        let inner = &self.shared.inner;
        loop {
            tokio::time::sleep(self.pause()).await;
            let progress = meter.show();
            if let Err(fault) = self.fence().await {
                return fault;
            }
            let kept = inner
                .catalog
                .transact::<(), CatalogFault, _>(|mut tx| {
                    let progress = &progress;
                    async move {
                        store::run::progress(&mut tx, run, progress).await?;
                        Ok((tx, ()))
                    }
                })
                .await;
            if let Err(fault) = kept {
                tracing::warn!(code = fault.code(), "the progress of an ingestion was not kept");
            }
        }
    }
}

/// Ends a run whose future was dropped: the hold is freed at once instead of when its lease runs out.
#[derive(Debug)]
pub(crate) struct Abandoned {
    what: Option<(Hold, Actor, RunId)>,
}

impl Abandoned {
    pub(crate) fn watch(hold: &Hold, actor: &Actor, run: RunId) -> Self {
        Self { what: Some((hold.clone(), actor.clone(), run)) }
    }
    pub(crate) fn disarm(mut self) {
        self.what = None;
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        let Some((hold, actor, run)) = self.what.take() else { return };
        // Without a runtime the process is ending, and the lease runs out by itself.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let tasks = hold.shared.inner.tasks.clone();
        tasks.spawn("knowledge-abandoned-run", move |_| async move {
            let reason = Reason { code: "cancelled".into(), detail: "whoever asked for it went away".into() };
            // How far it was stays as it was last kept.
            let (state, error) = (RunState::Cancelled, Some(reason));
            let end = RunRow { id: run, state, lake: None, tag: None, progress: None, report: None, error };
            if let Err(fault) = finish(&hold, &actor, &end, Then::Nothing).await {
                tracing::warn!(code = fault.code(), "a cancelled ingestion holds its knowledge until its lease ends");
            }
        });
    }
}

/// What a run that settled leaves in the catalog.
#[derive(Debug, Clone)]
pub(super) struct Settled {
    pub asset: (u32, mainspring_kernel::Digest),
    pub version: mainspring_lake::LakeVersion,
    /// Marks of the sources that it or one before it has read.
    pub read_sources: Vec<String>,
}

/// What the end of a run brings with it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Then<'a> {
    Nothing,
    Settled(&'a Settled),
    /// A job that goes on from there, no sooner than so much later.
    Resumed(&'a IngestJob, Duration),
}

/// Ends a run everywhere in one transaction, and lets go of the knowledge.
pub(super) async fn finish(hold: &Hold, actor: &Actor, end: &RunRow, then: Then<'_>) -> Result<(), KnowledgeFault> {
    let inner = &hold.shared.inner;
    let now = inner.clock.now();
    let outcome = &outcome(end);
    inner
        .catalog
        .transact::<(), KnowledgeFault, _>(|mut tx| async move {
            if store::run::finish(&mut tx, end, now).await? {
                inner.registry.finish_run_in(&mut tx, actor, end.id, outcome).await?;
            }
            match then {
                Then::Nothing => {}
                Then::Settled(settled) => {
                    if !held::renew(&mut tx, hold.key(), hold.by(), now).await? {
                        return Err(hold.lost());
                    }
                    held::settle(&mut tx, hold.key(), settled.asset, (&settled.version, settled.read_sources.as_slice()), now)
                        .await?;
                }
                Then::Resumed(job, after) => {
                    inner.jobs.enqueue_in(&mut tx, &job.to_job(hold.key().project, now.plus(after))).await?;
                }
            }
            held::free(&mut tx, hold.key(), hold.by()).await?;
            Ok((tx, ()))
        })
        .await
}

fn outcome(end: &RunRow) -> Outcome {
    let status = match end.state {
        RunState::Succeeded => RunStatus::Succeeded,
        RunState::Cancelled => RunStatus::Cancelled,
        RunState::Running | RunState::Failed => RunStatus::Failed,
    };
    // Numbers only: the registry shows runs to every reader, and names of documents are not for everyone.
    let metrics = end.report.as_ref().map_or_else(
        || serde_json::json!({}),
        |report| serde_json::json!({ "seconds": report.seconds, "tokens_per_second": report.tokens_per_second, "encoder_busy": report.encoder_busy }),
    );
    let outputs = end.lake.iter().map(|(table, version)| mainspring_registry::Link {
        kind: "table".into(),
        name: format!("{table}@{}", version.transaction),
        number: i64::try_from(version.number).ok(),
        digest: None,
    });
    Outcome {
        status,
        metrics,
        outputs: outputs.collect(),
        error: end.error.as_ref().map(|reason| format!("{}: {}", reason.code, reason.detail)),
    }
}
