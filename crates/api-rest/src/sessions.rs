//! Sessions and users: traces that belong together.

use axum::{Json, extract::State};
use mainspring_kernel::Role;
use mainspring_observability::{Gathered, GatheredBy, SessionTraces};
use mainspring_web_kit::{Answer, Caller, Paging, Path, Query};
use mainspring_wire as wire;

use crate::{
    Rest,
    traces::{TraceQuery, dollars, millis, summaries, tokens},
};

/// Lists sessions, the last active first. `filter` says which spans a session is looked for in; its totals are those of all
/// its traces.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "traces", operation_id = "list_sessions",
    params(("filter" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("app" = Option<String>, Query),
        ("user" = Option<String>, Query), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::SessionSummary>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<TraceQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::SessionSummary>>> {
    let actor = caller.needs(Role::Reader)?;
    let found = rest.observability.gathered(actor, GatheredBy::Session, &query.read()?, &page).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(session).collect(), next: found.next }))
}

/// Shows one session: its totals, and its traces in the order in which they began.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", tag = "traces", operation_id = "get_session",
    params(("id" = String, Path), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::SessionView)))]
pub(crate) async fn show(
    State(rest): State<Rest>,
    caller: Caller,
    Path(id): Path<String>,
    Paging(page): Paging,
) -> Answer<Json<wire::SessionView>> {
    let actor = caller.needs(Role::Reader)?;
    let SessionTraces { session: found, traces } = rest.observability.session(actor, &id, &page).await?;
    let items = summaries(&rest, actor, traces.items).await?;
    Ok(Json(wire::SessionView { session: session(found), items, next: traces.next }))
}

/// Lists end users, the last active first, with the totals of their traces.
#[utoipa::path(get, path = "/api/v1/users", tag = "traces", operation_id = "list_users",
    params(("filter" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("app" = Option<String>, Query),
        ("session" = Option<String>, Query), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::UserSummary>)))]
pub(crate) async fn users(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<TraceQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::UserSummary>>> {
    let actor = caller.needs(Role::Reader)?;
    let found = rest.observability.gathered(actor, GatheredBy::User, &query.read()?, &page).await?;
    let user = |found: Gathered| wire::UserSummary { user: found.id.clone(), used: used(&found) };
    Ok(Json(wire::Page { items: found.items.into_iter().map(user).collect(), next: found.next }))
}

fn session(found: Gathered) -> wire::SessionSummary {
    let used = used(&found);
    wire::SessionSummary { session: found.id, user: found.user, used }
}

fn used(found: &Gathered) -> wire::GatheredTraces {
    wire::GatheredTraces {
        first: found.first.to_string(),
        last: found.last.to_string(),
        traces: found.traces,
        spans: found.spans,
        errors: found.errors,
        duration_ms: millis(found.duration_micros),
        input_tokens: tokens(Some(found.input_tokens)).unwrap_or_default(),
        output_tokens: tokens(Some(found.output_tokens)).unwrap_or_default(),
        cost: found.cost.map(dollars),
        whole: found.whole,
    }
}
