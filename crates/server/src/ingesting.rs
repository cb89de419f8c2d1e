//! Ingestions that nobody waits for: what asks for them, and what carries them out. Both go through jobs, so that
//! whichever process dies, another goes on.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use mainspring_identity::Identity;
use mainspring_jobs::{Context, Failure, Handler, Job, JobFault, JobState, Jobs, NewSchedule, Retry, Schedule};
use mainspring_kernel::{
    Actor, AssetKind, AssetRef, Clock, Digest, Fault, FaultKind, Name, PageRequest, Selector, Stop, Timestamp, id::ProjectId,
    page::LIMIT_MAX,
};
use mainspring_knowledge::{Because, IngestJob, KnowledgeFault, Knowledges, Report, Worth, spec::Every};
use mainspring_llm::{EventSink, SpanContext};
use mainspring_observability::Observability;
use mainspring_registry::{Asset, Registry};
use mainspring_telemetry::Metrics;
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// How often specs are compared with what is asked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// After a round that failed, with the catalog away for one.
const PAUSE: Duration = Duration::from_secs(10);
/// A watched knowledge is listed this often, and rarer where that takes long: a look is a twentieth of the time.
const WATCH_EVERY: Duration = Duration::from_secs(5);
const WATCH_SHARE: u32 = 20;
/// What was written just now may be written again within the same tick of the file system's clock.
const SETTLES_IN: Duration = Duration::from_secs(3);
/// A watch does not ask again at once for what failed as often as it may.
const AFTER_FAILURE: Duration = Duration::from_secs(600);

/// While a store is away jobs look this often whether it is back. That costs them no attempt.
const AWAY: Duration = Duration::from_secs(10);

/// Asks for ingestions: keeps a schedule for every spec that has one, and looks at what is watched.
pub(crate) struct Asker {
    pub(crate) knowledge: Knowledges,
    pub(crate) registry: Registry,
    pub(crate) identity: Identity,
    pub(crate) jobs: Jobs,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What a spec asks for, as of a version.
struct Wish {
    digest: Digest,
    every: Option<Every>,
    watch: bool,
    next_look: Timestamp,
    /// The spec is newer than what may have failed.
    renewed: bool,
}

type Wishes = HashMap<(ProjectId, Name), Wish>;

impl Asker {
    pub(crate) async fn keep_asking(&self, stop: Stop) {
        let mut wishes = Wishes::new();
        while stop.sleep(LOOK_EVERY).await {
            if let Err(Failure { message, .. }) = self.ask(&mut wishes).await {
                tracing::warn!(cause = %message, "schedules and watches could not be kept; it is tried again");
                stop.sleep(PAUSE).await;
            }
        }
    }

    /// One round over every project.
    async fn ask(&self, wishes: &mut Wishes) -> Result<(), Failure> {
        for actor in self.identity.caretakers().await? {
            let assets = self.every_knowledge(&actor).await?;
            let mut schedules = self.schedules(&actor).await?;
            for asset in &assets {
                if let Some(wish) = self.wish(&actor, asset, wishes).await {
                    self.keep_schedule(&actor, (&asset.name, wish.every), schedules.remove(&asset.name)).await?;
                    self.look(&actor, &asset.name, wish).await?;
                }
            }
            for name in schedules.keys() {
                self.jobs.remove_schedule(&actor, name).await?;
            }
        }
        Ok(())
    }

    async fn every_knowledge(&self, actor: &Actor) -> Result<Vec<Asset>, Failure> {
        let mut assets = Vec::new();
        let mut page = PageRequest::first(LIMIT_MAX);
        loop {
            let listed = self.registry.list(actor, Some(AssetKind::Knowledge), &page).await?;
            assets.extend(listed.items);
            match listed.next.map(|next| PageRequest::new(Some(LIMIT_MAX), Some(next))) {
                Some(Ok(next)) => page = next,
                _ => return Ok(assets),
            }
        }
    }

    async fn schedules(&self, actor: &Actor) -> Result<BTreeMap<Name, Schedule>, JobFault> {
        let all = self.jobs.schedules(actor).await?.into_iter();
        let kind = IngestJob::kind();
        Ok(all.filter(|schedule| schedule.kind == kind).map(|schedule| (schedule.name.clone(), schedule)).collect())
    }

