//! From settings to a running server, in order; and back.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Extension, Router, extract::State, middleware, response::IntoResponse};
use bytes::Bytes;
use mainspring_api_anthropic::Anthropic;
use mainspring_api_openai::OpenAi;
use mainspring_api_otlp::Otlp;
use mainspring_api_rest::Rest;
use mainspring_batches::{Batches, Parts as BatchParts, Runner};
use mainspring_blobs::{Blobs, S3Location};
use mainspring_catalog::{AuditTrail, Catalog, Engine};
use mainspring_chains::Chains;
use mainspring_config::{CaptureConfig, Config, DurabilityConfig};
use mainspring_identity::Identity;
use mainspring_jobs::Jobs;
use mainspring_kernel::{Actor, Clock, Fault, FaultKind, SystemClock, Tasks, name::NameFault};
use mainspring_knowledge::{EgressPolicy, KnowledgeConfig, Knowledges, Parse, Parts as KnowledgeParts, SourcePolicy};
use mainspring_lake::Lake;
use mainspring_lake_lance::{Durability, LakeLocation, LanceConfig, LanceLake};
use mainspring_llm::{DocumentAccess, EventSink, Models, Retriever};
use mainspring_observability::{
    Capture, CapturePolicies, Entering, Keeping, KeepingParts, MetricPoints, Observability, Scores, Settings, SpanServer,
};
use mainspring_parsers::{Limits, ParseRequest, ParsedDocument, ParserConfig, ParserPool};
use mainspring_registry::Registry;
use mainspring_telemetry::{Metrics, let_go_of_code};
use mainspring_web_kit::{
    Access, Authenticate, BodyWithin, Deadlines, Problem, RequestLog, Route, authenticate, deadline, log_requests,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, limit::RequestBodyLimitLayer};

use crate::{
    alerting, batching,
    calls::{self, Outside, Routed},
    drifting,
    erasing::Told,
    errands, errors,
    fault::BootFault,
    health::Parts,
    kinds,
    lock::DataLock,
    models::{Local, open_weights},
    monitoring, page,
    serves::{self, Serves},
    serving::{self, Patience},
    upkeep::{Background, owner},
};

