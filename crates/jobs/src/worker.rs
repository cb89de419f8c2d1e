//! Runs jobs: leases them, keeps the lease while the handler works, and records how it ended.

use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use mainspring_kernel::{Fault, Name, Stop, fault};
use serde_json::Value;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    Jobs,
    fault::JobFault,
    model::{Job, Lease, Retry},
};

/// How often to look for jobs that other processes made.
const POLL: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(60);
/// After a failed catalog: long enough not to hammer it.
const PAUSE: Duration = Duration::from_secs(2);

/// What a kind of job does.
#[async_trait::async_trait]
pub trait Handler: Send + Sync + 'static {
    /// May be dropped at any await when the lease is lost, and run again elsewhere.
    async fn run(&self, job: &Job, context: &Context) -> Result<Value, Failure>;
}

/// Why an attempt failed, in words a person can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub message: String,
    pub retry: Retry,
}

impl<F: Fault> From<F> for Failure {
    /// Faults that may pass are tried again; our own mistakes too, since a restart may cure them.
    fn from(found: F) -> Self {
        let retry = if found.kind().is_transient() || found.kind().is_ours() { Retry::Later } else { Retry::Never };
        Self { message: fault::chain(&found), retry }
    }
}

/// Why a handler should finish early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody asked for the job to be cancelled.
    Cancelled,
    /// The process is shutting down; the job goes back into the queue.
    ShuttingDown,
}

/// What a handler may do besides its work.
#[derive(Debug)]
pub struct Context {
    jobs: Jobs,
    lease: Lease,
    reason: watch::Receiver<Option<StopReason>>,
}

impl Context {
    /// Says how far the job is. Cheap enough for once a second, not for once a document.
    pub async fn progress(&self, progress: &Value) -> Result<(), JobFault> {
        self.jobs.progress(&self.lease, progress).await
    }

    #[must_use]
    pub fn stop_reason(&self) -> Option<StopReason> {
        *self.reason.borrow()
    }

    /// Resolves when the handler should finish early.
    pub async fn stopped(&self) -> StopReason {
        let mut reason = self.reason.clone();
        loop {
            if let Some(reason) = *reason.borrow_and_update() {
                return reason;
            }
            if reason.changed().await.is_err() {
                // The worker is gone, and this future with it.
                std::future::pending::<()>().await;
            }
        }
    }

    /// For handlers that end their job together with their own changes, by `Jobs::complete_in`:
    /// the worker then finds it ended, which is fine.
    #[must_use]
    pub const fn lease(&self) -> &Lease {
        &self.lease
    }
}

/// A pool of slots that run jobs of the kinds it has handlers for.
#[derive(Clone)]
pub struct Worker {
    jobs: Jobs,
    owner: Arc<str>,
    handlers: BTreeMap<Name, Arc<dyn Handler>>,
    slots: usize,
    lease: Duration,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds: Vec<&str> = self.handlers.keys().map(Name::as_str).collect();
        f.debug_struct("Worker").field("owner", &self.owner).field("kinds", &kinds).finish_non_exhaustive()
    }
}

impl Worker {
    /// `owner` names the process in lists of jobs: host and process id, for people.
    #[must_use]
    pub fn new(jobs: Jobs, owner: &str) -> Self {
        Self { jobs, owner: owner.into(), handlers: BTreeMap::new(), slots: 1, lease: LEASE }
    }

    #[must_use]
    pub fn handle(mut self, kind: Name, handler: Arc<dyn Handler>) -> Self {
        self.handlers.insert(kind, handler);
        self
    }

