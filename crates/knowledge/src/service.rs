//! The only way in: every use case takes the actor who asks.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use mainspring_blobs::Blobs;
use mainspring_catalog::{AuditEntry, AuditTrail, Catalog, Tx};
use mainspring_jobs::Jobs;
use mainspring_kernel::{
    Actor, AssetKind, AssetRef, Clock, Digest, Fault, Labels, Name, Page, PageRequest, Role, Tasks, Timestamp, id::RunId,
    page::PageFault,
};
use mainspring_lake::Lake;
use mainspring_llm::{Budget, DocumentAccess, Models, RetrieveRequest, Retriever, Searched, SpanContext};
use mainspring_registry::{Registry, Version};

use crate::{
    documents::{self, Called, Chunk, DocumentFilter, DocumentText, Stats},
    fault::KnowledgeFault,
    forget::{self, ForgetRequest, Forgotten, Receipt},
    forgotten::{self, Tombstone},
    ingest::{self, Allowance, Gauge, IngestOptions, Ingestion, Parse, Worth},
    model::{Document, DocumentId, IngestRun, KnowledgeKey, Progress, Report, RunState},
    search::{self, Answer},
    source::{Egress, SourcePolicy},
    spec::KnowledgeSpec,
    store,
    texts::Texts,
    upkeep::{self, Cleaned},
};

/// What the building hands over.
#[derive(Debug, Clone)]
pub struct Parts {
    pub catalog: Catalog,
    pub registry: Registry,
    pub lake: Arc<dyn Lake>,
    pub blobs: Blobs,
    pub parsers: Arc<dyn Parse>,
    pub models: Models,
    pub tasks: Tasks,
    pub clock: Arc<dyn Clock>,
    /// Hears what was forgotten, and what may come back.
    pub audit: Option<Arc<dyn AuditTrail>>,
}

#[derive(Debug, Clone)]
pub struct KnowledgeConfig {
    pub sources: SourcePolicy,
    /// How long a run that is silent keeps others out.
    pub lease: Duration,
    /// Documents fetched and parsed side by side.
    pub parse_at_once: usize,
    /// Bytes of documents in hand at once, in all runs of this process. A larger document is taken alone.
    pub bytes_at_once: u64,
    /// Table states that no run tagged are cleaned up after this.
    pub keep_versions_for: Duration,
    /// The state each run ended on can be replayed for this long; so long do texts and retired tables stay.
    pub keep_runs_for: Duration,
    /// Parsed texts kept in memory for searches.
    pub text_cache_bytes: usize,
    /// How long a store may be away before a run ends, and a job is left that goes on when it is back.
    pub patience: Duration,
}

impl KnowledgeConfig {
    #[must_use]
    pub fn new(sources: SourcePolicy) -> Self {
        Self {
            sources,
            lease: Duration::from_secs(30),
            parse_at_once: 6,
            // Some copies are made of each on its way: parsed, encoded, cut.
            bytes_at_once: 64 << 20,
            keep_versions_for: Duration::from_secs(24 * 3600),
            keep_runs_for: Duration::from_secs(30 * 24 * 3600),
            text_cache_bytes: 64 << 20,
            patience: Duration::from_secs(120),
        }
    }
}

/// Every knowledge of every project. Clones share everything.
#[derive(Debug, Clone)]
pub struct Knowledges {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub catalog: Catalog,
    pub registry: Registry,
    pub lake: Arc<dyn Lake>,
    pub blobs: Blobs,
    pub parsers: Arc<dyn Parse>,
    pub models: Models,
    pub tasks: Tasks,
    pub clock: Arc<dyn Clock>,
    pub audit: Option<Arc<dyn AuditTrail>>,
    pub jobs: Jobs,
    pub config: KnowledgeConfig,
    pub egress: Egress,
    pub texts: Texts,
    pub allowance: Allowance,
    /// Runs under way in this process.
    pub gauges: Mutex<HashMap<RunId, Gauge>>,
    /// Names this process in holds.
    pub process: String,
}

