//! Erasures, as jobs: whichever process dies at one, another goes on.

use std::sync::Arc;

use async_trait::async_trait;
use mainspring_alerts::Alerts;
use mainspring_identity::Identity;
use mainspring_jobs::{Context, Failure, Handler, Job, Retry};
use mainspring_kernel::{Actor, Clock, Fault, fault::chain, id::ProjectId};
use mainspring_knowledge::Knowledges;
use mainspring_monitors::Monitors;
use mainspring_observability::{Derived, EraseJob, ErasedNames, ErasureId, ErasureState, Keeping, KeepingFault, Subject};
use serde_json::{Value, json};

/// What monitors and alerts made of telemetry.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) monitors: Monitors,
    pub(crate) alerts: Alerts,
}

#[async_trait]
impl Derived for Told {
    async fn settle(&self) {
        self.monitors.settle().await;
    }

    async fn forget(&self, project: ProjectId, names: &ErasedNames) -> Result<(), Box<dyn Fault>> {
        self.monitors.forget(project, &names.values, &names.words).await.map_err(boxed)
    }

    async fn erase(&self, project: ProjectId, names: &ErasedNames) -> Result<(), Box<dyn Fault>> {
        self.alerts.erase(project, (&names.values, &names.words), &names.traces).await.map_err(boxed)
    }
}

pub(crate) struct Eraser {
    pub(crate) keeping: Keeping,
    pub(crate) knowledge: Knowledges,
    pub(crate) identity: Identity,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Handler for Eraser {
    async fn run(&self, job: &Job, context: &Context) -> Result<Value, Failure> {
        let id = EraseJob::read(&job.payload)?;
        if job.cancel_asked {
            let why = "it was cancelled; some of it may be gone";
            self.keeping.report(id, why, ErasureState::Failed).await?;
            return Err(Failure { message: why.into(), retry: Retry::Never });
        }
        let actors = self.identity.caretakers().await?;
        let Some(actor) = actors.into_iter().find(|actor| Some(actor.project) == job.project) else {
            return Err(Failure { message: "its project is gone".into(), retry: Retry::Never });
        };
        let Some((erasure, subject)) = self.keeping.begin(id).await? else {
            return Ok(json!({ "outcome": "nothing to do" }));
        };
        // One that waits for a server begins again every few seconds.
        if erasure.cleaned.is_none() {
            tracing::info!(erasure = %id, of = subject.kind(), "an erasure begins");
        }
        let erased = tokio::select! {
            erased = Box::pin(self.erase(&actor, id, &subject)) => erased,
            // It begins again elsewhere, or when this process is back; one that is to be cancelled is, the next time.
            _ = context.stopped() => return Err(Failure { message: "it was broken off".into(), retry: Retry::At(self.clock.now()) }),
        };
        let ended = match erased {
            Ok(answered) => self.keeping.finish(&actor, id, context.lease(), answered).await.map_err(boxed),
            Err(fault) => Err(fault),
        };
        match ended {
            Ok(()) => Ok(json!({ "outcome": "done" })),
            Err(fault) => Err(self.failed(id, fault.as_ref()).await),
        }
    }
}

impl Eraser {
    /// Answers up to where every server was that was asked.
    async fn erase(&self, actor: &Actor, id: ErasureId, subject: &Subject) -> Result<i64, Box<dyn Fault>> {
        let Subject::Document { knowledge, document } = subject else {
            return self.keeping.erase(id, actor.project, subject).await.map_err(boxed);
        };
        let document =
            document.parse().map_err(|_| boxed(KeepingFault::Invalid { reason: "the document has no such id".into() }))?;
        // Where nothing was left of it there, traces may show it all the same; and those of before it was moved have another id.
        let ids = self.knowledge.erase(actor, knowledge, &document).await.map_err(boxed)?;
        let others: Vec<String> = ids.iter().filter(|other| **other != document).map(ToString::to_string).collect();
        self.keeping.erase_with(id, actor.project, subject, &others).await.map_err(boxed)
    }

    /// What may pass is tried again; the rest is for a person.
    async fn failed(&self, id: ErasureId, fault: &dyn Fault) -> Failure {
        let (message, kind) = (format!("{}: {}", fault.code(), chain(fault)), fault.kind());
        let passes = kind.is_transient() || kind.is_ours() || kind == mainspring_kernel::FaultKind::Conflict;
        let state = if passes { ErasureState::Running } else { ErasureState::Failed };
        if let Err(fault) = self.keeping.report(id, &message, state).await {
            tracing::debug!(code = fault.code(), erasure = %id, "why an erasure waits could not be written down");
        }
        let retry = match fault.retry_after().filter(|_| passes) {
            Some(after) => Retry::At(self.clock.now().plus(after)),
            None if passes => Retry::Later,
            None => Retry::Never,
        };
        Failure { message, retry }
    }
}

fn boxed(fault: impl Fault) -> Box<dyn Fault> {
    Box::new(fault)
}
