//! `GET /v1/models`: everything that can stand as `model`, in the shape that the client's dialect has for it.

use std::collections::BTreeSet;

use axum::{
    Json as Reply,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName};
use mainspring_kernel::{Actor, AssetKind, FaultKind, text};
use mainspring_web_kit::{Path, Problem};
use serde_json::{Value, json};

use crate::{
    OpenAi,
    error::{Answer, OpenAiError, Who},
};

/// Anthropic's clients send it, and nobody else.
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");

struct Entry {
    name: String,
    kind: &'static str,
}

impl Entry {
    fn shown(&self, to_anthropic: bool) -> Value {
        let Self { name, kind } = self;
        if to_anthropic {
            return json!({"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"});
        }
        json!({"id": name, "object": "model", "created": 0, "owned_by": "mainspring", "mainspring": {"kind": kind}})
    }
}

pub(crate) async fn list(State(state): State<OpenAi>, Who(actor): Who, headers: HeaderMap) -> Answer<Response> {
    let entries = entries(&state, &actor).await?;
    let to_anthropic = headers.contains_key(&VERSION);
    let data: Vec<Value> = entries.iter().map(|entry| entry.shown(to_anthropic)).collect();
    if to_anthropic {
        let name = |entry: Option<&Entry>| entry.map(|entry| entry.name.clone());
        let (first, last) = (name(entries.first()), name(entries.last()));
        return Ok(Reply(json!({"data": data, "has_more": false, "first_id": first, "last_id": last})).into_response());
    }
    Ok(Reply(json!({"object": "list", "data": data})).into_response())
}

pub(crate) async fn show(
    State(state): State<OpenAi>,
    Who(actor): Who,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Answer<Response> {
    let entries = entries(&state, &actor).await?;
    let to_anthropic = headers.contains_key(&VERSION);
    if let Some(entry) = entries.iter().find(|entry| entry.name == name) {
        return Ok(Reply(entry.shown(to_anthropic)).into_response());
    }
    let near = text::did_you_mean(&name, entries.iter().map(|entry| entry.name.as_str()));
    let problem = Problem::new(FaultKind::NotFound, "model-not-found", format!("`{}` is not here{near}", text::elide(&name, 80)));
    let error = OpenAiError::from(problem);
    Err(if to_anthropic { error.for_anthropic() } else { error })
}

/// Whoever answers a name first has it. A key that may use some models only is told of those, and a process that runs no
/// apps tells of none, nor of what they stand before.
async fn entries(state: &OpenAi, actor: &Actor) -> Answer<Vec<Entry>> {
    let callables = state.chains.callables(actor).await.map_err(|fault| OpenAiError::of(&fault))?;
    let (models, assets): (Vec<_>, Vec<_>) = callables.into_iter().partition(|callable| callable.kind == AssetKind::Model);
    let entry = |name: String, kind| Entry { name, kind };
    let mut all: Vec<Entry> = assets.into_iter().map(|asset| entry(asset.name, asset.kind.as_str())).collect();
    let not_run: BTreeSet<String> =
        if state.chains.serves_models_only() { all.drain(..).map(|entry| entry.name).collect() } else { BTreeSet::new() };
    let routed = state.gateway.names(actor.project).await;
    all.extend(routed.into_iter().map(|name| {
        let kind = if name.contains('/') { "provider-model" } else { "route" };
        entry(name, kind)
    }));
    all.extend(models.into_iter().map(|model| entry(model.name, model.kind.as_str())));
    all.extend(state.chains.models().embedder_names().map(|name| entry(name.to_owned(), "embedder")));
    let mut seen = BTreeSet::new();
    all.retain(|Entry { name, .. }| !not_run.contains(name) && actor.models.allows(name) && seen.insert(name.clone()));
    Ok(all)
}
