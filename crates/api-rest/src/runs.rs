//! Ingestion runs: start, list, show, follow.

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use mainspring_kernel::{Actor, FaultKind, Name, Role, Tasks, id::RunId};
use mainspring_knowledge::{IngestOptions, Ingestion};
use mainspring_web_kit::{Answer, Body, Caller, Paging, Problem, Sse, SseEvent};
use mainspring_wire as wire;

use tokio::sync::oneshot;

use crate::{Rest, assets::name, convert, knowledge::latest};

/// How often a follower is told how far a run is.
const TELL_EVERY: std::time::Duration = std::time::Duration::from_millis(300);

/// Brings a knowledge up to date. Answers when the run has begun, or, with `wait`, when it has ended.
#[utoipa::path(post, path = "/api/v1/knowledge/{name}/ingest", tag = "knowledge", operation_id = "ingest_knowledge",
    params(("name" = String, Path)), request_body = wire::IngestRequest, responses((status = 200, body = wire::IngestStarted)))]
pub(crate) async fn ingest(
    State(rest): State<Rest>,
    caller: Caller,
    Path(given): Path<String>,
    Body(body): Body<wire::IngestRequest>,
) -> Answer<Json<wire::IngestStarted>> {
    let actor = caller.needs(Role::Editor)?;
    let name = name(&given)?;
    let options = IngestOptions { full: body.full, ..IngestOptions::default() };
    let ingestion = rest.knowledge.begin_ingest(actor, &latest(name.clone()), options, &rest.trace(actor)).await?;
    let id = ingestion.run_id();
    // The run belongs to the process, not to the request: a caller who leaves does not stop it.
    let end = detach(&rest.tasks, name, ingestion);
    if body.wait {
        let _ = end.await;
    }
    let run = rest.knowledge.run(actor, &crate::assets::name(&given)?, id).await?;
    Ok(Json(wire::IngestStarted { run: convert::run(run) }))
}

/// Runs an ingestion on a thread of its own, as a task that shutdown waits for. Stopped, it ends as cancelled,
/// and the next one goes on from there. The receiver hears when it has ended.
pub fn detach(tasks: &Tasks, name: Name, ingestion: Ingestion) -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    tasks.spawn(format!("ingest {name}"), |stop| async move {
        let runtime = tokio::runtime::Handle::current();
        let run = move || {
            runtime.block_on(async move {
                tokio::select! {
                    outcome = ingestion.run() => if let Err(fault) = outcome {
                        tracing::warn!(knowledge = %name, cause = %mainspring_kernel::fault::chain(&fault), "an ingestion failed");
                    },
                    () = stop.requested() => tracing::info!(knowledge = %name, "an ingestion stops with the server; the next one goes on from there"),
                }
            });
        };
        if let Err(error) = tokio::task::spawn_blocking(run).await {
            tracing::error!(%error, "an ingestion fell over");
        }
        let _ = ended.send(());
    });
    end
}

/// Lists the ingestion runs of a knowledge, newest first.
#[utoipa::path(get, path = "/api/v1/knowledge/{name}/runs", tag = "knowledge", operation_id = "list_runs",
    params(("name" = String, Path), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::RunView>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Path(given): Path<String>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::RunView>>> {
    let actor = caller.needs(Role::Reader)?;
    let runs = rest.knowledge.runs(actor, &name(&given)?, &page).await?;
    Ok(Json(wire::Page { items: runs.items.into_iter().map(convert::run).collect(), next: runs.next }))
}

async fn find(rest: &Rest, actor: &Actor, id: &str) -> Answer<wire::RunView> {
    let id: RunId = id
        .parse()
        .map_err(|fault: mainspring_kernel::id::IdFault| Problem::new(FaultKind::Invalid, "path-invalid", fault.to_string()))?;
    let run = rest.registry.get_run(actor, id).await?;
    let knowledge: Name = run
        .name
        .parse()
        .map_err(|_| Problem::new(FaultKind::NotFound, "run-not-found", format!("there is no ingestion {id}")))?;
    Ok(convert::run(rest.knowledge.run(actor, &knowledge, id).await?))
}

/// Shows one run.
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "knowledge", operation_id = "get_run",
    params(("id" = String, Path)), responses((status = 200, body = wire::RunView)))]
pub(crate) async fn show(State(rest): State<Rest>, caller: Caller, Path(id): Path<String>) -> Answer<Json<wire::RunView>> {
    let actor = caller.needs(Role::Reader)?;
    Ok(Json(find(&rest, actor, &id).await?))
}

/// Follows one run: server-sent events, each a whole run, the last when it has ended.
#[utoipa::path(get, path = "/api/v1/runs/{id}/events", tag = "knowledge", operation_id = "follow_run",
    params(("id" = String, Path)), responses((status = 200, content_type = "text/event-stream", body = wire::RunView)))]
pub(crate) async fn events(State(rest): State<Rest>, caller: Caller, Path(id): Path<String>) -> Answer<Response> {
    let actor = caller.needs(Role::Reader)?.clone();
    let first = find(&rest, &actor, &id).await?;
    let stream = async_stream::stream! {
        let mut view = first;
        loop {
            let running = view.status == "running" || view.status == "queued";
            if let Ok(text) = serde_json::to_string(&view) {
                yield SseEvent::named("run", text);
            }
            if !running {
                return;
            }
            tokio::time::sleep(TELL_EVERY).await;
            match find(&rest, &actor, &id).await {
                Ok(next) => view = next,
                // The stream ends; whoever follows asks for the run itself.
                Err(_) => return,
            }
        }
    };
    Ok(Sse(stream).into_response())
}
