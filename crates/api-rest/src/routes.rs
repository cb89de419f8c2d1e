//! How routes and their targets stand, and which target a call would take.

use axum::{Json, extract::State};
use mainspring_gateway::{
    Caller as Who, ExplainQuestion, ExplainedTarget, Explanation, Minute, Standing, TargetHealth, TargetHistory, ledger::Process,
};
use mainspring_kernel::{FaultKind, Page, PageRequest, Role, page::PageFault};
use mainspring_web_kit::{Answer, Body, Caller, Paging, Problem, may_name};
use mainspring_wire as wire;

use crate::{Rest, keys::key_id};

/// As one word.
const fn breaker(standing: Standing) -> &'static str {
    match standing {
        Standing::HalfOpen => "half_open",
        Standing::Closed | Standing::Open { .. } => standing.as_str(),
    }
}

fn view(health: TargetHealth) -> wire::TargetView {
    let TargetHealth { route, provider, model, standing, in_flight, recent, failed, .. } = health;
    wire::TargetView {
        route,
        provider,
        model,
        breaker: breaker(standing).to_owned(),
        wait_ms: match standing {
            Standing::Open { wait_ms } => Some(wait_ms),
            Standing::Closed | Standing::HalfOpen => None,
        },
        in_flight,
        recent,
        failed: failed.into_iter().map(|(class, count)| (class.to_owned(), count)).collect(),
        begin_p50_ms: health.begin_p50_ms,
        begin_p95_ms: health.begin_p95_ms,
        begin_p99_ms: health.begin_p99_ms,
        whole_p50_ms: health.whole_p50_ms,
        whole_p95_ms: health.whole_p95_ms,
        tokens_per_second: health.tokens_per_second,
        attempts: health.attempts,
        input_tokens: health.input_tokens,
        output_tokens: health.output_tokens,
        spend: health.spend.to_string(),
        priced: health.priced,
    }
}

/// Where a target stands in the list: those of routes first, by the route's name and in the order they are written
/// in; then by what clients call.
type Place = (bool, String, usize);

/// Part of all targets, which come in the order of their places.
pub(crate) fn part<T>(targets: Vec<T>, page: &PageRequest, route: impl Fn(&T) -> (Option<&str>, &str, &str)) -> Answer<Page<T>> {
    let invalid = |fault: PageFault| Problem::new(FaultKind::Invalid, "paging-invalid", fault.to_string());
    let after = page.after::<Place>().map_err(invalid)?;
    let (mut found, mut last) = (Vec::new(), None::<Place>);
    for target in targets {
        let (direct, name) = match route(&target) {
            (Some(route), ..) => (false, route.to_owned()),
            (None, provider, model) => (true, format!("{provider}/{model}")),
        };
        let at = last.as_ref().filter(|last| (last.0, &last.1) == (direct, &name)).map_or(0, |last| last.2 + 1);
        let place = (direct, name, at);
        last = Some(place.clone());
        if after.as_ref().is_none_or(|after| place > *after) {
            found.push((place, target));
        }
    }
    Ok(Page::from_overfetch(found, page, |(place, _)| place.clone()).map(|(_, target)| target))
}

/// Lists the targets of the project's routes: breakers, latencies, errors and spend since this process started.
#[utoipa::path(get, path = "/api/v1/routes", tag = "routes", operation_id = "list_routes",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::TargetView>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::TargetView>>> {
    let actor = caller.needs(Role::Reader)?;
    let all = rest.gateway.health(actor.project).await;
    let found = part(all, &page, |target| (target.route.as_deref(), target.provider.as_str(), target.model.as_str()))?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(view).collect(), next: found.next }))
}

/// Lists the processes that serve calls over this catalog. What the routes' lists say of targets is of the one that answers.
#[utoipa::path(get, path = "/api/v1/processes", tag = "routes", operation_id = "list_processes",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::ProcessView>)))]
pub(crate) async fn processes(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::ProcessView>>> {
    let actor = caller.needs(Role::Reader)?;
    let found = rest.ledger.processes(actor, &page).await?;
    let process = |Process { id, here, seen }| wire::ProcessView { id, here, seen_at: seen.to_string() };
    Ok(Json(wire::Page { items: found.items.into_iter().map(process).collect(), next: found.next }))
}

fn minutes(history: TargetHistory) -> wire::TargetHistory {
    let TargetHistory { route, provider, model, minutes } = history;
    let minute = |Minute { at, attempts, failed }: Minute| wire::TargetMinute {
        at: at.to_string(),
        attempts,
        failed: failed.into_iter().map(|(class, count)| (class.to_owned(), count)).collect(),
    };
    wire::TargetHistory { route, provider, model, minutes: minutes.into_iter().map(minute).collect() }
}

/// What the targets of the project's routes did in the last hour, by the minute: attempts, and failures by class.
#[utoipa::path(get, path = "/api/v1/routes/history", tag = "routes", operation_id = "get_routes_history",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::TargetHistory>)))]
pub(crate) async fn history(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::TargetHistory>>> {
    let actor = caller.needs(Role::Reader)?;
    let all = rest.gateway.history(actor.project).await;
    let found = part(all, &page, |target| (target.route.as_deref(), target.provider.as_str(), target.model.as_str()))?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(minutes).collect(), next: found.next }))
}

/// Says which target a call would take now, and why. Makes no call.
#[utoipa::path(post, path = "/api/v1/routes/explain", tag = "routes", operation_id = "explain_route",
    request_body = wire::ExplainRequest, responses((status = 200, body = wire::RouteExplanation)))]
pub(crate) async fn explain(
    State(rest): State<Rest>,
    caller: Caller,
    Body(body): Body<wire::ExplainRequest>,
) -> Answer<Json<wire::RouteExplanation>> {
    let actor = caller.needs(Role::Reader)?;
    let wire::ExplainRequest { model, input_tokens, max_tokens, user, session, key } = body;
    let other = match key {
        Some(key) => {
            let admin = caller.needs(Role::Admin)?;
            let by = rest.identity.let_in_by(admin, key_id(&key)?).await?;
            may_name(&by, &model)?;
            Some(by)
        }
        None => None,
    };
    let actor = other.as_ref().unwrap_or(actor);
    let who =
        Who { project: actor.project, principal: actor.principal, key: actor.key, user: user.clone(), app: None, line_of: None };
    let question = ExplainQuestion { input_tokens, max_tokens, user, session, ..ExplainQuestion::default() };
    Ok(Json(explained(rest.gateway.explain(&who, &model, &question)?)))
}

fn explained(explanation: Explanation) -> wire::RouteExplanation {
    let Explanation { model, route, choose, sticky: _, targets, cached, cache, retries, hedged } = explanation;
    let target = |target: ExplainedTarget| wire::ExplainedTargetView {
        provider: target.provider,
        model: target.model,
        place: target.place,
        why: target.why,
        tier: target.tier,
        weight: target.weight,
        breaker: breaker(target.standing).to_owned(),
        in_flight: target.in_flight,
        begin_ms: target.begin_ms,
        cost: target.cost.map(|cost| cost.to_string()),
    };
    let choose = choose.as_str().to_owned();
    let targets = targets.into_iter().map(target).collect();
    wire::RouteExplanation { model, route, choose, targets, cached, cache, retries, hedged }
}
