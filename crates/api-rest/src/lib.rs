#![doc = include_str!("../README.md")]

mod apply;
mod apps;
mod assets;
mod batches;
mod calls;
mod calls_live;
mod capture;
mod conventions;
mod convert;
mod dashboards;
mod drift;
mod forgetting;
mod incidents;
mod jobs;
mod keeping;
mod keys;
mod knowledge;
mod limits;
mod logs;
mod metrics;
mod monitors;
mod otlp_json;
mod overview;
mod parameters;
mod points;
mod projects;
mod prometheus;
mod readings;
mod receivers;
mod replay;
mod routes;
mod runs;
mod scores;
mod secrets;
mod sessions;
mod sql;
mod structure;
mod traces;
mod traces_export;
mod traces_metrics;
mod traces_tail;
mod traces_tree;
mod usage;
mod writes;

#[cfg(test)]
mod tests;

pub use prometheus::dialect;
pub use runs::carry_out;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Json, Router, middleware, routing::get};
use mainspring_alerts::Alerts;
use mainspring_batches::Batches;
use mainspring_chains::Chains;
use mainspring_gateway::{Gateway, Ledger};
use mainspring_identity::Identity;
use mainspring_jobs::Jobs;
use mainspring_kernel::{Actor, Clock, Stop, Tasks, id::ProjectId};
use mainspring_knowledge::Knowledges;
use mainspring_llm::{Budget, EventSink, SpanContext};
use mainspring_monitors::Monitors;
use mainspring_observability::{CapturePolicies, Drift, Keeping, MetricPoints, Observability};
use mainspring_registry::Registry;
use mainspring_secrets::Secrets;
use mainspring_telemetry::Metrics;
use mainspring_wire as wire;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What this surface needs from the building.
#[derive(Debug, Clone)]
pub struct Rest {
    pub registry: Registry,
    pub identity: Identity,
    pub knowledge: Knowledges,
    pub jobs: Jobs,
    pub chains: Arc<Chains>,
    pub observability: Observability,
    pub points: MetricPoints,
    pub capture: CapturePolicies,
    pub drift: Drift,
    pub keeping: Keeping,
    pub ledger: Ledger,
    pub batches: Batches,
    pub alerts: Alerts,
    pub monitors: Monitors,
    pub gateway: Gateway,
    pub secrets: Secrets,
    pub health: Arc<dyn Health>,
    pub tasks: Tasks,
    /// Told when the server is about to stop: nobody is followed any longer.
    pub closing: Stop,
    pub metrics: Metrics,
    pub clock: Arc<dyn Clock>,
    pub answer_deadline: Duration,
}

/// How the parts of the building are, and which models it has. `server` knows.
#[async_trait]
pub trait Health: Send + Sync + std::fmt::Debug + 'static {
    async fn parts(&self, project: ProjectId) -> Vec<wire::HealthItem>;
    async fn models(&self) -> Vec<wire::ModelView>;
}

impl Rest {
    fn trace(&self, actor: &Actor) -> SpanContext {
        let sink: Arc<dyn EventSink> = Arc::new(self.observability.clone());
        SpanContext::root(actor.project, sink, Arc::clone(&self.clock))
    }

    fn budget(&self) -> Budget {
        Budget::of(self.answer_deadline)
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Mainspring REST API",
        version = "1",
        description = "The native API. Errors are RFC 9457 problems with a stable `code`; lists page by `cursor`; times are RFC 3339."
    ),
    components(schemas(mainspring_web_kit::ProblemBody))
)]
struct Document;

