//! From settings to a running server, in order; and back.

mod parsers;
mod serving;
mod stores;
mod surfaces;

use std::sync::Arc;

use mainspring_api_anthropic::Anthropic;
use mainspring_api_openai::OpenAi;
use mainspring_api_rest::Rest;
use mainspring_batches::{Batches, Parts as BatchParts, Runner};
use mainspring_catalog::{AuditTrail, Catalog, Engine};
use mainspring_chains::Chains;
use mainspring_config::{CaptureConfig, Config};
use mainspring_identity::Identity;
use mainspring_jobs::Jobs;
use mainspring_kernel::{Clock, SystemClock, Tasks};
use mainspring_knowledge::{EgressPolicy, KnowledgeConfig, Knowledges, Parts as KnowledgeParts, SourcePolicy};
use mainspring_lake_lance::LakeLocation;
use mainspring_llm::{DocumentAccess, EventSink, Models, Retriever};
use mainspring_observability::{
    Capture, CapturePolicies, Entering, Keeping, KeepingParts, MetricPoints, Observability, Scores, Settings, SpanServer,
};
use mainspring_registry::Registry;
use mainspring_telemetry::Metrics;
use secrecy::ExposeSecret;

pub(crate) use parsers::own_program;
pub(crate) use stores::durability;
pub(crate) use surfaces::probes;

use crate::{
    alerting, batching,
    calls::{self, Outside, Routed},
    drifting,
    erasing::Told,
    errands,
    fault::BootFault,
    health::Parts,
    kinds,
    lock::DataLock,
    models::{Local, open_weights},
    monitoring,
    serves::Serves,
    upkeep::owner,
};
use parsers::Parsers;
use stores::{open_blobs, open_lake};

/// Spans in the queue at most, about a second of a busy server, and what they may take of the memory.
const SPAN_QUEUE: usize = 16_384;
const SPAN_BYTES: usize = 64 << 20;

/// Everything, opened.
#[derive(Debug)]
pub struct Building {
    config: Config,
    serves: Serves,
    lock: DataLock,
    tasks: Tasks,
    lake_tasks: Tasks,
    /// Has no tasks: tells those who follow something that the server is about to stop.
    closing: Tasks,
    rest: Rest,
    openai: OpenAi,
    anthropic: Anthropic,
    batches: Batches,
    runner: Runner,
    parts: Parts,
    clock: Arc<dyn Clock>,
    /// The single user needs no key, while only this machine can ask.
    keyless: bool,
}

impl Building {
    /// Opens the stores, repairs what a crash left, and puts the rooms together.
    pub async fn open(config: Config, lock: DataLock) -> Result<Self, BootFault> {
        Box::pin(Self::open_to_serve(config, lock, Serves::Everything)).await
    }

