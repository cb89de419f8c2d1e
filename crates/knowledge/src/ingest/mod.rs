//! From sources to a searchable table, in a run: list, compare, do what is to be done, settle.

mod allowance;
mod commit;
mod compare;
mod embed;
mod hold;
mod job;
mod look;
mod meter;
mod patience;
mod pipeline;
mod plan;
mod prepare;
mod reconcile;
mod resume;
mod run;
mod settle;
#[cfg(test)]
mod tests;
mod text;
mod vectors;

use std::sync::{Arc, Mutex};

use mainspring_kernel::{Actor, AssetKind, AssetRef, Role, id::RunId};
use mainspring_llm::SpanContext;
use mainspring_registry::{Link, NewRun, Version};
use serde_json::json;
use tokio::sync::watch;

pub(crate) use allowance::Allowance;
pub(crate) use hold::Hold;
pub use job::{Because, IngestJob};
pub use look::Worth;
pub(crate) use look::has_changes;
pub(crate) use meter::Gauge;
pub(crate) use patience::patiently;
pub use plan::IngestOptions;
pub(crate) use resume::sweep;
pub(crate) use text::load as load_text;
pub use text::{Parse, ParsedText};

use crate::{
    fault::KnowledgeFault,
    model::{KnowledgeKey, Progress},
    service::{Inner, needs},
    spec::KnowledgeSpec,
    store,
};
use hold::Abandoned;
use look::{Look, Sight};
use meter::Meter;

/// An ingestion that holds its knowledge and is ready to go. Dropped, it ends as cancelled; what it
/// wrote stays, and the next one goes on from there.
#[derive(Debug)]
pub struct Ingestion {
    inner: Arc<Inner>,
    actor: Actor,
    id: RunId,
    hold: Hold,
    abandoned: Abandoned,
    version: Version,
    spec: KnowledgeSpec,
    options: IngestOptions,
    /// What the sources were seen to hold just before it began.
    sight: Mutex<Option<Sight>>,
    meter: Meter,
    progress: watch::Receiver<Progress>,
    trace: SpanContext,
}

impl Ingestion {
    #[must_use]
    pub const fn run_id(&self) -> RunId {
        self.id
    }

    /// How far it is, from now on.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }
}

/// Takes hold of a knowledge and starts a run; no source is read yet.
pub(crate) async fn begin(
    inner: &Arc<Inner>,
    actor: &Actor,
    target: &AssetRef,
    options: IngestOptions,
    trace: &SpanContext,
) -> Result<Ingestion, KnowledgeFault> {
    begin_having_seen(inner, actor, target, (options, None), trace).await
}

/// Begins only when there is something to do; the sources are looked at once.
pub(crate) async fn begin_if(
    inner: &Arc<Inner>,
    actor: &Actor,
    target: &AssetRef,
    (options, worth): (IngestOptions, Worth),
    trace: &SpanContext,
) -> Result<Option<Ingestion>, KnowledgeFault> {
    needs(actor, Role::Editor)?;
    let (options, sight) = match look::look(inner, actor, target, (options, worth)).await? {
        Look::Nothing => return Ok(None),
        // Nothing to compare with, so no source may be left out.
        Look::Everything => (IngestOptions { local: false, ..options }, None),
        Look::Something(sight) => (options, Some(*sight)),
    };
    begin_having_seen(inner, actor, target, (options, sight), trace).await.map(Some)
}

async fn begin_having_seen(
    inner: &Arc<Inner>,
    actor: &Actor,
    target: &AssetRef,
    (options, sight): (IngestOptions, Option<Sight>),
    trace: &SpanContext,
) -> Result<Ingestion, KnowledgeFault> {
    needs(actor, Role::Editor)?;
    let version = inner.registry.get(actor, AssetKind::Knowledge, target).await?;
    let spec = inner.spec_of(&version)?;
    let key = KnowledgeKey::new(actor.project, version.pin.name.clone());
    let id = start(inner, actor, (&key, &version), options, trace).await?;
    let hold = Hold::taken(inner, &key, id.to_string());
    let abandoned = Abandoned::watch(&hold, actor, id);
    let (sender, progress) = watch::channel(Progress::default());
    let (meter, trace) = (Meter::start(sender), trace.clone());
    inner.watch(id, meter.gauge());
    let (inner, actor, sight) = (inner.clone(), actor.clone(), Mutex::new(sight));
    Ok(Ingestion { inner, actor, id, hold, abandoned, version, spec, options, sight, meter, progress, trace })
}

/// The run, its entry here, and the hold: all or nothing.
async fn start(
    inner: &Arc<Inner>,
    actor: &Actor,
    (key, version): (&KnowledgeKey, &Version),
    options: IngestOptions,
    trace: &SpanContext,
) -> Result<RunId, KnowledgeFault> {
    let kind = "ingestion".parse().map_err(|fault| KnowledgeFault::rows("run", fault))?;
    let trace_id = trace.trace.to_string();
    let new = NewRun {
        kind,
        name: key.name.to_string(),
        trace: Some(trace_id.clone()),
        parent: None,
        owner: inner.process.clone(),
        parameters: json!(options),
        inputs: vec![Link::from(&version.pin)],
    };
    let (new, trace_id) = (&new, &trace_id);
    inner
        .catalog
        .transact::<RunId, KnowledgeFault, _>(|mut tx| async move {
            let run = inner.registry.start_run_in(&mut tx, actor, new.clone()).await?;
            Hold::take_in(&mut tx, inner, key, &run.id.to_string()).await?;
            store::run::insert(&mut tx, key, run.id, (version.pin.number, Some(trace_id)), inner.clock.now()).await?;
            Ok((tx, run.id))
        })
        .await
}