    /// `None`: its spec cannot be read, which whoever uses it is told.
    async fn wish<'w>(&self, actor: &Actor, asset: &Asset, wishes: &'w mut Wishes) -> Option<&'w mut Wish> {
        let key = (actor.project, asset.name.clone());
        let known = wishes.get(&key).map(|wish| wish.digest);
        if known != Some(asset.digest) {
            let (_, spec) = self.knowledge.spec(actor, &latest(&asset.name)).await.ok()?;
            let every = spec.schedule.map(|schedule| schedule.every);
            let (digest, watch, renewed) = (asset.digest, spec.watch, known.is_some());
            wishes.insert(key.clone(), Wish { digest, every, watch, next_look: self.clock.now(), renewed });
        }
        wishes.get_mut(&key)
    }

    async fn keep_schedule(
        &self,
        actor: &Actor,
        (name, wanted): (&Name, Option<Every>),
        known: Option<Schedule>,
    ) -> Result<(), Failure> {
        let Some(every) = wanted else {
            if known.is_some() {
                self.jobs.remove_schedule(actor, name).await?;
            }
            return Ok(());
        };
        let rhythm = every.to_string().parse::<mainspring_jobs::Every>().map_err(JobFault::from)?;
        if known.is_some_and(|known| known.every == rhythm) {
            return Ok(());
        }
        let job = IngestJob::new(name.clone(), Because::Schedule);
        let new = NewSchedule {
            name: name.clone(),
            kind: IngestJob::kind(),
            payload: job.payload(),
            every: rhythm,
            priority: 0,
            paused: false,
        };
        self.jobs.put_schedule(actor, &new).await?;
        // Its first tick is a whole step away; what is older than a step is due now.
        let (now, last) = (self.clock.now(), self.last_run(actor, name).await?);
        if last.is_none_or(|last| now.since(last) >= every.as_duration()) {
            self.jobs.enqueue(&job.to_job(actor.project, now)).await?;
        }
        Ok(())
    }

    async fn last_run(&self, actor: &Actor, name: &Name) -> Result<Option<Timestamp>, KnowledgeFault> {
        let newest = self.knowledge.runs(actor, name, &PageRequest::first(1)).await?;
        Ok(newest.items.first().map(|run| run.started))
    }

    async fn look(&self, actor: &Actor, name: &Name, wish: &mut Wish) -> Result<(), Failure> {
        if !wish.watch || self.clock.now() < wish.next_look {
            return Ok(());
        }
        let begun = Instant::now();
        let changed = self.knowledge.has_changes(actor, &latest(name)).await;
        let now = self.clock.now();
        wish.next_look = now.plus(WATCH_EVERY.max(begun.elapsed() * WATCH_SHARE));
        // A fault is told by the run that meets it.
        if matches!(changed, Ok(false)) {
            return Ok(());
        }
        let last = self.jobs.latest(actor, &IngestJob::kind(), name.as_str()).await?;
        let failed = last.filter(|job| job.state == JobState::Failed).and_then(|job| job.ended);
        if !wish.renewed && failed.is_some_and(|ended| now.since(ended) < AFTER_FAILURE) {
            return Ok(());
        }
        wish.renewed = false;
        let local = mainspring_knowledge::IngestOptions { local: true, ..Default::default() };
        let job = IngestJob::new(name.clone(), Because::Watch).with(local);
        self.jobs.enqueue(&job.to_job(actor.project, now.plus(SETTLES_IN))).await?;
        Ok(())
    }
}

fn latest(name: &Name) -> AssetRef {
    AssetRef { name: name.clone(), selector: Selector::Latest }
}

/// Carries out jobs of the kind `ingest`.
pub(crate) struct Ingester {
    pub(crate) knowledge: Knowledges,
    pub(crate) observability: Observability,
    pub(crate) identity: Identity,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Handler for Ingester {
    async fn run(&self, job: &Job, context: &Context) -> Result<Value, Failure> {
        let asked = IngestJob::read(&job.payload).map_err(|fault| final_failure(&fault))?;
        if job.cancel_asked {
            return Err(Failure { message: "it was cancelled".into(), retry: Retry::Never });
        }
        if let Err(fault) = self.knowledge.reach().await {
            tracing::debug!(code = fault.code(), knowledge = %asked.knowledge, "an ingestion waits for a store that is away");
            return Err(Failure { message: message(&fault), retry: Retry::At(self.clock.now().plus(AWAY)) });
        }
        let actors = self.identity.caretakers().await?;
        let Some(actor) = actors.into_iter().find(|actor| Some(actor.project) == job.project) else {
            return Err(Failure { message: "its project is gone".into(), retry: Retry::Never });
        };
        let sink: Arc<dyn EventSink> = Arc::new(self.observability.clone());
        let trace = SpanContext::root(actor.project, sink, Arc::clone(&self.clock));
        let wanted = (asked.options, Worth::Anything);
        let ingestion = match self.knowledge.begin_ingest_if(&actor, &latest(&asked.knowledge), wanted, &trace).await {
            Ok(Some(ingestion)) => ingestion,
            Ok(None) => return Ok(json!({ "outcome": "nothing to do" })),
            // If that one breaks off, a job of its own goes on with it.
            Err(KnowledgeFault::Busy { run, .. }) => return Ok(json!({ "outcome": "under way", "run": run })),
            Err(fault) => return Err(failure(&fault)),
        };
        let run = ingestion.run_id();
        tracing::info!(knowledge = %asked.knowledge, %run, because = ?asked.because, "an ingestion begins");
        // Dropped with this future, when the lease is lost: then somebody else goes on.
        let (go_on, stop) = oneshot::channel::<()>();
        let mut running = Box::pin(mainspring_api_rest::carry_out(&self.metrics, ingestion, async move {
            let _ = stop.await;
        }));
        let ended = tokio::select! {
            ended = &mut running => ended,
            _ = context.stopped() => {
                drop(go_on);
                running.await
            }
        };
        match ended {
            Ok(report) if is_away(&report) => {
                let message = format!("run {run}: something could not be reached");
                Err(Failure { message, retry: Retry::Later })
            }
            Ok(_) => Ok(json!({ "outcome": "done", "run": run })),
            Err(fault) => Err(failure(&fault)),
        }
    }
}

/// Whether a source or a document of it may be there the next time.
fn is_away(report: &Report) -> bool {
    let away = |code: &str| matches!(code, "source-unreachable" | "source-timeout" | "source-busy");
    report.failures.iter().any(|failure| away(&failure.code))
}

fn message(fault: &KnowledgeFault) -> String {
    format!("{}: {fault}", fault.code())
}

fn final_failure(fault: &KnowledgeFault) -> Failure {
    Failure { message: message(fault), retry: Retry::Never }
}

/// A model that is away or a full disk may be cured; a knowledge that is gone or a spec nobody can read stays so.
fn failure(fault: &KnowledgeFault) -> Failure {
    let gone = matches!(fault, KnowledgeFault::Registry(registry) if registry.kind() == FaultKind::NotFound);
    if gone || matches!(fault, KnowledgeFault::Spec { .. } | KnowledgeFault::Forbidden { .. }) {
        return final_failure(fault);
    }
    Failure { message: message(fault), retry: Retry::Later }
}
