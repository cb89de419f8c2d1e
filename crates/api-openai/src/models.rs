//! `GET /v1/models`: everything that can stand as `model`.

use axum::{
    Json as Reply,
    extract::State,
    response::{IntoResponse, Response},
};
use mainspring_kernel::{Actor, FaultKind, text};
use mainspring_web_kit::{Path, Problem};
use serde_json::{Value, json};

use crate::{
    OpenAi,
    error::{Answer, OpenAiError, Who},
};

pub(crate) async fn list(State(state): State<OpenAi>, Who(actor): Who) -> Answer<Response> {
    let data = entries(&state, &actor).await?;
    Ok(Reply(json!({"object": "list", "data": data})).into_response())
}

pub(crate) async fn show(State(state): State<OpenAi>, Who(actor): Who, Path(name): Path<String>) -> Answer<Response> {
    let entries = entries(&state, &actor).await?;
    if let Some(entry) = entries.iter().find(|entry| entry["id"] == json!(name)) {
        return Ok(Reply(entry.clone()).into_response());
    }
    let near = text::did_you_mean(&name, entries.iter().filter_map(|entry| entry["id"].as_str()));
    let problem = Problem::new(FaultKind::NotFound, "model-not-found", format!("`{}` is not here{near}", text::elide(&name, 80)));
    Err(OpenAiError::from(problem))
}

async fn entries(state: &OpenAi, actor: &Actor) -> Answer<Vec<Value>> {
    let callables = state.chains.callables(actor).await.map_err(|fault| OpenAiError::of(&fault))?;
    let entry = |name: &str, kind: &str| json!({"id": name, "object": "model", "created": 0, "owned_by": "mainspring", "mainspring": {"kind": kind}});
    let mut all: Vec<Value> = callables.iter().map(|callable| entry(&callable.name, callable.kind.as_str())).collect();
    all.extend(state.chains.models().embedder_names().map(|name| entry(name, "embedder")));
    Ok(all)
}
