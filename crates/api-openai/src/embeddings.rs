//! `POST /v1/embeddings`.

use axum::{
    Json as Reply,
    extract::State,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use mainspring_kernel::Fault;
use mainspring_llm::{
    embed::EmbedAs,
    trace::{SpanKind, names},
};
use mainspring_providers::Operation;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    OpenAi, Surface,
    asked::Asked,
    chat::with_trace,
    error::{Answer, OpenAiError},
    routed,
};

/// OpenAI's own bound on one request.
const INPUTS_MAX: usize = 2048;

#[derive(Debug, Deserialize)]
pub(crate) struct EmbeddingsBody {
    model: String,
    input: Input,
    #[serde(default)]
    encoding_format: Option<String>,
    #[serde(default)]
    dimensions: Option<usize>,
    #[serde(default)]
    user: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Many(Vec<String>),
    Tokens(#[expect(dead_code, reason = "read only to be refused")] Vec<Value>),
}

pub(crate) async fn embed(State(state): State<Surface>, asked: Asked) -> Answer<Response> {
    let asked = asked.aimed(&state).await?;
    // Apps and prompts do not embed.
    if state.openai.gateway.knows(asked.actor.project, asked.model()).await {
        return routed::answer(&state, &asked, Operation::Embeddings).await;
    }
    answered_here(&state.openai, &asked).await
}

/// By an embedder of this process.
async fn answered_here(state: &OpenAi, asked: &Asked) -> Answer<Response> {
    let body: EmbeddingsBody = asked.json()?;
    let texts = match body.input {
        Input::One(one) => vec![one],
        Input::Many(many) => many,
        Input::Tokens(_) => return Err(OpenAiError::param("input", "`input` must be text or a list of texts, not token ids")),
    };
    if texts.is_empty() || texts.len() > INPUTS_MAX {
        return Err(OpenAiError::param("input", format!("1 to {INPUTS_MAX} texts, not {}", texts.len())));
    }
    if texts.iter().any(String::is_empty) {
        return Err(OpenAiError::param("input", "an input is empty"));
    }
    let base64 = match body.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(OpenAiError::param("encoding_format", "`encoding_format` is `float` or `base64`")),
    };
    let model = state.chains.models().embedder(&body.model).map_err(|fault| OpenAiError::of(&fault))?;
    if body.dimensions.is_some_and(|asked| asked != model.dimensions()) {
        let detail = format!("`{}` gives {} dimensions and cannot be shortened", model.name(), model.dimensions());
        return Err(OpenAiError::param("dimensions", detail));
    }
    let trace = asked.trace(state);
    let mut span = trace.start(format!("embeddings {}", model.name()), SpanKind::Server);
    span.set(names::OPERATION, "embeddings");
    span.set(names::REQUEST_MODEL, model.name());
    span.set(names::RESPONSE_MODEL, model.identity());
    span.set(names::EMBED_DIMENSIONS, model.dimensions());
    span.set("mainspring.embeddings.inputs", texts.len());
    if let Some(user) = body.user {
        span.set(names::USER, user);
    }
    asked.wishes.not_kept();
    // The protocol does not say what a text is for; passages are the common case and models with one mode do not care.
    // It does say that a text beyond the window is refused.
    match model.embed_whole(texts, EmbedAs::Passage, asked.budget(state)).await {
        Ok(embedded) => {
            span.set(names::INPUT_TOKENS, embedded.tokens);
            span.finish();
            let reply = list(&embedded.vectors, base64, &body.model, embedded.tokens);
            Ok(with_trace(Reply(reply).into_response(), trace.trace))
        }
        Err(fault) => {
            span.fail(fault.code(), fault.to_string());
            Err(OpenAiError::of(&fault))
        }
    }
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