/// Spans in the queue at most, about a second of a busy server, and what they may take of the memory.
const SPAN_QUEUE: usize = 16_384;
const SPAN_BYTES: usize = 64 << 20;
/// Tasks in the background have begun by then.
const STARTED_WITHIN: Duration = Duration::from_millis(200);

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
            parsers: Arc::new(Parsers(ParserPool::start(parser_config(&config)?))),
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
        let alerts = alerting::open(&config, (&catalog, &registry), (&secrets, Arc::clone(&trail)), &clock)?;
        if alone {
            alerts.end_leases().await.map_err(BootFault::part("catalog"))?;
        }
        let drift = drifting::open(&lake, &observability, &local_models.models, &config.models.embed);
        let monitors = monitoring::open((&catalog, &registry), (&observability, &drift), &alerts, &clock);
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
        let openai = OpenAi { chains, sink, clock: Arc::clone(&clock), answer_deadline, gateway };
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

    /// Every surface behind one set of layers.
    pub fn router(&self) -> Router {
        let access = Access {
            authenticate: Arc::new(Keys { identity: self.rest.identity.clone(), keyless: self.keyless }),
            allowed_hosts: self.config.server.allowed_hosts.clone().into(),
            // Whoever asks how the process is, or wants the page's files, is answered while the catalog is away.
            wants_caller: |path| {
                ["/api/", "/v1/", "/v2/", mainspring_api_otlp::GRPC_PATHS].iter().any(|prefix| path.starts_with(prefix))
            },
        };
        let log = RequestLog {
            clock: Arc::clone(&self.clock),
            metrics: self.parts.metrics.clone(),
            dialect: |path, problem| {
                mainspring_api_anthropic::dialect(path, problem)
                    .or_else(|| mainspring_api_openai::dialect(path, problem))
                    .or_else(|| mainspring_api_rest::dialect(path, problem))
            },
        };
        let body_limit = usize::try_from(self.config.server.body_limit.0).unwrap_or(usize::MAX);
        let surfaces = self.surfaces(body_limit).merge(self.probes());
        let surfaces = match self.serves {
            Serves::Everything => surfaces.fallback(page::fallback),
            Serves::Models => surfaces.layer(middleware::from_fn(serves::models_only)).fallback(serves::nothing_here),
        };
        surfaces
            .layer(RequestBodyLimitLayer::new(body_limit))
            .merge(mainspring_api_openai::upload_router(self.batches.clone(), self.config.gateway.file_limit.0))
            .layer(middleware::from_fn_with_state(access, authenticate))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .layer(Extension(BodyWithin(self.config.server.client_timeout.0)))
            .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| Problem::internal().into_response()))
            .layer(middleware::from_fn_with_state(log, log_requests))
            .layer(middleware::from_fn(mainspring_api_otlp::dress))
            // Outermost: `log_requests` writes the request id into the bodies of errors.
            .layer(CompressionLayer::new().gzip(true))
    }

    /// Answers by models have a deadline of their own; the rest must begin sooner.
    fn surfaces(&self, body_limit: usize) -> Router {
        // The work inside has the same limit and says better what was late, so it is heard first.
        let answer = self.config.server.answer_timeout.0 + Duration::from_secs(5);
        let soon = Deadlines::of(self.config.server.request_timeout.0);
        let native = soon.clone().with(mainspring_api_rest::SLOW, Some(answer)).with(mainspring_api_rest::OWN_TERMS, None);
        let within = |limits: Deadlines| middleware::from_fn_with_state(limits, deadline);
        let (observability, points) = (self.rest.observability.clone(), self.rest.points.clone());
        let otlp = Otlp::new(observability, points, self.rest.keeping.clone(), Arc::clone(&self.clock), body_limit);
        let models = Router::new()
            .merge(mainspring_api_rest::router(self.rest.clone()).layer(within(native)))
            .merge(mainspring_api_openai::router(self.openai.clone()).layer(within(Deadlines::of(answer))))
            .merge(mainspring_api_openai::batch_router(self.batches.clone()).layer(within(soon.clone())))
            .merge(mainspring_api_anthropic::router(self.anthropic.clone()).layer(within(Deadlines::of(answer))));
        match self.serves {
            Serves::Everything => models.merge(mainspring_api_otlp::router(otlp).layer(within(soon))),
            Serves::Models => models,
        }
    }

    fn probes(&self) -> Router {
        Route::router(probes(), self.parts.clone())
    }

    /// Serves until told to stop, then puts everything away in order.
    pub async fn serve(
        mut self,
        ready: impl FnOnce(SocketAddr),
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), BootFault> {
        let address = self.config.server.listen;
        let keys = self.rest.identity.count_usable_keys().await.map_err(BootFault::part("catalog"))?;
        if !address.ip().is_loopback() {
            if keys == 0 {
                return Err(BootFault::KeyNeeded { address });
            }
            self.keyless = false;
        }
        let listener = TcpListener::bind(address).await.map_err(|source| BootFault::Listen { address, source })?;
        let address = listener.local_addr().map_err(|source| BootFault::Listen { address, source })?;
        if let Err(error) = self.lock.announce(Some(&format!("http://{}", reachable(address)))) {
            tracing::warn!(%error, "other commands cannot see where this server listens");
        }
        self.rest.keeping.begin_serving().await.map_err(BootFault::part("trace store"))?;
        match self.serves {
            Serves::Everything => self.background().start(&self.tasks),
            Serves::Models => {
                // Where others share the catalog, one of those that run apps runs batches: their lines may name apps.
                let alone = self.parts.catalog.engine() == Engine::Sqlite;
                self.background().start_for_models(&self.tasks, alone);
            }
        }
        let app = self.router();
        ready(address);
        // What only starting runs is mapped no longer.
        self.tasks.spawn("memory: after the start", |stop| async move {
            if stop.sleep(STARTED_WITHIN).await {
                let_go_of_code();
            }
        });
        let grace = self.config.server.shutdown_grace.0;
        let (stopping, mut stopped) = tokio::sync::watch::channel(false);
        let closing = self.closing.clone();
        let patience = Patience::of(self.config.server.client_timeout.0);
        let server = serving::serve(listener, app, patience, async move {
            stop.await;
            closing.ask_to_stop();
            let _ = stopping.send(true);
        });
        // A client that never finishes does not keep the server from stopping.
        tokio::select! {
            () = server => {}
            () = async { let _ = stopped.wait_for(|stopped| *stopped).await; tokio::time::sleep(grace).await } => {}
        }
        self.shut_down().await
    }

    fn background(&self) -> Background {
        Background {
            knowledge: self.rest.knowledge.clone(),
            observability: self.rest.observability.clone(),
            points: self.rest.points.clone(),
            drift: self.rest.drift.clone(),
            keeping: self.rest.keeping.clone(),
            registry: self.rest.registry.clone(),
            identity: self.rest.identity.clone(),
            metrics: self.parts.metrics.clone(),
            clock: Arc::clone(&self.clock),
            jobs: self.rest.jobs.clone(),
            alerts: self.rest.alerts.clone(),
            monitors: self.rest.monitors.clone(),
            batches: self.batches.clone(),
            runner: self.runner.clone(),
            upkeep_every: self.config.lake.upkeep_every.0,
            keep_traces_for: self.config.traces.keep_for.0,
            keep_versions_for: self.config.lake.keep_versions_for.0,
        }
    }

    /// Stops the rooms, then the lake, and lets go of the data directory.
    pub async fn shut_down(self) -> Result<(), BootFault> {
        let grace = self.config.server.shutdown_grace.0;
        self.closing.ask_to_stop();
        let rooms = self.tasks.shut_down(grace).await;
        if rooms.is_ok() {
            self.rest.keeping.leave().await;
        }
        let lake = self.lake_tasks.shut_down(grace).await;
        drop(self.lock);
        Ok(rooms.and(lake)?)
    }
}

