//! Texts to vectors: `batchEmbedContents`.

use mainspring_llm::exchange::{EmbedAnswer, EmbedCall};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{post, resource, usage};
use crate::{
    fault::UpstreamFault,
    seam::{Endpoint, Outgoing},
};

pub(super) fn encode(endpoint: &Endpoint, call: &EmbedCall) -> Result<Outgoing, UpstreamFault> {
    let requests = call.inputs.iter().map(|text| {
        let mut request = Map::from_iter([
            ("model".to_owned(), resource(&endpoint.model).into()),
            ("content".to_owned(), json!({"parts": [{"text": text}]})),
        ]);
        request.extend(call.dimensions.map(|dimensions| ("outputDimensionality".to_owned(), dimensions.into())));
        for name in ["taskType", "title"] {
            request.extend(call.extra.get(name).map(|value| (name.to_owned(), value.clone())));
        }
        Value::Object(request)
    });
    post(endpoint, "batchEmbedContents", &json!({"requests": requests.collect::<Vec<Value>>()}))
}

pub(super) fn decode(endpoint: &Endpoint, body: &[u8]) -> Result<EmbedAnswer, UpstreamFault> {
    #[derive(Deserialize)]
    struct Response {
        embeddings: Vec<Embedding>,
    }
    #[derive(Deserialize)]
    struct Embedding {
        values: Vec<f32>,
    }
    let response: Response = serde_json::from_slice(body).map_err(|error| {
        UpstreamFault::malformed(endpoint, format!("no embeddings at line {} column {}", error.line(), error.column()))
    })?;
    Ok(EmbedAnswer {
        model: endpoint.model.clone(),
        vectors: response.embeddings.into_iter().map(|embedding| embedding.values).collect(),
        usage: usage::read(body),
    })
}
