//! `POST /v1/embeddings`.

use axum::{extract::State, response::Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use mainspring_providers::Operation;
use serde_json::{Value, json};

use crate::{Surface, asked::Asked, error::Answer, routed};

/// Apps and prompts do not embed: the gateway answers, with a provider's model or one of this process.
pub(crate) async fn embed(State(state): State<Surface>, asked: Asked) -> Answer<Response> {
    routed::answer(&state, &asked.aimed(&state).await?.named(None)?, Operation::Embeddings).await
}

pub(crate) fn list(vectors: &[Vec<f32>], base64: bool, model: &str, tokens: u64) -> Value {
    let entry =
        |(index, vector): (usize, &Vec<f32>)| json!({"object": "embedding", "index": index, "embedding": encode(vector, base64)});
    let data: Vec<Value> = vectors.iter().enumerate().map(entry).collect();
    json!({"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})
}

/// Little-endian f32s, as OpenAI's base64 embeddings are.
fn encode(vector: &[f32], base64: bool) -> Value {
    if base64 {
        let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
        return Value::String(STANDARD.encode(bytes));
    }
    json!(vector)
}
