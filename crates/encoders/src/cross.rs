//! Cross-encoders: sequence classifiers that read query and passage together.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use mainspring_llm::{Budget, ModelFault, Reranker, Scored};
use tokio::sync::OnceCell;

use crate::{
    batch::Want,
    embedder::{Load, Loaded, blocking, mixed_up, within},
    queue::{Answer, Lane},
    spec::{CrossSpec, EngineOptions, Locate, Pooling},
};

/// A reranker from an ONNX sequence classifier: `input_ids` (and mask, and types) to `[rows, 1]` or `[rows, 2]`.
pub struct CrossEncoder {
    spec: CrossSpec,
    options: EngineOptions,
    locate: Locate,
    loaded: OnceCell<Loaded>,
}

impl fmt::Debug for CrossEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrossEncoder").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl CrossEncoder {
    /// Costs nothing: the files are looked for at the first call.
    #[must_use]
    pub fn new(spec: CrossSpec, locate: Locate, options: EngineOptions) -> Self {
        Self { spec, options, locate, loaded: OnceCell::new() }
    }

    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.loaded.initialized()
    }

    async fn loaded(&self) -> Result<&Loaded, ModelFault> {
        let start = || {
            let load = Load {
                name: self.spec.name.clone(),
                locate: Arc::clone(&self.locate),
                max_tokens: self.spec.max_tokens,
                pooling: Pooling::Cls,
                options: self.options.clone(),
            };
            load.run()
        };
        self.loaded.get_or_try_init(start).await
    }
}

#[async_trait]
impl Reranker for CrossEncoder {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn identity(&self) -> String {
        self.spec.identity.clone()
    }

    async fn rerank(&self, query: &str, passages: Vec<String>, budget: Budget) -> Result<Vec<Scored>, ModelFault> {
        let name = &self.spec.name;
        let loaded = within(name, budget, self.loaded()).await?;
        let (encoder, query) = (Arc::clone(&loaded.encoder), query.to_owned());
        let pairs = move || passages.iter().map(|passage| encoder.encode_pair(&query, passage)).collect();
        let encoded = blocking(name, pairs).await?;
        let answers = loaded.engine.run(Lane::Query, Want::Logits, encoded, budget).await?;
        let scored = answers.into_iter().enumerate().map(|(index, answer)| match answer {
            Answer::Vector(logits) => match relevance(&logits) {
                Some(score) => Ok(Scored { index, score }),
                None => Err(ModelFault::Unsupported {
                    model: name.clone(),
                    what: format!("a reranker has one or two outputs, this model has {}", logits.len()),
                }),
            },
            Answer::Vectors(_) => Err(mixed_up(name)),
        });
        scored.collect()
    }
}

/// Between 0 and 1: one output is a logit, of two the second is the relevant class.
pub(crate) fn relevance(logits: &[f32]) -> Option<f32> {
    let logit = match logits {
        [logit] => *logit,
        [no, yes] => yes - no,
        _ => return None,
    };
    logit.is_finite().then(|| 1.0 / (1.0 + (-logit).exp()))
}
