//! What is asked over HTTP: the surfaces and the probes, and who may ask.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Router, extract::State, middleware, response::IntoResponse};
use mainspring_api_otlp::Otlp;
use mainspring_identity::Identity;
use mainspring_kernel::{Actor, FaultKind, name::NameFault};
use mainspring_web_kit::{
    Access, Authenticate, BodyWithin, Deadlines, Problem, RequestLog, Route, authenticate, deadline, in_time, log_requests,
};
use secrecy::SecretString;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, limit::RequestBodyLimitLayer};

use super::Building;
use crate::{
    errors,
    health::Parts,
    page,
    serves::{self, Serves},
};

impl Building {
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
            .layer(middleware::from_fn_with_state(BodyWithin(self.config.server.client_timeout.0), in_time))
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
}

pub(crate) fn probes() -> Vec<Route<Parts>> {
    vec![
        Route::get("/healthz", || async { "ok" }),
        Route::get("/readyz", ready),
        Route::get("/metrics", |State(parts): State<Parts>| async move { parts.metrics() }),
        Route::get("/errors/{code}", errors::show),
    ]
}

/// Anybody may ask, so only the names of what is down are told.
async fn ready(State(parts): State<Parts>) -> Result<&'static str, Problem> {
    let Err(items) = parts.ready().await else { return Ok("ready") };
    let down: Vec<String> = items.into_iter().filter(|item| item.state != "ok").map(|item| item.component).collect();
    Err(Problem::new(FaultKind::Unavailable, "not-ready", format!("no answer from: {}", down.join(", ")))
        .with_hint("`mainspring doctor` says more"))
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
