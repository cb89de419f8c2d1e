//! One run, from its hold to its report.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mainspring_kernel::{Fault as _, Name};
use mainspring_lake::{LakeVersion, Table};
use mainspring_llm::{
    Embedder, ModelUsed,
    trace::{OpenSpan, SpanKind, names},
};
use tokio::sync::{OnceCell, mpsc};

use super::{
    Ingestion,
    commit::Commit,
    embed::EmbedStage,
    hold::{self, Settled, Then},
    job::{Because, IngestJob},
    look::Sight,
    patience::patiently,
    pipeline::Complete,
    plan::{Plan, Work},
    prepare::{Findings, Prepare, contents, ids},
    reconcile, settle,
    vectors::Vectors,
};
use crate::{
    fault::KnowledgeFault,
    model::{Reason, Report, RunState, Stage},
    source::Source,
    store::{RunRow, TableRow, TableState, document::Change, held},
    table,
};

/// Documents between two stages. How many chunks wait is bounded inside the embedding stage.
const BETWEEN: usize = 16;
/// After an outage that outlasted a run's patience: long enough that a server which looks for the store is not asked at once.
const AFTER_OUTAGE: Duration = Duration::from_secs(5);

type Sources = HashMap<Arc<str>, Arc<Source>>;
type Listed = BTreeMap<Arc<str>, usize>;

/// The table a run writes to, and what it knows of the others.
pub(super) struct Target {
    pub row: TableRow,
    pub table: Arc<dyn Table>,
    /// The table searches read, when it is another one.
    pub searched: Option<Arc<dyn Table>>,
    /// Other tables with vectors of the same embedder.
    pub others: Vec<Arc<dyn Table>>,
    pub settled: Option<LakeVersion>,
    pub unsettled: bool,
    /// Marks of the sources that were read before; `None`: it was not kept.
    pub read_before: Option<Vec<String>>,
}

impl Ingestion {
    /// Runs to the end. However it ends, the run is closed and the knowledge is free again.
    pub async fn run(self) -> Result<Report, KnowledgeFault> {
        Box::pin(self.run_until(std::future::pending())).await
    }