pub(crate) fn probes() -> Vec<Route<Parts>> {
    vec![
        Route::get("/healthz", || async { "ok" }),
        Route::get("/readyz", ready),
        Route::get("/metrics", |State(parts): State<Parts>| async move { parts.metrics() }),
        Route::get("/errors/{code}", errors::show),
    ]
}

/// An address a browser on this machine can open.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], address.port())) } else { address }
}

/// Anybody may ask, so only the names of what is down are told.
async fn ready(State(parts): State<Parts>) -> Result<&'static str, Problem> {
    let Err(items) = parts.ready().await else { return Ok("ready") };
    let down: Vec<String> = items.into_iter().filter(|item| item.state != "ok").map(|item| item.component).collect();
    Err(Problem::new(FaultKind::Unavailable, "not-ready", format!("no answer from: {}", down.join(", ")))
        .with_hint("`mainspring doctor` says more"))
}

const fn capture(config: CaptureConfig) -> Capture {
    match config {
        CaptureConfig::None => Capture::None,
        CaptureConfig::Metadata => Capture::Metadata,
        CaptureConfig::Redacted => Capture::Redacted,
        CaptureConfig::Full => Capture::Full,
    }
}

/// Blobs lie beside the lake: in its bucket, or in the data directory. Each room has a place of its own for them.
fn open_blobs(config: &Config, lake: &LakeLocation, place: &str) -> Result<Blobs, BootFault> {
    let blobs = match lake {
        LakeLocation::Local(_) => Blobs::local(&config.data_dir().join(place)),
        LakeLocation::S3 { bucket, prefix, endpoint, region, access_key, secret_key, session_token, allow_http } => {
            Blobs::s3(&S3Location {
                bucket: bucket.clone(),
                prefix: if prefix.is_empty() { place.to_owned() } else { format!("{prefix}/{place}") },
                endpoint: endpoint.clone(),
                region: region.clone(),
                access_key: access_key.clone(),
                secret_key: secret_key.clone(),
                session_token: session_token.clone(),
                allow_http: *allow_http,
            })
        }
    };
    blobs.map_err(BootFault::part("blob store"))
}

