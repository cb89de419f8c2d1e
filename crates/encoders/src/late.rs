//! Late interaction: a reranker that needs no weights beyond the embedder's.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use mainspring_llm::{Budget, Embedder, Embedding, ModelFault, Reranker, Scored};

/// Scores a passage by the mean, over the query's tokens, of the best match among the passage's tokens.
pub struct LateInteraction {
    embedder: Arc<dyn Embedder>,
}

impl fmt::Debug for LateInteraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LateInteraction").field("embedder", &self.embedder.name()).finish()
    }
}

impl LateInteraction {
    #[must_use]
    pub fn new(embedder: Arc<dyn Embedder>) -> Self {
        Self { embedder }
    }
}

#[async_trait]
impl Reranker for LateInteraction {
    fn name(&self) -> &str {
        self.embedder.name()
    }

    fn identity(&self) -> String {
        format!("late-interaction:{}", self.embedder.identity())
    }

    async fn rerank(&self, query: &str, passages: Vec<String>, budget: Budget) -> Result<Vec<Scored>, ModelFault> {
        if passages.is_empty() {
            return Ok(Vec::new());
        }
        let query = self.embedder.embed_tokens(vec![query.to_owned()], budget).await?.pop().unwrap_or_default();
        let passages = self.embedder.embed_tokens(passages, budget).await?;
        let score = move || {
            let scored = passages.iter().enumerate();
            scored.map(|(index, passage)| Scored { index, score: max_sim(&query, passage) }).collect()
        };
        tokio::task::spawn_blocking(score)
            .await
            .map_err(|fault| ModelFault::Engine { model: self.name().to_owned(), reason: fault.to_string() })
    }
}

/// Between -1 and 1. The first and the last vector are special tokens, which match themselves
/// everywhere and say nothing.
pub(crate) fn max_sim(query: &[Embedding], passage: &[Embedding]) -> f32 {
    let (query, passage) = (inner(query), inner(passage));
    if query.is_empty() || passage.is_empty() {
        return -1.0;
    }
    let best = |token: &Embedding| passage.iter().map(|other| dot(token, other)).fold(-1.0_f32, f32::max);
    query.iter().map(best).sum::<f32>() / query.len() as f32
}

fn inner(tokens: &[Embedding]) -> &[Embedding] {
    match tokens {
        [_, inner @ .., _] => inner,
        _ => &[],
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Eight sums side by side, so that the compiler can use vector registers.
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest = a.len() - a.len() % 8;
    sums.iter().sum::<f32>() + a[rest..].iter().zip(&b[rest.min(b.len())..]).map(|(a, b)| a * b).sum::<f32>()
}