    /// Runs to the end, or until the process has to stop: then a job is left, and whichever server runs goes on.
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send) -> Result<Report, KnowledgeFault> {
        let mut span = self.trace.start(format!("ingest {}", self.version.pin.name), SpanKind::Internal);
        span.set(names::OPERATION, "ingest");
        span.set(names::DATA_SOURCE, self.version.pin.name.as_str());
        span.set(names::RUN, self.id.to_string());
        span.set(names::VERSIONS, self.versions());
        let findings = Arc::new(Findings::default());
        let working = Box::pin(self.work(&findings, &span));
        let keeping = Box::pin(self.hold.keep(self.id, &self.meter));
        let result = tokio::select! {
            result = working => result,
            fault = keeping => Err(fault),
            () = stop => Err(KnowledgeFault::Stopped),
        };
        self.close(result, &findings, span).await
    }

    /// Of the spec that is followed, and of the model that makes its vectors.
    fn versions(&self) -> Vec<String> {
        let pin = &self.version.pin;
        let knowledge = format!("{}/{}@v{}#{}", pin.kind, pin.name, pin.number, pin.digest);
        let embedder = self.inner.models.embedder(&self.spec.embedding).ok();
        let embedder = embedder.map(|model| ModelUsed { name: model.name().to_owned(), identity: model.identity() }.to_string());
        std::iter::once(knowledge).chain(embedder).collect()
    }

    async fn close(
        self,
        result: Result<(Settled, Report, Name), KnowledgeFault>,
        findings: &Findings,
        mut span: OpenSpan,
    ) -> Result<Report, KnowledgeFault> {
        let (settled, report, table) = match result {
            Ok(done) => done,
            Err(fault) => return Err(self.close_broken(fault, findings, span).await),
        };
        let last = self.meter.now().ended(&report);
        // The state it ended on, but no counts: a trace has no reader's labels to count by.
        span.set(names::LAKE_TABLE, table.as_str());
        span.set(names::LAKE_VERSION, settled.version.number);
        span.set(names::LAKE_TRANSACTION, settled.version.transaction.as_str());
        let end = RunRow {
            id: self.id,
            state: RunState::Succeeded,
            lake: Some((table, settled.version.clone())),
            tag: report.tag.clone(),
            progress: Some(last.clone()),
            report: Some(report.clone()),
            error: None,
        };
        patiently(&self.inner, || hold::finish(&self.hold, &self.actor, &end, Then::Settled(&settled))).await?;
        self.abandoned.disarm();
        // Whoever watches may ask for the run at once: it is closed by now.
        self.meter.tell(last);
        span.finish();
        Ok(report)
    }

    /// What was written stays. After a stop of the process or an outage a job goes on from there.
    async fn close_broken(self, fault: KnowledgeFault, findings: &Findings, span: OpenSpan) -> KnowledgeFault {
        let stopped = matches!(fault, KnowledgeFault::Stopped);
        let again = IngestJob::new(self.hold.key().name.clone(), Because::Resume).with(self.options);
        let (then, detail) = if stopped {
            (Then::Resumed(&again, Duration::ZERO), fault.to_string())
        } else if fault.is_outage() {
            (Then::Resumed(&again, AFTER_OUTAGE), format!("{fault}; the rest is done when it is back"))
        } else {
            let hint = fault.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
            (Then::Nothing, format!("{fault}{hint}"))
        };
        let end = RunRow {
            id: self.id,
            state: if stopped { RunState::Cancelled } else { RunState::Failed },
            lake: None,
            tag: None,
            progress: Some(self.meter.now()),
            report: Some(settle::report(&self.meter, findings, &Plan::default())),
            error: Some(Reason { code: fault.code().to_owned(), detail }),
        };
        if patiently(&self.inner, || hold::finish(&self.hold, &self.actor, &end, then)).await.is_ok() {
            self.abandoned.disarm();
        }
        span.fail(fault.code(), fault.to_string());
        fault
    }

    async fn work(&self, findings: &Arc<Findings>, span: &OpenSpan) -> Result<(Settled, Report, Name), KnowledgeFault> {
        let embedder = self.inner.models.embedder(&self.spec.embedding)?;
        let target = self.target(embedder.as_ref()).await?;
        reconcile::reconcile(&self.inner, &self.hold, &target).await?;

        self.meter.enter(Stage::Listing);
        let listing = span.context().start("list", SpanKind::Internal);
        let (sources, listed, mut plan) = self.plan(&target, findings).await?;
        listing.finish();

        let work = std::mem::take(&mut plan.work);
        let idle = work.is_empty() && plan.gone.is_empty();
        if !idle {
            let working = span.context().start("work", SpanKind::Internal);
            Box::pin(self.pipeline((embedder, &target), sources, (work, &plan), findings)).await?;
            working.finish();
        }
        self.meter.enter(Stage::Settling);
        let settling = span.context().start("settle", SpanKind::Internal);
        let settled = settle::settle(self, &target, idle).await?;
        settling.finish();
        let mut report = settle::report(&self.meter, findings, &plan);
        report.switched = settled.switched;
        report.tag = settled.tag;
        report.version = Some(crate::model::KnowledgeVersion {
            config: target.row.config,
            table: target.row.table.clone(),
            version: settled.version.clone(),
        });
        let asset = (self.version.pin.number, self.version.pin.digest);
        let read_sources = settle::read_sources(&self.spec, target.read_before.as_deref(), (&listed, &**findings, &plan));
        Ok((Settled { asset, version: settled.version, read_sources }, report, target.row.table))
    }

    /// The table this spec and embedder make: the one that is searched, one half built, or a new one.
    async fn target(&self, embedder: &dyn Embedder) -> Result<Target, KnowledgeFault> {
        let (inner, key) = (&self.inner, self.hold.key());
        let config = self.spec.table_config(&embedder.identity());
        let name = table::table_name(key, &config)?;
        let state = held::find(&inner.catalog, key).await?;
        let active = state.as_ref().and_then(|state| state.active_table.clone());
        let row = TableRow {
            table: name.clone(),
            config,
            embedder: embedder.name().to_owned(),
            embedder_identity: embedder.identity(),
            dimensions: embedder.dimensions(),
            state: TableState::Building,
            retired: None,
        };
        let (row, now, first) = (&row, inner.clock.now(), active.is_none());
        inner
            .catalog
            .transact::<(), KnowledgeFault, _>(|mut tx| {
                async move {
                    held::add_table(&mut tx, key, row, now).await?;
                    // Nothing is searched yet, so a table that fills is better than none.
                    if first {
                        held::activate(&mut tx, key, &row.table, now).await?;
                    }
                    Ok((tx, ()))
                }
            })
            .await?;
        let spec = table::table_spec(embedder.dimensions())?;
        let table = patiently(inner, || async { Ok(inner.lake.open(&name, &spec).await?) }).await?;
        let (mut others, mut searched) = (Vec::new(), None);
        for other in held::tables(&inner.catalog, key).await?.into_iter().filter(|other| other.table != name) {
            let opened = match patiently(inner, || async { Ok(inner.lake.open_existing(&other.table).await?) }).await {
                Ok(opened) => opened,
                // Without the table that is searched the run would not take over from it.
                Err(fault) if fault.is_outage() => return Err(fault),
                Err(_) => continue,
            };
            if Some(&other.table) == active.as_ref() {
                searched = Some(opened.clone());
            }
            if other.embedder_identity == row.embedder_identity {
                others.push(patiently(inner, || async { Ok(opened.snapshot().await?) }).await?);
            }
        }
        let same = active.is_none() || active.as_ref() == Some(&name);
        let settled = state.as_ref().filter(|_| same).and_then(|state| state.lake.clone());
        // What went while another table was searched may still stand in this one.
        let unsettled = !same || state.as_ref().is_some_and(|state| state.unsettled);
        let read_before =
            state.filter(|state| state.synced.is_some()).map_or_else(|| Some(Vec::new()), |state| state.read_sources);
        Ok(Target { row: row.clone(), table, searched, others, settled, unsettled, read_before })
    }

    /// The sources, how many documents each of them lists, and what is to be done.
    async fn plan(&self, target: &Target, findings: &Findings) -> Result<(Sources, Listed, Plan), KnowledgeFault> {
        let seen = self.sight.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sight = match seen {
            Some(sight) => sight,
            None => Sight::of(&self.inner, self.hold.key(), &self.spec, self.options).await,
        };
        let plan = sight.plan(&self.inner, (self.hold.key(), &target.row.table), self.options).await?;
        let listed = sight.listed();
        let Sight { sources, warnings, failed, .. } = sight;
        warnings.into_iter().for_each(|warning| findings.warned(warning));
        let count = failed.len() as u64 + plan.failures.len() as u64;
        failed.into_iter().for_each(|failure| findings.failed(failure));
        self.meter.plan_bytes(plan.work.iter().map(|work| work.listed().size).sum());
        self.meter.count(|progress| {
            progress.seen = plan.seen;
            progress.unchanged = plan.unchanged;
            progress.to_do = plan.work.len() as u64 + plan.gone.len() as u64;
            progress.failed += count;
        });
        Ok((sources, listed, plan))
    }

    /// The three stages side by side, with bounded channels between: dropping this future stops them all.
    async fn pipeline(
        &self,
        (embedder, target): (Arc<dyn Embedder>, &Target),
        sources: Sources,
        (work, plan): (Vec<Work>, &Plan),
        findings: &Arc<Findings>,
    ) -> Result<(), KnowledgeFault> {
        self.mark_unsettled().await?;
        self.meter.enter(Stage::Working);
        // Seen before anything is deleted: a moved file finds its vectors here.
        let mut shelves = vec![target.table.clone()];
        if !plan.gone.is_empty() {
            shelves.push(patiently(&self.inner, || async { Ok(target.table.snapshot().await?) }).await?);
        }
        shelves.extend(target.others.iter().cloned());
        let commit = Commit {
            inner: self.inner.clone(),
            hold: self.hold.clone(),
            table: target.table.clone(),
            dimensions: target.row.dimensions,
            searched: target.searched.clone(),
            meter: self.meter.clone(),
            findings: findings.clone(),
        };
        let gone: Vec<Complete> = ids(&plan.gone).map(|id| Complete::Change(Change::Gone(id))).collect();
        if !gone.is_empty() {
            Box::pin(commit.write(gone)).await?;
        }
        let prepare = Prepare {
            inner: self.inner.clone(),
            key: self.hold.key().clone(),
            sources,
            config: target.row.config,
            chunking: self.spec.chunking.within(embedder.max_tokens()),
            embedder: embedder.clone(),
            loaded: OnceCell::new(),
            full: self.options.full,
            meter: self.meter.clone(),
            findings: findings.clone(),
            gone: Mutex::new(contents(&plan.gone)),
        };
        let embed = EmbedStage::new(embedder, Vectors::of(self.inner.clone(), shelves), self.meter.clone());
        let (to_embed, from_prepare) = mpsc::channel(BETWEEN);
        let (to_commit, from_embed) = mpsc::channel(BETWEEN);
        // Boxed, since each is large and would be moved from frame to frame.
        let stages = futures::future::try_join3(
            Box::pin(prepare.run(work, to_embed)),
            Box::pin(embed.run(from_prepare, to_commit)),
            Box::pin(commit.run(from_embed)),
        );
        stages.await.map(drop)
    }

    async fn mark_unsettled(&self) -> Result<(), KnowledgeFault> {
        let key = self.hold.key();
        let marked = self.inner.catalog.transact::<(), KnowledgeFault, _>(|mut tx| async move {
            held::mark_unsettled(&mut tx, key).await?;
            Ok((tx, ()))
        });
        marked.await
    }
}
