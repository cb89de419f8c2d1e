//! What runs in the background for as long as the server does.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use mainspring_batches::{Batches, Runner};
use mainspring_identity::Identity;
use mainspring_jobs::{Jobs, Worker};
use mainspring_kernel::{Clock, Fault, Stop, Tasks, Timestamp, id::ProjectId};
use mainspring_knowledge::{Forgotten, IngestJob, Knowledges};
use mainspring_lake::UpkeepPolicy;
use mainspring_observability::Observability;
use mainspring_registry::Registry;
use mainspring_telemetry::Metrics;

use crate::{
    batching,
    ingesting::{Asker, Ingester},
};

/// How often to look for what other processes, dead by now, left.
const RECOVER_EVERY: Duration = Duration::from_secs(10);
/// As long as a run keeps its hold on a knowledge when it falls silent.
const JOB_LEASE: Duration = Duration::from_secs(30);
/// Ingestions that nobody waits for, side by side; they share one encoder.
const JOB_SLOTS: usize = 2;
/// How long after a forgetting spans are looked at that may have been on their way.
const SWEEP_FOR: Duration = Duration::from_secs(24 * 3600);
/// No span that may show a forgotten document began longer before the last look than this.
const LONGEST_SPAN: Duration = Duration::from_secs(3600);
/// Ended jobs are kept for people who ask why.
const KEEP_JOBS_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

pub(crate) struct Background {
    pub(crate) knowledge: Knowledges,
    pub(crate) observability: Observability,
    pub(crate) registry: Registry,
    pub(crate) identity: Identity,
    pub(crate) jobs: Jobs,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) batches: Batches,
    pub(crate) runner: Runner,
    pub(crate) upkeep_every: Duration,
    pub(crate) keep_traces_for: Duration,
    pub(crate) keep_versions_for: Duration,
}

impl Background {
    pub(crate) fn start(self, tasks: &Tasks) {
        let asker = self.asker();
        tasks.spawn("knowledge: schedules and watches", |stop| async move { asker.keep_asking(stop).await });
        let worker = self.worker();
        tasks.spawn("jobs: worker", |stop| worker.run(stop));
        batching::start(self.batches.clone(), &self.runner, &owner(), tasks);
        let jobs = self.jobs.clone();
        tasks.spawn("jobs: upkeep", |stop| jobs.keep_up(KEEP_JOBS_FOR, stop));
        let identity = self.identity.clone();
        tasks.spawn("keys: usage", |stop| async move { identity.keep_usage(stop).await });
        let this = Arc::new(self);
        let keeper = Arc::clone(&this);
        tasks.spawn("tables: upkeep", |stop| async move { keeper.keep_tables(stop).await });
        tasks.spawn("knowledge: recovery", |stop| async move { this.keep_recovering(stop).await });
    }

    /// What a process needs that serves models only. `alone`: nobody else runs batches.
    pub(crate) fn start_for_models(self, tasks: &Tasks, alone: bool) {
        if alone {
            batching::start(self.batches.clone(), &self.runner, &owner(), tasks);
            let jobs = self.jobs.clone();
            tasks.spawn("jobs: upkeep", |stop| jobs.keep_up(KEEP_JOBS_FOR, stop));
        }
        let identity = self.identity.clone();
        tasks.spawn("keys: usage", |stop| async move { identity.keep_usage(stop).await });
        tasks.spawn("traces: upkeep", |stop| async move { self.keep_traces(stop).await });
    }

    pub(crate) fn asker(&self) -> Asker {
        Asker {
            knowledge: self.knowledge.clone(),
            registry: self.registry.clone(),
            identity: self.identity.clone(),
            jobs: self.jobs.clone(),
            clock: Arc::clone(&self.clock),
        }
    }

    pub(crate) fn worker(&self) -> Worker {
        let ingester = Ingester {
            knowledge: self.knowledge.clone(),
            observability: self.observability.clone(),
            identity: self.identity.clone(),
            metrics: self.metrics.clone(),
            clock: Arc::clone(&self.clock),
        };
        Worker::new(self.jobs.clone(), &owner()).handle(IngestJob::kind(), Arc::new(ingester)).slots(JOB_SLOTS).lease(JOB_LEASE)
    }

