//! What encoders promise: on the real weights, on tiny made models, and on a model that waits.

#[cfg(target_arch = "x86_64")]
mod bert;
mod crossing;
mod embedding;
mod gated;
mod parsing;
mod planning;
mod reference;
mod tiny;

use std::{sync::Arc, time::Duration};

use mainspring_llm::{Budget, ModelFault};
use mainspring_weights::{ModelList, Role, Weights};

use crate::{EmbedderSpec, EncoderFiles, EngineOptions, LocalEmbedder, Locate, Pooling};

pub(crate) fn budget() -> Budget {
    Budget::of(Duration::from_secs(300))
}

/// The real weights, fetched once into the cache that all tests share.
pub(crate) async fn weights() -> Weights {
    Weights::open(&Weights::default_dir(), ModelList::built_in().unwrap()).unwrap()
}

pub(crate) async fn files(model: &str) -> EncoderFiles {
    let weights = weights().await;
    let installed = match weights.locate(model) {
        Ok(installed) => installed,
        Err(_) => weights.pull(model, |_| ()).await.unwrap(),
    };
    let path = |role| installed.path(role).unwrap().to_owned();
    EncoderFiles { model: path(Role::Model), tokenizer: path(Role::Tokenizer) }
}

pub(crate) fn minilm_spec() -> EmbedderSpec {
    EmbedderSpec {
        name: "all-minilm-l6-v2".to_owned(),
        identity: "sha256:test".to_owned(),
        dimensions: 384,
        max_tokens: 256,
        pooling: Pooling::Mean,
        query_prefix: String::new(),
        passage_prefix: String::new(),
    }
}

pub(crate) fn at(files: EncoderFiles) -> Locate {
    Arc::new(move || Ok(files.clone()))
}

pub(crate) fn nowhere() -> Locate {
    Arc::new(|| Err(ModelFault::NotInstalled { model: "all-minilm-l6-v2".to_owned() }))
}

pub(crate) async fn minilm() -> LocalEmbedder {
    LocalEmbedder::new(minilm_spec(), at(files("all-minilm-l6-v2").await), EngineOptions::default())
}

pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
