//! What an encoder is told about its model, and how it finds the files.

use std::{path::PathBuf, sync::Arc};

use mainspring_llm::ModelFault;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderFiles {
    /// ONNX.
    pub model: PathBuf,
    /// `tokenizer.json`.
    pub tokenizer: PathBuf,
}

/// Finds the files when they are first needed, so that a server starts without them and a later
/// `models pull` is enough.
pub type Locate = Arc<dyn Fn() -> Result<EncoderFiles, ModelFault> + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooling {
    #[default]
    Mean,
    /// The first token's vector.
    Cls,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedderSpec {
    pub name: String,
    /// The digest of weights, tokenizer and pooling.
    pub identity: String,
    pub dimensions: usize,
    /// Special tokens included.
    pub max_tokens: usize,
    pub pooling: Pooling,
    pub query_prefix: String,
    pub passage_prefix: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrossSpec {
    pub name: String,
    pub identity: String,
    /// Of query and passage together, special tokens included.
    pub max_tokens: usize,
}

/// How much work waits and how it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// Threads that each run batches of their own.
    pub engines: usize,
    /// Threads inside one batch.
    pub threads: usize,
    /// Padded tokens in one batch. Larger ones fall out of the cache, smaller ones waste calls.
    pub batch_tokens: usize,
    /// Tokens that may wait. What does not fit is refused.
    pub queue_tokens: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { engines: 1, threads: cores, batch_tokens: 2048, queue_tokens: 1 << 18 }
    }
}
