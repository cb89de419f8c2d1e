//! The home page in one answer.

use axum::{Json, extract::State};
use mainspring_kernel::{PageRequest, Role};
use mainspring_web_kit::{Answer, Caller};
use mainspring_wire as wire;

use crate::{Rest, apps, knowledge};

const SHOWN: usize = 50;

/// Projects, apps, knowledge, the last day's activity, and how the parts are.
#[utoipa::path(get, path = "/api/v1/overview", tag = "overview", operation_id = "get_overview", responses((status = 200, body = wire::Overview)))]
pub(crate) async fn overview(State(rest): State<Rest>, caller: Caller) -> Answer<Json<wire::Overview>> {
    let actor = caller.needs(Role::Reader)?;
    let project = rest.identity.project(actor).await?;
    let page = PageRequest::first(SHOWN);
    let activity = rest.observability.activity(actor, 24, None).await?.into_iter().map(|bucket| wire::ActivityBucket {
        start: bucket.start.to_string(),
        requests: bucket.requests,
        errors: bucket.errors,
        p50_ms: bucket.p50_millis,
        p95_ms: bucket.p95_millis,
    });
    Ok(Json(wire::Overview {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        projects: vec![wire::ProjectSummary {
            id: project.id.to_string(),
            name: project.name.to_string(),
            role: actor.role.to_string(),
        }],
        apps: apps::summaries(&rest, actor, &page).await?.items,
        knowledge: knowledge::summaries(&rest, actor, &page).await?.items,
        activity: activity.collect(),
        health: rest.health.parts().await,
    }))
}
