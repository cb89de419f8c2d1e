//! What runs in the background for as long as the server does.

use std::{collections::HashMap, sync::Arc, time::Duration};

use mainspring_identity::Identity;
use mainspring_kernel::{
    Actor, AssetKind, AssetRef, Clock, Name, PageRequest, Selector, Stop, Tasks, Timestamp, page::LIMIT_MAX,
};
use mainspring_knowledge::{IngestOptions, Interrupted, Knowledges};
use mainspring_lake::UpkeepPolicy;
use mainspring_llm::{EventSink, SpanContext};
use mainspring_observability::Observability;
use mainspring_registry::Registry;

/// How often schedules are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A watched knowledge is listed this often; a listing of local files costs milliseconds.
const WATCH_EVERY: Duration = Duration::from_secs(5);

pub(crate) struct Background {
    pub(crate) knowledge: Knowledges,
    pub(crate) observability: Observability,
    pub(crate) registry: Registry,
    pub(crate) identity: Identity,
    pub(crate) tasks: Tasks,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) interrupted: Vec<Interrupted>,
    pub(crate) upkeep_every: Duration,
    pub(crate) keep_traces_for: Duration,
    pub(crate) keep_versions_for: Duration,
}

impl Background {
    pub(crate) fn start(self, tasks: &Tasks) {
        let this = Arc::new(self);
        let worker = Arc::clone(&this);
        tasks.spawn("tables: upkeep", |stop| async move { worker.keep_tables(stop).await });
        let worker = Arc::clone(&this);
        tasks.spawn("knowledge: schedules", |stop| async move { worker.keep_schedules(stop).await });
        let identity = this.identity.clone();
        tasks.spawn("keys: usage", |stop| async move { identity.keep_usage(stop).await });
    }

    async fn keep_tables(&self, stop: Stop) {
        let policy = UpkeepPolicy { keep_versions_for: self.keep_versions_for, ..UpkeepPolicy::default() };
        while stop.sleep(self.upkeep_every).await {
            if let Err(fault) = self.knowledge.upkeep().await {
                tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "upkeep of knowledge tables failed; it is tried again");
            }
            if let Err(fault) = self.observability.expire(self.clock.now().minus(self.keep_traces_for)).await {
                tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "old traces could not be deleted; it is tried again");
            }
            if let Err(fault) = self.observability.table().upkeep(&policy).await {
                tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "upkeep of the spans table failed; it is tried again");
            }
        }
    }

    /// Goes on with what was broken off, then ingests what a schedule or a watch asks for.
    async fn keep_schedules(&self, stop: Stop) {
        self.resume().await;
        let mut looked: HashMap<Name, Timestamp> = HashMap::new();
        while stop.sleep(LOOK_EVERY).await {
            let Ok(actor) = self.identity.local_actor().await else { continue };
            for (name, every) in self.due(&actor).await {
                let now = self.clock.now();
                let before = match looked.get(&name) {
                    Some(before) => Some(*before),
                    // After a start the runs tell when it was last.
                    None => self.last_run(&actor, &name).await,
                };
                if before.is_some_and(|before| now.since(before) < every) {
                    continue;
                }
                looked.insert(name.clone(), now);
                let target = AssetRef { name: name.clone(), selector: Selector::Latest };
                // Nothing new leaves no run behind; a fault is told by the run that meets it.
                if matches!(self.knowledge.has_changes(&actor, &target).await, Ok(false)) {
                    continue;
                }
                self.ingest(&actor, target).await;
            }
        }
    }

    /// What a killed process was ingesting is done again: what it had embedded and committed is there already.
    async fn resume(&self) {
        for Interrupted { knowledge, run } in &self.interrupted {
            tracing::warn!(knowledge = %knowledge.name, %run, "an ingestion was broken off; a new one goes on from there");
            match self.identity.local_actor().await {
                Ok(actor) if actor.project == knowledge.project => {
                    self.ingest(&actor, AssetRef { name: knowledge.name.clone(), selector: Selector::Latest }).await;
                }
                Ok(_) => {}
                Err(fault) => tracing::warn!(cause = %mainspring_kernel::fault::chain(&fault), "it cannot go on now"),
            }
        }
    }

    async fn ingest(&self, actor: &Actor, target: AssetRef) {
        let sink: Arc<dyn EventSink> = Arc::new(self.observability.clone());
        let trace = SpanContext::root(actor.project, sink, Arc::clone(&self.clock));
        match self.knowledge.begin_ingest(actor, &target, IngestOptions::default(), &trace).await {
            Ok(ingestion) => {
                let _ = mainspring_api_rest::detach(&self.tasks, target.name, ingestion).await;
            }
            Err(fault) => {
                tracing::warn!(knowledge = %target.name, cause = %mainspring_kernel::fault::chain(&fault), "an ingestion did not begin");
            }
        }
    }

    async fn last_run(&self, actor: &Actor, name: &Name) -> Option<Timestamp> {
        let newest = self.knowledge.runs(actor, name, &PageRequest::first(1)).await.ok()?;
        newest.items.first().map(|run| run.started)
    }

    /// Knowledge with a schedule or a watch, and how often it is to be listed.
    async fn due(&self, actor: &Actor) -> Vec<(Name, Duration)> {
        let mut found = Vec::new();
        let mut assets = Vec::new();
        let mut page = PageRequest::first(LIMIT_MAX);
        loop {
            let Ok(listed) = self.registry.list(actor, Some(AssetKind::Knowledge), &page).await else { return found };
            assets.extend(listed.items);
            match listed.next.map(|next| PageRequest::new(Some(LIMIT_MAX), Some(next))) {
                Some(Ok(next)) => page = next,
                _ => break,
            }
        }
        for asset in assets {
            let target = AssetRef { name: asset.name.clone(), selector: Selector::Latest };
            let Ok((_, spec)) = self.knowledge.spec(actor, &target).await else { continue };
            let scheduled = spec.schedule.map(|schedule| schedule.every.as_duration());
            let watched = spec.watch.then_some(WATCH_EVERY);
            if let Some(every) = scheduled.into_iter().chain(watched).min() {
                found.push((asset.name, every));
            }
        }
        found
    }
}
