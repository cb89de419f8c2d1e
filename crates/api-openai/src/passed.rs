//! `POST /v1/rerank` and `POST /v1/moderations`: nobody but the gateway answers these.

use axum::{extract::State, response::Response};
use mainspring_providers::Operation;

use crate::{Surface, asked::Asked, error::Answer, routed};

/// What OpenAI takes for a request that names no model.
const MODERATION_MODEL: &str = "omni-moderation-latest";

pub(crate) async fn rerank(State(state): State<Surface>, asked: Asked) -> Answer<Response> {
    routed::answer(&state, &asked.aimed(&state).await?.named(None)?, Operation::Rerank).await
}

pub(crate) async fn moderate(State(state): State<Surface>, asked: Asked) -> Answer<Response> {
    routed::answer(&state, &asked.aimed(&state).await?.named(Some(MODERATION_MODEL))?, Operation::Moderations).await
}