async fn open_lake(
    config: &Config,
    location: LakeLocation,
    (tasks, clock): (&Tasks, &Arc<dyn Clock>),
    serves: Serves,
) -> Result<(Arc<dyn Lake>, Vec<String>), BootFault> {
    // Of a lake that others share, a gateway touches nothing but its traces.
    let repairs = serves == Serves::Everything || matches!(location, LakeLocation::Local(_));
    let durability = durability(config);
    let lance = LanceConfig { durability, tasks: tasks.clone(), clock: Arc::clone(clock), ..LanceConfig::new(location) };
    let lance = if serves == Serves::Models { lance.for_adding() } else { lance };
    let lake = LanceLake::open(lance).await.map_err(BootFault::part("lake"))?;
    let mut repaired = Vec::new();
    if !repairs {
        return Ok((Arc::new(lake), repaired));
    }
    for repair in lake.repair().await.map_err(BootFault::part("lake"))? {
        let text = format!(
            "table `{}`: version {} was torn and was moved to {}; version {} is open now",
            repair.table, repair.bad_version, repair.moved_to, repair.opened_version
        );
        tracing::warn!("{text}");
        repaired.push(text);
    }
    Ok((Arc::new(lake), repaired))
}

pub(crate) const fn durability(config: &Config) -> Durability {
    match config.lake.durability {
        DurabilityConfig::Disk => Durability::Disk,
        DurabilityConfig::Process => Durability::Process,
    }
}

fn parser_config(config: &Config) -> Result<ParserConfig, BootFault> {
    let program = own_program()?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = if config.knowledge.parser_workers == 0 { cores } else { config.knowledge.parser_workers };
    let limits = Limits {
        memory: config.knowledge.parser_memory.0,
        wall: config.knowledge.parser_timeout.0,
        input: config.knowledge.parser_file_limit.0,
        ..Limits::default()
    };
    Ok(ParserConfig { program, args: vec!["__parse".into()], workers, limits })
}

/// This binary, for children; in tests, which are another program, the real one beside them.
pub(crate) fn own_program() -> Result<PathBuf, BootFault> {
    if let Some(program) = std::env::var_os("MAINSPRING_PARSER") {
        return Ok(program.into());
    }
    // By its path it would be another one after an upgrade, or none. This is what runs, wherever it lies by now.
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() {
        return Ok(running);
    }
    std::env::current_exe().map_err(|error| BootFault::Part {
        part: "child processes",
        kind: FaultKind::Unavailable,
        code: "parse-no-workers",
        reason: error.to_string(),
        hint: None,
    })
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

/// The pool behind the room's seam.
#[derive(Debug)]
struct Parsers(ParserPool);

#[async_trait]
impl Parse for Parsers {
    async fn parse(&self, bytes: Bytes, media_type: Option<String>, file_name: String) -> Result<ParsedDocument, Box<dyn Fault>> {
        let request = ParseRequest { bytes, file_name, media_type };
        self.0.parse(request).await.map_err(|fault| Box::new(fault) as Box<dyn Fault>)
    }
}

#[derive(Debug)]
struct Keys {
    identity: Identity,
    keyless: bool,
}

#[async_trait]
impl Authenticate for Keys {
    async fn authenticate(&self, key: &SecretString) -> Result<Actor, Problem> {
        Ok(self.identity.authenticate(key).await?)
    }

    fn keyless(&self) -> bool {
        self.keyless
    }

    async fn local(&self) -> Result<Option<Actor>, Problem> {
        Ok(self.identity.local_now().await?)
    }

    async fn enter(&self, actor: &Actor, project: &str) -> Result<Actor, Problem> {
        let missing =
            |_: NameFault| Problem::new(FaultKind::NotFound, "identity-project-not-found", "a project has no such name");
        Ok(self.identity.enter(actor, &project.parse().map_err(missing)?).await?)
    }
}
