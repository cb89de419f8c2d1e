//! What runs in the background for as long as the server does.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use mainspring_alerts::Alerts;
use mainspring_batches::{Batches, Runner};
use mainspring_identity::Identity;
use mainspring_jobs::{Jobs, Worker};
use mainspring_kernel::{Clock, Fault, Stop, Tasks, Timestamp, fault::chain, id::ProjectId};
use mainspring_knowledge::{Forgotten, IngestJob, Knowledges};
use mainspring_lake::{Upkeep, UpkeepPolicy};
use mainspring_monitors::Monitors;
use mainspring_observability::{
    Drift, Ended, EraseJob, Errand, ErrandKind, Errands, Keeping, MetricPoints, Observability, Scores, Telemetry, TraceFault,
    aside,
};
use mainspring_registry::Registry;
use mainspring_telemetry::{Metrics, let_go_of_code};

use crate::{
    alerting, batching, drifting,
    erasing::Eraser,
    ingesting::{Asker, Ingester},
    monitoring,
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
/// So many spans a second are a gateway's that is busy, whose upkeep is put off so many times at most.
const BUSY: u64 = 1_000;
const PUT_OFF: u32 = 10;
/// A gateway looks this rarely for traces that are too old: where nobody has built an index it looks at all of them.
const EXPIRE_EVERY: Duration = Duration::from_secs(3600);
/// Large values that no span names are looked for this often, and whenever spans were deleted.
const SWEEP_VALUES_EVERY: Duration = Duration::from_secs(3600);
/// Where something was erased lately from a lake that several servers have, what writes left there that were broken off is
/// looked for this often.
const CLEAR_LEFTOVERS_EVERY: Duration = Duration::from_secs(900);
/// Ended jobs are kept for people who ask why.
const KEEP_JOBS_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

pub(crate) struct Background {
    pub(crate) knowledge: Knowledges,
    pub(crate) observability: Observability,
    pub(crate) points: MetricPoints,
    pub(crate) drift: Drift,
    pub(crate) keeping: Keeping,
    pub(crate) registry: Registry,
    pub(crate) identity: Identity,
    pub(crate) jobs: Jobs,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) alerts: Alerts,
    pub(crate) monitors: Monitors,
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
        let eraser = self.eraser();
        tasks.spawn("erasures: worker", |stop| eraser.run(stop));
        self.start_part(tasks);
        batching::start(self.batches.clone(), &self.runner, &owner(), tasks);
        alerting::start(&self.alerts, tasks);
        drifting::start(&self.drift, &self.jobs, (&self.clock, self.keep_traces_for), &owner(), tasks);
        monitoring::start(&self.monitors, tasks);
        let jobs = self.jobs.clone();
        tasks.spawn("jobs: upkeep", |stop| jobs.keep_up(KEEP_JOBS_FOR, stop));
        let identity = self.identity.clone();
        tasks.spawn("keys: usage", |stop| async move { identity.keep_usage(stop).await });
        let this = Arc::new(self);
        let (keeper, tender) = (Arc::clone(&this), Arc::clone(&this));
        tasks.spawn("tables: upkeep", |stop| async move { keeper.keep_tables(stop).await });
        tasks.spawn("spans: upkeep", |stop| async move { tender.keep_spans(stop).await });
        tasks.spawn("knowledge: recovery", |stop| async move { this.keep_recovering(stop).await });
    }

    /// What a process needs that serves models only. `alone`: nobody else runs batches.
    pub(crate) fn start_for_models(self, tasks: &Tasks, alone: bool) {
        if alone {
            batching::start(self.batches.clone(), &self.runner, &owner(), tasks);
            let jobs = self.jobs.clone();
            tasks.spawn("jobs: upkeep", |stop| jobs.keep_up(KEEP_JOBS_FOR, stop));
        }
        self.start_part(tasks);
        let identity = self.identity.clone();
        tasks.spawn("keys: usage", |stop| async move { identity.keep_usage(stop).await });
        tasks.spawn("traces: upkeep", |stop| aside("upkeep", async move { self.keep_traces(stop).await }));
    }

    /// Whatever a process serves, it has spans on a disk of its own, and others end keys that it knows.
    fn start_part(&self, tasks: &Tasks) {
        let identity = self.identity.clone();
        tasks.spawn("keys: told", |stop| identity.keep_told(stop));
        let (part, seen) = (self.keeping.clone(), self.keeping.clone());
        tasks.spawn("erasures: own disk", |stop| part.keep_part(stop));
        tasks.spawn("erasures: seen", |stop| seen.keep_seen(stop));
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

    /// Erasures wait for no ingestion.
    fn eraser(&self) -> Worker {
        let eraser = Eraser {
            keeping: self.keeping.clone(),
            knowledge: self.knowledge.clone(),
            identity: self.identity.clone(),
            clock: Arc::clone(&self.clock),
        };
        Worker::new(self.jobs.clone(), &owner()).handle(EraseJob::kind(), Arc::new(eraser)).lease(JOB_LEASE)
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

    /// Upkeep of a gateway waits while calls come thick, since it takes the time and the memory of these, but not for ever.
    /// Whoever reads the traces builds the indexes over them.
    async fn keep_traces(&self, stop: Stop) {
        let policy =
            UpkeepPolicy { unindexed_rows: u64::MAX, keep_versions_for: self.keep_versions_for, ..UpkeepPolicy::default() };
        let (mut calm, mut tended) = (Calm::default(), None);
        let mut expires_at = self.clock.now();
        while stop.sleep(self.upkeep_every).await {
            if !calm.has_come(self.observability.status().recorded, self.upkeep_every) {
                continue;
            }
            let now = self.clock.now();
            let expires = now >= expires_at;
            // A gateway that nobody asks about traces has no such table.
            if self.observability.scores().is_ok_and(Scores::is_open) {
                self.tend_scores(&policy).await;
            }
            if let Some(errands) = self.observability.errands() {
                let brought = Some(self.observability.status().queryable);
                let is_due = expires || brought != tended;
                if is_due && errands.may_run(ErrandKind::Upkeep) && self.have_tended(errands, expires).await {
                    tended = brought;
                    expires_at = if expires { now.plus(EXPIRE_EVERY) } else { expires_at };
                }
                continue;
            }
            // What failed is tried again at the next look.
            if expires && self.retain(&[Telemetry::Spans, Telemetry::Logs]).await.is_some() {
                expires_at = now.plus(EXPIRE_EVERY);
            }
            if self.tend_spans(&policy).await || expires {
                let_go_of_code();
            }
        }
    }

    /// Deletes what is kept no longer, on whichever server has the turn. Answers whether there was something, or nothing where it
    /// failed.
    async fn retain(&self, kinds: &[Telemetry]) -> Option<bool> {
        self.expire_aside();
        match self.keeping.retain(&owner(), kinds).await {
            Ok(gone) => Some(gone > 0),
            Err(fault) => {
                tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "what is kept no longer could not be deleted; it is tried again");
                None
            }
        }
    }

    fn expire_aside(&self) {
        if let Err(fault) = self.observability.expire_aside(self.clock.now().minus(self.keep_traces_for)) {
            tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "old segments that lie aside could not be deleted");
        }
    }

    /// Upkeep by the process that brings traces. It deletes what no project keeps; the rest of what a project keeps no longer
    /// goes when a full server has the folder. Answers whether it was done.
    async fn have_tended(&self, errands: &Errands, expires: bool) -> bool {
        let mut before = None;
        if expires {
            self.expire_aside();
            match self.keeping.kept_since(&[Telemetry::Spans, Telemetry::Logs]).await {
                Ok(since) => before = Some(since),
                Err(fault) => {
                    tracing::warn!(cause = %chain(&fault), "how long traces are kept could not be read; upkeep of them is tried again");
                    return false;
                }
            }
        }
        // Why it failed is told of already.
        let errand = Errand::upkeep(before, self.keep_versions_for).adopting(self.observability.adopts_before());
        matches!(errands.run(errand).await, Ok(Ended::Done))
    }

    /// Answers whether none are left.
    async fn sweep_values(&self) -> bool {
        let swept = self.observability.sweep_values().await;
        if let Err(fault) = &swept {
            tracing::warn!(cause = %mainspring_kernel::fault::chain(fault), "large values that no span names could not be deleted; it is tried again");
        }
        swept.is_ok()
    }

    async fn clear_leftovers(&self) {
        match self.keeping.clear_leftovers().await {
            Ok(0) => {}
            Ok(bytes) => tracing::info!(bytes, "files of writes that were broken off went, after an erasure"),
            Err(fault) => {
                tracing::warn!(cause = %chain(&fault), "files of writes that were broken off could not be deleted; it is tried again");
            }
        }
    }

    /// Answers whether there was anything to do.
    async fn tend_spans(&self, policy: &UpkeepPolicy) -> bool {
        match self.observability.table().upkeep(policy).await {
            Ok(done) => done != Upkeep::default(),
            Err(fault) => {
                tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "upkeep of the spans table failed; it is tried again");
                true
            }
        }
    }

    async fn keep_tables(&self, stop: Stop) {
        let mut swept = HashMap::new();
        while stop.sleep(self.upkeep_every).await {
            if let Err(fault) = self.knowledge.upkeep().await {
                tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "upkeep of knowledge tables failed; it is tried again");
            }
            if let Err(fault) = self.sweep_forgotten(&mut swept).await {
                tracing::warn!(cause = %mainspring_kernel::fault::chain(fault.as_ref()), "what was forgotten is not out of every trace yet; it is tried again");
            }
        }
    }

    /// Apart from the tables of knowledge, whose upkeep may take long: versions of spans come all the while.
    async fn keep_spans(&self, stop: Stop) {
        let policy = UpkeepPolicy { keep_versions_for: self.keep_versions_for, ..UpkeepPolicy::default() };
        let mut sweeps_at = self.clock.now();
        let mut clears_at = sweeps_at;
        while stop.sleep(self.upkeep_every).await {
            let gone = self.retain(&Telemetry::ALL).await.unwrap_or_default();
            self.tend_spans(&policy).await;
            let now = self.clock.now();
            if gone || now >= sweeps_at {
                sweeps_at = if self.sweep_values().await { now.plus(SWEEP_VALUES_EVERY) } else { now };
            }
            if now >= clears_at {
                clears_at = now.plus(CLEAR_LEFTOVERS_EVERY);
                self.clear_leftovers().await;
            }
            self.tend_scores(&policy).await;
            if let Err(fault) = self.tend_points(&policy).await {
                tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "upkeep of the table of metrics failed; it is tried again");
            }
        }
    }

    /// Scores are kept as long as their project keeps spans.
    async fn tend_scores(&self, policy: &UpkeepPolicy) {
        if let Err(fault) = self.keeping.retain_scores(&owner()).await {
            tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "scores that are kept no longer could not be deleted; it is tried again");
        }
        let tend = async { Ok::<_, TraceFault>(self.observability.scores()?.table().await?.upkeep(policy).await?) };
        if let Err(fault) = tend.await {
            tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "upkeep of the table of scores failed; it is tried again");
        }
    }

    async fn tend_points(&self, policy: &UpkeepPolicy) -> Result<(), TraceFault> {
        self.points.table().await?.upkeep(policy).await?;
        Ok(())
    }

    /// Spans that were on their way when a document was forgotten are looked at when they are there; and everything is
    /// that a process may have left undone that died between the two. `swept`: when all spans were looked at.
    async fn sweep_forgotten(&self, swept: &mut HashMap<String, Timestamp>) -> Result<(), Box<dyn Fault>> {
        let boxed = |fault| -> Box<dyn Fault> { Box::new(fault) };
        let now = self.clock.now();
        let recent = self.knowledge.forgotten(now.minus(SWEEP_FOR)).await.map_err(boxed)?;
        swept.retain(|receipt, _| recent.iter().any(|forgotten| forgotten.receipt == *receipt));
        let mut together: BTreeMap<(ProjectId, bool), (Vec<String>, Vec<String>)> = BTreeMap::new();
        for Forgotten { receipt, project, documents, outlived, finished } in recent {
            if !outlived.is_empty() {
                // Another document has the id, and what is said of that one stays.
                let ids: Vec<String> = outlived.iter().map(ToString::to_string).collect();
                let since = swept.get(&receipt).map(|since| since.minus(LONGEST_SPAN));
                let found = self.observability.forget_documents_between(project, &ids, (since, Some(finished))).await;
                found.map_err(|fault| Box::new(fault) as Box<dyn Fault>)?;
            }
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

/// Whether so little goes on that upkeep disturbs nobody.
#[derive(Debug, Default)]
struct Calm {
    recorded: u64,
    put_off: u32,
}

impl Calm {
    /// `recorded`: the spans since the start; it is asked `every` so often. After `PUT_OFF` times in a row the answer is yes.
    fn has_come(&mut self, recorded: u64, every: Duration) -> bool {
        let more = recorded.saturating_sub(std::mem::replace(&mut self.recorded, recorded));
        let comes = more <= BUSY.saturating_mul(every.as_secs().max(1)) || self.put_off >= PUT_OFF;
        self.put_off = if comes { 0 } else { self.put_off + 1 };
        comes
    }
}

/// For people who read lists of jobs: which process of which machine.
pub(crate) fn owner() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{} on {}", std::process::id(), if host.trim().is_empty() { "this machine" } else { host.trim() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upkeep_of_a_busy_gateway_is_put_off_but_not_for_ever() {
        let (mut calm, every) = (Calm::default(), Duration::from_secs(30));
        assert!(calm.has_come(29_000, every));
        let mut recorded = 29_000;
        let mut answers = Vec::new();
        for _ in 0..12 {
            recorded += 31_000;
            answers.push(calm.has_come(recorded, every));
        }
        assert_eq!(answers.iter().position(|comes| *comes), Some(10));
        assert!(!answers[11]);
        assert!(calm.has_come(recorded + 10, every), "as soon as it is calm");
        assert!(Calm::default().has_come(900, Duration::from_millis(10)));
    }
}
