//! Text to vectors, and text to tokens with their places in the text.

use std::ops::Range;

use async_trait::async_trait;

use crate::{budget::Budget, fault::ModelFault};

/// A vector of length one, so that the dot product is the cosine.
pub type Embedding = Vec<f32>;

/// Why a text is embedded; models that tell queries from passages need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmbedAs {
    Query,
    Passage,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// In the order of the texts.
    pub vectors: Vec<Embedding>,
    pub tokens: u64,
}

#[async_trait]
pub trait Embedder: Send + Sync + std::fmt::Debug + 'static {
    fn name(&self) -> &str;
    /// What exactly embeds (a digest of weights and pooling): part of every vector's identity.
    fn identity(&self) -> String;
    fn dimensions(&self) -> usize;
    /// Longer texts are cut to this many tokens.
    fn max_tokens(&self) -> usize;
    /// Loads what is loaded lazily, and says so when it is not there. Ask before `tokenizer` is used:
    /// a tokenizer cannot refuse.
    async fn prepare(&self, _budget: Budget) -> Result<(), ModelFault> {
        Ok(())
    }
    async fn embed(&self, texts: Vec<String>, purpose: EmbedAs, budget: Budget) -> Result<Embedded, ModelFault>;
    /// Like `embed`, for callers who must know: a text beyond the window is refused instead of cut.
    async fn embed_whole(&self, texts: Vec<String>, purpose: EmbedAs, budget: Budget) -> Result<Embedded, ModelFault> {
        self.prepare(budget).await?;
        let (tokenizer, window) = (self.tokenizer(), self.max_tokens());
        if let Some(tokens) = texts.iter().map(|text| tokenizer.count(text)).find(|tokens| *tokens > window) {
            return Err(ModelFault::ContextExceeded { model: self.name().to_owned(), tokens, window });
        }
        self.embed(texts, purpose, budget).await
    }
    /// The last hidden state of every token, length-normalised: what late interaction compares.
    async fn embed_tokens(&self, texts: Vec<String>, budget: Budget) -> Result<Vec<Vec<Embedding>>, ModelFault>;
    fn tokenizer(&self) -> std::sync::Arc<dyn TextTokenizer>;
}

/// The tokens of one text as byte ranges into it, without special tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    pub ranges: Vec<Range<usize>>,
}

/// Counts and places tokens. Chunking tokenises a document once and cuts on these places.
pub trait TextTokenizer: Send + Sync + std::fmt::Debug + 'static {
    fn tokenize(&self, text: &str) -> Tokens;
    fn count(&self, text: &str) -> usize {
        self.tokenize(text).ranges.len()
    }
}