    /// Runs of processes that died become jobs; so do those of this very process, if it slept through its leases.
    async fn keep_recovering(&self, stop: Stop) {
        while stop.sleep(RECOVER_EVERY).await {
            match self.knowledge.recover(false).await {
                Ok(interrupted) => {
                    for run in interrupted {
                        tracing::warn!(knowledge = %run.knowledge.name, run = %run.run, "an ingestion was broken off; a job goes on from there");
                    }
                }
                Err(fault) if fault.kind().is_transient() => {}
                Err(fault) => {
                    tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "what dead processes left could not be taken up; it is tried again");
                }
            }
        }
    }

    async fn keep_traces(&self, stop: Stop) {
        while stop.sleep(self.upkeep_every).await {
            self.expire_traces().await;
            self.tend_spans().await;
        }
    }

    async fn expire_traces(&self) {
        if let Err(fault) = self.observability.expire(self.clock.now().minus(self.keep_traces_for)).await {
            tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "old traces could not be deleted; it is tried again");
        }
    }

    async fn tend_spans(&self) {
        let policy = UpkeepPolicy { keep_versions_for: self.keep_versions_for, ..UpkeepPolicy::default() };
        if let Err(fault) = self.observability.table().upkeep(&policy).await {
            tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "upkeep of the spans table failed; it is tried again");
        }
    }

    async fn keep_tables(&self, stop: Stop) {
        let mut swept = HashMap::new();
        while stop.sleep(self.upkeep_every).await {
            if let Err(fault) = self.knowledge.upkeep().await {
                tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "upkeep of knowledge tables failed; it is tried again");
            }
            self.expire_traces().await;
            if let Err(fault) = self.sweep_forgotten(&mut swept).await {
                tracing::warn!(cause = %mainspring_kernel::fault::chain(fault.as_ref()), "what was forgotten is not out of every trace yet; it is tried again");
            }
            self.tend_spans().await;
        }
    }

    /// Spans that were on their way when a document was forgotten are looked at when they are there; and everything is
    /// that a process may have left undone that died between the two. `swept`: when all spans were looked at.
    async fn sweep_forgotten(&self, swept: &mut HashMap<String, Timestamp>) -> Result<(), Box<dyn Fault>> {
        let boxed = |fault| -> Box<dyn Fault> { Box::new(fault) };
        let now = self.clock.now();
        let recent = self.knowledge.forgotten(now.minus(SWEEP_FOR)).await.map_err(boxed)?;
        swept.retain(|receipt, _| recent.iter().any(|forgotten| forgotten.receipt == *receipt));
        let mut together: BTreeMap<(ProjectId, bool), (Vec<String>, Vec<String>)> = BTreeMap::new();
        for Forgotten { receipt, project, documents } in recent {
            let (receipts, ids) = together.entry((project, swept.contains_key(&receipt))).or_default();
            receipts.push(receipt);
            ids.extend(documents.iter().map(ToString::to_string));
        }
        if together.keys().any(|(_, again)| !again) {
            self.knowledge.scrub().await.map_err(boxed)?;
        }
        for ((project, _), (receipts, ids)) in together {
            // Absent where one of them is new, and least of all: then every span is looked at.
            let since = receipts.iter().map(|receipt| swept.get(receipt).copied()).min().flatten();
            let since = since.map(|since| since.minus(LONGEST_SPAN));
            let found = self.observability.forget_documents(project, &ids, since).await;
            if found.map_err(|fault| Box::new(fault) as Box<dyn Fault>)?.brought {
                swept.extend(receipts.into_iter().map(|receipt| (receipt, now)));
            }
        }
        Ok(())
    }
}

/// For people who read lists of jobs: which process of which machine.
fn owner() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{} on {}", std::process::id(), if host.trim().is_empty() { "this machine" } else { host.trim() })
}
