//! What runs in the background for as long as the server does.

use std::{collections::HashMap, sync::Arc, time::Duration};

use mainspring_identity::Identity;
use mainspring_kernel::{Actor, AssetKind, AssetRef, Clock, PageRequest, Selector, Stop, Tasks, Timestamp, page::LIMIT_MAX};
use mainspring_knowledge::{IngestOptions, Knowledges};
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

    /// Ingests what a schedule or a watch asks for.
    async fn keep_schedules(&self, stop: Stop) {
        let mut last: HashMap<String, Timestamp> = HashMap::new();
        while stop.sleep(LOOK_EVERY).await {
            let Ok(actor) = self.identity.local_actor().await else { continue };
            for (name, every) in self.due(&actor).await {
                let now = self.clock.now();
                let before = *last.entry(name.to_string()).or_insert(now);
                if now.since(before) < every {
                    continue;
                }
                last.insert(name.to_string(), now);
                let sink: Arc<dyn EventSink> = Arc::new(self.observability.clone());
                let trace = SpanContext::root(actor.project, sink, Arc::clone(&self.clock));
                let target = AssetRef { name: name.clone(), selector: Selector::Latest };
                // Nothing new leaves no run behind; a fault is told by the run that meets it.
                if matches!(self.knowledge.has_changes(&actor, &target).await, Ok(false)) {
                    continue;
                }
                match self.knowledge.begin_ingest(&actor, &target, IngestOptions::default(), &trace).await {
                    Ok(ingestion) => {
                        let _ = mainspring_api_rest::detach(&self.tasks, name, ingestion).await;
                    }
                    Err(fault) => {
                        tracing::warn!(knowledge = %name, cause = %mainspring_kernel::fault::chain(&fault), "a scheduled ingestion did not begin; it is tried again")
                    }
                }
            }
        }
    }

    /// Knowledge with a schedule or a watch, and how often it is to be listed.
    async fn due(&self, actor: &Actor) -> Vec<(mainspring_kernel::Name, Duration)> {
        let mut found = Vec::new();
        let Ok(page) = self.registry.list(actor, Some(AssetKind::Knowledge), &PageRequest::first(LIMIT_MAX)).await else {
            return found;
        };
        for asset in page.items {
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
