//! Rerank, which OpenAI does not have: the shape that Cohere gave it and Jina, vLLM, llama.cpp and others took over.

use mainspring_llm::exchange::{RerankAnswer, RerankCall};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{refusal, usage};
use crate::{fault::UpstreamFault, preset::Preset, seam::Endpoint};

pub(super) fn body(endpoint: &Endpoint, call: &RerankCall) -> Value {
    let mut body = call.extra.clone();
    body.retain(|name, value| name != "mainspring" && !value.is_null());
    body.insert("model".to_owned(), endpoint.model.as_str().into());
    body.insert("query".to_owned(), call.query.as_str().into());
    body.insert("documents".to_owned(), call.documents.clone().into());
    if let Some(top_n) = call.top_n {
        let voyage = endpoint.preset == Some(Preset::Voyage);
        body.insert(if voyage { "top_k" } else { "top_n" }.to_owned(), top_n.into());
    }
    Value::Object(body)
}

#[derive(Debug, Deserialize)]
struct Body {
    /// Voyage calls them `data`.
    #[serde(alias = "data")]
    results: Vec<Scored>,
    #[serde(default)]
    model: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Scored {
    index: u32,
    /// Text Embeddings Inference calls it `score`.
    #[serde(alias = "score")]
    relevance_score: f64,
}

pub(super) fn answer(endpoint: &Endpoint, body: &[u8]) -> Result<RerankAnswer, UpstreamFault> {
    // A bare list is how Text Embeddings Inference answers.
    let list: Option<Vec<Scored>> = serde_json::from_slice(body).ok();
    let Body { results, model } = match list {
        Some(results) => Body { results, model: None },
        None => serde_json::from_slice(body).map_err(|error| {
            let told = serde_json::from_slice::<Map<String, Value>>(body).ok();
            let malformed = || UpstreamFault::malformed(endpoint, error.to_string());
            told.and_then(|map| refusal::within(endpoint, &map)).unwrap_or_else(malformed)
        })?,
    };
    let mut results: Vec<(u32, f64)> = results.into_iter().map(|scored| (scored.index, scored.relevance_score)).collect();
    results.sort_by(|one, other| other.1.total_cmp(&one.1));
    Ok(RerankAnswer {
        model: model.filter(|model| !model.is_empty()).unwrap_or_else(|| endpoint.model.clone()),
        results,
        usage: usage::peek(body),
    })
}
