//! Apps and models.

use std::collections::HashMap;

use axum::{Json, extract::State};
use mainspring_chains::{AppSpec, ChainSpec};
use mainspring_kernel::{Actor, AssetKind, FaultKind, Page, PageRequest, Role, page::PageFault};
use mainspring_observability::AppTraffic;
use mainspring_web_kit::{Answer, Caller, Paging, Problem};
use mainspring_wire as wire;

use crate::{Rest, knowledge::latest, overview::while_away};

pub(crate) async fn summaries(rest: &Rest, actor: &Actor, page: &PageRequest) -> Answer<wire::Page<wire::AppSummary>> {
    let traffic = while_away(rest.observability.by_app(actor).await)?;
    let found = rest.registry.list(actor, Some(AssetKind::App), page).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for asset in found.items {
        let version = rest.registry.get(actor, AssetKind::App, &latest(asset.name.clone())).await?;
        let app: Option<AppSpec> = serde_json::from_value(version.spec).ok();
        let chain: Option<ChainSpec> = match &app {
            Some(app) => rest
                .registry
                .get(actor, AssetKind::Chain, &app.chain)
                .await
                .ok()
                .and_then(|version| serde_json::from_value(version.spec).ok()),
            None => None,
        };
        let name = asset.name.to_string();
        items.push(summary((name, asset.latest, asset.digest.to_string(), asset.description), app, chain, traffic.as_ref()));
    }
    Ok(wire::Page { items, next: found.next })
}

fn summary(
    (name, version, digest, description): (String, u32, String, Option<String>),
    app: Option<AppSpec>,
    chain: Option<ChainSpec>,
    traffic: Option<&HashMap<String, AppTraffic>>,
) -> wire::AppSummary {
    let (known, traffic) = (traffic.is_some(), traffic.and_then(|traffic| traffic.get(&name)));
    let steps = chain.map(|chain| chain.steps).unwrap_or_default();
    wire::AppSummary {
        title: app.as_ref().and_then(|app| app.title.clone()),
        chain: app.as_ref().map(|app| app.chain.to_string()),
        examples: app.map(|app| app.examples).unwrap_or_default(),
        prompt: steps.iter().find_map(|step| step.prompt.as_ref()).map(|step| step.prompt.to_string()),
        model: steps.iter().find_map(|step| step.model.as_ref()).map(|step| step.name.clone()),
        quotes: steps.iter().find_map(|step| step.quote.as_ref()).map(|step| step.model.clone()),
        knowledge: steps.iter().filter_map(|step| step.retrieve.as_ref()).map(|step| step.knowledge.to_string()).collect(),
        name,
        description,
        version,
        digest,
        requests_24h: known.then(|| traffic.map_or(0, |of_app| of_app.traffic.requests)),
        errors_24h: known.then(|| traffic.map_or(0, |of_app| of_app.traffic.errors)),
        p50_ms: traffic.and_then(|of_app| of_app.traffic.p50_millis),
        p95_ms: traffic.and_then(|of_app| of_app.traffic.p95_millis),
        estimated: traffic.is_some_and(|of_app| of_app.traffic.estimated),
        last_request_at: traffic.map(|of_app| of_app.last.to_string()),
    }
}

/// Lists apps with the last day's traffic.
#[utoipa::path(get, path = "/api/v1/apps", tag = "apps", operation_id = "list_apps",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)), responses((status = 200, body = wire::Page<wire::AppSummary>)))]
pub(crate) async fn apps(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::AppSummary>>> {
    let actor = caller.needs(Role::Reader)?;
    Ok(Json(summaries(&rest, actor, &page).await?))
}

/// Lists the models this server can reach, by name.
#[utoipa::path(get, path = "/api/v1/models", tag = "apps", operation_id = "list_local_models",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)), responses((status = 200, body = wire::Page<wire::ModelView>)))]
pub(crate) async fn models(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::ModelView>>> {
    caller.needs(Role::Reader)?;
    let invalid = |fault: PageFault| Problem::new(FaultKind::Invalid, "paging-invalid", fault.to_string());
    let after = page.after::<String>().map_err(invalid)?;
    let mut models = rest.health.models().await;
    models.retain(|model| after.as_ref().is_none_or(|after| model.name > *after));
    models.sort_by(|a, b| a.name.cmp(&b.name));
    let Page { items, next } = Page::from_overfetch(models, &page, |model| model.name.clone());
    Ok(Json(wire::Page { items, next }))
}
