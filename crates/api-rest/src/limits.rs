//! Limits and budgets.

use axum::{Json, extract::State};
use mainspring_gateway::ledger::{Amount, EACH, Limit, LimitState, Metric, NewLimit, SubjectKind, WordFault};
use mainspring_kernel::{
    Actor, FaultKind, Role,
    id::{ApiKeyId, LimitId, PrincipalId},
};
use mainspring_web_kit::{Answer, Body, Caller, Paging, Path, Problem};
use mainspring_wire as wire;

use crate::{Rest, assets::Names};

fn invalid(detail: impl std::fmt::Display) -> Problem {
    Problem::new(FaultKind::Invalid, "body-invalid", detail.to_string())
}

fn view(state: LimitState, names: &Names) -> wire::LimitView {
    let LimitState { limit, spent, resets, left } = state;
    let Limit { id, project: _, kind, subject, metric, amount, created, created_by } = limit;
    let principal = Some(&subject).filter(|_| kind == SubjectKind::Principal).and_then(|subject| subject.parse().ok());
    wire::LimitView {
        id: id.to_string(),
        kind: kind.as_str().to_owned(),
        subject: principal.map_or(subject, |principal| names.get(principal)),
        metric: metric.as_str().to_owned(),
        amount: amount.to_string(),
        spent: spent.map(|money| money.to_string()),
        resets_at: resets.map(|at| at.to_string()),
        left,
        created_at: created.to_string(),
        created_by: names.get(created_by),
    }
}

/// Everybody a list of limits names.
fn named(limits: &[LimitState]) -> Vec<PrincipalId> {
    let subjects = limits.iter().filter(|state| state.limit.kind == SubjectKind::Principal);
    let subjects = subjects.filter_map(|state| state.limit.subject.parse().ok());
    limits.iter().map(|state| state.limit.created_by).chain(subjects).collect()
}

async fn one(rest: &Rest, limit: Limit) -> Answer<Json<wire::LimitView>> {
    let state = LimitState { limit, spent: None, resets: None, left: None };
    let names = Names::of(rest, named(std::slice::from_ref(&state))).await?;
    Ok(Json(view(state, &names)))
}

/// Lists the project's limits, newest first, and how they stand.
#[utoipa::path(get, path = "/api/v1/limits", tag = "limits", operation_id = "list_limits",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)), responses((status = 200, body = wire::Page<wire::LimitView>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::LimitView>>> {
    let actor = caller.needs(Role::Reader)?;
    let found = rest.ledger.limits(actor, &page).await?;
    let names = Names::of(&rest, named(&found.items)).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(|state| view(state, &names)).collect(), next: found.next }))
}

/// Sets a limit, in place of one with the same subject and metric.
#[utoipa::path(post, path = "/api/v1/limits", tag = "limits", operation_id = "set_limit",
    request_body = wire::NewLimit, responses((status = 200, body = wire::LimitView)))]
pub(crate) async fn set(
    State(rest): State<Rest>,
    caller: Caller,
    Body(body): Body<wire::NewLimit>,
) -> Answer<Json<wire::LimitView>> {
    let actor = caller.needs(Role::Admin)?;
    let kind: SubjectKind = body.kind.parse().map_err(|fault: WordFault| invalid(fault))?;
    let metric: Metric = body.metric.parse().map_err(|fault: WordFault| invalid(fault))?;
    let amount = Amount::read(metric, &body.amount)?;
    let subject = subject(&rest, actor, kind, body.subject).await?;
    one(&rest, rest.ledger.set_limit(actor, NewLimit { kind, subject, metric, amount }).await?).await
}

/// Members are named as people know them; keys by their ids, since names of keys are not unique.
async fn subject(rest: &Rest, actor: &Actor, kind: SubjectKind, given: Option<String>) -> Answer<String> {
    let given = given.unwrap_or_else(|| EACH.to_owned());
    match kind {
        _ if given == EACH => Ok(given),
        SubjectKind::Principal => Ok(rest.identity.member(actor, &given).await?.principal.id.to_string()),
        SubjectKind::Key => {
            let id: ApiKeyId = given.parse().map_err(|fault: mainspring_kernel::id::IdFault| invalid(fault))?;
            Ok(id.to_string())
        }
        SubjectKind::Project => Err(invalid("a limit on the project has no other subject")),
        SubjectKind::User | SubjectKind::Model => Ok(given),
    }
}

/// Removes a limit.
#[utoipa::path(delete, path = "/api/v1/limits/{id}", tag = "limits", operation_id = "remove_limit",
    params(("id" = String, Path)), responses((status = 200, body = wire::LimitView)))]
pub(crate) async fn remove(State(rest): State<Rest>, caller: Caller, Path(id): Path<String>) -> Answer<Json<wire::LimitView>> {
    let actor = caller.needs(Role::Admin)?;
    let missing = |_| Problem::new(FaultKind::NotFound, "limit-not-found", "there is no such limit");
    let id: LimitId = id.parse().map_err(missing)?;
    one(&rest, rest.ledger.remove_limit(actor, id).await?).await
}