    /// How many jobs to run at once.
    #[must_use]
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots.max(1);
        self
    }

    /// How long a dead worker keeps its jobs from the others. Heartbeats come three times as often.
    #[must_use]
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Runs until told to stop and the jobs under way have finished or given up. Give it to `Tasks`.
    pub async fn run(self, stop: Stop) {
        let mut slots = JoinSet::new();
        for _ in 0..self.slots {
            slots.spawn(self.clone().run_slot(stop.clone()));
        }
        while slots.join_next().await.is_some() {}
    }

    async fn run_slot(self, stop: Stop) {
        while !stop.is_requested() {
            match self.run_one(&stop).await {
                Ok(true) => {}
                Ok(false) => {
                    tokio::select! {
                        () = stop.requested() => {}
                        () = self.jobs.woken.notified() => {}
                        () = tokio::time::sleep(POLL) => {}
                    }
                }
                Err(found) => {
                    tracing::warn!(error = fault::chain(&found), "job.worker could not reach its queue");
                    stop.sleep(PAUSE).await;
                }
            }
        }
    }

    /// Takes and runs one job; answers whether there was one.
    pub async fn run_one(&self, stop: &Stop) -> Result<bool, JobFault> {
        let kinds: Vec<Name> = self.handlers.keys().cloned().collect();
        let Some(lease) = self.jobs.lease(&self.owner, &kinds, self.lease).await? else {
            return Ok(false);
        };
        let Some(handler) = self.handlers.get(&lease.job.kind) else {
            return Ok(false);
        };
        self.work(handler.as_ref(), lease, stop).await?;
        Ok(true)
    }

    #[tracing::instrument(skip_all, fields(job.id = %lease.job.id, job.kind = %lease.job.kind, job.attempt = lease.job.attempt))]
    async fn work(&self, handler: &dyn Handler, lease: Lease, stop: &Stop) -> Result<(), JobFault> {
        let (reason, watched) = watch::channel(None);
        let context = Context { jobs: self.jobs.clone(), lease: lease.clone(), reason: watched };
        let shutting_down = async {
            stop.requested().await;
            reason.send_replace(Some(StopReason::ShuttingDown));
            std::future::pending::<()>().await;
        };
        // All three go on at once: a handler that holds the only writer must be able to finish with
        // it while a heartbeat waits for it.
        let ended = tokio::select! {
            ended = AssertUnwindSafe(handler.run(&lease.job, &context)).catch_unwind() => ended,
            () = self.keep_lease(lease.clone(), &reason) => {
                tracing::warn!("job.lost: the lease ran out while the handler worked");
                return Ok(());
            }
            () = shutting_down => return Ok(()),
        };
        let ended = ended.unwrap_or_else(|_| {
            tracing::error!("job.panicked: the handler panicked");
            Err(Failure { message: "the handler panicked".to_owned(), retry: Retry::Later })
        });
        self.record(&lease, ended, stop.is_requested()).await
    }

    /// Ends when the job is no longer ours.
    async fn keep_lease(&self, mut lease: Lease, reason: &watch::Sender<Option<StopReason>>) {
        loop {
            tokio::time::sleep(self.lease / 3).await;
            match self.jobs.heartbeat(&mut lease).await {
                Ok(false) => {}
                Ok(true) => {
                    reason.send_if_modified(|reason| reason.is_none() && reason.replace(StopReason::Cancelled).is_none());
                }
                Err(JobFault::LeaseLost { .. }) => {
                    // A handler that ends its job itself is about to say so.
                    tokio::time::sleep(POLL).await;
                    return;
                }
                // With the catalog away the lease runs out, and then others may take the job.
                Err(_) if self.jobs.clock.now() >= lease.until => return,
                Err(found) => tracing::warn!(error = fault::chain(&found), "job.heartbeat failed"),
            }
        }
    }

    async fn record(&self, lease: &Lease, ended: Result<Value, Failure>, stopping: bool) -> Result<(), JobFault> {
        let recorded = match ended {
            Ok(result) => self.jobs.complete(lease, &result).await,
            Err(Failure { retry: Retry::At(due), .. }) => self.jobs.rest(lease, due).await,
            Err(_) if stopping => self.jobs.release(lease).await,
            Err(Failure { message, retry }) => self.jobs.fail(lease, &message, retry).await.map(drop),
        };
        match recorded {
            // The handler ended the job itself, or somebody else holds it now; either way it is not ours.
            Err(JobFault::LeaseLost { id }) => {
                tracing::debug!(job.id = %id, "job.record found the lease gone");
                Ok(())
            }
            other => other,
        }
    }
}
