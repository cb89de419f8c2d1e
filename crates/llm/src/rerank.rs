use async_trait::async_trait;

use crate::{budget::Budget, fault::ModelFault};

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Index into the passages that were given.
    pub index: usize,
    pub score: f32,
}

/// Orders passages by how well they answer a query.
#[async_trait]
pub trait Reranker: Send + Sync + std::fmt::Debug + 'static {
    fn name(&self) -> &str;
    fn identity(&self) -> String;
    /// One score per passage, in the order given.
    async fn rerank(&self, query: &str, passages: Vec<String>, budget: Budget) -> Result<Vec<Scored>, ModelFault>;
}
