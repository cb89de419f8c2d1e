//! Batches, for people: how far they are, and what their lines gave so far.

use axum::{Json, extract::State};
use mainspring_batches::{Batch, BatchFault, BatchQuery, Counts, LineError, Maker, Waiting};
use mainspring_kernel::{Actor, FaultKind, Role, Timestamp, id::BatchId, page, text};
use mainspring_web_kit::{Answer, Caller, Paging, Path, Problem, Query};
use mainspring_wire as wire;
use serde::Deserialize;

use crate::{Rest, assets::Names};

fn view(batch: &Batch, names: &Names) -> wire::BatchView {
    let at = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let Counts { total, completed, failed } = batch.counts;
    let Maker { principal, key, role: _, labels: _ } = &batch.maker;
    wire::BatchView {
        id: batch.id.to_string(),
        endpoint: batch.endpoint.as_str().to_owned(),
        status: batch.status.as_str().to_owned(),
        input_file: batch.input.to_string(),
        output_file: batch.written(true).map(|file| file.to_string()),
        error_file: batch.written(false).map(|file| file.to_string()),
        total,
        completed,
        failed,
        errors: batch.errors.iter().map(error).collect(),
        metadata: batch.metadata.clone(),
        key: key.map(|key| key.to_string()),
        waits_until: None,
        waits_for: None,
        created_by: names.get(*principal),
        created_at: batch.created.to_string(),
        expires_at: batch.expires.to_string(),
        in_progress_at: at(batch.in_progress),
        cancelling_at: at(batch.cancelling),
        finalizing_at: at(batch.finalizing),
        ended_at: at(batch.ended),
    }
}

fn error(error: &LineError) -> wire::BatchError {
    let LineError { code, message, param, line } = error.clone();
    wire::BatchError { code, message, param, line }
}

fn read_id(given: &str) -> Answer<BatchId> {
    given.parse().map_err(|_| Problem::of(&BatchFault::NotFound { id: text::elide(given, 80) }))
}

async fn one(rest: &Rest, actor: &Actor, batch: Batch) -> Answer<Json<wire::BatchView>> {
    let names = Names::of(rest, vec![batch.maker.principal]).await?;
    let waiting = rest.batches.waiting(actor, &batch).await?;
    let (waits_until, waits_for) = waiting.map(|Waiting { until, why }| (until.to_string(), why)).unzip();
    Ok(Json(wire::BatchView { waits_until, waits_for, ..view(&batch, &names) }))
}

/// Lists batches, newest first.
#[utoipa::path(get, path = "/api/v1/batches", tag = "batches", operation_id = "list_batches",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::BatchView>)))]
pub(crate) async fn list(
    State(rest): State<Rest>,
    caller: Caller,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::BatchView>>> {
    let actor = caller.needs(Role::Reader)?;
    let query = BatchQuery { after: page.after::<BatchId>().map_err(BatchFault::from)?, limit: page.limit() };
    let (batches, more) = rest.batches.list(actor, query).await?;
    let names = Names::of(&rest, batches.iter().map(|batch| batch.maker.principal).collect()).await?;
    let next = batches.last().filter(|_| more).map(|last| page::cursor(&last.id));
    Ok(Json(wire::Page { items: batches.iter().map(|batch| view(batch, &names)).collect(), next }))
}

/// Shows how far a batch is, and how it ended.
#[utoipa::path(get, path = "/api/v1/batches/{id}", tag = "batches", operation_id = "get_batch",
    params(("id" = String, Path)), responses((status = 200, body = wire::BatchView)))]
pub(crate) async fn show(State(rest): State<Rest>, caller: Caller, Path(id): Path<String>) -> Answer<Json<wire::BatchView>> {
    let actor = caller.needs(Role::Reader)?;
    let batch = rest.batches.get(actor, read_id(&id)?).await?;
    one(&rest, actor, batch).await
}

/// Begins no further line of a batch; what there is is kept. Only whoever made it may, and editors.
#[utoipa::path(post, path = "/api/v1/batches/{id}/cancel", tag = "batches", operation_id = "cancel_batch",
    params(("id" = String, Path)), responses((status = 200, body = wire::BatchView)))]
pub(crate) async fn cancel(State(rest): State<Rest>, caller: Caller, Path(id): Path<String>) -> Answer<Json<wire::BatchView>> {
    let actor = caller.needs(Role::Reader)?;
    let batch = rest.batches.cancel(actor, read_id(&id)?).await?;
    one(&rest, actor, batch).await
}

#[derive(Debug, Deserialize)]
pub(crate) struct ResultsQuery {
    #[serde(default)]
    failed: bool,
}

/// Lists what lines gave, in the order they ended, also while the batch goes on: those that went well, or with
/// `failed=true` the others.
#[utoipa::path(get, path = "/api/v1/batches/{id}/results", tag = "batches", operation_id = "list_batch_results",
    params(("id" = String, Path), ("failed" = Option<bool>, Query), ("limit" = Option<usize>, Query),
        ("cursor" = Option<String>, Query)),
    responses((status = 200, body = wire::Page<wire::BatchResult>)))]
pub(crate) async fn results(
    State(rest): State<Rest>,
    caller: Caller,
    Path(id): Path<String>,
    Query(asked): Query<ResultsQuery>,
    Paging(page): Paging,
) -> Answer<Json<wire::Page<wire::BatchResult>>> {
    let actor = caller.needs(Role::Reader)?;
    let (from, limit) = (page.after::<u64>().map_err(BatchFault::from)?.unwrap_or(0), page.limit());
    let (lines, more) = rest.batches.results(actor, read_id(&id)?, !asked.failed, (from, limit)).await?;
    let unreadable = |_| Problem::new(FaultKind::Internal, "internal", "a result cannot be read");
    let items = lines.iter().map(|line| serde_json::from_slice(line).map_err(unreadable));
    let items = items.collect::<Answer<Vec<wire::BatchResult>>>()?;
    // A place: results are only ever added behind.
    let next = more.then(|| page::cursor(&(from + lines.len() as u64)));
    Ok(Json(wire::Page { items, next }))
}
