//! The home page in one answer.

use axum::{Json, extract::State};
use mainspring_kernel::{Fault, PageRequest, Role};
use mainspring_observability::ActivityBucket;
use mainspring_web_kit::{Answer, Caller, Home};
use mainspring_wire as wire;

use crate::{Rest, apps, knowledge, projects};

const SHOWN: usize = 50;
const TOO_MUCH: &str = "trace-too-much";

/// Projects, apps, knowledge, the last day's activity, and how the parts are.
#[utoipa::path(get, path = "/api/v1/overview", tag = "overview", operation_id = "get_overview", responses((status = 200, body = wire::Overview)))]
pub(crate) async fn overview(State(rest): State<Rest>, caller: Caller, Home(home): Home) -> Answer<Json<wire::Overview>> {
    let actor = caller.needs(Role::Reader)?;
    let page = PageRequest::first(SHOWN);
    let activity = while_away(rest.observability.activity(actor, 24, None).await)?.unwrap_or_default();
    let activity = activity.into_iter().map(|ActivityBucket { start, traffic }| wire::ActivityBucket {
        start: start.to_string(),
        requests: traffic.requests,
        errors: traffic.errors,
        p50_ms: traffic.p50_millis,
        p95_ms: traffic.p95_millis,
        estimated: traffic.estimated,
    });
    Ok(Json(wire::Overview {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        project: rest.identity.project(actor).await?.name.to_string(),
        projects: rest.identity.list_projects(&home, &page).await?.items.into_iter().map(projects::summary).collect(),
        apps: apps::summaries(&rest, actor, &page).await?.items,
        knowledge: knowledge::summaries(&rest, actor, &page).await?.items,
        activity: activity.collect(),
        health: rest.health.parts().await,
    }))
}

/// What cannot be counted while a store is away is left out: the page that shows how the stores are must not need them. So is
/// what would take too long to count for somebody who may not see everything.
pub(crate) fn while_away<T, F: Fault>(counted: Result<T, F>) -> Result<Option<T>, F> {
    match counted {
        Ok(counted) => Ok(Some(counted)),
        Err(fault) if fault.kind().is_transient() || fault.code() == TOO_MUCH => Ok(None),
        Err(fault) => Err(fault),
    }
}
