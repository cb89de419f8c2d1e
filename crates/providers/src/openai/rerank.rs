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

/// What the order is called: `results`, as Cohere, Jina and most others do, or `data`, as Voyage does. A server that says both
/// means those who read either; `results` counts where it can be read.
const LISTS: [&str; 2] = ["results", "data"];

#[derive(Debug, Deserialize)]
struct Scored {
    index: u32,
    /// Text Embeddings Inference calls it `score`.
    #[serde(alias = "score")]
    relevance_score: f64,
}

pub(super) fn answer(endpoint: &Endpoint, body: &[u8]) -> Result<RerankAnswer, UpstreamFault> {
    let malformed = |reason: String| UpstreamFault::malformed(endpoint, reason);
    let said: Value = serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
    let scored = match &said {
        Value::Object(map) => match list(map) {
            Ok((_, scored)) => scored,
            Err(reason) => return Err(refusal::within(endpoint, map).unwrap_or_else(|| malformed(reason))),
        },
        // A bare list is how Text Embeddings Inference answers.
        bare => Vec::<Scored>::deserialize(bare).map_err(|error| malformed(error.to_string()))?,
    };
    let mut results: Vec<(u32, f64)> = scored.into_iter().map(|scored| (scored.index, scored.relevance_score)).collect();
    results.sort_by(|one, other| other.1.total_cmp(&one.1));
    let model = said.get("model").and_then(Value::as_str).filter(|model| !model.is_empty());
    let usage = usage::peek(body).map(usage::all_read);
    Ok(RerankAnswer { model: model.unwrap_or(&endpoint.model).to_owned(), results, usage })
}

/// The order in an answer, and what it is called there; or why there is none.
fn list(said: &Map<String, Value>) -> Result<(&'static str, Vec<Scored>), String> {
    let mut reason = None;
    for name in LISTS {
        match said.get(name).map(Vec::<Scored>::deserialize) {
            Some(Ok(scored)) => return Ok((name, scored)),
            Some(Err(error)) => {
                reason.get_or_insert_with(|| format!("`{name}`: {error}"));
            }
            None => {}
        }
    }
    Err(reason.unwrap_or_else(|| "it has neither `results` nor `data`".to_owned()))
}

/// What the order is called in an answer that has one, for whoever hands it on in another form.
#[must_use]
pub fn named(said: &Map<String, Value>) -> Option<&'static str> {
    list(said).ok().map(|(name, _)| name)
}
