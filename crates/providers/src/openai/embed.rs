//! Embeddings.

use base64::{Engine, engine::general_purpose::STANDARD};
use mainspring_llm::exchange::{EmbedAnswer, EmbedCall};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{refusal, usage};
use crate::{fault::UpstreamFault, preset::Preset, seam::Endpoint};

pub(super) fn body(endpoint: &Endpoint, azure: bool, call: &EmbedCall) -> Value {
    let preset = if azure { None } else { endpoint.preset };
    let mut body = call.extra.clone();
    body.retain(|name, value| name != "mainspring" && !value.is_null());
    body.insert("model".to_owned(), endpoint.model.as_str().into());
    body.insert("input".to_owned(), call.inputs.clone().into());
    // A third of the bytes; others may not know it and all give numbers when nobody asks.
    body.shift_remove("encoding_format");
    if azure || preset == Some(Preset::OpenAi) {
        body.insert("encoding_format".to_owned(), "base64".into());
    }
    if let Some(dimensions) = call.dimensions {
        let name = if preset == Some(Preset::Voyage) { "output_dimension" } else { "dimensions" };
        body.insert(name.to_owned(), dimensions.into());
    }
    if let Some(user) = &call.user
        && (azure || preset == Some(Preset::OpenAi))
    {
        body.insert("user".to_owned(), user.as_str().into());
    }
    Value::Object(body)
}

#[derive(Debug, Deserialize)]
struct Body {
    data: Vec<Entry>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    usage: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(default)]
    index: Option<usize>,
    embedding: Vector,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Vector {
    Numbers(Vec<f32>),
    Base64(String),
}

pub(super) fn answer(endpoint: &Endpoint, body: &[u8]) -> Result<EmbedAnswer, UpstreamFault> {
    let malformed = |what: &str| UpstreamFault::malformed(endpoint, what);
    let Body { data, model, usage } = serde_json::from_slice(body).map_err(|error| {
        let told = serde_json::from_slice::<Map<String, Value>>(body).ok();
        told.and_then(|map| refusal::within(endpoint, &map)).unwrap_or_else(|| malformed(&error.to_string()))
    })?;
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; data.len()];
    for (at, entry) in data.into_iter().enumerate() {
        let place = vectors.get_mut(entry.index.unwrap_or(at)).filter(|place| place.is_none());
        let place = place.ok_or_else(|| malformed("the indexes of the embeddings are wrong"))?;
        *place = Some(entry.embedding.numbers().ok_or_else(|| malformed("an embedding is not base64 of 32-bit floats"))?);
    }
    Ok(EmbedAnswer {
        model: model.filter(|model| !model.is_empty()).unwrap_or_else(|| endpoint.model.clone()),
        vectors: vectors.into_iter().flatten().collect(),
        usage: usage.filter(Value::is_object).and_then(|said| usage::of(&said)).map(usage::all_read),
    })
}

impl Vector {
    fn numbers(self) -> Option<Vec<f32>> {
        let text = match self {
            Self::Numbers(numbers) => return Some(numbers),
            Self::Base64(text) => text,
        };
        let bytes = STANDARD.decode(text).ok()?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        rest.is_empty().then(|| numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}
