//! Ingestion runs: start, list, show, follow.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use mainspring_kernel::{Actor, FaultKind, Name, PageRequest, Role, Tasks, id::RunId};
use mainspring_knowledge::{IngestOptions, Ingestion, KnowledgeFault, Progress, Report, Worth};
use mainspring_telemetry::Metrics;
use mainspring_web_kit::{Answer, Body, Caller, Paging, Path, Problem, Sse, SseEvent};
use mainspring_wire as wire;

use tokio::sync::oneshot;

use crate::{Rest, assets::name, convert, knowledge::latest};

/// How often a follower is told how far a run is.
const TELL_EVERY: std::time::Duration = std::time::Duration::from_millis(300);

/// Brings a knowledge up to date. Answers when the run has begun, or, with `wait`, when it has ended. With
/// `if_changed` nothing begins unless a local folder or file holds something new.
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
    let options = IngestOptions { full: body.full, retry_failed: body.retry_failed, local: body.if_changed };
    let (target, trace) = (latest(name.clone()), rest.trace(actor));
    let begun = if body.if_changed {
        let worth = if options.retry_failed { Worth::Anything } else { Worth::News };
        rest.knowledge.begin_ingest_if(actor, &target, (options, worth), &trace).await?
    } else {
        Some(rest.knowledge.begin_ingest(actor, &target, options, &trace).await?)
    };
    let Some(ingestion) = begun else {
        let last = rest.knowledge.runs(actor, &name, &PageRequest::first(1)).await?.items.pop();
        let missing = || Problem::new(FaultKind::NotFound, "run-not-found", "nothing is new, and no run is kept");
        return Ok(Json(wire::IngestStarted { run: convert::run(last.ok_or_else(missing)?), unchanged: true }));
    };
    let id = ingestion.run_id();
    // The run belongs to the process, not to the request: a caller who leaves does not stop it.
    let end = detach((&rest.tasks, &rest.metrics), name, ingestion);
    if body.wait {
        // A server that stops answers how far the run is.
        tokio::select! {
            _ = end => {}
            () = rest.closing.requested() => {}
        }
    }
    let run = rest.knowledge.run(actor, &crate::assets::name(&given)?, id).await?;
    Ok(Json(wire::IngestStarted { run: convert::run(run), unchanged: false }))
}

/// Carries an ingestion out as a task that shutdown waits for. The receiver hears when it has ended.
fn detach((tasks, metrics): (&Tasks, &Metrics), name: Name, ingestion: Ingestion) -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    let metrics = metrics.clone();
    tasks.spawn(format!("ingest {name}"), |stop| async move {
        match carry_out(&metrics, ingestion, async move { stop.requested().await }).await {
            Ok(_) => {}
            Err(KnowledgeFault::Stopped) => {
                tracing::info!(knowledge = %name, "an ingestion stops with the server; a job goes on from there")
            }
            Err(fault) => {
                tracing::warn!(knowledge = %name, cause = %mainspring_kernel::fault::chain(&fault), "an ingestion failed")
            }
        }
        let _ = ended.send(());
    });
    end
}

/// Runs an ingestion, on a thread of its own, to its end or until it has to stop.
pub async fn carry_out(
    metrics: &Metrics,
    ingestion: Ingestion,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<Report, KnowledgeFault> {
    let (progress, runtime) = (ingestion.progress(), tokio::runtime::Handle::current());
    let run = move || runtime.block_on(ingestion.run_until(stop));
    let ended = tokio::task::spawn_blocking(run).await;
    count(metrics, &progress.borrow());
    ended.unwrap_or_else(|error| Err(KnowledgeFault::Worker { reason: error.to_string() }))
}

/// Counts what a run did, however it ended.
#[expect(clippy::cast_precision_loss, reason = "counters are floats by format")]
pub(crate) fn count(metrics: &Metrics, done: &Progress) {
    let documents = [("written", done.done.saturating_sub(done.failed)), ("failed", done.failed), ("deleted", done.deleted)];
    for (outcome, number) in documents {
        let help = "Documents of ingestions that ended.";
        metrics.add("mainspring_ingest_documents_total", help, &[("outcome", outcome)], number as f64);
    }
    for (vector, number) in [("embedded", done.embedded), ("reused", done.reused)] {
        let help = "Chunks of ingestions that ended, by where their vector came from.";
        metrics.add("mainspring_ingest_chunks_total", help, &[("vector", vector)], number as f64);
    }
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

/// Lists the ingestion runs of every knowledge, newest first.
#[utoipa::path(get, path = "/api/v1/runs", tag = "knowledge", operation_id = "list_all_runs",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::RunView>)))]
pub(crate) async fn list_all(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::RunView>>> {
    let actor = caller.needs(Role::Reader)?;
    let runs = rest.knowledge.all_runs(actor, &page).await?;
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
            // Whoever follows asks again when a server is there.
            if !rest.closing.sleep(TELL_EVERY).await {
                return;
            }
            match find(&rest, &actor, &id).await {
                Ok(next) => view = next,
                // The stream ends; whoever follows asks for the run itself.
                Err(_) => return,
            }
        }
    };
    Ok(Sse(stream).into_response())
}
