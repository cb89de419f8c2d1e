//! Texts to vectors: the embedding models of Cohere and of Amazon's Titan, by `InvokeModel`.

use mainspring_llm::{
    Provenance, TokenUsage,
    exchange::{EmbedAnswer, EmbedCall},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::post;
use crate::{
    fault::UpstreamFault,
    seam::{Endpoint, Outgoing},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    /// Its first generation gives vectors of one size.
    Titan {
        sized: bool,
    },
    Cohere {
        sized: bool,
    },
}

impl Maker {
    fn of(endpoint: &Endpoint) -> Result<Self, UpstreamFault> {
        let has = |part: &str| endpoint.model.contains(part);
        if has("titan-embed-text") {
            Ok(Self::Titan { sized: has("titan-embed-text-v2") })
        } else if has("cohere.embed") {
            Ok(Self::Cohere { sized: !has("-v3") })
        } else {
            Err(UpstreamFault::unsupported(endpoint, "embeddings of this model"))
        }
    }
}

pub(super) fn encode(endpoint: &Endpoint, call: &EmbedCall) -> Result<Outgoing, UpstreamFault> {
    let (mut body, size, sized) = match Maker::of(endpoint)? {
        Maker::Titan { sized } => {
            let [text] = call.inputs.as_slice() else {
                return Err(UpstreamFault::unsupported(endpoint, "several texts in one request: Titan takes one"));
            };
            (json!({"inputText": text}), "dimensions", sized)
        }
        Maker::Cohere { sized } => {
            let mut body = json!({"texts": call.inputs, "input_type": "search_document", "embedding_types": ["float"]});
            for name in ["input_type", "truncate"] {
                if let Some(value) = call.extra.get(name) {
                    body[name] = value.clone();
                }
            }
            (body, "output_dimension", sized)
        }
    };
    if let Some(dimensions) = call.dimensions {
        if !sized {
            return Err(UpstreamFault::unsupported(endpoint, "vectors of another size (`dimensions`)"));
        }
        body[size] = dimensions.into();
    }
    post(endpoint, "invoke", &body)
}

/// Titan says one vector; Cohere a list of them, or one for each type that was asked for.
#[derive(Deserialize)]
#[serde(untagged)]
enum Response {
    #[serde(rename_all = "camelCase")]
    Titan {
        embedding: Vec<f32>,
        input_text_token_count: Option<u64>,
    },
    Cohere {
        embeddings: Vectors,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Vectors {
    Plain(Vec<Vec<f32>>),
    Typed { float: Vec<Vec<f32>> },
}

pub(super) fn decode(endpoint: &Endpoint, body: &[u8]) -> Result<EmbedAnswer, UpstreamFault> {
    let body: Value = serde_json::from_slice(body).map_err(|_| UpstreamFault::malformed(endpoint, "it is not JSON"))?;
    let response = Response::deserialize(&body).map_err(|_| UpstreamFault::malformed(endpoint, "it has no embeddings"))?;
    let (vectors, counted) = match response {
        Response::Titan { embedding, input_text_token_count } => (vec![embedding], input_text_token_count),
        Response::Cohere { embeddings: Vectors::Plain(vectors) | Vectors::Typed { float: vectors } } => (vectors, None),
    };
    let usage = counted.map(|input| TokenUsage { input, input_from: Provenance::Reported, ..TokenUsage::default() });
    Ok(EmbedAnswer { model: endpoint.model.clone(), vectors, usage })
}
