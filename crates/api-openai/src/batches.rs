//! `/v1/batches`.

use std::collections::BTreeMap;

use axum::{Json as Reply, extract::State};
use mainspring_batches::{Batch, BatchFault, BatchQuery, Batches, Endpoint, LineError, NewBatch, Status};
use mainspring_kernel::{Timestamp, duration, id::BatchId, text};
use mainspring_web_kit::{Body, Path, Query};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    error::{Answer, OpenAiError, Who},
    files::{file_id, kept, limit, page, refused, word},
};

const LIMIT_USUAL: usize = 20;
const LIMIT_MAX: usize = 100;

#[derive(Debug, Deserialize)]
pub(crate) struct NewBody {
    input_file_id: String,
    endpoint: String,
    completion_window: String,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    output_expires_after: Option<ExpiresAfter>,
}

#[derive(Debug, Deserialize)]
struct ExpiresAfter {
    #[serde(default)]
    anchor: Option<String>,
    seconds: u64,
}

fn batch_id(given: &str) -> Answer<BatchId> {
    given.parse().map_err(|_| refused(BatchFault::NotFound { id: text::elide(given, 80) }))
}

pub(crate) fn shown(batch: &Batch) -> Value {
    let at = |at: Option<Timestamp>| at.map(Timestamp::as_seconds);
    let error = |LineError { code, message, param, line }: &LineError| json!({"code": code, "message": message, "param": param, "line": line});
    let errors: Vec<Value> = batch.errors.iter().map(error).collect();
    json!({
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint.as_str(),
        "errors": if errors.is_empty() { Value::Null } else { json!({"object": "list", "data": errors}) },
        "input_file_id": batch.input,
        "completion_window": window(batch),
        "status": batch.status.as_str(),
        "output_file_id": batch.written(true),
        "error_file_id": batch.written(false),
        "created_at": batch.created.as_seconds(),
        "in_progress_at": at(batch.in_progress),
        "expires_at": batch.expires.as_seconds(),
        "finalizing_at": at(batch.finalizing),
        "completed_at": at(batch.ended_as(Status::Completed)),
        "failed_at": at(batch.ended_as(Status::Failed)),
        "expired_at": at(batch.ended_as(Status::Expired)),
        "cancelling_at": at(batch.cancelling),
        "cancelled_at": at(batch.ended_as(Status::Cancelled)),
        "request_counts": {
            "total": batch.counts.total,
            "completed": batch.counts.completed,
            "failed": batch.counts.failed,
        },
        "metadata": if batch.metadata.is_empty() { Value::Null } else { json!(batch.metadata) },
    })
}

/// A day is written as OpenAI writes it.
fn window(batch: &Batch) -> String {
    let hours = batch.window.as_secs() / 3_600;
    if batch.window.as_secs() == hours * 3_600 { format!("{hours}h") } else { duration::write(batch.window) }
}

pub(crate) async fn create(State(batches): State<Batches>, Who(actor): Who, Body(body): Body<NewBody>) -> Answer<Reply<Value>> {
    let wrong = || OpenAiError::param("completion_window", "`completion_window` is a stretch of time, such as 24h");
    let keep = |after: ExpiresAfter| kept(after.anchor.as_deref(), Some(after.seconds), "output_expires_after");
    let new = NewBatch {
        input: file_id(&body.input_file_id)?,
        endpoint: body.endpoint.parse::<Endpoint>().map_err(word("endpoint"))?,
        window: duration::read(&body.completion_window).ok_or_else(wrong)?,
        metadata: body.metadata.unwrap_or_default(),
        keep_output: body.output_expires_after.map(keep).transpose()?,
    };
    Ok(Reply(shown(&batches.create(&actor, &new).await.map_err(refused)?)))
}

#[derive(Debug, Deserialize)]
pub(crate) struct BatchesQuery {
    limit: Option<usize>,
    after: Option<String>,
}

pub(crate) async fn list(
    State(batches): State<Batches>,
    Who(actor): Who,
    Query(asked): Query<BatchesQuery>,
) -> Answer<Reply<Value>> {
    let query = BatchQuery {
        after: asked.after.as_deref().map(batch_id).transpose()?,
        limit: limit(asked.limit, (LIMIT_USUAL, LIMIT_MAX))?,
    };
    let (found, more) = batches.list(&actor, query).await.map_err(refused)?;
    let ids = (found.first().map(|batch| batch.id), found.last().map(|batch| batch.id));
    Ok(Reply(page(found.iter().map(shown).collect(), ids, more)))
}

pub(crate) async fn show(State(batches): State<Batches>, Who(actor): Who, Path(id): Path<String>) -> Answer<Reply<Value>> {
    Ok(Reply(shown(&batches.get(&actor, batch_id(&id)?).await.map_err(refused)?)))
}

pub(crate) async fn cancel(State(batches): State<Batches>, Who(actor): Who, Path(id): Path<String>) -> Answer<Reply<Value>> {
    Ok(Reply(shown(&batches.cancel(&actor, batch_id(&id)?).await.map_err(refused)?)))
}