/// A run that a dead process left, closed now; a job is there that goes on from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    pub knowledge: KnowledgeKey,
    pub run: RunId,
}

impl Knowledges {
    pub fn open(parts: Parts, config: KnowledgeConfig) -> Result<Self, KnowledgeFault> {
        let egress = Egress::new(config.sources.egress.clone())
            .map_err(|fault| KnowledgeFault::Source { key: "egress policy".into(), fault })?;
        let Parts { catalog, registry, lake, blobs, parsers, models, tasks, clock, audit } = parts;
        let texts = Texts::of(config.text_cache_bytes);
        let allowance = Allowance::of(config.bytes_at_once);
        let process = format!("{}-{}", std::process::id(), clock.now().as_micros());
        let gauges = Mutex::default();
        let jobs = Jobs::open(catalog.clone(), Arc::clone(&clock));
        let inner = Inner {
            catalog,
            registry,
            lake,
            blobs,
            parsers,
            models,
            tasks,
            clock,
            audit,
            jobs,
            config,
            egress,
            texts,
            allowance,
            gauges,
            process,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Frees what dead processes held, closes their runs and leaves a job that goes on with each, finishes what
    /// they were forgetting. Once at start, and every few seconds while a server runs. `alone`: no other process
    /// can be using this catalog, nor has this one begun.
    pub async fn recover(&self, alone: bool) -> Result<Vec<Interrupted>, KnowledgeFault> {
        let interrupted = ingest::sweep(&self.inner, alone).await?;
        if alone {
            // Pages that a crawl of a dead process left.
            let _ = tokio::fs::remove_dir_all(self.inner.config.sources.work_dir.join("crawl")).await;
        }
        forget::resume(&self.inner).await?;
        Ok(interrupted.into_iter().map(|(knowledge, run)| Interrupted { knowledge, run }).collect())
    }

    /// Whether the stores of tables and texts answer now: without them no ingestion gets far.
    pub async fn reach(&self) -> Result<(), KnowledgeFault> {
        self.inner.lake.ping().await?;
        Ok(self.inner.blobs.ping().await?)
    }

    /// Takes hold of a knowledge; `run` on the answer does the work. Another run in progress is a conflict.
    pub async fn begin_ingest(
        &self,
        actor: &Actor,
        target: &AssetRef,
        options: IngestOptions,
        trace: &SpanContext,
    ) -> Result<Ingestion, KnowledgeFault> {
        ingest::begin(&self.inner, actor, target, options, trace).await
    }

    /// The same, but only when there is something to do: otherwise no run is recorded.
    pub async fn begin_ingest_if(
        &self,
        actor: &Actor,
        target: &AssetRef,
        (options, worth): (IngestOptions, Worth),
        trace: &SpanContext,
    ) -> Result<Option<Ingestion>, KnowledgeFault> {
        ingest::begin_if(&self.inner, actor, target, (options, worth), trace).await
    }

    pub async fn ingest(
        &self,
        actor: &Actor,
        target: &AssetRef,
        options: IngestOptions,
        trace: &SpanContext,
    ) -> Result<Report, KnowledgeFault> {
        Box::pin(self.begin_ingest(actor, target, options, trace).await?.run()).await
    }

    /// Whether local folders and files hold something new that nobody is taking in yet, for watchers that poll.
    pub async fn has_changes(&self, actor: &Actor, target: &AssetRef) -> Result<bool, KnowledgeFault> {
        needs(actor, Role::Editor)?;
        ingest::has_changes(&self.inner, actor, target).await
    }

    /// Ingestions, newest first. What the actor's labels do not show is left out.
    pub async fn runs(&self, actor: &Actor, name: &Name, page: &PageRequest) -> Result<Page<IngestRun>, KnowledgeFault> {
        needs(actor, Role::Reader)?;
        let key = self.inner.existing(actor, name).await?;
        let before = page.after::<(i64, String)>().map_err(bad_page)?;
        let runs = store::run::page(&self.inner.catalog, &key, before, page.limit() + 1).await?;
        let page = Page::from_overfetch(runs, page, |run| (run.started.as_micros(), run.id.to_string()));
        let mut items = Vec::with_capacity(page.items.len());
        for run in page.items {
            items.push(shown(&self.inner, actor, run).await?);
        }
        Ok(Page { items, next: page.next })
    }

    /// Ingestions of every knowledge of the project, newest first, as `runs` shows them.
    pub async fn all_runs(&self, actor: &Actor, page: &PageRequest) -> Result<Page<IngestRun>, KnowledgeFault> {
        needs(actor, Role::Reader)?;
        let before = page.after::<RunId>().map_err(bad_page)?;
        let runs = store::run::page_of_project(&self.inner.catalog, actor.project, before, page.limit() + 1).await?;
        let page = Page::from_overfetch(runs, page, |run| run.id);
        let mut items = Vec::with_capacity(page.items.len());
        for run in page.items {
            items.push(shown(&self.inner, actor, run).await?);
        }
        Ok(Page { items, next: page.next })
    }

    pub async fn run(&self, actor: &Actor, name: &Name, run: RunId) -> Result<IngestRun, KnowledgeFault> {
        needs(actor, Role::Reader)?;
        let key = self.inner.existing(actor, name).await?;
        let found = store::run::get(&self.inner.catalog, &key, run).await?;
        let found = found.ok_or_else(|| KnowledgeFault::RunNotFound { id: run.to_string() })?;
        shown(&self.inner, actor, found).await
    }

    /// A search with everything that explains it: also what was found and not given.
    pub async fn search(
        &self,
        actor: &Actor,
        target: &AssetRef,
        request: RetrieveRequest,
        trace: &SpanContext,
        budget: Budget,
    ) -> Result<Answer, KnowledgeFault> {
        needs(actor, Role::Reader)?;
        Box::pin(search::search(&self.inner, actor, target, request, trace, budget)).await
    }

    pub async fn documents(
        &self,
        actor: &Actor,
        name: &Name,
        filter: &DocumentFilter,
        page: &PageRequest,
    ) -> Result<Page<Document>, KnowledgeFault> {
        needs(actor, Role::Reader)?;
        documents::list(&self.inner, actor, name, filter, page).await
    }

    pub async fn document(&self, actor: &Actor, name: &Name, id: &DocumentId) -> Result<Document, KnowledgeFault> {
        needs(actor, Role::Reader)?;
        documents::get(&self.inner, actor, name, id).await
    }

    /// Documents that are called so to the letter, by path or address; or else some that come near.
    pub async fn documents_called(&self, actor: &Actor, name: &Name, given: &str) -> Result<Called, KnowledgeFault> {
        needs(actor, Role::Reader)?;
        documents::called(&self.inner, actor, name, given).await
    }

    pub async fn document_text(&self, actor: &Actor, name: &Name, id: &DocumentId) -> Result<DocumentText, KnowledgeFault> {
        needs(actor, Role::Reader)?;
        documents::text(&self.inner, actor, name, id).await
    }

    /// The text of this digest, if it is or was the document's and is still kept.
    pub async fn document_text_of(
        &self,
        actor: &Actor,
        name: &Name,
        id: &DocumentId,
        digest: &Digest,
    ) -> Result<DocumentText, KnowledgeFault> {
        needs(actor, Role::Reader)?;
        documents::text_of(&self.inner, actor, name, id, digest).await
    }

    pub async fn chunks(
        &self,
        actor: &Actor,
        name: &Name,
        id: &DocumentId,
        page: &PageRequest,
    ) -> Result<Page<Chunk>, KnowledgeFault> {
        needs(actor, Role::Reader)?;
        documents::chunks(&self.inner, actor, name, id, page).await
    }

    /// Counts, freshness and coverage, as far as the actor may know.
    pub async fn stats(&self, actor: &Actor, name: &Name) -> Result<Stats, KnowledgeFault> {
        needs(actor, Role::Reader)?;
        documents::stats(&self.inner, actor, name).await
    }

    /// Removes documents from everywhere, also from what replays would read, and says what was removed.
    pub async fn forget(&self, actor: &Actor, name: &Name, request: &ForgetRequest) -> Result<Receipt, KnowledgeFault> {
        needs(actor, Role::Admin)?;
        Box::pin(forget::forget(&self.inner, actor, name, request)).await
    }

    /// The same of one document, where it may have been forgotten before, or never was there: answers every id it has or had.
    pub async fn erase(&self, actor: &Actor, name: &Name, document: &DocumentId) -> Result<BTreeSet<DocumentId>, KnowledgeFault> {
        needs(actor, Role::Admin)?;
        Box::pin(forget::erase(&self.inner, actor, name, document)).await
    }

    /// Keeps with a receipt what was counted elsewhere since.
    pub async fn amend(&self, receipt: &Receipt) -> Result<(), KnowledgeFault> {
        forget::amend(&self.inner, receipt).await
    }

    /// Receipts of forgettings that have ended, newest first, of documents the actor may know of.
    pub async fn receipts(&self, actor: &Actor, name: &Name, page: &PageRequest) -> Result<Page<Receipt>, KnowledgeFault> {
        needs(actor, Role::Admin)?;
        forgotten::receipts(&self.inner, actor, name, page).await
    }

    pub async fn receipt(&self, actor: &Actor, name: &Name, id: &str) -> Result<Receipt, KnowledgeFault> {
        needs(actor, Role::Admin)?;
        forgotten::receipt(&self.inner, actor, name, id).await
    }

    /// What is kept out, newest first, of documents the actor may know of.
    pub async fn tombstones(&self, actor: &Actor, name: &Name, page: &PageRequest) -> Result<Page<Tombstone>, KnowledgeFault> {
        needs(actor, Role::Admin)?;
        forgotten::tombstones(&self.inner, actor, name, page).await
    }

    /// Lifts a tombstone, so that the next ingestion takes the document in again. `document`: its id, or its name
    /// within its source.
    pub async fn readmit(&self, actor: &Actor, name: &Name, document: &str) -> Result<Tombstone, KnowledgeFault> {
        needs(actor, Role::Admin)?;
        forgotten::readmit(&self.inner, actor, name, document).await
    }

    /// Keeps tables quick and lets go of what retention no longer asks for. Call it every few minutes.
    pub async fn upkeep(&self) -> Result<Cleaned, KnowledgeFault> {
        Box::pin(upkeep::run(&self.inner)).await
    }

    /// What was forgotten at this time or later, in every project.
    pub async fn forgotten(&self, since: Timestamp) -> Result<Vec<Forgotten>, KnowledgeFault> {
        Ok(store::receipt::finished(&self.inner.catalog, since).await?)
    }

    /// Takes out of the catalog's files what its tables hold no more.
    pub async fn scrub(&self) -> Result<(), KnowledgeFault> {
        Ok(self.inner.catalog.scrub().await?)
    }

    /// The spec of a version, for schedules, watchers and pages.
    pub async fn spec(&self, actor: &Actor, target: &AssetRef) -> Result<(Version, KnowledgeSpec), KnowledgeFault> {
        needs(actor, Role::Reader)?;
        let version = self.inner.registry.get(actor, AssetKind::Knowledge, target).await?;
        let spec = self.inner.spec_of(&version)?;
        Ok((version, spec))
    }
}

impl Inner {
    pub(crate) fn spec_of(&self, version: &Version) -> Result<KnowledgeSpec, KnowledgeFault> {
        KnowledgeSpec::parse(&version.spec)
            .map_err(|problem| KnowledgeFault::Spec { name: version.pin.name.to_string(), reason: problem.to_string() })
    }

    /// Lets those who ask see how far a run is that has just begun.
    pub(crate) fn watch(&self, run: RunId, gauge: Gauge) {
        let mut gauges = self.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        gauges.retain(|_, gauge| gauge.now().is_some());
        gauges.insert(run, gauge);
    }

    /// How far a run is that goes on in this very process.
    pub(crate) fn progress(&self, run: RunId) -> Option<Progress> {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner).get(&run).and_then(Gauge::now)
    }

    /// Leaves an entry in the audit log with the change it speaks of. Never what a document was called.
    pub(crate) async fn record(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        action: &'static str,
        (key, detail): (&KnowledgeKey, serde_json::Value),
    ) -> Result<(), KnowledgeFault> {
        let Some(audit) = &self.audit else { return Ok(()) };
        let entry = AuditEntry { action, subject: format!("knowledge/{}", key.name), detail };
        Ok(audit.record(tx, actor, entry).await?)
    }

    /// The key of a knowledge that the registry knows.
    pub(crate) async fn existing(&self, actor: &Actor, name: &Name) -> Result<KnowledgeKey, KnowledgeFault> {
        let target = AssetRef { name: name.clone(), selector: mainspring_kernel::Selector::Latest };
        self.registry.resolve(actor, AssetKind::Knowledge, &target).await?;
        Ok(KnowledgeKey::new(actor.project, name.clone()))
    }
}

pub(crate) fn needs(actor: &Actor, needed: Role) -> Result<(), KnowledgeFault> {
    if actor.may(needed) { Ok(()) } else { Err(KnowledgeFault::Forbidden { needed }) }
}

pub(crate) fn bad_page(fault: PageFault) -> KnowledgeFault {
    let field = match fault {
        PageFault::Limit { .. } => "limit",
        PageFault::Cursor => "cursor",
    };
    KnowledgeFault::BadRequest { field, reason: fault.to_string() }
}

/// A run as this actor may see it: progress counts every document, so only those who see all get it.
pub(crate) async fn shown(inner: &Inner, actor: &Actor, mut run: IngestRun) -> Result<IngestRun, KnowledgeFault> {
    if actor.labels != Labels::All {
        run.progress = None;
    } else if run.state == RunState::Running {
        // Newer than what was kept.
        run.progress = inner.progress(run.id).or(run.progress);
    }
    let Some(report) = run.report.take() else { return Ok(run) };
    let mut report = report.visible_to(&actor.labels);
    if actor.labels != Labels::All {
        // Labels may have come since: whoever lost access does not get it back by looking at the past.
        let key = KnowledgeKey::new(actor.project, run.knowledge.clone());
        let now = store::document::labels_of(&inner.catalog, &key, &report.documents()).await?;
        report.keep(|id| now.get(id.as_str()).is_none_or(|now| actor.labels.may_see(&now.labels)));
    }
    run.report = Some(report);
    Ok(run)
}

#[async_trait]
impl Retriever for Knowledges {
    async fn retrieve(
        &self,
        actor: &Actor,
        knowledge: &AssetRef,
        request: RetrieveRequest,
        trace: &SpanContext,
        budget: Budget,
    ) -> Result<Searched, Box<dyn Fault>> {
        match self.search(actor, knowledge, request, trace, budget).await {
            Ok(answer) => Ok(Searched::Read(Box::new(answer.retrieved))),
            Err(fault @ KnowledgeFault::NotIngested { .. }) => {
                let key = KnowledgeKey::new(actor.project, knowledge.name.clone());
                match search::unread::without_table(&self.inner, actor, &key).await {
                    Ok(Some(unread)) => Ok(Searched::Unread(unread)),
                    Ok(None) => Err(Box::new(fault)),
                    Err(fault) => Err(Box::new(fault)),
                }
            }
            Err(fault) => Err(Box::new(fault)),
        }
    }
}

#[async_trait]
impl DocumentAccess for Knowledges {
    async fn unreadable(&self, actor: &Actor, documents: Vec<String>) -> Result<BTreeSet<String>, Box<dyn Fault>> {
        let unreadable = search::access::unreadable(&self.inner.catalog, actor, documents).await;
        unreadable.map_err(|fault| Box::new(fault) as Box<dyn Fault>)
    }
}