    /// The same, for a process that serves no more than is said here.
    pub async fn open_to_serve(config: Config, lock: DataLock, serves: Serves) -> Result<Self, BootFault> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        // Rooms stop before the lake they write to.
        let (tasks, lake_tasks, closing) = (Tasks::default(), Tasks::default(), Tasks::default());
        let catalog = Catalog::open(config.catalog_url().expose_secret()).await.map_err(BootFault::part("catalog"))?;
        let identity = Identity::open(catalog.clone(), Arc::clone(&clock));
        identity.bootstrap().await.map_err(BootFault::part("catalog"))?;
        let location = LakeLocation::parse(&config.lake_url()).map_err(BootFault::part("lake"))?;
        let blobs = open_blobs(&config, &location, "blobs")?;
        let files = open_blobs(&config, &location, "files")?;
        let values = open_blobs(&config, &location, "values")?;
        let shared = matches!(location, LakeLocation::S3 { .. });
        let (lake, repaired) = open_lake(&config, location, (&lake_tasks, &clock), serves).await?;
        let weights = open_weights(&config).map_err(BootFault::part("model cache"))?;
        let local_models = Local::open(weights, &config.models).map_err(BootFault::part("model cache"))?;
        let metrics = Metrics::default();
        let policies = CapturePolicies::open(
            catalog.clone(),
            Arc::clone(&clock),
            Arc::new(identity.clone()),
            capture(config.traces.capture),
        );
        let policies = policies.await.map_err(BootFault::part("catalog"))?;
        let following = policies.clone();
        tasks.spawn("capture: policies", |stop| following.keep_up(stop));
        let settings = Settings {
            spill_dir: config.data_dir().join("spill"),
            spill_limit: config.traces.spill_limit.0,
            held_limit: config.traces.held_limit.0,
            adopt_after: config.traces.adopt_after.0,
            values,
            shared,
            capture: policies.in_force(),
            queue: SPAN_QUEUE,
            queue_bytes: SPAN_BYTES,
            bring: serves.bring(shared),
            gives_way: serves == Serves::Models,
            elsewhere: (serves == Serves::Models && !shared)
                .then(|| errands::elsewhere(&config, tasks.stop(), &lake_tasks))
                .transpose()?,
        };
        let registry = Registry::open(catalog.clone(), Arc::clone(&clock), kinds::descriptors())
            .with_audit(Arc::new(identity.clone()))
            .with_models(Arc::new(local_models.clone()));
        let parts = KnowledgeParts {
            catalog: catalog.clone(),
            registry: registry.clone(),
            lake: Arc::clone(&lake),
            blobs: blobs.clone(),
            parsers: Arc::new(Parsers::start(&config)?),
            models: local_models.models.clone(),
            tasks: tasks.clone(),
            clock: Arc::clone(&clock),
            audit: Some(Arc::new(identity.clone())),
        };
        let knowledge = Knowledges::open(parts, knowledge_config(&config)).map_err(BootFault::part("knowledge"))?;
        let access: Arc<dyn DocumentAccess> = Arc::new(knowledge.clone());
        let jobs = Jobs::open(catalog.clone(), Arc::clone(&clock));
        // Nothing of the disk is brought before what was erased meanwhile is out of it.
        let entering = Entering {
            catalog: &catalog,
            jobs: &jobs,
            clock: clock.as_ref(),
            file: config.data_dir().join("server"),
            spill_dir: &settings.spill_dir,
            name: owner(),
        };
        let server = Arc::new(SpanServer::enter(entering).await.map_err(BootFault::part("trace store"))?);
        let observability = Observability::open(lake.as_ref(), settings, &tasks, (Arc::clone(&clock), metrics.clone()), access)
            .await
            .map_err(BootFault::part("trace store"))?
            .with_scores(Scores::new(Arc::clone(&lake), policies.in_force(), tasks.clone()));
        let points = MetricPoints::new(Arc::clone(&lake), policies.in_force(), tasks.clone());
        if serves == Serves::Everything {
            points.table().await.map_err(BootFault::part("trace store"))?;
        }
        // The lock keeps other processes away from the data directory, and a SQLite catalog belongs to one.
        let alone = catalog.engine() == Engine::Sqlite;
        if alone {
            jobs.end_leases().await.map_err(BootFault::part("catalog"))?;
        }
        if serves == Serves::Everything {
            knowledge.recover(alone).await.map_err(BootFault::part("knowledge"))?;
        }
        let trail: Arc<dyn AuditTrail> = Arc::new(identity.clone());
        let secrets = calls::secrets(&config, &catalog, (&clock, &trail))?;
        let alerts = alerting::open(&config, (&catalog, &registry, &observability), (&secrets, Arc::clone(&trail)), &clock)?;
        if alone {
            alerts.end_leases().await.map_err(BootFault::part("catalog"))?;
        }
        let drift = drifting::open(&lake, &observability, &local_models.models, &config.models.embed);
        let monitors = monitoring::open((&catalog, &registry), (&observability, &drift, &points), &alerts, &clock);
        if alone {
            monitors.end_leases().await.map_err(BootFault::part("catalog"))?;
        }
        let (routed_models, own_models) = match serves {
            Serves::Everything => (local_models.models.clone(), local_models.models.clone()),
            Serves::Models => (local_models.models.clone().only_behind_routes(), Models::default()),
        };
        let outside = Outside { registry: &registry, models: &routed_models, trail, secrets: &secrets };
        let gateway = calls::open(&config, &catalog, outside, (&tasks, &metrics, &clock)).await?;
        observability.price_by(Arc::new(calls::Prices(gateway.ledger().clone())));
        let batch_parts = BatchParts { catalog: catalog.clone(), blobs: files, jobs: jobs.clone(), clock: Arc::clone(&clock) };
        let batches = Batches::open(batch_parts, batching::config(&config));
        let retriever: Arc<dyn Retriever> = Arc::new(knowledge.clone());
        let chains = Chains::new(Arc::new(registry.clone()), retriever, own_models, config.models.chat.clone())
            .with_source(Arc::new(Routed(gateway.clone())));
        let chains = Arc::new(if serves == Serves::Models { chains.serving_models_only() } else { chains });
        let sink: Arc<dyn EventSink> = Arc::new(observability.clone());
        let parts = Parts {
            catalog,
            lake,
            blobs,
            observability: observability.clone(),
            local: local_models,
            metrics,
            batches: batches.clone(),
            alerts: alerts.clone(),
            monitors: monitors.clone(),
            gateway: gateway.clone(),
            repaired: repaired.into(),
        };
        let answer_deadline = config.server.answer_timeout.0;
        let keeping = Keeping::open(KeepingParts {
            catalog: parts.catalog.clone(),
            jobs: jobs.clone(),
            audit: Arc::new(identity.clone()),
            clock: Arc::clone(&clock),
            spans: observability.clone(),
            points: points.clone(),
            drift: drift.clone(),
            derived: Arc::new(Told { monitors: monitors.clone(), alerts: alerts.clone() }),
            server,
            keep_for: config.traces.keep_for.0,
        });
        let rest = Rest {
            drift,
            registry,
            identity,
            knowledge,
            jobs,
            chains: Arc::clone(&chains),
            observability,
            points,
            capture: policies,
            keeping,
            ledger: gateway.ledger().clone(),
            batches: batches.clone(),
            alerts,
            monitors,
            gateway: gateway.clone(),
            secrets,
            health: Arc::new(parts.clone()),
            tasks: tasks.clone(),
            closing: closing.stop(),
            metrics: parts.metrics.clone(),
            clock: Arc::clone(&clock),
            answer_deadline,
        };
        let anthropic = Anthropic {
            gateway: gateway.clone(),
            chains: Arc::clone(&chains),
            sink: Arc::clone(&sink),
            clock: Arc::clone(&clock),
            answer_deadline,
        };
        let public_url = config.server.public_url.as_deref().map(Arc::from);
        let openai = OpenAi { chains, sink, clock: Arc::clone(&clock), answer_deadline, gateway, public_url };
        let runner = batching::runner(batches.clone(), openai.clone(), rest.identity.clone(), &config);
        Ok(Self {
            config,
            serves,
            lock,
            tasks,
            lake_tasks,
            closing,
            rest,
            openai,
            anthropic,
            batches,
            runner,
            parts,
            clock,
            keyless: true,
        })
    }

    /// What was mended when the lake opened.
    #[must_use]
    pub fn repaired(&self) -> &[String] {
        &self.parts.repaired
    }
}

const fn capture(config: CaptureConfig) -> Capture {
    match config {
        CaptureConfig::None => Capture::None,
        CaptureConfig::Metadata => Capture::Metadata,
        CaptureConfig::Redacted => Capture::Redacted,
        CaptureConfig::Full => Capture::Full,
    }
}

fn knowledge_config(config: &Config) -> KnowledgeConfig {
    let mut sources = SourcePolicy::in_dir(config.data_dir().join("work"));
    sources.max_document_bytes = config.knowledge.parser_file_limit.0;
    let roots = &config.knowledge.local_roots;
    sources.local_roots = (!roots.is_empty() || !config.server.listen.ip().is_loopback()).then(|| roots.clone());
    // A repository may borrow objects of others, so that it lies below a root says little.
    sources.local_git = sources.local_roots.is_none();
    sources.egress = EgressPolicy { allow_private: config.knowledge.allow_private_addresses, ..EgressPolicy::default() };
    let mut knowledge = KnowledgeConfig::new(sources);
    knowledge.keep_versions_for = config.lake.keep_versions_for.0;
    knowledge.keep_runs_for = config.traces.keep_for.0;
    knowledge
}
