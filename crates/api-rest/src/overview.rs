//! The home page in one answer.

use axum::{Json, extract::State};
use mainspring_kernel::{Fault, FaultKind, Page, PageRequest, Role, page::PageFault};
use mainspring_observability::ActivityBucket;
use mainspring_web_kit::{Answer, Caller, Home, Paging, Problem};
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
        health: rest.health.parts(actor.project).await,
    }))
}

/// How the parts of the process are: the stores, the models, whether the project's providers have their keys, spans on their way to the lake, the process itself, and
/// of a server whether monitors can look and notices arrive.
#[utoipa::path(get, path = "/api/v1/health", tag = "overview", operation_id = "list_health",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::HealthItem>)))]
pub(crate) async fn health(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::HealthItem>>> {
    let actor = caller.needs(Role::Reader)?;
    let invalid = |fault: PageFault| Problem::new(FaultKind::Invalid, "paging-invalid", fault.to_string());
    // They always come in the same order.
    let seen = page.after::<usize>().map_err(invalid)?.map_or(0, |last| last.saturating_add(1));
    let parts: Vec<(usize, wire::HealthItem)> =
        rest.health.parts(actor.project).await.into_iter().enumerate().skip(seen).collect();
    let found = Page::from_overfetch(parts, &page, |(at, _)| *at).map(|(_, part)| part);
    Ok(Json(wire::Page { items: found.items, next: found.next }))
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