fn routes() -> OpenApiRouter<Rest> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(overview::overview))
        .routes(routes!(overview::health))
        .routes(routes!(apps::apps))
        .routes(routes!(apps::models))
        .routes(routes!(knowledge::list))
        .routes(routes!(knowledge::show))
        .routes(routes!(knowledge::documents))
        .routes(routes!(knowledge::document))
        .routes(routes!(knowledge::document_text))
        .routes(routes!(knowledge::document_chunks))
        .routes(routes!(knowledge::search, knowledge::search_by_address))
        .routes(routes!(forgetting::forget))
        .routes(routes!(forgetting::receipts))
        .routes(routes!(forgetting::receipt))
        .routes(routes!(forgetting::tombstones))
        .routes(routes!(forgetting::readmit))
        .routes(routes!(runs::ingest))
        .routes(routes!(runs::list))
        .routes(routes!(runs::list_all))
        .routes(routes!(runs::show))
        .routes(routes!(runs::events))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::cancel))
        .routes(routes!(batches::list))
        .routes(routes!(batches::show))
        .routes(routes!(batches::results))
        .routes(routes!(batches::cancel))
        .routes(routes!(incidents::list))
        .routes(routes!(incidents::show))
        .routes(routes!(incidents::acknowledge))
        .routes(routes!(incidents::resolve))
        .routes(routes!(incidents::retry))
        .routes(routes!(incidents::deliveries))
        .routes(routes!(monitors::list))
        .routes(routes!(monitors::show))
        .routes(routes!(monitors::evaluations))
        .routes(routes!(monitors::evaluate))
        .routes(routes!(receivers::list))
        .routes(routes!(receivers::test))
        .routes(routes!(receivers::silences, receivers::create_silence))
        .routes(routes!(receivers::end_silence))
        .routes(routes!(traces::list))
        .routes(routes!(traces::count))
        .routes(routes!(traces_metrics::measure))
        .routes(routes!(traces_export::export))
        .routes(routes!(traces_tail::tail))
        .routes(routes!(traces::list_spans))
        .routes(routes!(traces::count_spans))
        .routes(routes!(logs::list))
        .routes(routes!(logs::count))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::show))
        .routes(routes!(sessions::users))
        .routes(routes!(traces::show))
        .routes(routes!(traces_tree::fields))
        .routes(routes!(traces_tree::tree))
        .routes(routes!(traces_tree::show))
        .routes(routes!(keeping::value))
        .routes(routes!(keeping::retention))
        .routes(routes!(keeping::set_retention))
        .routes(routes!(keeping::erase, keeping::erasures))
        .routes(routes!(keeping::erasure))
        .routes(routes!(conventions::report))
        .routes(routes!(readings::read))
        .routes(routes!(points::list))
        .routes(routes!(metrics::list))
        .routes(routes!(metrics::series))
        .routes(routes!(drift::compare))
        .routes(routes!(scores::list, scores::write))
        .routes(routes!(scores::delete))
        .routes(routes!(scores::feedback))
        .routes(routes!(sql::ask))
        .routes(routes!(sql::schema))
        .routes(routes!(dashboards::list))
        .routes(routes!(dashboards::show))
        .routes(routes!(dashboards::data))
        .routes(routes!(prometheus::query, prometheus::query_by_form))
        .routes(routes!(prometheus::query_range, prometheus::query_range_by_form))
        .routes(routes!(prometheus::labels, prometheus::labels_by_form))
        .routes(routes!(prometheus::series, prometheus::series_by_form))
        .routes(routes!(prometheus::label_values))
        .routes(routes!(prometheus::metadata))
        .routes(routes!(replay::replay))
        .routes(routes!(assets::list))
        .routes(routes!(assets::show))
        .routes(routes!(assets::versions))
        .routes(routes!(assets::diff))
        .routes(routes!(assets::move_alias, assets::remove_alias))
        .routes(routes!(routes::list))
        .routes(routes!(routes::history))
        .routes(routes!(routes::processes))
        .routes(routes!(routes::explain))
        .routes(routes!(apply::apply))
        .routes(routes!(apply::schema))
        .routes(routes!(projects::list, projects::create))
        .routes(routes!(capture::show, capture::set))
        .routes(routes!(capture::preview))
        .routes(routes!(projects::members, projects::add_member))
        .routes(routes!(projects::change_member, projects::remove_member))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::rotate))
        .routes(routes!(keys::revoke))
        .routes(routes!(keys::audit))
        .routes(routes!(keys::verify_audit))
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::set, secrets::remove))
        .routes(routes!(secrets::rotate_master_key))
        .routes(routes!(limits::list, limits::set))
        .routes(routes!(limits::remove))
        .routes(routes!(usage::usage))
        .routes(routes!(usage::reprice))
        .routes(routes!(calls::list))
        .routes(routes!(calls_live::watch))
}

/// Routes that may take as long as an answer by a model, or must not be broken off in the middle.
pub const SLOW: &[&str] = &[
    "/api/v1/traces/{id}/replay",
    "/api/v1/knowledge/{name}/forget",
    "/api/v1/usage/reprice",
    "/api/v1/monitors/{name}/evaluate",
];
/// Routes that end when what they wait for ends: a run that is waited for, or followed; calls and traces that are watched,
/// and an export, which takes as long as there are spans.
pub const OWN_TERMS: &[&str] = &[
    "/api/v1/knowledge/{name}/ingest",
    "/api/v1/runs/{id}/events",
    "/api/v1/calls/live",
    "/api/v1/traces/tail",
    "/api/v1/traces/export",
];

pub fn router(rest: Rest) -> Router {
    runs::count(&rest.metrics, &mainspring_knowledge::Progress::default());
    let (router, document) = routes().split_for_parts();
    let known = Arc::new(parameters::Known::of(&document));
    router
        .layer(middleware::from_fn_with_state(known, parameters::refuse_others))
        .layer(middleware::from_fn_with_state(rest.clone(), writes::trace))
        .with_state(rest)
        // Made when it is asked for: as a tree it takes megabytes, and hardly anybody asks.
        .route("/api/v1/openapi.json", get(async || Json(openapi())))
}

/// The OpenAPI document of every route.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().split_for_parts().1
}
