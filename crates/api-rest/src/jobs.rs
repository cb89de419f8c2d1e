//! Jobs: what the server does by itself, and how often it tried.

use axum::{Json, extract::State};
use mainspring_jobs::{Job, JobFilter};
use mainspring_kernel::{FaultKind, Role, id::JobId};
use mainspring_web_kit::{Answer, Caller, Paging, Path, Problem, Query};
use mainspring_wire as wire;
use serde::Deserialize;

use crate::Rest;

fn view(job: Job) -> wire::JobView {
    // A lease and a wish to cancel are for workers, projects and priorities for the building.
    let Job { id, kind, state, payload, attempt, max_attempts, due, owner, result, error, created, started, ended, .. } = job;
    wire::JobView {
        id: id.to_string(),
        kind: kind.to_string(),
        state: state.as_str().to_owned(),
        payload,
        attempt,
        max_attempts,
        due_at: due.to_string(),
        owner,
        result,
        error,
        created_at: created.to_string(),
        started_at: started.map(|at| at.to_string()),
        ended_at: ended.map(|at| at.to_string()),
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct JobsQuery {
    kind: Option<String>,
    state: Option<String>,
}

/// Lists jobs, newest first: what a schedule, a watch or a run that broke off asked for. Ended ones are kept a week.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", operation_id = "list_jobs",
    params(("kind" = Option<String>, Query), ("state" = Option<String>, Query), ("limit" = Option<usize>, Query),
        ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::JobView>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Query(query): Query<JobsQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::JobView>>> {
    let actor = caller.needs(Role::Reader)?;
    let invalid = |detail: String| Problem::new(FaultKind::Invalid, "query-invalid", detail);
    let kind = query.kind.map(|kind| kind.parse()).transpose();
    let state = query.state.map(|state| state.parse()).transpose();
    let filter = JobFilter {
        kind: kind.map_err(|fault: mainspring_kernel::name::NameFault| invalid(fault.to_string()))?,
        state: state.map_err(|fault: mainspring_jobs::JobStateFault| invalid(fault.to_string()))?,
    };
    let found = rest.jobs.list(actor, &filter, &page).await?;
    Ok(Json(wire::Page { items: found.items.into_iter().map(view).collect(), next: found.next }))
}

/// Cancels a job: one that waits ends at once, one that runs as soon as its worker heeds it.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/cancel", tag = "jobs", operation_id = "cancel_job",
    params(("id" = String, Path)), responses((status = 200, body = wire::JobView)))]
pub(crate) async fn cancel(State(rest): State<Rest>, caller: Caller, Path(id): Path<String>) -> Answer<Json<wire::JobView>> {
    let actor = caller.needs(Role::Editor)?;
    let missing = |_| Problem::new(FaultKind::NotFound, "job-not-found", "there is no such job");
    let id: JobId = id.parse().map_err(missing)?;
    rest.jobs.cancel(actor, id).await?;
    Ok(Json(view(rest.jobs.get(actor, id).await?)))
}
